//! Histories: the current versions and the superseded ones together, newest first —
//! <https://hl7.org/fhir/R4/http.html#history>
//!
//! Pages are found by keyset. A version keeps its time, row and number for ever, also when it is superseded or erased,
//! and new ones stand before all others of their resource: so who walks a history meets every version that was there
//! once, whatever is written meanwhile. Times and rows are unique together, for the times of a resource rise strictly.

use fhir::query::Total;
use fhir::query::history::History;
use fhir::time::TimeRange;
use fhir::{ResourceType, Timestamp};

use super::{CURRENT, SUPERSEDED, Transaction, number, stored};
use crate::api::{ClassFilter, HistoryPage, Past, Stored, Whose};
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::{codes, cursor};

/// Which way a page goes on from a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Older,
    Newer,
}

/// A version's place in the order: its time and row; of one resource's history its number and row.
type Place = (i64, i64);

/// A table of versions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Current,
    Superseded,
}

impl Transaction<'_> {
    pub(super) fn page_of_history(
        &mut self,
        history: &History,
        whose: Whose<'_>,
        class: ClassFilter,
    ) -> Result<HistoryPage, StoreError> {
        let span = Span::of(self, history, whose, class);
        if history.count == 0 {
            return Ok(HistoryPage {
                versions: Vec::new(),
                total: Some(self.count_history(&span)?),
                next: None,
                previous: None,
            });
        }
        let key = self.cursor_key()?;
        let seal = span.count().fingerprint();
        let start = match history.cursor.as_deref() {
            None => None,
            Some(cursor) => Some(opened(&key, &seal, cursor)?),
        };
        let size = history.count as usize;
        let mut versions = self.versions(&span.page(start, history.count))?;
        let more = versions.len() > size;
        match start {
            // The one too many is the newest here.
            Some((Direction::Newer, _)) => drop(versions.drain(..versions.len().saturating_sub(size))),
            Some((Direction::Older, _)) | None => versions.truncate(size),
        }
        // Where a cursor leads away from there is something: the page that it came with.
        let (is_older, is_newer) = match start {
            None => (more, false),
            Some((Direction::Older, _)) => (more, true),
            Some((Direction::Newer, _)) => (true, more),
        };
        let sealed = |direction: Direction, past: &Past| {
            let (first, row) = span.place(&past.stored);
            cursor::seal_numbers(
                &key,
                &seal,
                [i64::from(direction == Direction::Newer), first, row],
            )
        };
        let ends = (versions.last(), versions.first());
        let next = ends
            .0
            .filter(|_| is_older)
            .map(|last| sealed(Direction::Older, last));
        let previous = ends
            .1
            .filter(|_| is_newer)
            .map(|first| sealed(Direction::Newer, first));
        let total = match history.total {
            Total::Accurate | Total::WhenWhole if start.is_none() && !more => {
                u64::try_from(versions.len()).ok()
            }
            Total::Accurate => Some(self.count_history(&span)?),
            Total::WhenWhole | Total::None => None,
        };
        Ok(HistoryPage {
            versions,
            total,
            next,
            previous,
        })
    }

    /// The plans of the first page, of one behind it, and of the total.
    pub(crate) fn explain_history(
        &mut self,
        history: &History,
        whose: Whose<'_>,
    ) -> Result<[Vec<String>; 3], StoreError> {
        let span = Span::of(self, history, whose, ClassFilter::Any);
        let behind = (Direction::Older, (i64::MAX, 1));
        Ok([
            self.plan_of(span.page(None, history.count))?,
            self.plan_of(span.page(Some(behind), history.count))?,
            self.plan_of(span.count())?,
        ])
    }

    fn versions(&mut self, statement: &Statement<'_>) -> Result<Vec<Past>, StoreError> {
        let rows = self.sql.versions(statement);
        let rows = rows.map_err(|error| self.fail("reading a history", &error))?;
        let past = |(version, kept, revived)| stored((version, kept)).map(|stored| Past { stored, revived });
        rows.into_iter().map(past).collect()
    }

    fn count_history(&mut self, span: &Span<'_>) -> Result<u64, StoreError> {
        let counts = self.sql.longs(&span.count());
        let counts = counts.map_err(|error| self.fail("counting a history", &error))?;
        Ok(counts
            .into_iter()
            .filter_map(|count| u64::try_from(count).ok())
            .sum())
    }
}

