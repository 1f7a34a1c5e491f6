//! What a case stands on: a database of its own, and a runtime.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection};
use store::{Durability, Options, SpaceKey, SpaceStore, Store};

use crate::cluster;
use crate::proxy::Proxy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub fn name(self) -> &'static str {
        match self {
            Database::Sqlite => "sqlite",
            Database::Postgres => "postgres",
        }
    }
}

pub const BOTH: &[Database] = &[Database::Sqlite, Database::Postgres];

type Run = fn(Arc<Bench>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A test: the promise it keeps, and how.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub on: &'static [Database],
    pub run: Run,
    /// It installs a hook that every transaction of the process meets, so nothing else may run.
    pub alone: bool,
}

/// Names async functions as cases on both databases.
#[macro_export]
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub const CASES: &[$crate::bench::Case] = &[$(
            $crate::bench::Case {
                name: stringify!($name),
                on: $crate::bench::BOTH,
                run: |bench| Box::pin($name(bench)),
                alone: false,
            }
        ),*];
    };
}

/// A database of one case.
pub struct Bench {
    pub database: Database,
    pub url: String,
    folder: PathBuf,
}

pub const SPACE: SpaceKey = SpaceKey(7);

pub fn run(case: Case, database: Database) {
    static GATE: RwLock<()> = RwLock::new(());
    let _together;
    let _alone;
    if case.alone {
        _alone = GATE.write().unwrap_or_else(PoisonError::into_inner);
    } else {
        _together = GATE.read().unwrap_or_else(PoisonError::into_inner);
    }
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("store-{}-{number}", std::process::id()));
    let url = match database {
        Database::Sqlite => {
            std::fs::create_dir(&folder).unwrap();
            format!("sqlite:{}", folder.join("store.db").display())
        }
        Database::Postgres => {
            let name = format!("case_{number}");
            let mut connection = PgConnection::establish(&cluster::url("postgres")).unwrap();
            connection
                .batch_execute(&format!("CREATE DATABASE {name}"))
                .unwrap();
            cluster::url(&name)
        }
    };
    let bench = Arc::new(Bench {
        database,
        url,
        folder,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .max_blocking_threads(128)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on((case.run)(bench));
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.database == Database::Sqlite {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Planned {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

impl Bench {
    /// Patient: the machine may be busy with other tests.
    pub fn options(&self) -> Options {
        Options {
            durability: Durability::Unsafe,
            patience: Duration::from_secs(30),
            busy_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(30),
            ..Options::default()
        }
    }

    /// The migrated store.
    pub fn open(&self) -> Store {
        self.open_with(self.options())
    }

    pub fn open_with(&self, options: Options) -> Store {
        let store = Store::open(&self.url, options).unwrap();
        store.migrate().unwrap();
        store
    }

    pub fn open_space(&self) -> SpaceStore {
        self.open().for_space(SPACE)
    }

    /// The URL of a PostgreSQL database by way of a proxy.
    pub fn url_through(&self, proxy: &Proxy) -> String {
        self.url.replace(
            cluster::folder().to_str().unwrap(),
            proxy.folder().to_str().unwrap(),
        )
    }

    /// The number that a query with one column `number` gives, past the store.
    pub fn number(&self, sql: &str) -> i64 {
        let rows: Vec<Number> = match self.database {
            Database::Sqlite => diesel::sql_query(sql).load(&mut self.sqlite()).unwrap(),
            Database::Postgres => diesel::sql_query(sql).load(&mut self.postgres()).unwrap(),
        };
        rows[0].number
    }

    /// The lines of a query with one column `line`, past the store.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let rows: Vec<Line> = match self.database {
            Database::Sqlite => diesel::sql_query(sql).load(&mut self.sqlite()).unwrap(),
            Database::Postgres => diesel::sql_query(sql).load(&mut self.postgres()).unwrap(),
        };
        rows.into_iter().map(|row| row.line).collect()
    }

    /// What PostgreSQL would do for a statement.
    pub fn plan(&self, sql: &str) -> String {
        let rows: Vec<Planned> = diesel::sql_query(format!("EXPLAIN {sql}"))
            .load(&mut self.postgres())
            .unwrap();
        let lines: Vec<String> = rows.into_iter().map(|row| row.line).collect();
        lines.join("\n")
    }

    /// Runs SQL past the store.
    pub fn execute(&self, sql: &str) {
        match self.database {
            Database::Sqlite => self.sqlite().batch_execute(sql).unwrap(),
            Database::Postgres => self.postgres().batch_execute(sql).unwrap(),
        }
    }

    fn sqlite(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.url.strip_prefix("sqlite:").unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 30000").unwrap();
        connection
    }

    fn postgres(&self) -> PgConnection {
        PgConnection::establish(&self.url).unwrap()
    }
}
