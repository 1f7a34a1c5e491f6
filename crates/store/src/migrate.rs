//! The schema's versions: applied, checked, and refused when they are a newer server's.

use std::collections::BTreeSet;

use diesel::backend::Backend;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::Transaction;

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// A connection whose schema has versions.
pub(crate) trait Migrate {
    /// The names of the migrations that are still to be run.
    fn pending(&mut self) -> Result<Vec<String>, StoreError>;
    /// Runs them.
    fn migrate(&mut self) -> Result<(), StoreError>;
    /// Undoes all of them: for tests.
    fn unmigrate(&mut self) -> Result<(), StoreError>;
}

/// Whether the schema is the one this server was made for.
pub(crate) fn check(tx: &mut Transaction<'_>) -> Result<(), StoreError> {
    let statement = Statement::new("SELECT version FROM __diesel_schema_migrations ORDER BY version");
    let applied = tx
        .sql
        .texts(&statement)
        .map_err(|error| tx.fail("reading the schema's version", &error))?;
    let ours = match tx.sql.dialect() {
        Dialect::Sqlite => ours::<diesel::sqlite::Sqlite>(SQLITE)?,
        Dialect::Postgres => ours::<diesel::pg::Pg>(POSTGRES)?,
    };
    if applied.iter().eq(ours.iter().map(|(version, _)| version)) {
        Ok(())
    } else {
        Err(StoreError::Unavailable(
            "the schema of the database is not this server's".to_owned(),
        ))
    }
}

/// How many migrations there are.
pub(crate) fn count(dialect: Dialect) -> Result<usize, StoreError> {
    Ok(match dialect {
        Dialect::Sqlite => ours::<diesel::sqlite::Sqlite>(SQLITE)?.len(),
        Dialect::Postgres => ours::<diesel::pg::Pg>(POSTGRES)?.len(),
    })
}

/// Version and name of each of our migrations, in order.
fn ours<DB: Backend>(source: EmbeddedMigrations) -> Result<Vec<(String, String)>, StoreError> {
    let mut ours: Vec<(String, String)> = diesel::migration::MigrationSource::<DB>::migrations(&source)
        .map_err(|error| failed("reading the migrations", &*error))?
        .iter()
        .map(|migration| {
            (
                migration.name().version().to_string(),
                migration.name().to_string(),
            )
        })
        .collect();
    ours.sort();
    Ok(ours)
}

fn pending<DB: Backend, C: MigrationHarness<DB>>(
    connection: &mut C,
    source: EmbeddedMigrations,
) -> Result<Vec<String>, StoreError> {
    let ours = ours::<DB>(source)?;
    let applied: BTreeSet<String> = connection
        .applied_migrations()
        .map_err(|error| failed("reading the schema's version", &*error))?
        .iter()
        .map(ToString::to_string)
        .collect();
    let unknown = applied
        .iter()
        .find(|version| ours.iter().all(|(ours, _)| ours != *version));
    if let Some(version) = unknown {
        return Err(StoreError::Refused(format!(
            "The database has schema version {version}, which this server does not know: a newer server has \
             written it. Start that server, or restore a backup made before it was installed."
        )));
    }
    Ok(ours
        .into_iter()
        .filter(|(version, _)| !applied.contains(version))
        .map(|(_, name)| name)
        .collect())
}

fn failed(doing: &str, error: &(dyn std::error::Error + Send + Sync)) -> StoreError {
    StoreError::Unavailable(format!("{doing}: {error}"))
}

macro_rules! migrate {
    ($connection:ty, $source:expr, $exclusively:expr) => {
        impl Migrate for $connection {
            fn pending(&mut self) -> Result<Vec<String>, StoreError> {
                // Asking makes the table of versions when there is none.
                let mut names = Vec::new();
                let outcome = $exclusively(self, |connection: &mut $connection| {
                    Ok(pending(connection, $source).map(|found| names = found))
                });
                outcome.map_err(|error| failed("reading the schema's version", &*error))??;
                Ok(names)
            }
            fn migrate(&mut self) -> Result<(), StoreError> {
                if self.pending()?.is_empty() {
                    return Ok(());
                }
                $exclusively(self, |connection: &mut $connection| {
                    connection.run_pending_migrations($source).map(|_| ())
                })
                .map_err(|error| failed("migrating the database", &*error))
            }
            fn unmigrate(&mut self) -> Result<(), StoreError> {
                $exclusively(self, |connection: &mut $connection| {
                    connection.revert_all_migrations($source).map(|_| ())
                })
                .map_err(|error| failed("undoing the migrations", &*error))
            }
        }
    };
}
migrate!(SqliteConnection, SQLITE, exclusively_sqlite);
migrate!(PgConnection, POSTGRES, exclusively_postgres);

type Failure = Box<dyn std::error::Error + Send + Sync>;

// Two processes may start at once: one of them migrates, all or nothing, and the other finds it done.
fn exclusively_sqlite<T>(
    connection: &mut SqliteConnection,
    run: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    connection
        .immediate_transaction(|connection| run(connection).map_err(Aborted))
        .map_err(|aborted| aborted.0)
}

fn exclusively_postgres<T>(
    connection: &mut PgConnection,
    run: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    connection
        .transaction(|connection| {
            connection
                .batch_execute("SELECT pg_advisory_xact_lock(7300196405173940229)")
                .map_err(|error| Aborted(error.into()))?;
            run(connection).map_err(Aborted)
        })
        .map_err(|aborted| aborted.0)
}

/// Why a transaction was taken back.
struct Aborted(Failure);

impl From<diesel::result::Error> for Aborted {
    fn from(error: diesel::result::Error) -> Aborted {
        Aborted(error.into())
    }
}
