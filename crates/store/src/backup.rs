//! Copies of a SQLite database: made while a server runs, looked at without touching them, put in its place.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::{Connection as _, SqliteConnection};

use crate::error::{StoreError, classify};
use crate::ledger::Mark;
use crate::sql::{Dialect, Sql as _};
use crate::statement::Statement;

/// How long a copy waits for a lock of a writer: for a moment only, since readers and writers do not wait for each
/// other.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for a database that should be nobody's.
const NOBODYS: Duration = Duration::from_millis(500);
/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(20);
/// Faults of the file that are told at most.
pub(crate) const INTEGRITY: &str = "PRAGMA integrity_check(100)";

/// Copies a database as it is at this moment into an empty or missing file, beside whoever reads and writes it. Everything
/// that was answered before is in the copy; nothing of what was erased before is, for its pages are written anew. The
/// copy is not flushed yet.
///
/// # Errors
/// [`StoreError`]; what was written until then is of no use.
pub fn copy(database: &Path, to: &Path) -> Result<(), StoreError> {
    let mut connection = connect(&text(database)?, PATIENCE)?;
    // The copy inherits it. While it grows, rows move from page to page, and what they leave behind would outlast the
    // erasure of a person in a database that is restored from it.
    connection
        .batch("PRAGMA secure_delete = ON")
        .map_err(|error| failed("copying the database", &error))?;
    let to = text(to)?;
    let statement = Statement::new("VACUUM INTO ").bind(to.as_str()).uncached();
    connection
        .execute(&statement)
        .map(|_| ())
        .map_err(|error| failed("copying the database", &error))
}

/// Makes one file of a database that nobody uses: what its log holds is copied into it, and the log goes. Waits at most
/// `patience` for those who are about to close it.
///
/// # Errors
/// [`StoreError::Contention`] when somebody has it open.
pub fn settle(database: &Path, patience: Duration) -> Result<(), StoreError> {
    let mut connection = connect(&text(database)?, NOBODYS)?;
    let started = Instant::now();
    loop {
        let mode = connection
            .texts(&Statement::new("PRAGMA journal_mode = DELETE"))
            .map_err(|error| failed("closing the log of the database", &error));
        match mode {
            Ok(mode) if mode.first().is_some_and(|mode| mode == "delete") => return Ok(()),
            Err(error) if !matches!(error, StoreError::Contention(_)) => return Err(error),
            _ if started.elapsed() >= patience => {
                return Err(StoreError::Contention("the database is in use".to_owned()));
            }
            _ => std::thread::sleep(LOOK),
        }
    }
}

/// A copy that is looked at: nothing of it is changed, nor anything put beside it.
pub struct Archive(SqliteConnection);

/// The tables that are counted.
const COUNTED: [(&str, &str); 7] = [
    ("resource", "SELECT count(*) FROM resource"),
    ("resource_version", "SELECT count(*) FROM resource_version"),
    ("identifier_key", "SELECT count(*) FROM identifier_key"),
    ("audit", "SELECT count(*) FROM audit"),
    ("erasure", "SELECT count(*) FROM erasure"),
    ("space", "SELECT count(*) FROM space"),
    ("client", "SELECT count(*) FROM client"),
];

/// What holds of every database of ours beyond single resources, by statements that count what breaks it.
pub(crate) const ACROSS: [(&str, &str); 2] = [
    (
        "identifiers with more than one owner",
        "SELECT count(*) FROM (SELECT 1 AS one FROM identifier_key WHERE state = 2 \
         GROUP BY space, kind, policy, system, value HAVING count(*) > 1) AS shared",
    ),
    (
        "resources of unknown spaces",
        "SELECT count(*) FROM resource WHERE space NOT IN (SELECT number FROM space WHERE space = 0)",
    ),
];

