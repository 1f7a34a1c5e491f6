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
mod walk;

use std::rc::Rc;

use fhir::query::{Criteria, Query, SortKey, Total};

use crate::api::{ClassFilter, Page, SpaceKey, Stored};
use crate::cursor::{self, Place};
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::{self, Transaction};

use driver::{Candidates, Scope};
use sort::{Keys, Of};
use walk::Way;

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
    let part = Part::of(Rc::new([Candidates::of(scope, criteria)]), &[], None);
    part.page(space, i64::try_from(limit).unwrap_or(i64::MAX), 0)
}

/// The statements of the first page of a search: the next one is needed when those before do not fill the page.
pub(crate) fn first_page<'q>(
    dialect: Dialect,
    space: SpaceKey,
    query: &'q Query,
    class: ClassFilter,
) -> Vec<Statement<'q>> {
    let limit = i64::from(query.count) + 1;
    let parts = Selection::of(dialect, space, query, class).parts(None);
    parts.into_iter().map(|part| part.page(space, limit, 0)).collect()
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
    let search = selection.fingerprint();
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
    let mut matches: Vec<Stored> = Vec::new();
    for part in selection.parts(place) {
        let wanted = (size + 1).saturating_sub(matches.len());
        if wanted == 0 {
            break;
        }
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let statement = part.page(selection.space, limit, query.offset);
        let rows = tx.sql.resources(&statement);
        let rows = rows.map_err(|error| tx.fail("searching", &error))?;
        for row in rows {
            matches.push(transaction::stored(row)?);
        }
    }
    let more = matches.len() > size;
    matches.truncate(size);
    let backward = place.is_some_and(|place| place.backward);
    if backward {
        matches.reverse();
    }
    let whole = place.is_none() && query.offset == 0 && !more;
    let total = match query.total {
        Total::Accurate | Total::WhenWhole if whole => u64::try_from(matches.len()).ok(),
        Total::Accurate | Total::WhenWhole | Total::None => None,
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
        .then(united(&selection.arms, |arm| arm.rows()))
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

/// What a search finds, of one type or of several, and in which order.
struct Selection<'q> {
    dialect: Dialect,
    space: SpaceKey,
    class: ClassFilter,
    query: &'q Query,
    arms: Rc<[Candidates<'q>]>,
}

impl<'q> Selection<'q> {
    fn of(dialect: Dialect, space: SpaceKey, query: &'q Query, class: ClassFilter) -> Selection<'q> {
        let arm = |kind| Candidates::of(Scope::new(dialect, space, kind, class), &query.criteria);
        Selection {
            dialect,
            space,
            class,
            query,
            arms: query.kinds().into_iter().map(arm).collect(),
        }
    }

    /// What is asked, and in which order.
    fn fingerprint(&self) -> [u8; 32] {
        Part::of(Rc::clone(&self.arms), &self.query.sort, None)
            .rows(self.space, None)
            .fingerprint()
    }

    /// The matches behind a place, in parts of which each comes wholly before the next.
    fn parts(&self, place: Option<&Place>) -> Vec<Part<'q>> {
        let sort = self.query.sort.as_slice();
        let criteria = &self.query.criteria;
        let sorted = || vec![Part::of(Rc::clone(&self.arms), sort, place.cloned())];
        let Some((first, others)) = sort.split_first() else {
            return sorted();
        };
        let scope = |kind| Scope::new(self.dialect, self.space, kind, self.class);
        let way = walk::way(criteria, *first);
        match (way, self.query.kinds().as_slice()) {
            (Way::Sorted, _) => sorted(),
            (Way::OnResource(column), kinds) => {
                let arm = |kind| Candidates::on_resource(scope(kind), criteria, column);
                let arms = kinds.iter().copied().map(arm).collect();
                vec![Part::of(arms, sort, place.cloned())]
            }
            (Way::OnIndex, [kind]) => {
                let with = |place| {
                    Part::of(
                        Rc::new([Candidates::walking(scope(*kind), criteria, *first)]),
                        sort,
                        place,
                    )
                };
                let without = |place: Option<Place>| {
                    let arm = Candidates::without(scope(*kind), criteria, *first);
                    Part::of(Rc::new([arm]), others, place)
                };
                walked(place, with, without)
            }
            (Way::OnIndex, _) => sorted(),
        }
    }
}

/// First what has the key, then what has not; against the order when the page lies before the place.
fn walked<'q>(
    place: Option<&Place>,
    with: impl Fn(Option<Place>) -> Part<'q>,
    without: impl Fn(Option<Place>) -> Part<'q>,
) -> Vec<Part<'q>> {
    let Some(place) = place else {
        return vec![with(None), without(None)];
    };
    // From the end of what has the key, or from the beginning of what has not.
    let edge = |mut part: Part<'q>| {
        part.backward = place.backward;
        part
    };
    match place.keys.split_first() {
        Some((Some(_), _)) if place.backward => vec![with(Some(place.clone()))],
        Some((Some(_), _)) => vec![with(Some(place.clone())), edge(without(None))],
        Some((None, others)) => {
            let inside = without(Some(Place {
                keys: others.to_vec(),
                ..place.clone()
            }));
            if place.backward {
                vec![inside, edge(with(None))]
            } else {
                vec![inside]
            }
        }
        None => Vec::new(),
    }
}

