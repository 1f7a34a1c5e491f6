//! What lies in the tables, looked at row by row, and put right where it follows from the bodies.
//!
//! Pages are small and each is one snapshot, so that a look at everything costs little memory and holds nobody up.

use fhir::{ResourceType, Target};

use crate::api::{NewResource, Stored};
use crate::codes;
use crate::entries::{self, Entries};
use crate::error::StoreError;
use crate::statement::Statement;
use crate::transaction::{CURRENT, Transaction, stored};

/// A row of `resource` or `resource_version`.
pub enum Seen {
    /// As the vocabulary has it.
    Stored(Box<Stored>),
    /// A row of this address and id that makes no sense, and why.
    Senseless(i64, String, StoreError),
}

/// Where a page of superseded versions begins: behind this row and version.
pub type After = (i64, i64);

/// Index or key rows of a resource that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Rows that should be there.
    pub missing: usize,
    /// Rows that should not.
    pub surplus: usize,
}

/// Rows of a resource that is not there, or is of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The table.
    pub table: &'static str,
    /// The address they carry.
    pub row: i64,
}

/// The versions of a resource, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Whose.
    pub row: i64,
    /// How many are superseded.
    pub count: i64,
    /// The first and the last of them.
    pub bounds: (i64, i64),
}

/// Looks at one space in one snapshot.
pub trait Inspector {
    /// Current versions of a type behind a row, deletions too, in order of rows.
    fn current(&mut self, kind: ResourceType, after: i64, limit: usize) -> Result<Vec<Seen>, StoreError>;

    /// Superseded versions behind a place, with the place of the last.
    fn superseded(&mut self, after: After, limit: usize) -> Result<(Vec<Seen>, Option<After>), StoreError>;

    /// The superseded versions of the resources from one row to another, counted; those without any are left out.
    fn versions(&mut self, from: i64, to: i64) -> Result<Vec<Versions>, StoreError>;

    /// Those of the rows from one to another that are marked as replaced.
    fn replaced(&mut self, from: i64, to: i64) -> Result<Vec<i64>, StoreError>;

    /// How the index and key rows of a resource differ from those it should have; a deletion has none.
    fn differences(
        &mut self,
        stored: &Stored,
        wanted: Option<&NewResource>,
    ) -> Result<Vec<Difference>, StoreError>;

    /// Rows of one of [`OWNED_TABLES`] whose resource is not there, behind a row, in order of rows.
    fn orphans(&mut self, table: &'static str, after: i64, limit: usize) -> Result<Vec<Orphan>, StoreError>;

    /// Erased resources that are not gone, behind a type and id.
    fn unerased(&mut self, after: Option<&Target>, limit: usize) -> Result<Vec<Target>, StoreError>;
}

/// Puts right what follows from the bodies.
pub trait Mender {
    /// Writes the index and key rows that a current version should have, and whether it is replaced.
    fn rewrite(&mut self, stored: &Stored, wanted: Option<&NewResource>) -> Result<(), StoreError>;

    /// Removes rows whose resource is not there. Content is left: nobody removes it but its operator.
    fn remove_orphan(&mut self, orphan: Orphan) -> Result<(), StoreError>;
}

/// The tables of rows that belong to a resource, and whether these carry its type.
const OWNED: [(&str, &str, &str); 7] = [
    (
        "index_token",
        "SELECT DISTINCT t.row FROM index_token AS t WHERE t.space = ",
        "DELETE FROM index_token WHERE space = ",
    ),
    (
        "index_string",
        "SELECT DISTINCT t.row FROM index_string AS t WHERE t.space = ",
        "DELETE FROM index_string WHERE space = ",
    ),
    (
        "index_date",
        "SELECT DISTINCT t.row FROM index_date AS t WHERE t.space = ",
        "DELETE FROM index_date WHERE space = ",
    ),
    (
        "index_reference",
        "SELECT DISTINCT t.row FROM index_reference AS t WHERE t.space = ",
        "DELETE FROM index_reference WHERE space = ",
    ),
    (
        "identifier_key",
        "SELECT DISTINCT t.row FROM identifier_key AS t WHERE t.space = ",
        "DELETE FROM identifier_key WHERE space = ",
    ),
    (
        "resource_version",
        "SELECT DISTINCT t.row FROM resource_version AS t WHERE t.space = ",
        "DELETE FROM resource_version WHERE space = ",
    ),
    (
        RECORDS,
        "SELECT DISTINCT t.row FROM medicapp_record AS t WHERE t.space = ",
        "DELETE FROM medicapp_record WHERE space = ",
    ),
];
const RECORDS: &str = "medicapp_record";
const VERSIONS: &str = "resource_version";
/// The tables of rows that belong to a resource.
pub const OWNED_TABLES: [&str; 7] = [
    "index_token",
    "index_string",
    "index_date",
    "index_reference",
    "identifier_key",
    VERSIONS,
    RECORDS,
];

/// Whether rows of a table say what nothing else says: they do not follow from a body.
pub fn is_content(table: &str) -> bool {
    matches!(table, VERSIONS | RECORDS)
}

/// What an orphan of a table that carries types is.
const OF_NOBODY: &str = " AND NOT EXISTS (SELECT 1 FROM resource AS r WHERE r.space = t.space AND r.row = t.row AND r.kind = t.kind)";
/// The same of a table that does not.
const RECORD_OF_NOBODY: &str =
    " AND NOT EXISTS (SELECT 1 FROM resource AS r WHERE r.space = t.space AND r.row = t.row)";

impl Inspector for Transaction<'_> {
    fn current(&mut self, kind: ResourceType, after: i64, limit: usize) -> Result<Vec<Seen>, StoreError> {
        let statement = Statement::new("SELECT ")
            .sql(CURRENT)
            .sql(" FROM resource AS r WHERE r.space = ")
            .bind(self.space())
            .sql(" AND r.kind = ")
            .bind(codes::kind(kind))
            .sql(" AND r.row > ")
            .bind(after)
            .sql(" ORDER BY r.row LIMIT 0 + ")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.seen(&statement)
            .map(|rows| rows.into_iter().map(|(seen, _)| seen).collect())
    }

