//! Queries as SQL: the only place that knows both.
//!
//! One clause drives, the one that promises the fewest rows: its index gives the candidates. Every other
//! clause is a probe into the index rows of a candidate, which lie together. All that a client sends is
//! bound; which parameter is meant is bound too, so that the texts of statements stay few.

mod chain;
mod driver;
mod include;
mod sort;
mod test;

use fhir::query::{Criteria, Query, SortKey, Total};

use crate::api::{ClassFilter, Page, SpaceKey, Stored};
use crate::cursor::{self, Place};
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::{self, Transaction};

use driver::{Candidates, Scope};

/// The limit as a sum: SQLite plans for the value of a bare parameter here, and would prepare the statement
/// anew for every new binding. The same holds where a partial index compares a column with a constant.
const LIMIT: &str = " LIMIT 0 + ";
/// Keys of an order whose statements are worth a place in the cache.
const CACHED_KEYS: usize = 1;

/// At most `limit` matches in order of creation.
pub(crate) fn matches<'q>(
    dialect: Dialect,
    space: SpaceKey,
    criteria: &'q Criteria,
    class: ClassFilter,
    limit: usize,
) -> Statement<'q> {
    let scope = Scope::new(dialect, space, criteria.kind, class);
    let selection = Selection {
        space,
        arms: vec![Candidates::of(scope, criteria)],
        sort: &[],
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    selection.bodies(None, selection.rows(None).sql(LIMIT).bind(limit))
}

/// The first page of a search.
pub(crate) fn first_page<'q>(
    dialect: Dialect,
    space: SpaceKey,
    query: &'q Query,
    class: ClassFilter,
) -> Statement<'q> {
    let selection = Selection::of(dialect, space, query, class);
    let rows = selection.rows(None).sql(LIMIT).bind(i64::from(query.count) + 1);
    selection.bodies(None, rows)
}

/// A page of a search.
pub(crate) fn page(tx: &mut Transaction<'_>, query: &Query, class: ClassFilter) -> Result<Page, StoreError> {
    let selection = Selection::of(tx.sql.dialect(), SpaceKey(tx.space()), query, class);
    if query.count == 0 {
        return only_counted(tx, &selection);
    }
    let key = tx.cursor_key()?;
    let mut listed = list(tx, query, &selection, &key)?;
    if listed.uncounted {
        listed.page.total = Some(count(tx, &selection)?);
    }
    listed.page.included = include::included(tx, query, &listed.page.matches, class)?;
    Ok(listed.page)
}

/// The same by one statement; `None` when that does not suffice.
pub(crate) fn page_at_once(
    tx: &mut Transaction<'_>,
    query: &Query,
    class: ClassFilter,
) -> Result<Option<Page>, StoreError> {
    // The place of a sorted page and what is included are further statements.
    if !query.sort.is_empty() || !query.includes.is_empty() {
        return Ok(None);
    }
    let selection = Selection::of(tx.sql.dialect(), SpaceKey(tx.space()), query, class);
    if query.count == 0 {
        return only_counted(tx, &selection).map(Some);
    }
    let Some(key) = tx.known_cursor_key() else {
        return Ok(None);
    };
    let listed = list(tx, query, &selection, &key)?;
    Ok((!listed.uncounted).then_some(listed.page))
}

