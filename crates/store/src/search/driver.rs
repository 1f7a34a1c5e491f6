//! The rows that match, as SQL: which clause drives, and how the others probe.

use fhir::ResourceType;
use fhir::query::{
    Clause, Criteria, DatePrefix, IndexParam, ReferenceTest, SearchParam, StringTest, Test, TokenTest,
};

use super::test::{Table, any, entry_tests, folded, on_resource, table_of};
use crate::api::{ClassFilter, SpaceKey};
use crate::codes;
use crate::sql::Dialect;
use crate::statement::Statement;

/// Statements of more clauses or alternatives have too many texts to be worth a place in the cache.
const CACHED_CLAUSES: usize = 2;
/// What is asked for together so often (who is this person?) that it is worth one all the same.
const CACHED_TOGETHER: [SearchParam; 4] = [
    SearchParam::Family,
    SearchParam::Given,
    SearchParam::Birthdate,
    SearchParam::Gender,
];
/// Alternatives of an identifier that are.
const CACHED_IDENTIFIERS: usize = 3;

/// So many rows are few: listing them costs no more than a handful of probes.
const MORE_THAN_FEW: &str = " LIMIT 129)) < 129 THEN ";

/// The rows of one type that match, as SQL.
#[derive(Clone)]
pub(super) struct Candidates<'q> {
    /// FROM with the driver, WHERE with everything.
    pub(super) body: Statement<'q>,
    /// The column that names the row.
    pub(super) row: &'static str,
    /// The column that holds the first key of the order, when the index of that is walked.
    pub(super) first: Option<&'static str>,
    pub(super) cached: bool,
}

impl<'q> Candidates<'q> {
    /// `SELECT … AS row FROM … WHERE …`
    pub(super) fn rows(&self) -> Statement<'q> {
        Statement::new("SELECT ")
            .sql(self.row)
            .sql(" AS row")
            .then(self.body.clone())
    }

    /// Those of the criteria, put to this type.
    pub(super) fn of(scope: Scope, criteria: &'q Criteria) -> Candidates<'q> {
        let driver = driver(criteria);
        let on_resource_too = matches!(scope.class, ClassFilter::Only(_))
            || criteria.clauses.iter().any(Clause::is_on_resource);
        let (mut body, row) = match driver {
            Some((_, clause)) if !clause.is_on_resource() => {
                let mut from = match &clause.test {
                    Test::Chain(inner) => scope.driven_by_chain(clause.param, inner),
                    Test::Has(inner) => scope.driven_by_has(clause.param, inner),
                    _ => scope.driven_by(clause),
                };
                if on_resource_too {
                    from = from
                        .sql(" CROSS JOIN resource AS r WHERE r.space = ")
                        .bind(scope.space)
                        .sql(" AND r.row = c.row");
                } else {
                    from.push(" WHERE 1 = 1");
                }
                (from, "c.row")
            }
            _ => (
                Statement::new(" FROM resource AS r WHERE r.space = ")
                    .bind(scope.space)
                    .sql(" AND r.kind = ")
                    .bind(scope.kind())
                    .sql(" AND NOT r.deleted"),
                "r.row",
            ),
        };
        if let ClassFilter::Only(class) = scope.class {
            body = body.sql(" AND r.class = ").bind(codes::class(class));
        }
        for (position, clause) in criteria.clauses.iter().enumerate() {
            let drives = driver.is_some_and(|(driver, _)| driver == position);
            if clause.is_on_resource() {
                body = body.sql(" AND ").then(on_resource(clause));
            } else if !drives {
                let few = driver.is_some_and(|(_, driver)| may_be_intersected(driver, clause));
                let test = match scope.dialect {
                    Dialect::Sqlite if few => scope.listed_or_probed(clause, row),
                    Dialect::Sqlite | Dialect::Postgres => scope.probe(clause, row),
                };
                body = body.sql(" AND ").then(test);
            }
        }
        let cached = is_cached(&criteria.clauses);
        let first = None;
        Candidates {
            body,
            row,
            first,
            cached,
        }
    }
}

/// Whether some clause leaves so few rows that they are better sorted than met on a walk.
pub(super) fn is_narrow(criteria: &Criteria) -> bool {
    const WIDE: [SearchParam; 3] = [SearchParam::Active, SearchParam::Gender, SearchParam::Deceased];
    driver(criteria).is_some_and(|(_, clause)| !WIDE.contains(&clause.param))
}

/// Whether driver and clause may both leave few rows of many: who is called so, and who was born on that day.
fn may_be_intersected(driver: &Clause, clause: &Clause) -> bool {
    let few =
        |clause: &Clause| matches!(clause.test, Test::Date(_) | Test::String(_)) && rank(clause).is_some();
    few(driver) && few(clause)
}

/// What a clause looks at.
trait Looks {
    /// Whether that is the resource itself.
    fn is_on_resource(&self) -> bool;
}

