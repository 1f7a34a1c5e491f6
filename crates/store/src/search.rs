//! Queries as SQL: the only place that knows both.
//!
//! One clause drives, the one that promises the fewest rows: its index gives the candidates. Every other
//! clause is a probe into the index rows of a candidate, which lie together. All that a client sends is
//! bound; which parameter is meant is bound too, so that the texts of statements stay few.

mod test;

use fhir::query::{
    Clause, Criteria, DatePrefix, IndexParam, Query, ReferenceTest, SearchParam, StringTest, Test, TokenTest,
    Total,
};

use crate::api::{ClassFilter, Page, SpaceKey, Stored};
use crate::codes;
use crate::cursor;
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::{self, Transaction};

use test::{Table, entry_tests, folded, on_resource, table_of};

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

/// The limit as a sum: SQLite plans for the value of a bare parameter here, and would prepare the statement
/// anew for every new binding. The same holds where a partial index compares a column with a constant.
const LIMIT: &str = " LIMIT 0 + ";

/// At most `limit` matches in order of creation.
pub(crate) fn matches<'q>(
    dialect: Dialect,
    space: SpaceKey,
    criteria: &'q Criteria,
    class: ClassFilter,
    limit: usize,
) -> Statement<'q> {
    let candidates = Candidates::of(dialect, space, criteria, class);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    bodies(space, candidates.rows(None).sql(LIMIT).bind(limit))
}

/// A page of a search.
pub(crate) fn page(tx: &mut Transaction<'_>, query: &Query, class: ClassFilter) -> Result<Page, StoreError> {
    let candidates = Candidates::of(tx.sql.dialect(), SpaceKey(tx.space()), &query.criteria, class);
    if query.count == 0 {
        return only_counted(tx, &candidates);
    }
    let key = tx.cursor_key()?;
    let mut listed = list(tx, query, &candidates, &key)?;
    if listed.uncounted {
        listed.page.total = Some(count(tx, &candidates)?);
    }
    Ok(listed.page)
}

/// The same by one statement; `None` when that does not suffice.
pub(crate) fn page_at_once(
    tx: &mut Transaction<'_>,
    query: &Query,
    class: ClassFilter,
) -> Result<Option<Page>, StoreError> {
    let candidates = Candidates::of(tx.sql.dialect(), SpaceKey(tx.space()), &query.criteria, class);
    if query.count == 0 {
        return only_counted(tx, &candidates).map(Some);
    }
    let Some(key) = tx.known_cursor_key() else {
        return Ok(None);
    };
    let listed = list(tx, query, &candidates, &key)?;
    Ok((!listed.uncounted).then_some(listed.page))
}

fn only_counted(tx: &mut Transaction<'_>, candidates: &Candidates<'_>) -> Result<Page, StoreError> {
    Ok(Page {
        matches: Vec::new(),
        total: Some(count(tx, candidates)?),
        next: None,
    })
}

/// A page whose matches stand.
struct Listed {
    page: Page,
    /// The total is asked for and does not follow from the page.
    uncounted: bool,
}

fn list(
    tx: &mut Transaction<'_>,
    query: &Query,
    candidates: &Candidates<'_>,
    key: &[u8; 32],
) -> Result<Listed, StoreError> {
    let search = candidates.rows(None).fingerprint();
    let after = cursor::start(key, &search, query)?;
    // One more than asked for tells whether there is a next page.
    let size = query.count as usize;
    let mut rows = candidates.rows(after).sql(LIMIT).bind(i64::from(query.count) + 1);
    if query.offset > 0 {
        let offset = i64::try_from(query.offset).unwrap_or(i64::MAX);
        rows = rows.sql(" OFFSET 0 + ").bind(offset);
    }
    let statement = bodies(SpaceKey(tx.space()), rows);
    let rows = tx
        .sql
        .resources(&statement)
        .map_err(|error| tx.fail("searching", &error))?;
    let mut matches = rows
        .into_iter()
        .map(transaction::stored)
        .collect::<Result<Vec<Stored>, _>>()?;
    let more = matches.len() > size;
    matches.truncate(size);
    let whole = after.is_none() && query.offset == 0 && !more;
    let total = match query.total {
        Total::Accurate if whole => u64::try_from(matches.len()).ok(),
        Total::Accurate | Total::None => None,
    };
    let next = matches
        .last()
        .filter(|_| more)
        .map(|last| cursor::seal(key, &search, last.row));
    Ok(Listed {
        uncounted: query.total == Total::Accurate && !whole,
        page: Page { matches, total, next },
    })
}

fn count(tx: &mut Transaction<'_>, candidates: &Candidates<'_>) -> Result<u64, StoreError> {
    let statement = Statement::new("SELECT count(*) FROM (")
        .then(candidates.rows(None))
        .sql(") AS page");
    let counts = tx
        .sql
        .longs(&statement)
        .map_err(|error| tx.fail("counting matches", &error))?;
    Ok(counts
        .first()
        .and_then(|count| u64::try_from(*count).ok())
        .unwrap_or_default())
}

/// The resources of a page of rows. CROSS JOIN: SQLite keeps this order.
fn bodies<'q>(space: SpaceKey, page: Statement<'q>) -> Statement<'q> {
    Statement::new("SELECT ")
        .sql(transaction::CURRENT)
        .sql(" FROM (")
        .then(page)
        .sql(") AS page CROSS JOIN resource AS r WHERE r.space = ")
        .bind(space.0)
        .sql(" AND r.row = page.row ORDER BY page.row")
}