    fn superseded(&mut self, after: After, limit: usize) -> Result<(Vec<Seen>, Option<After>), StoreError> {
        // Versions of nobody are looked at too: no join.
        let statement = Statement::new("SELECT ")
            .sql("v.row, v.kind, v.id, v.version, v.updated, v.deleted, v.class, v.digest, v.body, v.updated, '', v.updated_by, CAST(NULL AS TEXT)")
            .sql(" FROM resource_version AS v WHERE v.space = ")
            .bind(self.space())
            .sql(" AND (v.row, v.version) > (")
            .bind(after.0)
            .sql(", ")
            .bind(after.1)
            .sql(") ORDER BY v.row, v.version LIMIT 0 + ")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.seen(&statement)?;
        let last = rows.last().map(|(_, place)| *place);
        Ok((rows.into_iter().map(|(seen, _)| seen).collect(), last))
    }

    fn versions(&mut self, from: i64, to: i64) -> Result<Vec<Versions>, StoreError> {
        let statement = Statement::new(
            "SELECT row, count(*), min(version), max(version) FROM resource_version WHERE space = ",
        )
        .bind(self.space())
        .sql(" AND row BETWEEN ")
        .bind(from)
        .sql(" AND ")
        .bind(to)
        .sql(" GROUP BY row ORDER BY row");
        let rows = self.sql.versions_counted(&statement);
        let rows = rows.map_err(|error| self.fail("counting versions", &error))?;
        let versions = rows.into_iter().map(|(row, count, first, last)| Versions {
            row,
            count,
            bounds: (first, last),
        });
        Ok(versions.collect())
    }

    fn replaced(&mut self, from: i64, to: i64) -> Result<Vec<i64>, StoreError> {
        let statement = Statement::new("SELECT row FROM resource WHERE space = ")
            .bind(self.space())
            .sql(" AND row BETWEEN ")
            .bind(from)
            .sql(" AND ")
            .bind(to)
            .sql(" AND replaced");
        let rows = self.sql.longs(&statement);
        rows.map_err(|error| self.fail("looking for who was replaced", &error))
    }

    fn differences(
        &mut self,
        stored: &Stored,
        wanted: Option<&NewResource>,
    ) -> Result<Vec<Difference>, StoreError> {
        let owner = self.owner(stored.target.kind, stored.row);
        let wanted = wanted.map(Entries::of).unwrap_or_default();
        entries::differences(self.sql, owner, &wanted).map_err(|error| self.fail("reading the index", &error))
    }

    fn orphans(&mut self, table: &'static str, after: i64, limit: usize) -> Result<Vec<Orphan>, StoreError> {
        let Some((_, select, _)) = OWNED.into_iter().find(|(name, ..)| *name == table) else {
            return Ok(Vec::new());
        };
        let statement = Statement::new(select)
            .bind(self.space())
            .sql(" AND t.row > ")
            .bind(after)
            .sql(if table == RECORDS {
                RECORD_OF_NOBODY
            } else {
                OF_NOBODY
            })
            .sql(" ORDER BY t.row LIMIT 0 + ")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.sql.longs(&statement);
        let rows = rows.map_err(|error| self.fail("looking for rows of nobody", &error))?;
        Ok(rows.into_iter().map(|row| Orphan { table, row }).collect())
    }