/// Matches that one statement gives.
struct Part<'q> {
    arms: Rc<[Candidates<'q>]>,
    sort: &'q [SortKey],
    place: Option<Place>,
    backward: bool,
}

impl<'q> Part<'q> {
    fn of(arms: Rc<[Candidates<'q>]>, sort: &'q [SortKey], place: Option<Place>) -> Part<'q> {
        Part {
            backward: place.as_ref().is_some_and(|place| place.backward),
            arms,
            sort,
            place,
        }
    }

    /// At most so many of them. CROSS JOIN: SQLite keeps this order.
    fn page(&self, space: SpaceKey, limit: i64, offset: u64) -> Statement<'q> {
        let mut rows = self.rows(space, Some(limit));
        if offset > 0 {
            let offset = i64::try_from(offset).unwrap_or(i64::MAX);
            rows = rows.sql(" OFFSET 0 + ").bind(offset);
        }
        Statement::new("SELECT ")
            .sql(transaction::CURRENT)
            .sql(" FROM (")
            .then(rows)
            .sql(") AS page CROSS JOIN resource AS r WHERE r.space = ")
            .bind(space.0)
            .sql(" AND r.row = page.row ORDER BY ")
            .then(self.keys(self.arms.first()).ordered(Of::Page))
            .sql(if self.backward {
                "page.row DESC"
            } else {
                "page.row"
            })
    }

    /// The rows in order, or against it.
    fn rows(&self, space: SpaceKey, limit: Option<i64>) -> Statement<'q> {
        let limited = |rows: Statement<'q>| match limit {
            Some(limit) => rows.sql(LIMIT).bind(limit),
            None => rows,
        };
        let rows = match &*self.arms {
            [single] => limited(self.rows_of(space, single)),
            several => {
                // Each type gives as many as are wanted of all.
                let all = united(several, |arm| {
                    Statement::new("SELECT arm.* FROM (")
                        .then(limited(self.rows_of(space, arm)))
                        .sql(") AS arm")
                });
                let ordered = Statement::new("SELECT p.* FROM (")
                    .then(all)
                    .sql(") AS p ORDER BY ")
                    .then(self.keys(several.first()).ordered(Of::Rows))
                    .sql(if self.backward { "p.row DESC" } else { "p.row" });
                limited(ordered)
            }
        };
        let cached = self.arms.iter().all(|arm| arm.cached) && self.sort.len() <= CACHED_KEYS;
        if cached { rows } else { rows.uncached() }
    }

    /// The rows of one type.
    fn rows_of(&self, space: SpaceKey, arm: &Candidates<'q>) -> Statement<'q> {
        if self.sort.is_empty() {
            let mut rows = arm.rows();
            if let Some(place) = &self.place {
                rows = rows.sql(" AND ").sql(arm.row);
                rows = rows
                    .sql(if self.backward { " < " } else { " > " })
                    .bind(place.row);
            }
            let rows = rows.sql(" ORDER BY ").sql(arm.row);
            return if self.backward { rows.sql(" DESC") } else { rows };
        }
        let keys = self.keys(Some(arm));
        let mut rows = Statement::new("SELECT p.* FROM (SELECT ")
            .sql(arm.row)
            .sql(" AS row")
            .then(keys.selected(space.0, arm.row))
            .then(arm.body.clone())
            .sql(") AS p");
        if let Some(place) = &self.place {
            rows = rows.sql(" WHERE ").then(keys.behind(&place.keys, place.row));
        }
        rows.sql(" ORDER BY ")
            .then(keys.ordered(Of::Rows))
            .sql(if self.backward { "p.row DESC" } else { "p.row" })
    }

    fn keys(&self, arm: Option<&Candidates<'q>>) -> Keys<'q> {
        Keys {
            sort: self.sort,
            first: arm.and_then(|arm| arm.first),
            backward: self.backward,
        }
    }
}

fn united<'q>(arms: &[Candidates<'q>], rows_of: impl Fn(&Candidates<'q>) -> Statement<'q>) -> Statement<'q> {
    let mut all = Statement::new("");
    for (position, arm) in arms.iter().enumerate() {
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
