//! The store: opens either database, and gives out handles of one space.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fhir::query::Query;
use fhir::query::history::History;
use fhir::{ResourceType, Target, Timestamp};

use crate::access::Access;
use crate::api::{Among, ClassFilter, LockSet, Page, Reader, SpaceKey, Stored, Whose, Writer};
use crate::audit::AuditEntry;
use crate::backup;
use crate::clock::Clock;
use crate::error::{StoreError, classify};
use crate::inspect::{Inspector, Mender};
use crate::ledger::Erasures;
use crate::meters::{Levels, Meters};
use crate::migrate::{self, Migrate as _};
use crate::options::Options;
use crate::pause;
use crate::postgres::{PostgresStore, ScrubStep, Scrubbed};
use crate::search;
use crate::settings;
use crate::sql::{Dialect, Sql as _};
use crate::sqlite::SqliteStore;
use crate::statement::Statement;
use crate::trail::{self, Sealer, SealerOptions, Seals};
use crate::transaction::{Context, Transaction};

/// How long [`Store::ready`] waits for an answer.
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long [`Store::close`] waits for what was accepted. A server that ends has 10 s in all, and gives most of them to
/// requests.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Rows of [`SpaceStore::mentioning`] that are read in one go: some milliseconds.
const ROWS_AT_ONCE: i64 = 4_096;

/// A database. Clones are handles of the same one.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    context: Arc<Context>,
    clock: Arc<dyn Clock>,
}

