//! Chains and `_has`: conditions on the resource at the other end of a reference.
//!
//! As drivers they start from the few rows at the other end; as probes they go there from a candidate. Names inside
//! of a probe: `f` the reference, `t` the resource that it names.

use fhir::query::{Clause, Criteria, SearchParam};

use super::driver::{Candidates, Scope, params};
use super::test::on_resource;
use crate::api::ClassFilter;
use crate::codes;
use crate::statement::Statement;

impl Scope {
    /// ` FROM … AS c`: the resources that refer to a match of `inner`.
    pub(super) fn driven_by_chain<'q>(self, param: SearchParam, inner: &'q Criteria) -> Statement<'q> {
        let far = Candidates::of(self.of(inner.kind), inner);
        Statement::new(" FROM (SELECT DISTINCT f.row FROM (SELECT ")
            .sql(far.row)
            .sql(" AS row")
            .then(far.body)
            .sql(") AS far CROSS JOIN resource AS t CROSS JOIN index_reference AS f WHERE t.space = ")
            .bind(self.space)
            .sql(" AND t.row = far.row AND f.space = ")
            .bind(self.space)
            .sql(" AND f.kind = ")
            .bind(self.kind())
            .sql(" AND f.target = t.id AND ")
            .then(to(param))
            .sql(") AS c")
    }

    /// ` FROM … AS c`: the resources that a match of `inner` refers to.
    pub(super) fn driven_by_has<'q>(self, param: SearchParam, inner: &'q Criteria) -> Statement<'q> {
        let far = Candidates::of(self.of(inner.kind), inner);
        Statement::new(" FROM (SELECT DISTINCT t.row FROM (SELECT ")
            .sql(far.row)
            .sql(" AS row")
            .then(far.body)
            .sql(") AS far CROSS JOIN index_reference AS f CROSS JOIN resource AS t WHERE f.space = ")
            .bind(self.space)
            .sql(" AND f.row = far.row AND ")
            .then(to(param))
            .sql(" AND t.space = ")
            .bind(self.space)
            .sql(" AND t.kind = ")
            .bind(self.kind())
            .sql(" AND t.id = f.target AND NOT t.deleted) AS c")
    }

    /// Whether the candidate refers to a match of `inner`.
    pub(super) fn probe_chain<'q>(
        self,
        param: SearchParam,
        inner: &'q Criteria,
        row: &'static str,
    ) -> Statement<'q> {
        let far = self.of(inner.kind);
        let mut probe = Statement::new(
            "EXISTS (SELECT 1 FROM index_reference AS f CROSS JOIN resource AS t WHERE f.space = ",
        )
        .bind(self.space)
        .sql(" AND f.row = ")
        .sql(row)
        .sql(" AND ")
        .then(to(param))
        .sql(" AND t.space = ")
        .bind(self.space)
        .sql(" AND t.kind = ")
        .bind(far.kind())
        .sql(" AND t.id = f.target AND NOT t.deleted");
        if let ClassFilter::Only(class) = self.class {
            probe = probe.sql(" AND t.class = ").bind(codes::class(class));
        }
        for clause in &inner.clauses {
            probe = probe.sql(" AND ").then(far.far(clause, "t.row"));
        }
        probe.sql(")")
    }

    /// Whether a match of `inner` refers to the candidate.
    pub(super) fn probe_has<'q>(
        self,
        param: SearchParam,
        inner: &'q Criteria,
        row: &'static str,
    ) -> Statement<'q> {
        let far = self.of(inner.kind);
        let mut probe = Statement::new(
            "EXISTS (SELECT 1 FROM resource AS t CROSS JOIN index_reference AS f WHERE t.space = ",
        )
        .bind(self.space)
        .sql(" AND t.row = ")
        .sql(row)
        .sql(" AND f.space = ")
        .bind(self.space)
        .sql(" AND f.kind = ")
        .bind(far.kind())
        .sql(" AND f.target = t.id AND ")
        .then(to(param));
        if let ClassFilter::Only(class) = self.class {
            probe = probe
                .sql(" AND EXISTS (SELECT 1 FROM resource AS r WHERE r.space = ")
                .bind(self.space)
                .sql(" AND r.row = f.row AND r.class = ")
                .bind(codes::class(class))
                .sql(")");
        }
        for clause in &inner.clauses {
            probe = probe.sql(" AND ").then(far.far(clause, "f.row"));
        }
        probe.sql(")")
    }

    /// A condition on the resource of a row at the far end.
    fn far<'q>(self, clause: &'q Clause, row: &'static str) -> Statement<'q> {
        if !clause.param.index().is_empty() {
            return self.probe(clause, row);
        }
        Statement::new("EXISTS (SELECT 1 FROM resource AS r WHERE r.space = ")
            .bind(self.space)
            .sql(" AND r.row = ")
            .sql(row)
            .sql(" AND ")
            .then(on_resource(clause))
            .sql(")")
    }
}

/// Which references count: those of the parameter to the type that is stored.
pub(super) fn to(param: SearchParam) -> Statement<'static> {
    let kind = param.refers_to().map_or("", fhir::ResourceType::as_str);
    Statement::new("f.")
        .then(params(param.index()))
        .sql(" AND f.ref_kind = ")
        .bind(kind)
}
