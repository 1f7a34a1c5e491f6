//! Chains and `_has`: conditions on the resource at the other end of a reference.
//!
//! As drivers they start from the few rows at the other end; as probes they go there from a candidate. Names inside:
//! `f` the reference, `t` the resource that it names.

use fhir::limits::MAX_CHAIN_STEPS;
use fhir::query::{Clause, Criteria, SearchParam, Test};

use super::driver::{Candidates, Scope, params};
use super::test::on_resource;
use crate::api::{Class, ClassFilter};
use crate::codes;
use crate::sql::Dialect;
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
            .then(to(param, "f"))
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
            .then(to(param, "f"))
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
        let (far, names) = (self.of(inner.kind).deeper(), self.names());
        let from = Statement::new("EXISTS (SELECT 1 FROM index_reference AS ")
            .sql(names.reference)
            .sql(" CROSS JOIN resource AS ")
            .sql(names.named)
            .sql(" WHERE ")
            .then(self.referring(names, row))
            .sql(" AND ")
            .then(to(param, names.reference))
            .sql(" AND ")
            .then(names.named_at("space"))
            .bind(self.space)
            .sql(" AND ")
            .then(names.named_at("kind"))
            .bind(far.kind())
            .sql(" AND ")
            .then(names.named_at("id"))
            .sql(names.reference)
            .sql(".target AND NOT ")
            .sql(names.named)
            .sql(".deleted");
        let class = |class| names.named_at("class").bind(codes::class(class));
        far.demands(from, inner, names.named_row, class)
    }

    /// Whether a match of `inner` refers to the candidate.
    pub(super) fn probe_has<'q>(
        self,
        param: SearchParam,
        inner: &'q Criteria,
        row: &'static str,
    ) -> Statement<'q> {
        let (far, names) = (self.of(inner.kind).deeper(), self.names());
        let from = Statement::new("EXISTS (SELECT 1 FROM resource AS ")
            .sql(names.named)
            .sql(" CROSS JOIN index_reference AS ")
            .sql(names.reference)
            .sql(" WHERE ")
            .then(names.named_at("space"))
            .bind(self.space)
            .sql(" AND ")
            .then(names.named_at("row"))
            .sql(row)
            .sql(" AND ")
            .then(names.reference_at("space"))
            .bind(self.space)
            .sql(" AND ")
            .then(names.reference_at("kind"))
            .bind(far.kind())
            .sql(" AND ")
            .then(names.reference_at("target"))
            .sql(names.named)
            .sql(".id AND ")
            .then(to(param, names.reference));
        let class = |class| {
            Statement::new("EXISTS (SELECT 1 FROM resource AS r WHERE r.space = ")
                .bind(self.space)
                .sql(" AND r.row = ")
                .sql(names.reference_row)
                .sql(" AND r.class = ")
                .bind(codes::class(class))
                .sql(")")
        };
        far.demands(from, inner, names.reference_row, class)
    }

    /// The end of a probe: what is demanded of the resource at the far end.
    fn demands<'q>(
        self,
        mut probe: Statement<'q>,
        inner: &'q Criteria,
        row: &'static str,
        is_of: impl Fn(Class) -> Statement<'q>,
    ) -> Statement<'q> {
        if let ClassFilter::Only(class) = self.class {
            probe = probe.sql(" AND ").then(is_of(class));
        }
        for clause in &inner.clauses {
            probe = probe.sql(" AND ").then(self.far(clause, row));
        }
        let is_step = |clause: &Clause| matches!(clause.test, Test::Chain(_) | Test::Has(_));
        let is_nested = self.depth > 1 || inner.clauses.iter().any(is_step);
        if is_nested && self.dialect == Dialect::Postgres {
            // PostgreSQL would make one join of all the steps, and without statistics a bad one: it is to go from
            // candidate to candidate.
            probe.push(" OFFSET 0");
        }
        probe.sql(")")
    }

    /// `f.space = … AND f.row = …`
    fn referring(self, names: &Names, row: &'static str) -> Statement<'static> {
        names
            .reference_at("space")
            .bind(self.space)
            .sql(" AND ")
            .then(names.reference_at("row"))
            .sql(row)
    }

    /// The names inside of a probe that is so deep.
    fn names(self) -> &'static Names {
        let [first, second, third] = &NAMES;
        match self.depth {
            0 => first,
            1 => second,
            _ => third,
        }
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

/// What a reference and the resource that it names are called inside of a probe. A probe stands inside of another, and
/// speaks of its names: so each depth has its own.
struct Names {
    reference: &'static str,
    reference_row: &'static str,
    named: &'static str,
    named_row: &'static str,
}

const fn names(
    reference: &'static str,
    reference_row: &'static str,
    named: &'static str,
    named_row: &'static str,
) -> Names {
    Names {
        reference,
        reference_row,
        named,
        named_row,
    }
}

static NAMES: [Names; MAX_CHAIN_STEPS] = [
    names("f", "f.row", "t", "t.row"),
    names("f2", "f2.row", "t2", "t2.row"),
    names("f3", "f3.row", "t3", "t3.row"),
];

impl Names {
    /// `f.column = `
    fn reference_at(&self, column: &'static str) -> Statement<'static> {
        Statement::new(self.reference).sql(".").sql(column).sql(" = ")
    }

    /// `t.column = `
    fn named_at(&self, column: &'static str) -> Statement<'static> {
        Statement::new(self.named).sql(".").sql(column).sql(" = ")
    }
}

/// Which references count: those of the parameter to the type that is stored.
pub(super) fn to(param: SearchParam, name: &'static str) -> Statement<'static> {
    let kind = param.refers_to().map_or("", fhir::ResourceType::as_str);
    Statement::new(name)
        .sql(".")
        .then(params(param.index()))
        .sql(" AND ")
        .sql(name)
        .sql(".ref_kind = ")
        .bind(kind)
}
