//! The server under test: the real binary, on a free port, with a database of its own.

mod settings;

pub use settings::{Content, Settings};

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::http::{Client, Timeouts, split_url};
use crate::postgres::Database;
use crate::sweep::{self, End, TemporaryFolder};
use crate::wait::poll;

/// The flag that names the erasure ledger.
const LEDGER: &str = "--erasure-ledger";
/// How long a start may take before the test gives up, in a build without optimisation.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a graceful end may take before the test gives up.
const STOP_LIMIT: Duration = Duration::from_secs(40);
/// How much of the log a failed test shows, in bytes.
const SHOWN_LOG_BYTES: usize = 8 * 1024;

/// The kind of database under the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A file in the server's data folder.
    Sqlite,
    /// A fresh database of [`crate::postgres::Postgres::shared`].
    Postgres,
}

impl Backend {
    /// Its name in test names.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgres",
        }
    }
}

/// How to reach one door: the URL and the credential of its client.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The base URL of the door.
    pub url: String,
    /// The bearer token.
    pub bearer: String,
    /// The whole entry of demo.json, for doors that need more than a token.
    pub entry: Value,
}

/// The database a server uses, kept as long as any server on it.
#[derive(Clone, Debug)]
enum DatabaseHold {
    InFolder,
    Postgres(Arc<Database>),
    Elsewhere(String),
}

/// A running server. Dropping it kills the process and removes what it stored; when the test is failing,
/// the end of its log is shown first.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    process: Option<Child>,
    doors: HashMap<String, Credential>,
    base: String,
    /// The URL of the admin address, when there is one.
    admin: Option<String>,
    data: PathBuf,
    /// The erasure ledger of a database of PostgreSQL: where the demo has it by itself.
    ledger: PathBuf,
    log: PathBuf,
    // Dropped after the process has been killed, in this order.
    database: DatabaseHold,
    folder: Arc<TemporaryFolder>,
}

impl Server {
    /// Starts the binary on a fresh database without sample data. See [`Settings`] for more choice.
    #[track_caller]
    pub fn start(binary: impl AsRef<Path>, backend: Backend) -> Server {
        Settings::new(binary, backend).start()
    }

    #[track_caller]
    fn launch(
        settings: Settings,
        database: DatabaseHold,
        folder: Arc<TemporaryFolder>,
        data: PathBuf,
        log: PathBuf,
    ) -> Server {
        let mut server = Server {
            settings,
            process: None,
            doors: HashMap::new(),
            base: String::new(),
            admin: None,
            ledger: data.join("passerelle.erasures"),
            data,
            log,
            database,
            folder,
        };
        server.spawn();
        server
    }