fn opened(key: &[u8; 32], seal: &[u8; 32], text: &str) -> Result<(Direction, Place), StoreError> {
    let [direction, first, row] = cursor::open_numbers(key, seal, text)?;
    let direction = match direction {
        0 => Direction::Older,
        _ => Direction::Newer,
    };
    Ok((direction, (first, row)))
}

/// The versions that a history is about.
struct Span<'a> {
    dialect: Dialect,
    space: i64,
    whose: Whose<'a>,
    class: ClassFilter,
    since: Option<Timestamp>,
    at: Option<TimeRange>,
}

impl<'a> Span<'a> {
    fn of(tx: &Transaction<'_>, history: &History, whose: Whose<'a>, class: ClassFilter) -> Span<'a> {
        Span {
            dialect: tx.sql.dialect(),
            space: tx.space,
            whose,
            class,
            since: history.since,
            at: history.at,
        }
    }

    fn place(&self, stored: &Stored) -> Place {
        match self.whose {
            Whose::One(_) => (number(stored.version), stored.row),
            Whose::All(_) => (stored.updated.micros(), stored.row),
        }
    }

    /// What lies together in one index, each.
    fn branches(&self) -> Vec<(Table, Option<ResourceType>)> {
        let kinds: Vec<Option<ResourceType>> = match self.whose {
            Whose::One(_) => vec![None],
            Whose::All(kinds) => kinds.iter().copied().map(Some).collect(),
        };
        let both = |kind| [(Table::Current, kind), (Table::Superseded, kind)];
        kinds.into_iter().flat_map(both).collect()
    }

    /// ` FROM … AS h WHERE …`: all versions of a branch.
    fn branch(&self, table: Table, kind: Option<ResourceType>) -> Statement<'static> {
        // SQLite has no statistics and would read the tables in the order of their rows.
        let is_hinted = kind.is_some() && self.dialect == Dialect::Sqlite;
        let mut branch = Statement::new(match (table, is_hinted) {
            (Table::Current, true) => " FROM resource AS h INDEXED BY resource_by_time",
            (Table::Current, false) => " FROM resource AS h",
            (Table::Superseded, true) => " FROM resource_version AS h INDEXED BY resource_version_by_time",
            (Table::Superseded, false) => " FROM resource_version AS h",
        })
        .sql(" WHERE h.space = ")
        .bind(self.space);
        if let Some(kind) = kind {
            branch = branch.sql(" AND h.kind = ").bind(codes::kind(kind));
        }
        if let Whose::One(stored) = self.whose {
            branch = branch.sql(" AND h.row = ").bind(stored.row);
        }
        if let ClassFilter::Only(class) = self.class {
            branch = branch.sql(" AND h.class = ").bind(codes::class(class));
        }
        if let Some(since) = self.since {
            branch = branch.sql(" AND h.updated >= ").bind(since.micros());
        }
        match self.at {
            None => branch,
            Some(at) => self.current_at(branch, table, at),
        }
    }

    /// A version is current from its own time until that of the next one. The next one is asked for by value, not by
    /// EXISTS, which PostgreSQL would turn into a join with the whole table.
    fn current_at(&self, branch: Statement<'static>, table: Table, at: TimeRange) -> Statement<'static> {
        let branch = branch.sql(" AND h.updated < ").bind(at.high);
        if table == Table::Current {
            return branch;
        }
        branch
            .sql(
                " AND coalesce((SELECT n.updated FROM resource_version AS n WHERE n.space = h.space \
                 AND n.row = h.row AND n.version = h.version + 1), (SELECT n.updated FROM resource AS n \
                 WHERE n.space = h.space AND n.row = h.row AND n.version = h.version + 1)) > ",
            )
            .bind(at.low)
    }

    /// How many versions each branch has.
    fn count(&self) -> Statement<'static> {
        let mut count = Statement::default();
        for (position, (table, kind)) in self.branches().into_iter().enumerate() {
            count.push(match position {
                0 => "SELECT count(*)",
                _ => " UNION ALL SELECT count(*)",
            });
            count = count.then(self.branch(table, kind));
        }
        count
    }

    /// The versions of a page and one more, newest first. Each branch gives so many places, out of the index alone; of
    /// all of them the first are taken; then come the bodies. CROSS JOIN: SQLite keeps this order.
    fn page(&self, start: Option<(Direction, Place)>, count: u32) -> Statement<'static> {
        let direction = start.map_or(Direction::Older, |(direction, _)| direction);
        let limit = i64::from(count) + 1;
        let first = |statement: Statement<'static>| {
            statement
                .sql(self.order(direction))
                .sql(" LIMIT 0 + ")
                .bind(limit)
        };
        let mut places =
            Statement::new("WITH page AS MATERIALIZED (SELECT h.updated, h.row, h.version FROM (");
        for (position, (table, kind)) in self.branches().into_iter().enumerate() {
            if position > 0 {
                places.push(" UNION ALL ");
            }
            let branch = Statement::new("SELECT h.updated, h.row, h.version").then(self.branch(table, kind));
            let branch = match start {
                None => branch,
                Some((direction, place)) => self.behind(branch, direction, place),
            };
            places = places.sql("SELECT * FROM (").then(first(branch)).sql(") AS one");
        }
        // Superseded bodies are found by all of their key before anything else is joined to them: PostgreSQL would
        // else like to look through all versions of a resource for each of them.
        first(places.sql(") AS h"))
            .sql(
                "), past AS MATERIALIZED (SELECT v.* FROM page CROSS JOIN resource_version AS v \
                 WHERE v.row = page.row AND v.version = page.version AND v.space = ",
            )
            .bind(self.space)
            .sql(") SELECT ")
            .sql(CURRENT)
            .sql(AFTER_DELETION)
            .sql("r.space AND p.row = r.row AND p.version = r.version - 1), FALSE)")
            .sql(
                " FROM page CROSS JOIN resource AS r WHERE r.row = page.row AND r.version = page.version AND r.space = ",
            )
            .bind(self.space)
            .sql(" UNION ALL SELECT ")
            .sql(SUPERSEDED)
            .sql(AFTER_DELETION)
            .sql("v.space AND p.row = v.row AND p.version = v.version - 1), FALSE)")
            .sql(" FROM past AS v CROSS JOIN resource AS r WHERE r.row = v.row AND r.space = ")
            .bind(self.space)
            .sql(" ORDER BY 5 DESC, 1 DESC")
    }

    fn order(&self, direction: Direction) -> &'static str {
        match (self.whose, direction) {
            (Whose::All(_), Direction::Older) => " ORDER BY h.updated DESC, h.row DESC",
            (Whose::All(_), Direction::Newer) => " ORDER BY h.updated, h.row",
            (Whose::One(_), Direction::Older) => " ORDER BY h.version DESC",
            (Whose::One(_), Direction::Newer) => " ORDER BY h.version",
        }
    }

    fn behind(
        &self,
        branch: Statement<'static>,
        direction: Direction,
        (first, row): Place,
    ) -> Statement<'static> {
        match (self.whose, direction) {
            (Whose::All(_), Direction::Older) => branch.sql(" AND (h.updated, h.row) < ("),
            (Whose::All(_), Direction::Newer) => branch.sql(" AND (h.updated, h.row) > ("),
            (Whose::One(_), Direction::Older) => return branch.sql(" AND h.version < ").bind(first),
            (Whose::One(_), Direction::Newer) => return branch.sql(" AND h.version > ").bind(first),
        }
        .bind(first)
        .sql(", ")
        .bind(row)
        .sql(")")
    }
}

/// Whether the version before was a deletion: the beginning.
const AFTER_DELETION: &str = ", coalesce((SELECT p.deleted FROM resource_version AS p WHERE p.space = ";