impl Looks for Clause {
    fn is_on_resource(&self) -> bool {
        self.param.index().is_empty()
    }
}

/// Whose rows a statement looks at.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    pub(super) dialect: Dialect,
    pub(super) space: i64,
    pub(super) kind: ResourceType,
    pub(super) class: ClassFilter,
    /// So many probes stand around.
    pub(super) depth: u8,
}

impl Scope {
    pub(super) fn new(dialect: Dialect, space: SpaceKey, kind: ResourceType, class: ClassFilter) -> Scope {
        Scope {
            dialect,
            space: space.0,
            kind,
            class,
            depth: 0,
        }
    }

    /// The same inside of one more probe.
    pub(super) fn deeper(self) -> Scope {
        Scope {
            depth: self.depth.saturating_add(1),
            ..self
        }
    }

    /// The same for another type.
    pub(super) fn of(self, kind: ResourceType) -> Scope {
        Scope { kind, ..self }
    }

    pub(super) fn kind(self) -> i16 {
        codes::kind(self.kind)
    }

    /// ` FROM … AS c`, each candidate once.
    fn driven_by<'q>(self, clause: &'q Clause) -> Statement<'q> {
        let from = Statement::new(if is_unique(clause) {
            " FROM (SELECT row FROM "
        } else {
            " FROM (SELECT DISTINCT row FROM "
        });
        from.then(self.entries(clause)).sql(") AS c")
    }

    /// `table WHERE …`, for the index rows that pass a clause: each alternative by its own index lookup.
    fn entries<'q>(self, clause: &'q Clause) -> Statement<'q> {
        let table = table_of(clause).name();
        let tests = entry_tests(self.dialect, clause);
        if tests.is_empty() {
            return Statement::new(table).sql(" WHERE 1 = 0");
        }
        let index = match self.dialect {
            Dialect::Sqlite => index_of(clause),
            Dialect::Postgres => "",
        };
        let mut entries = Statement::new("");
        for (position, test) in tests.into_iter().enumerate() {
            if position > 0 {
                entries = entries.sql(" UNION SELECT row FROM ");
            }
            entries = entries
                .sql(table)
                .sql(index)
                .sql(" WHERE space = ")
                .bind(self.space)
                .sql(" AND kind = ")
                .bind(self.kind())
                .sql(" AND ")
                .then(params(clause.index()))
                .sql(" AND ")
                .then(test);
        }
        entries
    }

    /// The same test as [`Scope::probe`]. When few rows pass the clause, they are listed once: in its index they lie side
    /// by side, where the probes of a hundred candidates would each look at another page. SQLite only, which does not
    /// think of that itself.
    fn listed_or_probed<'q>(self, clause: &'q Clause, row: &'static str) -> Statement<'q> {
        Statement::new("CASE WHEN (SELECT count(*) FROM (SELECT row FROM ")
            .then(self.entries(clause))
            .sql(MORE_THAN_FEW)
            .sql(row)
            .sql(" IN (SELECT row FROM ")
            .then(self.entries(clause))
            .sql(") ELSE ")
            .then(self.probe(clause, row))
            .sql(" END")
    }

    /// Whether the candidate passes a clause.
    pub(super) fn probe<'q>(self, clause: &'q Clause, row: &'static str) -> Statement<'q> {
        match &clause.test {
            Test::Chain(inner) => return self.probe_chain(clause.param, inner, row),
            Test::Has(inner) => return self.probe_has(clause.param, inner, row),
            _ => {}
        }
        let negated = matches!(clause.test, Test::NotToken(_) | Test::Missing(true));
        let mut probe = Statement::new(if negated {
            "NOT EXISTS (SELECT 1 FROM "
        } else {
            "EXISTS (SELECT 1 FROM "
        })
        .sql(table_of(clause).name())
        .sql(" AS x WHERE x.space = ")
        .bind(self.space)
        .sql(" AND x.row = ")
        .sql(row)
        .sql(" AND x.")
        .then(params(clause.index()));
        if !matches!(clause.test, Test::Missing(_)) {
            probe.push(" AND ");
            probe = probe.then(any(entry_tests(self.dialect, clause)));
        }
        probe.sql(")")
    }
}

/// SQLite: the index that drives, by name. Its planner, which has no statistics here, likes to read a whole space in
/// the order of the rows instead.
fn index_of(clause: &Clause) -> &'static str {
    let is_system = |test: &TokenTest| matches!(test, TokenTest::System(_));
    match &clause.test {
        Test::Token(tests) if tests.iter().any(is_system) => "",
        Test::Token(_) | Test::OfType(_) | Test::Uri(_) => " INDEXED BY index_token_by_code",
        Test::String(_) | Test::Text(_) => " INDEXED BY index_string_by_text",
        Test::Date(_) => " INDEXED BY index_date_by_range",
        Test::Reference(tests)
            if tests
                .iter()
                .all(|test| !matches!(test, ReferenceTest::Identifier(_))) =>
        {
            " INDEXED BY index_reference_by_target"
        }
        Test::Id(_)
        | Test::NotToken(_)
        | Test::Reference(_)
        | Test::Missing(_)
        | Test::Chain(_)
        | Test::Has(_) => "",
    }
}