enum Database {
    Sqlite(Box<SqliteStore>),
    Postgres(PostgresStore),
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…` (`postgresql://…`). Does not migrate. Refuses a schema of a
    /// newer server, and a PostgreSQL whose settings would lose answered writes. No error holds a password.
    pub fn open(url: &str, options: Options) -> Result<Store, StoreError> {
        let clock = Arc::clone(&options.clock);
        let context = Arc::new(Context {
            clock: Arc::clone(&options.clock),
            cursor_key: OnceLock::new(),
            ledger: OnceLock::new(),
            durability: options.durability,
            meters: Meters::default(),
        });
        let shared = Arc::clone(&context);
        let database = match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() && !path.starts_with(':') => {
                Database::Sqlite(Box::new(SqliteStore::open(path, options, context)?))
            }
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Database::Postgres(PostgresStore::open(url, options, context)?)
            }
            _ => {
                return Err(StoreError::Refused(
                    "The database URL is neither sqlite:PATH nor postgres://USER@HOST/NAME. Correct it in the \
                     configuration."
                        .to_owned(),
                ));
            }
        };
        Ok(Store {
            database: Arc::new(database),
            context: shared,
            clock,
        })
    }

    /// Brings the schema up to this server's. Several processes may do so at once.
    pub fn migrate(&self) -> Result<(), StoreError> {
        match &*self.database {
            Database::Sqlite(store) => store.with_connection(|connection| connection.migrate())?,
            Database::Postgres(store) => store.with_connection(|connection| connection.migrate())?,
        }
        self.transact_blocking(settings::make_cursor_key)
    }

    /// The migrations that [`Store::migrate`] would run, by name. Refuses a schema of a newer server.
    pub fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        match &*self.database {
            Database::Sqlite(store) => store.with_connection(|connection| connection.pending()),
            Database::Postgres(store) => store.with_connection(|connection| connection.pending()),
        }
    }

    /// Whether any migration has ever run here.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub fn has_schema(&self) -> Result<bool, StoreError> {
        let pending = self.pending_migrations()?.len();
        Ok(match &*self.database {
            Database::Sqlite(_) => pending < migrate::count(Dialect::Sqlite)?,
            Database::Postgres(_) => pending < migrate::count(Dialect::Postgres)?,
        })
    }

    /// Undoes every migration, and with it all data. For tests of the migrations.
    #[doc(hidden)]
    pub fn unmigrate(&self) -> Result<(), StoreError> {
        match &*self.database {
            Database::Sqlite(store) => store.with_connection(|connection| connection.unmigrate()),
            Database::Postgres(store) => store.with_connection(|connection| connection.unmigrate()),
        }
    }

    /// Takes out of PostgreSQL's files what erasures left in them: rewrites the tables of persons, each locked
    /// meanwhile, and overwrites the write-ahead log. Waits at most `patience` for transactions that could still see
    /// what was erased; when those stay, [`StoreError::Refused`] names them. Blocks.
    pub fn scrub(&self, patience: Duration, tell: &mut dyn FnMut(ScrubStep)) -> Result<Scrubbed, StoreError> {
        match &*self.database {
            // `secure_delete`, and a log that is emptied before an erasure is answered.
            Database::Sqlite(_) => Ok(Scrubbed::NothingToDo),
            Database::Postgres(store) => store.scrub(patience, tell),
        }
    }

    /// Whether the database answers and its schema is ours, within 2 s.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let answer = self.read_all(|tx| {
            settings::generation(tx)?;
            migrate::check(tx)
        });
        tokio::time::timeout(READY_TIMEOUT, answer)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer within 2 s".to_owned())))
    }

    /// Accepts nothing more, and returns when everything accepted is on disk, or after 2 s with
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) -> Result<(), StoreError> {
        let database = Arc::clone(&self.database);
        let closed = tokio::task::spawn_blocking(move || match &*database {
            Database::Sqlite(store) => {
                store.begin_close();
                store.wait_closed(CLOSE_TIMEOUT)
            }
            Database::Postgres(store) => {
                store.begin_close();
                store.wait_closed(CLOSE_TIMEOUT)
            }
        })
        .await
        .unwrap_or(false);
        if closed {
            Ok(())
        } else {
            Err(StoreError::Unavailable(
                "the store could not be drained in time".to_owned(),
            ))
        }
    }

    /// The time, by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What has been counted since the store was opened.
    pub fn meters(&self) -> &Meters {
        match &*self.database {
            Database::Sqlite(store) => store.meters(),
            Database::Postgres(store) => store.meters(),
        }
    }

    /// How things stand just now. Takes locks for an instant, and looks at the files of SQLite.
    pub fn levels(&self) -> Levels {
        match &*self.database {
            Database::Sqlite(store) => store.levels(),
            Database::Postgres(store) => store.levels(),
        }
    }

    /// More is asked for than can be done: from now on, and for a moment, much at once is better than little soon. On
    /// PostgreSQL, where nobody writes for others, nothing changes.
    pub fn tell_overload(&self) {
        if let Database::Sqlite(store) = &*self.database {
            store.tell_overload();
        }
    }

    /// The handle of one space.
    pub fn for_space(&self, space: SpaceKey) -> SpaceStore {
        SpaceStore {
            store: self.clone(),
            space,
        }
    }

    /// What the operator sets: spaces, clients, keys.
    pub fn access(&self) -> Access {
        Access::new(self.clone())
    }

    /// Seals the audit trail in the background, within a second of each row.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn start_sealer(&self, options: SealerOptions) -> Result<Sealer, StoreError> {
        Sealer::start(self.clone(), options)
    }

    /// Whether the audit trail has seals, and whether there was a key for them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn seals(&self) -> Result<Seals, StoreError> {
        self.read_all(trail::seals).await
    }

    /// What SQLite itself finds wrong with its file. PostgreSQL looks after its own.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot even look.
    pub fn faults_of_file(&self) -> Result<Vec<String>, StoreError> {
        let Database::Sqlite(store) = &*self.database else {
            return Ok(Vec::new());
        };
        let told = store.with_connection(|connection| {
            connection
                .texts(&Statement::new(backup::INTEGRITY))
                .map_err(|error| classify(Dialect::Sqlite, "looking through the file", &error).error)
        });
        Ok(told?.into_iter().filter(|line| line != "ok").collect())
    }

    /// What breaks the rules that hold across resources: how many of what.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn broken_across(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let counted = self.read_all(|tx| {
            let counts = backup::ACROSS.iter().map(|(what, statement)| {
                let counted = tx.sql.longs(&Statement::new(statement));
                let counted = counted.map_err(|error| tx.fail("counting", &error))?;
                let number = counted.first().copied().unwrap_or_default();
                Ok((*what, u64::try_from(number).unwrap_or_default()))
            });
            counts.collect::<Result<Vec<_>, StoreError>>()
        });
        let mut broken = counted.await?;
        broken.retain(|(_, count)| *count > 0);
        Ok(broken)
    }

    /// Who was erased, and where that is kept beside the database.
    pub fn erasures(&self) -> Erasures {
        Erasures::new(self.clone())
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Adds the audit row of an interaction that changes nothing. It is written with the next change, or
    /// after half a second. [`StoreError::Unavailable`]: too many rows are waiting.
    pub fn audit_later(&self, entry: AuditEntry) -> Result<(), StoreError> {
        match &*self.database {
            Database::Sqlite(store) => store.audit_later(entry),
            Database::Postgres(store) => store.audit_later(entry),
        }
    }

    /// A read beyond one space.
    pub(crate) async fn read_all<F, T, E>(&self, read: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.read_in(SpaceKey(0), read).await
    }

    /// The same on the connection that is kept for this alone: it waits for no request. One at a time.
    pub(crate) async fn read_aside<F, T, E>(&self, read: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.database {
            Database::Sqlite(store) => store.read_aside(SpaceKey(0), read),
            Database::Postgres(store) => store.read_aside(SpaceKey(0), read).await,
        }
    }

    async fn read_in<F, T, E>(&self, space: SpaceKey, read: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.database {
            Database::Sqlite(store) => store.read(space, read),
            Database::Postgres(store) => store.read(space, read).await,
        }
    }

    /// A write beyond one space.
    pub(crate) async fn write_in<F, T, E>(&self, space: SpaceKey, locks: LockSet, write: F) -> Result<T, E>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        pause::at(pause::ASKED);
        match &*self.database {
            Database::Sqlite(store) => store.write(space, write).await,
            Database::Postgres(store) => store.write(space, locks, write).await,
        }
    }

    /// A write before there is a runtime.
    pub(crate) fn transact_blocking(
        &self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match &*self.database {
            Database::Sqlite(store) => store.write_blocking(write),
            Database::Postgres(store) => store.write_blocking(write),
        }
    }
}

