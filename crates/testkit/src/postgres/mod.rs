//! PostgreSQL clusters of this test process's own, started on first use and gone with the process.
//!
//! Each listens on a Unix socket in its folder only, trusts everyone who can reach that, and flushes as a
//! real one does: the server under test refuses to start on `fsync=off`.

mod pair;

pub use pair::Pair;

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::sweep::{self, End};
use crate::wait::poll;

/// How long a cluster may take to accept connections.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What PostgreSQL and its clients call the socket in a folder.
pub const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// The cluster of this test process.
#[derive(Debug)]
pub struct Postgres {
    binaries: Binaries,
    socket_folder: PathBuf,
}

/// A database of its own for one test; dropped with this value.
#[derive(Debug)]
pub struct Database {
    name: String,
    /// Where its tables lie, when they have a disk of their own.
    tablespace: Option<String>,
}

#[derive(Clone, Debug)]
struct Binaries {
    initdb: PathBuf,
    postgres: PathBuf,
    psql: PathBuf,
    /// Only a pair needs it.
    pg_basebackup: Option<PathBuf>,
}

/// The operating-system user a cluster runs as when the tests run as root.
#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Whether this machine has what it takes: `initdb`, `postgres` and `psql`, and a user `postgres`
    /// when the tests run as root.
    pub fn available() -> bool {
        binaries().is_some() && (!running_as_root() || postgres_account().is_some())
    }

    /// The cluster of this process, started on the first call.
    ///
    /// # Panics
    /// When it cannot be started; the message holds PostgreSQL's own words.
    pub fn shared() -> &'static Postgres {
        static CLUSTER: OnceLock<Postgres> = OnceLock::new();
        CLUSTER.get_or_init(|| start("pg"))
    }

    /// One more cluster, for a test that looks at all of its files or changes its settings; `name` names its folder in
    /// that of the run. It is stopped when the process ends.
    ///
    /// # Panics
    /// As [`Postgres::shared`].
    pub fn own(name: &str) -> Postgres {
        start(&format!("pg-{name}"))
    }

    /// The folder of everything it writes: `data`, and its log beside that.
    pub fn folder(&self) -> &Path {
        &self.socket_folder
    }

    /// The process that starts all others of the cluster.
    ///
    /// # Panics
    /// When the cluster does not run.
    pub fn pid(&self) -> u32 {
        let file = self.socket_folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).expect("a running cluster has a file that tells so");
        let first = text.lines().next().and_then(|line| line.trim().parse().ok());
        first.expect("its first line is a process id")
    }

    /// The URL of a database for a user.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!(
            "postgres://{user}@/{database}?host={}",
            self.socket_folder.display()
        )
    }

    /// The cluster's Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.socket_folder.join(SOCKET_NAME)
    }

    /// The psql of this cluster's version.
    pub fn psql(&self) -> &Path {
        &self.binaries.psql
    }

    /// A new, empty database.
    pub fn fresh_database(&self) -> Database {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.query(
            "postgres",
            &format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"),
        );
        Database {
            name,
            tablespace: None,
        }
    }

    /// A new, empty database whose tables lie in this folder: to be called on [`Postgres::shared`], and to be dropped
    /// before the folder goes.
    pub fn database_in(&self, folder: &Path) -> Database {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (name, tablespace) = (format!("apart{number}"), format!("space{number}"));
        if running_as_root() {
            let account = postgres_account().expect("a user called postgres");
            chown(folder, Some(account.user), Some(account.group)).expect("root may give folders away");
        }
        self.query(
            "postgres",
            &format!("CREATE TABLESPACE {tablespace} LOCATION '{}'", folder.display()),
        );
        self.query(
            "postgres",
            &format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0 TABLESPACE {tablespace}"),
        );
        Database {
            name,
            tablespace: Some(tablespace),
        }
    }

    /// The command that runs SQL at a URL, of whatever cluster; rows come back as lines, columns parted by `|`.
    pub fn psql_at(&self, url: &str, sql: &str) -> Command {
        let mut psql = Command::new(&self.binaries.psql);
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            url,
            "-c",
            sql,
        ])
        .stdin(Stdio::null());
        psql
    }

    /// Runs SQL in `database` through psql; rows come back as lines, columns parted by `|`.
    ///
    /// # Panics
    /// When PostgreSQL refuses it.
    pub fn query(&self, database: &str, sql: &str) -> String {
        match self.try_query(database, sql) {
            Ok(rows) => rows,
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    fn try_query(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = self
            .psql_at(&self.url("postgres", database), sql)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Database {
    /// The URL a server under test is given.
    pub fn url(&self) -> String {
        Postgres::shared().url("postgres", &self.name)
    }

    /// The URL through another Unix socket folder, such as that of a [`crate::proxy::Proxy`].
    pub fn url_through(&self, folder: &Path) -> String {
        format!("postgres://postgres@/{}?host={}", self.name, folder.display())
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL in it; rows come back as lines, columns parted by `|`.
    pub fn query(&self, sql: &str) -> String {
        Postgres::shared().query(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Not worth failing a test over: the whole cluster goes soon.
        let _ = Postgres::shared().try_query(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
        if let Some(tablespace) = &self.tablespace {
            let _ =
                Postgres::shared().try_query("postgres", &format!("DROP TABLESPACE IF EXISTS {tablespace}"));
        }
    }
}

fn start(name: &str) -> Postgres {
    let (binaries, folder, account) = prepare(name);
    initialise(&binaries, &folder, account);
    #[allow(
        clippy::zombie_processes,
        reason = "it ends with this process: the sweeper sees to that"
    )]
    launch(&binaries, &folder, account);
    Postgres {
        binaries,
        socket_folder: folder,
    }
}

/// What every cluster needs: the programs, an empty folder, and whom to run as.
fn prepare(name: &str) -> (Binaries, PathBuf, Option<Account>) {
    let binaries = binaries().expect("PostgreSQL's programs are installed; ask Postgres::available() first");
    let folder = sweep::run_folder().join(name);
    std::fs::create_dir(&folder).expect("a folder for the cluster");
    let account = running_as_root().then(|| postgres_account().expect("a user called postgres"));
    if let Some(account) = account {
        chown(&folder, Some(account.user), Some(account.group)).expect("root may give folders away");
    }
    (binaries, folder, account)
}

fn initialise(binaries: &Binaries, folder: &Path, account: Option<Account>) {
    let mut initdb = Command::new(&binaries.initdb);
    initdb
        .args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ])
        .arg(folder.join("data"))
        .current_dir(folder)
        .stdin(Stdio::null());
    run_as(&mut initdb, account);
    let output = initdb.output().expect("initdb runs");
    assert!(
        output.status.success(),
        "initdb failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn launch(binaries: &Binaries, folder: &Path, account: Option<Account>) -> Child {
    let log_path = folder.join("log");
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&log_path)
        .expect("a log file for the cluster");
    let mut postgres = Command::new(&binaries.postgres);
    postgres.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    for setting in [
        "listen_addresses=",
        "max_connections=400",
        "shared_buffers=64MB",
        "logging_collector=off",
    ] {
        postgres.args(["-c", setting]);
    }
    postgres
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log file for the cluster"))
        .stderr(log)
        // Its own group: Ctrl-C ends the tests, and the sweeper then ends this.
        .process_group(0);
    run_as(&mut postgres, account);
    let mut process = postgres.spawn().expect("postgres runs");
    sweep::watch(process.id(), End::Quit);
    // The socket appears before connections are welcome; a query that works is the proof.
    let probe = Postgres {
        binaries: binaries.clone(),
        socket_folder: folder.to_owned(),
    };
    let ready = poll(START_LIMIT, || {
        if process.try_wait().ok().flatten().is_some() {
            return Some(false);
        }
        let listening = folder.join(SOCKET_NAME).exists();
        (listening && probe.try_query("postgres", "SELECT 1").is_ok()).then_some(true)
    });
    if ready != Some(true) {
        panic!(
            "PostgreSQL did not start:\n{}",
            std::fs::read_to_string(&log_path).unwrap_or_default()
        );
    }
    process
}

fn run_as(command: &mut Command, account: Option<Account>) {
    // A stray PGDATA or PGHOST of the user must not lead the programs elsewhere.
    for name in ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS"] {
        command.env_remove(name);
    }
    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
}

fn binaries() -> Option<Binaries> {
    static FOUND: OnceLock<Option<Binaries>> = OnceLock::new();
    let find = || {
        let postgres = std::fs::canonicalize(find("postgres")?).ok()?;
        // Beside the server first: Debian's psql in PATH is a Perl script, which takes longer than most queries.
        let beside = |program| {
            let candidate = postgres.with_file_name(program);
            candidate.is_file().then_some(candidate).or_else(|| find(program))
        };
        Some(Binaries {
            initdb: beside("initdb")?,
            psql: beside("psql")?,
            pg_basebackup: beside("pg_basebackup"),
            postgres,
        })
    };
    FOUND.get_or_init(find).clone()
}

/// Looks in PATH, then where Debian keeps the programs of each version, the newest first.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    let number = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
    };
    versions.sort_by_key(|version| std::cmp::Reverse(number(version)));
    folders.extend(versions.into_iter().map(|version| version.join("bin")));
    folders
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

fn running_as_root() -> bool {
    // The owner of this process's own folder in /proc is its effective user.
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn postgres_account() -> Option<Account> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some(Account {
        user: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}