/// What holds of the resources, the same way: `passerelle check` names each.
const OF_RESOURCES: [(&str, &str); 5] = [
    (
        "current versions that are deletions and yet have content",
        "SELECT count(*) FROM resource WHERE deleted <> (body = '')",
    ),
    (
        "superseded versions of nobody",
        "SELECT count(*) FROM resource_version AS v WHERE NOT EXISTS \
         (SELECT 1 FROM resource AS r WHERE r.space = v.space AND r.row = v.row)",
    ),
    (
        "resources whose versions are not consecutive",
        "SELECT count(*) FROM resource AS r WHERE r.version - 1 <> \
         (SELECT count(*) FROM resource_version AS v WHERE v.space = r.space AND v.row = r.row AND v.version < r.version)",
    ),
    (
        "keys of nobody who lives",
        "SELECT count(*) FROM identifier_key AS k WHERE NOT EXISTS \
         (SELECT 1 FROM resource AS r WHERE r.space = k.space AND r.row = k.row AND NOT r.deleted)",
    ),
    (
        "erased persons that have content",
        "SELECT count(*) FROM erasure AS e JOIN resource AS r ON r.space = e.space AND r.kind = e.kind AND r.id = e.id \
         WHERE r.body <> '' OR EXISTS \
         (SELECT 1 FROM resource_version AS v WHERE v.space = r.space AND v.row = r.row AND v.body <> '')",
    ),
];

impl Archive {
    /// Opens a copy.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(file: &Path) -> Result<Archive, StoreError> {
        let mut url = "file:".to_owned();
        for sign in text(file)?.chars() {
            match sign {
                '?' => url.push_str("%3f"),
                '#' => url.push_str("%23"),
                '%' => url.push_str("%25"),
                other => url.push(other),
            }
        }
        url.push_str("?immutable=1");
        Ok(Archive(connect(&url, NOBODYS)?))
    }

    /// What the database itself finds wrong with the file; nothing when it is whole.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot even look.
    pub fn faults(&mut self) -> Result<Vec<String>, StoreError> {
        let told = self.0.texts(&Statement::new(INTEGRITY));
        let told = told.map_err(|error| failed("looking through the file", &error))?;
        Ok(told.into_iter().filter(|line| line != "ok").collect())
    }

    /// What breaks the rules that hold of every database of ours: how many of what.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn broken(&mut self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let mut broken = self.count(&ACROSS)?;
        broken.extend(self.count(&OF_RESOURCES)?);
        broken.retain(|(_, count)| *count > 0);
        Ok(broken)
    }

    /// The rows of the tables that matter.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn counts(&mut self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        self.count(&COUNTED)
    }

    fn count(
        &mut self,
        statements: &[(&'static str, &'static str)],
    ) -> Result<Vec<(&'static str, u64)>, StoreError> {
        statements
            .iter()
            .map(|(name, statement)| {
                let counted = self.0.longs(&Statement::new(statement));
                let counted = counted.map_err(|error| failed("counting", &error))?;
                let number = counted.first().copied().unwrap_or_default();
                Ok((*name, u64::try_from(number).unwrap_or_default()))
            })
            .collect()
    }

    /// The version of the schema: that of the last migration.
    ///
    /// # Errors
    /// [`StoreError`]; when it is no database of ours, too.
    pub fn schema(&mut self) -> Result<String, StoreError> {
        let statement = "SELECT coalesce(max(version), '') FROM __diesel_schema_migrations";
        let version = self.0.texts(&Statement::new(statement));
        let version = version.map_err(|error| failed("reading the schema's version", &error))?;
        Ok(version.into_iter().next().unwrap_or_default())
    }

    /// Which ledger it belongs to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn mark(&mut self) -> Result<Option<Mark>, StoreError> {
        let found = self.0.texts(&Statement::new(
            "SELECT value FROM setting WHERE space = 0 AND name = 'erasure-ledger'",
        ));
        let found = found.map_err(|error| failed("reading a setting", &error))?;
        found.first().map(|text| Mark::parse(text)).transpose()
    }
}

fn connect(url: &str, patience: Duration) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnection::establish(url)
        .map_err(|error| StoreError::Unavailable(format!("opening the database file: {error}")))?;
    connection
        .batch(&format!("PRAGMA busy_timeout = {}", patience.as_millis()))
        .map_err(|error| failed("opening the database file", &error))?;
    Ok(connection)
}

fn text(path: &Path) -> Result<String, StoreError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| StoreError::Refused(format!("{} is not UTF-8; choose another name", path.display())))
}

fn failed(doing: &str, error: &diesel::result::Error) -> StoreError {
    classify(Dialect::Sqlite, doing, error).error
}