/// `param = …`
pub(super) fn params(index: &[IndexParam]) -> Statement<'static> {
    match index {
        // By its number, so that the partial index of identifier systems serves.
        [IndexParam::Identifier] => Statement::new("param = 1"),
        [single] => Statement::new("param = 0 + ").bind(single.number()),
        several => {
            let mut list = Statement::new("param IN (");
            for (position, param) in several.iter().enumerate() {
                if position > 0 {
                    list.push(", ");
                }
                list.push_bind(param.number());
            }
            list.sql(")")
        }
    }
}

/// The clause that promises the fewest candidates, with its position.
fn driver(criteria: &Criteria) -> Option<(usize, &Clause)> {
    criteria
        .clauses
        .iter()
        .enumerate()
        .filter_map(|(position, clause)| Some((rank(clause)?, position, clause)))
        .min_by_key(|(rank, position, _)| (*rank, *position))
        .map(|(_, position, clause)| (position, clause))
}

/// How many candidates a clause lets expect, as an order; `None`: it cannot drive.
fn rank(clause: &Clause) -> Option<u8> {
    match &clause.test {
        Test::Id(_) => Some(0),
        Test::Token(tests) if clause.param.index().is_empty() || tests.is_empty() => None,
        Test::Token(tests) => {
            let whole_system = tests.iter().any(|test| matches!(test, TokenTest::System(_)));
            Some(match clause.param {
                _ if whole_system => 8,
                SearchParam::Identifier => 1,
                SearchParam::Email | SearchParam::Phone | SearchParam::Telecom => 2,
                _ => 7,
            })
        }
        Test::OfType(_) => Some(1),
        Test::Reference(_) => Some(3),
        Test::Date(_) if clause.param.index().is_empty() => None,
        Test::Date(tests) => tests
            .iter()
            .all(|test| test.prefix == DatePrefix::Equal)
            .then_some(4),
        Test::String(tests) | Test::Text(tests) => tests
            .iter()
            .all(|test| match test {
                StringTest::StartsWith(text) => !text.is_empty(),
                StringTest::Exact(text) => folded(text).is_some(),
                StringTest::Contains(_) => false,
            })
            .then_some(5),
        Test::Uri(_) => Some(6),
        // As few as the resources at the other end; none, and the chain probes.
        Test::Chain(inner) | Test::Has(inner) => driver(inner).and_then(|(_, inner)| rank(inner)),
        Test::NotToken(_) | Test::Missing(_) => None,
    }
}

/// Whether the index holds no row of the driver twice.
fn is_unique(clause: &Clause) -> bool {
    let exact = match &clause.test {
        Test::Token(tests) => matches!(
            tests.as_slice(),
            [TokenTest::SystemCode { .. } | TokenTest::CodeWithoutSystem(_)]
        ),
        Test::OfType(tests) => tests.len() == 1,
        _ => false,
    };
    exact && clause.index().len() == 1
}

/// Whether a statement with these clauses is worth a place in the cache: there are few texts of its kind.
pub(super) fn is_cached(clauses: &[Clause]) -> bool {
    let is_few = |clause: &Clause| match &clause.test {
        Test::Token(tests) if clause.param == SearchParam::Identifier => tests.len() <= CACHED_IDENTIFIERS,
        _ => is_single(clause),
    };
    let together = |clause: &Clause| CACHED_TOGETHER.contains(&clause.param);
    let are_few = clauses.len() <= CACHED_CLAUSES
        || (clauses.len() <= CACHED_TOGETHER.len() && clauses.iter().all(together));
    are_few && clauses.iter().all(is_few)
}

/// Whether a clause has one alternative, and so one text.
fn is_single(clause: &Clause) -> bool {
    1 == match &clause.test {
        Test::Id(tests) => tests.len(),
        Test::Token(tests) | Test::NotToken(tests) => tests.len(),
        Test::String(tests) | Test::Text(tests) => tests.len(),
        Test::OfType(tests) => tests.len(),
        Test::Date(tests) => tests.len(),
        Test::Reference(tests) => tests.len(),
        Test::Uri(tests) => tests.len(),
        Test::Chain(inner) | Test::Has(inner) => {
            inner.clauses.iter().filter(|clause| !is_single(clause)).count() + 1
        }
        Test::Missing(_) => 1,
    }
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Token => "index_token",
            Table::String => "index_string",
            Table::Date => "index_date",
            Table::Reference => "index_reference",
        }
    }
}