fn only_counted(tx: &mut Transaction<'_>, selection: &Selection<'_>) -> Result<Page, StoreError> {
    Ok(Page {
        total: Some(count(tx, selection)?),
        ..Page::default()
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
    selection: &Selection<'_>,
    key: &[u8; 32],
) -> Result<Listed, StoreError> {
    let search = selection.rows(None).fingerprint();
    let start = cursor::start(key, &search, query)?;
    if start
        .as_ref()
        .is_some_and(|place| place.keys.len() != query.sort.len())
    {
        return Err(StoreError::BadCursor);
    }
    // One more than asked for tells whether there is a page behind this one.
    let size = query.count as usize;
    let place = start.as_ref();
    let mut rows = selection.rows(place).sql(LIMIT).bind(i64::from(query.count) + 1);
    if query.offset > 0 {
        let offset = i64::try_from(query.offset).unwrap_or(i64::MAX);
        rows = rows.sql(" OFFSET 0 + ").bind(offset);
    }
    let statement = selection.bodies(place, rows);
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
    let backward = place.is_some_and(|place| place.backward);
    if backward {
        matches.reverse();
    }
    let whole = place.is_none() && query.offset == 0 && !more;
    let total = match query.total {
        Total::Accurate if whole => u64::try_from(matches.len()).ok(),
        Total::Accurate | Total::None => None,
    };
    // Where a page came from there is another one.
    let (has_next, has_previous) = if backward {
        (true, more)
    } else {
        (more, place.is_some())
    };
    let next = matches.last().filter(|_| has_next).map(|last| last.row);
    let previous = matches.first().filter(|_| has_previous).map(|first| first.row);
    let mut sealed = |row: Option<i64>, backward| {
        row.map(|row| {
            let keys = keys(tx, &query.sort, row)?;
            let place = Place { backward, row, keys };
            Ok(cursor::seal(key, &search, &place))
        })
        .transpose()
    };
    Ok(Listed {
        uncounted: query.total == Total::Accurate && !whole,
        page: Page {
            next: sealed(next, false)?,
            previous: sealed(previous, true)?,
            matches,
            total,
            ..Page::default()
        },
    })
}

/// The keys of a row, as a cursor holds them.
fn keys(tx: &mut Transaction<'_>, sort: &[SortKey], row: i64) -> Result<Vec<Option<String>>, StoreError> {
    if sort.is_empty() {
        return Ok(Vec::new());
    }
    let statement = sort::keys_of(tx.space(), sort, row).uncached();
    let texts = tx.sql.texts(&statement);
    let texts = texts.map_err(|error| tx.fail("reading the place of a page", &error))?;
    Ok(texts.iter().map(|text| sort::key(text)).collect())
}

fn count(tx: &mut Transaction<'_>, selection: &Selection<'_>) -> Result<u64, StoreError> {
    let statement = Statement::new("SELECT count(*) FROM (")
        .then(selection.unordered(None))
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

/// The rows of a search, of one type or of several, and their order.
struct Selection<'q> {
    space: SpaceKey,
    arms: Vec<Candidates<'q>>,
    sort: &'q [SortKey],
}

impl<'q> Selection<'q> {
    fn of(dialect: Dialect, space: SpaceKey, query: &'q Query, class: ClassFilter) -> Selection<'q> {
        let arm = |kind| Candidates::of(Scope::new(dialect, space, kind, class), &query.criteria);
        Selection {
            space,
            arms: query.kinds().into_iter().map(arm).collect(),
            sort: &query.sort,
        }
    }

    /// The rows in order, those behind the place only; read against the order when the page lies before it.
    fn rows(&self, place: Option<&Place>) -> Statement<'q> {
        let descending = place.is_some_and(|place| place.backward);
        let ordered = if self.sort.is_empty() {
            let row = match self.arms.as_slice() {
                [single] => single.row,
                _ => "row",
            };
            self.unordered(place).sql(" ORDER BY ").sql(row)
        } else {
            let mut sorted = Statement::new("SELECT p.* FROM (")
                .then(self.keyed())
                .sql(") AS p");
            if let Some(place) = place {
                sorted = sorted.sql(" WHERE ").then(sort::behind(self.sort, place));
            }
            sorted
                .sql(" ORDER BY ")
                .then(sort::ordered(self.sort, place, false))
                .sql("p.row")
        };
        let ordered = if descending { ordered.sql(" DESC") } else { ordered };
        let cached = self.arms.iter().all(|arm| arm.cached) && self.sort.len() <= CACHED_KEYS;
        if cached { ordered } else { ordered.uncached() }
    }

    /// The rows behind a place in the order of creation, of which each arm is given.
    fn unordered(&self, place: Option<&Place>) -> Statement<'q> {
        self.united(|arm| {
            let mut rows = Statement::new("SELECT ")
                .sql(arm.row)
                .sql(" AS row")
                .then(arm.body.clone());
            if let Some(place) = place {
                rows = rows.sql(" AND ").sql(arm.row);
                rows = rows
                    .sql(if place.backward { " < " } else { " > " })
                    .bind(place.row);
            }
            rows
        })
    }

    /// The rows with their keys.
    fn keyed(&self) -> Statement<'q> {
        self.united(|arm| {
            Statement::new("SELECT ")
                .sql(arm.row)
                .sql(" AS row")
                .then(sort::selected(self.space.0, self.sort, arm.row))
                .then(arm.body.clone())
        })
    }

    fn united(&self, rows_of: impl Fn(&Candidates<'q>) -> Statement<'q>) -> Statement<'q> {
        let mut all = Statement::new("");
        for (position, arm) in self.arms.iter().enumerate() {
            if position > 0 {
                all.push(" UNION ALL ");
            }
            all = all.then(rows_of(arm));
            if !arm.cached {
                all = all.uncached();
            }
        }
        all
    }

    /// The resources of a page of rows. CROSS JOIN: SQLite keeps this order.
    fn bodies(&self, place: Option<&Place>, page: Statement<'q>) -> Statement<'q> {
        let backward = place.is_some_and(|place| place.backward);
        Statement::new("SELECT ")
            .sql(transaction::CURRENT)
            .sql(" FROM (")
            .then(page)
            .sql(") AS page CROSS JOIN resource AS r WHERE r.space = ")
            .bind(self.space.0)
            .sql(" AND r.row = page.row ORDER BY ")
            .then(sort::ordered(self.sort, place, true))
            .sql(if backward { "page.row DESC" } else { "page.row" })
    }
}
