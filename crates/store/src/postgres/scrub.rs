//! What an erasure leaves in PostgreSQL's files until it is overwritten, overwritten now: dead rows in tables and
//! indexes, samples in the planner's statistics, and the write-ahead log.
//!
//! VACUUM alone does not do: it frees the place of a dead row and leaves its bytes. Rewriting a table does, once
//! nobody can see the dead rows any more.

use std::time::{Duration, Instant};

use diesel::PgConnection;
use fhir::Timestamp;

use crate::error::{StoreError, classify};
use crate::sql::{Dialect, Sql as _};
use crate::statement::Statement;

/// What holds anything of a person, and last the statistics, which hold samples of the rest.
const TABLES: [&str; 9] = [
    "resource",
    "resource_version",
    "identifier_key",
    "index_token",
    "index_string",
    "index_date",
    "index_reference",
    "medicapp_record",
    "pg_catalog.pg_statistic",
];
/// The setting that holds when everything that was erased before had gone, microseconds since the epoch.
const SCRUBBED: &str = "scrubbed";
/// Between two looks at the transactions that are waited for.
const LOOK: Duration = Duration::from_millis(200);

/// How far [`crate::Store::scrub`] has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScrubStep {
    /// These sessions could still see what was erased: they are waited for.
    Waiting(String),
    /// A table was rewritten.
    Rewritten {
        /// Its name.
        table: &'static str,
        /// Its position among all, from 1.
        position: usize,
        /// How many there are.
        of: usize,
    },
    /// So many files of the write-ahead log are overwritten.
    Overwriting {
        /// How many are done.
        done: u64,
        /// How many there are.
        of: u64,
    },
}

/// What [`crate::Store::scrub`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scrubbed {
    /// On SQLite nothing is left of an erasure once it is answered.
    NothingToDo,
    /// On PostgreSQL.
    Done {
        /// How many erasures there were since the last time.
        erasures: u64,
        /// When that was.
        since: Option<Timestamp>,
        /// What could not be done, each with what to do; empty when nothing of an erased person is left in the files.
        left: Vec<String>,
    },
}

/// Scrubs. Waits at most `patience` for transactions that could still see what was erased.
pub(super) fn run(
    connection: &mut PgConnection,
    now: Timestamp,
    patience: Duration,
    tell: &mut dyn FnMut(ScrubStep),
) -> Result<Scrubbed, StoreError> {
    let mut scrub = Scrub {
        connection,
        left: Vec::new(),
        tell,
    };
    let since = scrub.last_time()?;
    let erasures = scrub.number(
        Statement::new("SELECT count(*) FROM erasure WHERE time > ").bind(since.unwrap_or(i64::MIN)),
    )?;
    scrub.check_sight()?;
    scrub.wait_for_older_transactions(patience)?;
    scrub.rewrite_tables()?;
    if scrub.may_overwrite_log()? {
        scrub.overwrite_log()?;
    }
    if scrub.left.is_empty() {
        scrub.note(now)?;
    }
    Ok(Scrubbed::Done {
        erasures: u64::try_from(erasures).unwrap_or_default(),
        since: since.map(Timestamp::from_micros),
        left: scrub.left,
    })
}

struct Scrub<'a> {
    connection: &'a mut PgConnection,
    left: Vec<String>,
    tell: &'a mut dyn FnMut(ScrubStep),
}