    /// The server's address as a URL, without a path.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        split_url(&self.base).0
    }

    /// URL and token of a door: `fhir`, `sas`, `medicapp-cloud` …
    #[track_caller]
    pub fn credential(&self, door: &str) -> &Credential {
        self.doors.get(door).unwrap_or_else(|| {
            let mut known: Vec<&str> = self.doors.keys().map(String::as_str).collect();
            known.sort_unstable();
            panic!("demo.json has no door {door}; it has {known:?}")
        })
    }

    /// A client of a door: targets follow the door's path, the token is sent.
    #[track_caller]
    pub fn client(&self, door: &str) -> Client {
        let credential = self.credential(door);
        self.speaking(Client::at(&credential.url))
            .with_bearer(&credential.bearer)
    }

    /// A client of the bare address, without a token.
    pub fn anonymous(&self) -> Client {
        self.speaking(Client::new(self.address()))
    }

    /// With TLS, where the server was started with it.
    fn speaking(&self, client: Client) -> Client {
        match &self.settings.tls {
            Some(tls) => client.with_tls(tls),
            None => client,
        }
    }

    /// A client of the admin address, for a server started with [`Settings::admin`].
    #[track_caller]
    pub fn admin(&self) -> Client {
        let url = self.admin.as_deref().expect("a server with an admin address");
        Client::at(url)
    }

    /// The process number.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// The data folder (`--data`).
    pub fn data_folder(&self) -> &Path {
        &self.data
    }

    /// The kind of database it was started on. One at a URL of the caller's counts as PostgreSQL.
    pub fn backend(&self) -> Backend {
        match &self.database {
            DatabaseHold::InFolder => Backend::Sqlite,
            DatabaseHold::Postgres(_) | DatabaseHold::Elsewhere(_) => Backend::Postgres,
        }
    }

    /// The URL of its database; `None` on SQLite, whose file lies in the data folder.
    pub fn database_url(&self) -> Option<String> {
        match &self.database {
            DatabaseHold::InFolder => None,
            DatabaseHold::Postgres(database) => Some(database.url()),
            DatabaseHold::Elsewhere(url) => Some(url.clone()),
        }
    }

    /// What `--database` takes for its database.
    pub fn database_argument(&self) -> String {
        self.database_url()
            .unwrap_or_else(|| format!("sqlite:{}", self.data.join("passerelle.db").display()))
    }

    /// The file that keeps who was erased: beside the database on SQLite, one for all servers of a database otherwise.
    pub fn erasure_ledger(&self) -> PathBuf {
        match self.backend() {
            Backend::Sqlite => self.data.join("passerelle.db.erasures"),
            Backend::Postgres => self.ledger.clone(),
        }
    }

    /// Runs an administrative command of the same binary on the same database, such as
    /// `["key-system", "add", …]`; what it printed.
    ///
    /// # Panics
    /// When it fails; the message holds its own words.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.settings.binary)
            .args(arguments)
            .args(["--database", &self.database_argument()])
            .env("PASSERELLE_ERASURE_LEDGER", self.erasure_ledger())
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs");
        assert!(
            output.status.success(),
            "{arguments:?} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until PostgreSQL has ended the sessions of a killed process: a COMMIT that was under way may
    /// still succeed until then. PostgreSQL's own work there (autovacuum takes minutes) is not waited for. Nothing to wait for on SQLite.
    ///
    /// # Panics
    /// When they last longer than a minute.
    #[track_caller]
    pub fn wait_for_sessions_to_end(&self) {
        let Some(database) = self.postgres_database() else {
            return;
        };
        let ended = poll(START_LIMIT * 2, || {
            let left = database.query(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            );
            (left == "0").then_some(())
        });
        assert!(
            ended.is_some(),
            "PostgreSQL keeps the sessions of a killed server"
        );
    }

    /// The PostgreSQL database, when it has one of its own.
    pub fn postgres_database(&self) -> Option<&Database> {
        match &self.database {
            DatabaseHold::Postgres(database) => Some(database),
            DatabaseHold::InFolder | DatabaseHold::Elsewhere(_) => None,
        }
    }

    /// Everything the server has written to its standard error since it was first started.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// SIGKILL, and waits for the end.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("own child can be killed");
            process.wait().expect("own child can be waited for");
            sweep::forget(process.id());
        }
    }

    /// SIGTERM without waiting; [`Server::wait`] waits.
    #[track_caller]
    pub fn signal_terminate(&self) {
        self.signal("TERM");
    }

    /// SIGHUP: the server reads its certificates again.
    #[track_caller]
    pub fn signal_hangup(&self) {
        self.signal("HUP");
    }

    /// SIGSTOP: the server stands still, until [`Server::signal_continue`].
    #[track_caller]
    pub fn signal_stop(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    #[track_caller]
    pub fn signal_continue(&self) {
        self.signal("CONT");
    }

    #[track_caller]
    fn signal(&self, name: &str) {
        let sent = Command::new("/bin/sh")
            .args(["-c", "kill -s \"$1\" \"$0\"", &self.pid().to_string(), name])
            .status()
            .expect("/bin/sh runs");
        assert!(
            sent.success(),
            "SIG{name} could not be sent: is the server gone?\n{}",
            self.log_end()
        );
    }

    /// Waits for the process to end by itself.
    ///
    /// # Panics
    /// When it does not within 40 seconds.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let Some(status) = self.wait_at_most(STOP_LIMIT) else {
            panic!(
                "the server does not end within {STOP_LIMIT:?}:\n{}",
                self.log_end()
            )
        };
        status
    }

    /// The same, for `limit`; `None` when it still runs then.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn wait_at_most(&mut self, limit: Duration) -> Option<ExitStatus> {
        let Some(process) = self.process.as_mut() else {
            panic!("the server does not run")
        };
        let status = poll(limit, || process.try_wait().expect("own child can be asked"))?;
        sweep::forget(self.pid());
        self.process = None;
        Some(status)
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal_terminate();
        self.wait()
    }

    /// Starts it again on the same data, after killing it when it still runs. The address changes;
    /// clients made before talk to the old one.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill9();
        self.spawn();
    }

    /// A second process on the same database. On SQLite it shares the data folder; on PostgreSQL it has
    /// a copy of it, as on another machine.
    #[track_caller]
    pub fn second(&self) -> Server {
        let data = match self.database {
            DatabaseHold::InFolder => self.data.clone(),
            DatabaseHold::Postgres(_) | DatabaseHold::Elsewhere(_) => {
                let copy = free_name(&self.data);
                copy_folder(&self.data, &copy);
                copy
            }
        };
        let log = free_name(&self.data).with_extension("stderr");
        let mut server = Server {
            settings: self.settings.clone(),
            process: None,
            doors: HashMap::new(),
            base: String::new(),
            admin: None,
            data,
            ledger: self.ledger.clone(),
            log,
            database: self.database.clone(),
            folder: Arc::clone(&self.folder),
        };
        server.spawn();
        server
    }

    #[track_caller]
    fn spawn(&mut self) {
        let demo_file = self.data.join("demo.json");
        let before = stamp(&demo_file);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log file");
        let mut command = Command::new(&self.settings.binary);
        command
            // A refused start says why in a sentence: a backtrace would push that out of the end that is shown.
            .env("RUST_LIB_BACKTRACE", "0")
            .arg("demo")
            .arg("--data")
            .arg(&self.data)
            .args(["--listen", &self.settings.listen]);
        if let Some(url) = self.database_url() {
            command.args(["--database", &url]);
            if !self.settings.arguments.iter().any(|given| given == LEDGER) {
                command.arg(LEDGER).arg(self.erasure_ledger());
            }
        }
        if self.settings.content == Content::Empty {
            command.arg("--empty");
        }
        command
            .args(&self.settings.arguments)
            .envs(
                self.settings
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log);
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.settings.binary.display()));
        sweep::watch(process.id(), End::Kill);
        self.process = Some(process);
        let ready = poll(START_LIMIT, || {
            if !self.is_running() {
                return Some(Err("ended instead of getting ready"));
            }
            // The file of the last start names an address that is gone.
            if stamp(&demo_file) == before || !self.read_demo(&demo_file) {
                return None;
            }
            self.answers_ready().then_some(Ok(()))
        });
        match ready {
            Some(Ok(())) => {}
            Some(Err(problem)) => panic!("the server {problem}:\n{}", self.log_end()),
            None => panic!(
                "the server is not ready after {START_LIMIT:?}:\n{}",
                self.log_end()
            ),
        }
    }

    /// False when the file is not there or half written.
    fn read_demo(&mut self, file: &Path) -> bool {
        let Ok(bytes) = std::fs::read(file) else {
            return false;
        };
        let Ok(demo) = serde_json::from_slice::<Value>(&bytes) else {
            return false;
        };
        let (Some(base), Some(doors)) = (demo["base"].as_str(), demo.as_object()) else {
            return false;
        };
        self.base = base.to_owned();
        self.admin = demo["admin"].as_str().map(str::to_owned);
        self.doors = doors
            .iter()
            .filter_map(|(door, entry)| {
                let url = entry["url"].as_str()?.to_owned();
                let bearer = entry["bearer"].as_str().unwrap_or_default().to_owned();
                Some((
                    door.clone(),
                    Credential {
                        url,
                        bearer,
                        entry: entry.clone(),
                    },
                ))
            })
            .collect();
        true
    }

    fn answers_ready(&self) -> bool {
        let short = Timeouts {
            read: Duration::from_secs(2),
            ..Timeouts::default()
        };
        let answer = self
            .anonymous()
            .with_timeouts(short)
            .get("/health/ready")
            .try_send();
        answer.is_ok_and(|response| response.status == 200)
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let mut start = log.len().saturating_sub(SHOWN_LOG_BYTES);
        while !log.is_char_boundary(start) {
            start += 1;
        }
        log[start..].to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the server at {}:\n{}---", self.base, self.log_end());
        }
        self.kill9();
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.ino()))
}

fn free_name(beside: &Path) -> PathBuf {
    let parent = beside.parent().expect("a data folder lies in a folder");
    (2..)
        .map(|number: u32| parent.join(format!("data{number}")))
        .find(|path| !path.exists() && !path.with_extension("stderr").exists())
        .expect("some number is free")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a second data folder");
    for entry in std::fs::read_dir(from)
        .expect("the data folder can be read")
        .flatten()
    {
        let target = to.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_folder(&entry.path(), &target),
            Ok(kind) if kind.is_file() => {
                std::fs::copy(entry.path(), target).expect("a file of the data folder can be copied");
            }
            _ => {}
        }
    }
}