/// Reads and writes of one space.
#[derive(Clone)]
pub struct SpaceStore {
    store: Store,
    space: SpaceKey,
}

impl SpaceStore {
    /// The space.
    pub fn space(&self) -> SpaceKey {
        self.space
    }

    /// The store that it is a part of.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Runs reads in one snapshot. On SQLite `read` runs on this very thread, beside every writer; on
    /// PostgreSQL on a blocking thread.
    pub async fn read<F, T, E>(&self, read: F) -> Result<T, E>
    where
        F: FnOnce(&mut dyn Reader) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.read_in(self.space, |tx| read(tx)).await
    }

    /// Looks at what lies in the tables, in one snapshot.
    pub async fn inspect<F, T, E>(&self, look: F) -> Result<T, E>
    where
        F: FnOnce(&mut dyn Inspector) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.read_in(self.space, |tx| look(tx)).await
    }

    /// Puts right what lies in the tables: the current version is read under a lock, and `mend` gets it.
    pub async fn mend<F, E>(&self, target: Option<Target>, mut mend: F) -> Result<(), E>
    where
        F: FnMut(&mut dyn Mender, Option<Stored>) -> Result<(), E> + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let locks = LockSet {
            targets: target.iter().cloned().collect(),
            shared: target.as_ref().map(|target| target.kind),
            ..LockSet::default()
        };
        self.store
            .write_in(self.space, locks, move |tx| {
                let current = match &target {
                    Some(target) => tx.get_for_update(target)?,
                    None => None,
                };
                mend(tx, current)
            })
            .await
    }

    /// Whose versions, superseded ones too, hold one of these texts and are meant: every body of the space is read, a
    /// part at a time, beside every writer. What is written meanwhile may be missed.
    pub async fn mentioning<F>(&self, texts: Vec<String>, is_meant: F) -> Result<Vec<Target>, StoreError>
    where
        F: Fn(&Stored) -> bool + Send + Sync + 'static,
    {
        let (texts, is_meant) = (Arc::new(texts), Arc::new(is_meant));
        let last = self.read(|reader| reader.last_row()).await?;
        let (mut behind, mut targets) = (0, Vec::new());
        while behind < last {
            let (from, to) = (behind, behind + ROWS_AT_ONCE);
            let (texts, is_meant) = (Arc::clone(&texts), Arc::clone(&is_meant));
            let found: Result<Vec<Stored>, StoreError> = self
                .read(move |reader| {
                    let mut found = reader.mentioning(&texts, Among::Rows(from, to))?;
                    found.retain(|stored| is_meant(stored));
                    Ok(found)
                })
                .await;
            targets.extend(found?.into_iter().map(|stored| stored.target));
            behind = to;
            // On SQLite it is this thread that reads: others have their turn.
            tokio::task::yield_now().await;
        }
        targets.sort_unstable();
        targets.dedup();
        Ok(targets)
    }

    /// The current version, a deletion included.
    pub async fn get(&self, target: Target) -> Result<Option<Stored>, StoreError> {
        self.read_once(move |tx| tx.get(&target)).await
    }

    /// A page of a search.
    pub async fn search(&self, query: Query, class: ClassFilter) -> Result<Page, StoreError> {
        let query = Arc::new(query);
        let first = Arc::clone(&query);
        match self
            .read_once(move |tx| search::page_at_once(tx, &first, class))
            .await?
        {
            Some(page) => Ok(page),
            None => self.read(move |reader| reader.search(&query, class)).await,
        }
    }

    /// A read of one statement. It may run twice.
    async fn read_once<F, T>(&self, read: F) -> Result<T, StoreError>
    where
        F: Fn(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match &*self.store.database {
            Database::Sqlite(store) => store.read_once(self.space, read),
            Database::Postgres(store) => store.read_once(self.space, read).await,
        }
    }

    /// How the database would find the first page of a search: its statements, each with the lines of its plan. A
    /// statement runs when those before do not fill the page.
    #[doc(hidden)]
    pub async fn explain(&self, query: Query) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        self.store.read_in(self.space, move |tx| tx.explain(&query)).await
    }

    /// How the database would find the first page of a history, one behind it, and the total: the lines of the plans.
    #[doc(hidden)]
    pub async fn explain_history(
        &self,
        history: History,
        kinds: Vec<ResourceType>,
        of: Option<Stored>,
    ) -> Result<[Vec<String>; 3], StoreError> {
        let explain = move |tx: &mut Transaction<'_>| {
            let whose = of.as_ref().map_or(Whose::All(&kinds), Whose::One);
            tx.explain_history(&history, whose)
        };
        self.store.read_in(self.space, explain).await
    }

    /// Runs a write in one transaction, and returns when it is on disk. An `Err` of `write` takes back all
    /// that it did, and nothing else. `write` may run several times: only its last run counts.
    pub async fn write<F, T, E>(&self, locks: LockSet, mut write: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Writer) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.write_in(self.space, locks, move |tx| write(tx)).await
    }
}