/// The rows that match, as SQL.
struct Candidates<'q> {
    /// FROM with the driver, WHERE with everything.
    body: Statement<'q>,
    /// The column that names the row.
    row: &'static str,
    cached: bool,
}

impl<'q> Candidates<'q> {
    fn of(dialect: Dialect, space: SpaceKey, criteria: &'q Criteria, class: ClassFilter) -> Candidates<'q> {
        let driver = driver(criteria);
        let on_resource_too = matches!(class, ClassFilter::Only(_))
            || criteria
                .clauses
                .iter()
                .any(|clause| clause.param.index().is_empty());
        let scope = Scope {
            dialect,
            space: space.0,
            kind: codes::kind(criteria.kind),
        };
        let (mut body, row) = match driver {
            Some((_, clause)) if !clause.param.index().is_empty() => {
                let mut from = scope.driven_by(clause);
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
                    .bind(scope.kind)
                    .sql(" AND NOT r.deleted"),
                "r.row",
            ),
        };
        if let ClassFilter::Only(class) = class {
            body = body.sql(" AND r.class = ").bind(codes::class(class));
        }
        for (position, clause) in criteria.clauses.iter().enumerate() {
            let drives = driver.is_some_and(|(driver, _)| driver == position);
            if clause.param.index().is_empty() {
                body = body.sql(" AND ").then(on_resource(clause));
            } else if !drives {
                body = body.sql(" AND ").then(scope.probe(clause, row));
            }
        }
        let cached = is_cached(&criteria.clauses);
        Candidates { body, row, cached }
    }

    /// The rows in order, those behind `after` only.
    fn rows(&self, after: Option<i64>) -> Statement<'q> {
        let mut statement = Statement::new("SELECT ")
            .sql(self.row)
            .sql(" AS row")
            .then(self.body.clone());
        if let Some(after) = after {
            statement = statement.sql(" AND ").sql(self.row).sql(" > ").bind(after);
        }
        statement = statement.sql(" ORDER BY ").sql(self.row);
        if self.cached {
            statement
        } else {
            statement.uncached()
        }
    }
}

/// Whose rows a statement looks at.
#[derive(Clone, Copy)]
struct Scope {
    dialect: Dialect,
    space: i64,
    kind: i16,
}

impl Scope {
    /// ` FROM … AS c`, each candidate once.
    fn driven_by<'q>(self, clause: &'q Clause) -> Statement<'q> {
        let table = table_of(clause);
        let tests = entry_tests(self.dialect, clause);
        let unique = is_unique(clause);
        let mut from = Statement::new(if unique {
            " FROM (SELECT row FROM "
        } else {
            " FROM (SELECT DISTINCT row FROM "
        });
        if tests.is_empty() {
            return from.sql(table.name()).sql(" WHERE 1 = 0) AS c");
        }
        let index = match self.dialect {
            Dialect::Sqlite => index_of(clause),
            Dialect::Postgres => "",
        };
        for (position, test) in tests.into_iter().enumerate() {
            if position > 0 {
                // One index lookup for each alternative.
                from = from.sql(" UNION SELECT row FROM ");
            }
            from = from
                .sql(table.name())
                .sql(index)
                .sql(" WHERE space = ")
                .bind(self.space)
                .sql(" AND kind = ")
                .bind(self.kind)
                .sql(" AND ")
                .then(params(clause))
                .sql(" AND ")
                .then(test);
        }
        from.sql(") AS c")
    }

    /// Whether the candidate passes a clause.
    fn probe<'q>(self, clause: &'q Clause, row: &'static str) -> Statement<'q> {
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
        .then(params(clause));
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
        Test::String(_) => " INDEXED BY index_string_by_text",
        Test::Date(_) => " INDEXED BY index_date_by_range",
        Test::Reference(tests)
            if tests
                .iter()
                .all(|test| !matches!(test, ReferenceTest::Identifier(_))) =>
        {
            " INDEXED BY index_reference_by_target"
        }
        Test::Id(_) | Test::NotToken(_) | Test::Reference(_) | Test::Missing(_) => "",
    }
}

/// `(a OR b)`; nothing passes an empty list.
fn any(tests: Vec<Statement<'_>>) -> Statement<'_> {
    if tests.is_empty() {
        return Statement::new("1 = 0");
    }
    let mut either = Statement::new("(");
    for (position, test) in tests.into_iter().enumerate() {
        if position > 0 {
            either.push(" OR ");
        }
        either = either.then(test);
    }
    either.sql(")")
}

/// `param = …`
fn params(clause: &Clause) -> Statement<'static> {
    match clause.index() {
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
        Test::String(tests) => tests
            .iter()
            .all(|test| match test {
                StringTest::StartsWith(text) => !text.is_empty(),
                StringTest::Exact(text) => folded(text).is_some(),
                StringTest::Contains(_) => false,
            })
            .then_some(5),
        Test::Uri(_) => Some(6),
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
fn is_cached(clauses: &[Clause]) -> bool {
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
        Test::String(tests) => tests.len(),
        Test::OfType(tests) => tests.len(),
        Test::Date(tests) => tests.len(),
        Test::Reference(tests) => tests.len(),
        Test::Uri(tests) => tests.len(),
        Test::Missing(_) => 1,
    }
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Token => "index_token",
            Table::String => "index_string",
            Table::Date => "index_date",
            Table::Reference => "index_reference",
        }
    }
}