impl Scrub<'_> {
    fn last_time(&mut self) -> Result<Option<i64>, StoreError> {
        let statement =
            Statement::new("SELECT value FROM setting WHERE space = 0 AND name = ").bind(SCRUBBED);
        Ok(self
            .texts(&statement)?
            .iter()
            .find_map(|value| value.parse().ok()))
    }

    fn note(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let statement = Statement::new("INSERT INTO setting (space, name, value) VALUES (0, ")
            .bind(SCRUBBED)
            .sql(", ")
            .bind(now.micros().to_string())
            .sql(") ON CONFLICT (space, name) DO UPDATE SET value = excluded.value");
        let done = self.connection.execute(&statement);
        done.map(|_| ()).map_err(|error| failed("noting a scrub", &error))
    }

    /// Other users' sessions and the files of the log are seen by members of pg_monitor.
    fn check_sight(&mut self) -> Result<(), StoreError> {
        if !self.holds("SELECT pg_has_role(current_user, 'pg_monitor', 'USAGE')::int::bigint")? {
            let user = self.user()?;
            self.left.push(format!(
                "Sessions of other users, which may keep dead rows alive, are not seen by {user}: GRANT pg_monitor TO \
                 {user}, or run this as a superuser."
            ));
        }
        Ok(())
    }

    /// Waits until nobody sees what was deleted before now: a table that is rewritten earlier takes it along.
    fn wait_for_older_transactions(&mut self, patience: Duration) -> Result<(), StoreError> {
        let started = Instant::now();
        let now = self
            .number(Statement::new("SELECT txid_current() % 4294967296"))?
            .to_string();
        let mut told = String::new();
        loop {
            let older = self.older_than(&now)?;
            if older.is_empty() {
                return Ok(());
            }
            let list = older.join(", ");
            if started.elapsed() >= patience {
                return Err(StoreError::Refused(format!(
                    "These still see what was erased: {list}. Nothing was changed. End them (pg_terminate_backend, ROLLBACK \
                     PREPARED, pg_drop_replication_slot), or run this when they are done."
                )));
            }
            if list != told {
                (self.tell)(ScrubStep::Waiting(list.clone()));
                told = list;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn older_than(&mut self, now: &str) -> Result<Vec<String>, StoreError> {
        let sessions = Statement::new(
            "SELECT 'session ' || pid || ' (' || coalesce(nullif(application_name, ''), backend_type) || ')' \
             FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
             AND (datname = current_database() OR datname IS NULL) \
             AND greatest(age(backend_xmin), age(backend_xid)) > age(",
        )
        .bind(now)
        .sql("::xid)")
        .sql(
            " UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts \
             WHERE database = current_database() AND age(transaction) > age(",
        )
        .bind(now)
        .sql("::xid)")
        .sql(
            " UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots \
             WHERE greatest(age(xmin), age(catalog_xmin)) > age(",
        )
        .bind(now)
        .sql("::xid)");
        self.texts(&sessions)
    }

    fn rewrite_tables(&mut self) -> Result<(), StoreError> {
        for (index, table) in TABLES.into_iter().enumerate() {
            let before = self.file_of(table)?;
            self.forget_samples(table)?;
            // One statement alone: VACUUM runs in no transaction.
            let vacuum = if table.contains("pg_statistic") {
                format!("VACUUM (FULL) {table}")
            } else {
                format!("VACUUM (FULL, ANALYZE) {table}")
            };
            self.connection
                .batch(&vacuum)
                .map_err(|error| failed("rewriting a table", &error))?;
            // Who may not is only warned and passed over: only the file tells.
            if self.file_of(table)? == before {
                let user = self.user()?;
                self.left.push(format!(
                    "{table} was not rewritten: {user} may not. Run this as the owner of the database or as a superuser."
                ));
            }
            (self.tell)(ScrubStep::Rewritten {
                table,
                position: index + 1,
                of: TABLES.len(),
            });
        }
        Ok(())
    }

    /// ANALYZE of an empty table leaves the samples of what was in it. A column that gets a type loses them, the same
    /// type too.
    fn forget_samples(&mut self, table: &'static str) -> Result<(), StoreError> {
        let columns = Statement::new(
            "SELECT format('ALTER TABLE %s ALTER COLUMN %I TYPE text COLLATE %I', attrelid::regclass, attname, collname) \
             FROM pg_attribute JOIN pg_collation ON pg_collation.oid = attcollation \
             WHERE atttypid = 'text'::regtype AND NOT attisdropped AND attrelid = ",
        )
        .bind(table)
        .sql("::regclass AND attrelid <> 'pg_statistic'::regclass");
        for column in self.texts(&columns)? {
            if self.is_empty(table)? {
                let done = self.connection.batch(&column);
                done.map_err(|error| failed("forgetting the samples of an empty table", &error))?;
            }
        }
        Ok(())
    }

    fn is_empty(&mut self, table: &'static str) -> Result<bool, StoreError> {
        let rows = Statement::new("SELECT count(*) FROM (SELECT 1 FROM ")
            .sql(table)
            .sql(" LIMIT 1) AS any_row");
        Ok(self.number(rows)? == 0)
    }

    fn file_of(&mut self, table: &'static str) -> Result<i64, StoreError> {
        self.number(
            Statement::new("SELECT pg_relation_filenode(")
                .bind(table)
                .sql("::regclass)::bigint"),
        )
    }

    fn may_overwrite_log(&mut self) -> Result<bool, StoreError> {
        let may = "SELECT (has_function_privilege('pg_switch_wal()', 'EXECUTE') \
                   AND has_function_privilege('pg_ls_waldir()', 'EXECUTE') \
                   AND (current_setting('is_superuser') = 'on' OR EXISTS (SELECT 1 FROM pg_roles \
                   WHERE rolname = 'pg_checkpoint' AND pg_has_role(current_user, oid, 'USAGE'))))::int::bigint";
        if self.holds(may)? {
            return Ok(true);
        }
        let user = self.user()?;
        self.left.push(format!(
            "The write-ahead log was not overwritten: {user} may not. GRANT pg_monitor, pg_checkpoint TO {user}; GRANT EXECUTE \
             ON FUNCTION pg_switch_wal() TO {user}; or run this as a superuser."
        ));
        Ok(false)
    }

    /// A file that is left early is filled with zeros, and one that a checkpoint has released is used again with what
    /// stood in it: so each of them is entered once, and left.
    fn overwrite_log(&mut self) -> Result<(), StoreError> {
        let names = self.texts(&Statement::new("SELECT pg_walfile_name(pg_current_wal_lsn())"))?;
        let current = names.into_iter().next().unwrap_or_default();
        self.next_file()?;
        self.checkpoint()?;
        let files = self.number(Statement::new("SELECT count(*) FROM pg_ls_waldir()"))?;
        let of = u64::try_from(files).unwrap_or_default() + 1;
        for done in 1..=of {
            self.next_file()?;
            (self.tell)(ScrubStep::Overwriting { done, of });
        }
        self.checkpoint()?;
        let kept =
            Statement::new("SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND name <= ")
                .bind(current.as_str());
        let kept = self.number(kept)?;
        if kept > 0 {
            self.left.push(format!(
                "{kept} older files of the write-ahead log are kept by a replication slot, wal_keep_size or an archive that \
                 is behind. Run this again when they are gone."
            ));
        }
        Ok(())
    }

    fn next_file(&mut self) -> Result<(), StoreError> {
        // Without a record in between, the file would not be left.
        self.number(Statement::new(
            "SELECT (pg_logical_emit_message(false, 'passerelle', '') IS NOT NULL)::int::bigint",
        ))?;
        self.number(Statement::new(
            "SELECT (pg_switch_wal() IS NOT NULL)::int::bigint",
        ))?;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        let done = self.connection.batch("CHECKPOINT");
        done.map_err(|error| failed("making a checkpoint", &error))
    }

    fn user(&mut self) -> Result<String, StoreError> {
        let names = self.texts(&Statement::new("SELECT quote_ident(current_user)"))?;
        Ok(names.into_iter().next().unwrap_or_default())
    }

    fn holds(&mut self, question: &'static str) -> Result<bool, StoreError> {
        Ok(self.number(Statement::new(question))? != 0)
    }

    fn number(&mut self, statement: Statement<'_>) -> Result<i64, StoreError> {
        let rows = self.connection.longs(&statement);
        let rows = rows.map_err(|error| failed("scrubbing", &error))?;
        let none = || StoreError::Internal("scrubbing: an empty answer".to_owned());
        rows.into_iter().next().ok_or_else(none)
    }

    fn texts(&mut self, statement: &Statement<'_>) -> Result<Vec<String>, StoreError> {
        let rows = self.connection.texts(statement);
        rows.map_err(|error| failed("scrubbing", &error))
    }
}

fn failed(doing: &str, error: &diesel::result::Error) -> StoreError {
    classify(Dialect::Postgres, doing, error).error
}