    fn unerased(&mut self, after: Option<&Target>, limit: usize) -> Result<Vec<Target>, StoreError> {
        let (kind, id) = after.map_or((0, ""), |after| (codes::kind(after.kind), after.id.as_str()));
        let statement = Statement::new("SELECT e.space, e.kind, e.id, e.time, e.client, '' FROM erasure AS e LEFT JOIN resource AS r ON r.space = e.space AND r.kind = e.kind AND r.id = e.id WHERE e.space = ")
            .bind(self.space())
            .sql(" AND (e.kind, e.id) > (")
            .bind(kind)
            .sql(", ")
            .bind(id)
            .sql(") AND (r.row IS NULL OR NOT r.deleted OR r.body <> '' \
                  OR EXISTS (SELECT 1 FROM resource_version AS v WHERE v.space = r.space AND v.row = r.row AND (v.body <> '' OR NOT v.deleted)) \
                  OR EXISTS (SELECT 1 FROM medicapp_record AS m WHERE m.space = r.space AND m.row = r.row)) \
                  ORDER BY e.kind, e.id LIMIT 0 + ")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.sql.erasures(&statement);
        let rows = rows.map_err(|error| self.fail("looking at who was erased", &error))?;
        let targets = rows.into_iter().filter_map(|(_, kind, id, ..)| {
            let kind = codes::kind_of(kind)?;
            let id = fhir::Id::parse(&id)?;
            Some(Target { kind, id })
        });
        Ok(targets.collect())
    }
}

impl Mender for Transaction<'_> {
    fn rewrite(&mut self, stored: &Stored, wanted: Option<&NewResource>) -> Result<(), StoreError> {
        self.begin_change()?;
        let owner = self.owner(stored.target.kind, stored.row);
        let written = match wanted {
            Some(wanted) => entries::change(self.sql, owner, &Entries::of(wanted)),
            None => entries::clear(self.sql, owner),
        };
        written.map_err(|error| self.fail("rewriting the index", &error))?;
        let statement = Statement::new("UPDATE resource SET replaced = ")
            .bind(wanted.is_some_and(|wanted| wanted.replaced))
            .sql(" WHERE space = ")
            .bind(self.space())
            .sql(" AND row = ")
            .bind(stored.row);
        self.run("rewriting whether somebody was replaced", &statement)
            .map(|_| ())
    }

    fn remove_orphan(&mut self, orphan: Orphan) -> Result<(), StoreError> {
        let Some((table, _, delete)) = OWNED.into_iter().find(|(table, ..)| *table == orphan.table) else {
            return Ok(());
        };
        self.begin_change()?;
        let statement = Statement::new(delete)
            .bind(self.space())
            .sql(" AND row = ")
            .bind(orphan.row);
        let nobodys = match table {
            "index_token" => statement.sql(" AND NOT EXISTS (SELECT 1 FROM resource AS r WHERE r.space = index_token.space AND r.row = index_token.row AND r.kind = index_token.kind)"),
            "index_string" => statement.sql(" AND NOT EXISTS (SELECT 1 FROM resource AS r WHERE r.space = index_string.space AND r.row = index_string.row AND r.kind = index_string.kind)"),
            "index_date" => statement.sql(" AND NOT EXISTS (SELECT 1 FROM resource AS r WHERE r.space = index_date.space AND r.row = index_date.row AND r.kind = index_date.kind)"),
            "index_reference" => statement.sql(" AND NOT EXISTS (SELECT 1 FROM resource AS r WHERE r.space = index_reference.space AND r.row = index_reference.row AND r.kind = index_reference.kind)"),
            "identifier_key" => statement.sql(" AND NOT EXISTS (SELECT 1 FROM resource AS r WHERE r.space = identifier_key.space AND r.row = identifier_key.row AND r.kind = identifier_key.kind)"),
            // Content.
            _ => return Ok(()),
        };
        self.run("removing rows of nobody", &nobodys).map(|_| ())
    }
}

impl Transaction<'_> {
    /// Rows with their place; what makes no sense is told of each.
    fn seen(&mut self, statement: &Statement<'_>) -> Result<Vec<(Seen, After)>, StoreError> {
        let rows = self.sql.resources(statement);
        let rows = rows.map_err(|error| self.fail("reading resources", &error))?;
        let seen = rows.into_iter().map(|row| {
            let (place, id) = ((row.0.0, row.0.3), row.0.2.clone());
            let seen = match stored(row) {
                Ok(stored) => Seen::Stored(Box::new(stored)),
                Err(error) => Seen::Senseless(place.0, id, error),
            };
            (seen, place)
        });
        Ok(seen.collect())
    }
}
