//! T35: the schema is brought up to date from each number it ever had, with data, whatever interrupts that.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Key, Subject, put_by, tables};
use crate::postgres::Postgres;
use crate::random::Random;
use crate::samples::Patient;
use crate::server::{Backend, Server, Settings};
use crate::sweep::TemporaryFolder;
use crate::wait::poll;

/// The space of the demo that the data goes to.
const SPACE: &str = "demo";
/// The tables whose content no migration may change, by the beginnings of their names.
const KEPT: [&str; 3] = ["resource", "identifier_key", "index_"];

/// The first of the persons that are written by requests: nobody whom the import brings.
const VARIED: u64 = 50_000_000_000;
const VARIED_PATIENTS: usize = 8;
/// Numbers between those who are kept, replaced and deleted.
const APART: u64 = 1_000;

/// A database full of persons, and the ways back to each earlier schema.
#[derive(Debug)]
pub struct Migrated {
    server: Server,
    binary: PathBuf,
    steps: Vec<Step>,
}

/// One migration.
#[derive(Debug)]
struct Step {
    version: String,
    down: String,
}

/// What the way from one number amounted to.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// How long bringing it up to date takes.
    pub took: Duration,
    /// Kills after which the old schema was there, whole.
    pub undone: u32,
    /// Kills that came too late.
    pub done: u32,
}

impl Migrated {
    /// Starts a server, ends it, and imports so many patients.
    #[track_caller]
    pub fn new(settings: Settings, binary: &Path, resources: u64) -> Migrated {
        let mut server = settings.start();
        let backend = server.backend();
        assert!(Migrated::available(backend), "sqlite3 is not installed");
        vary(&server);
        server.terminate();
        let migrated = Migrated {
            server,
            binary: binary.to_owned(),
            steps: steps(backend),
        };
        migrated.import(resources);
        migrated
    }

    /// Whether this machine has the program that SQLite's file is changed with.
    pub fn available(backend: Backend) -> bool {
        backend == Backend::Postgres || tables::has_sqlite3()
    }

    /// The numbers that a database may come from: every one but the last.
    pub fn numbers(&self) -> std::ops::Range<usize> {
        1..self.steps.len()
    }

    /// Down to schema `number`, then up again: once undisturbed, and killed `kills` times on the way.
    ///
    /// # Panics
    /// When the data is not the same afterwards, or something half done is left.
    #[track_caller]
    pub fn from(&mut self, number: usize, kills: u32, random: &mut Random) -> Way {
        let all = self.steps.len();
        self.down_to(number);
        let columns = self.columns();
        let before = self.content(&columns);
        let empty = before.iter().find(|(_, rows, _)| *rows == 0);
        assert!(
            empty.is_none() && !before.is_empty(),
            "a table has nothing to lose: {before:?}"
        );
        let begin = Instant::now();
        self.server.command(&["migrate"]);
        let took = begin.elapsed();
        assert_eq!(self.number(), all);
        assert_eq!(
            self.content(&columns),
            before,
            "the data of schema {number} has changed"
        );
        let mut way = Way {
            took,
            undone: 0,
            done: 0,
        };
        self.down_to(number);
        for _ in 0..kills {
            self.migrate_and_kill(took.mul_f64(random.fraction()));
            match self.number() {
                reached if reached == number => way.undone += 1,
                reached if reached == all => {
                    way.done += 1;
                    self.down_to(number);
                }
                reached => panic!("killed on the way from {number} to {all}, and schema {reached} is left"),
            }
        }
        assert_eq!(
            self.content(&columns),
            before,
            "kills have changed the data of schema {number}"
        );
        // A server brings it up to date by itself, and serves.
        self.server.restart();
        let fhir = self.server.client("fhir");
        fhir.get("/metadata").send().expect(200);
        let body = Subject::Account.body(number as u64);
        let by = Subject::Account.named(number as u64);
        let written = put_by(&self.server.client("sas"), "Practitioner", &by, &body);
        assert!(matches!(written.status, 200 | 201), "{written:?}");
        self.server.terminate();
        assert_eq!(self.number(), all);
        way
    }

    #[track_caller]
    fn import(&self, resources: u64) {
        let folder = TemporaryFolder::new("import");
        let file = folder.path().join("patients.ndjson");
        let mut out = std::io::BufWriter::new(std::fs::File::create(&file).expect("a file of our own"));
        for number in 0..resources {
            let line = Patient::new(number).json().to_string();
            out.write_all(line.as_bytes()).expect("room for the import");
            out.write_all(b"\n").expect("room for the import");
        }
        out.flush().expect("room for the import");
        let path = file.to_str().expect("a path in plain letters");
        self.server
            .command(&["import", "--from", "fhir", "--space", SPACE, path]);
        let count = self.sql("SELECT count(*) FROM resource");
        assert!(
            count.trim().parse::<u64>().is_ok_and(|count| count >= resources),
            "{count} resources instead of {resources}"
        );
    }

    fn down_to(&self, number: usize) {
        for step in self.steps[number..].iter().rev() {
            self.sql(&format!(
                "BEGIN; {} DELETE FROM __diesel_schema_migrations WHERE version = '{}'; COMMIT;",
                step.down, step.version
            ));
        }
        assert_eq!(self.number(), number);
    }

    /// The number of the schema that is there. All migrations before it have to be there too.
    fn number(&self) -> usize {
        let versions = self.sql("SELECT version FROM __diesel_schema_migrations ORDER BY version");
        let versions: Vec<&str> = versions.lines().collect();
        let known: Vec<&str> = self.steps.iter().map(|step| step.version.as_str()).collect();
        assert!(known.starts_with(&versions), "schema versions {versions:?}");
        versions.len()
    }

    fn migrate_and_kill(&self, after: Duration) {
        let mut process = Command::new(&self.binary)
            .args(["migrate", "--database", &self.server.database_argument()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        poll(after, || matches!(process.try_wait(), Ok(Some(_))).then_some(()));
        // It may have ended by itself.
        let _ = process.kill();
        process.wait().expect("own child can be waited for");
        self.server.wait_for_sessions_to_end();
    }

    /// Table and columns of everything that has to stay.
    fn columns(&self) -> Vec<(String, String)> {
        let sql = match self.server.backend() {
            Backend::Sqlite => {
                "SELECT m.name || ' ' || group_concat('\"' || c.name || '\"', ',') FROM sqlite_master m, \
                 pragma_table_info(m.name) c WHERE m.type = 'table' GROUP BY m.name ORDER BY m.name"
            }
            Backend::Postgres => {
                "SELECT table_name || ' ' || string_agg('\"' || column_name || '\"', ',' ORDER BY ordinal_position) \
                 FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name ORDER BY table_name"
            }
        };
        let lines = self.sql(sql);
        let tables = lines.lines().filter_map(|line| line.split_once(' '));
        tables
            .filter(|(table, _)| KEPT.iter().any(|kept| table.starts_with(kept)))
            .map(|(table, columns)| (table.to_owned(), columns.to_owned()))
            .collect()
    }

    /// A digest of each table's rows, with their number.
    fn content(&self, columns: &[(String, String)]) -> Vec<(String, usize, u64)> {
        let digest = |(table, columns): &(String, String)| {
            let select = format!("SELECT {columns} FROM {table} ORDER BY {columns}");
            let mut command = match self.server.backend() {
                Backend::Sqlite => {
                    let mut sqlite3 = self.sqlite3();
                    // Blobs as text that tells them apart.
                    sqlite3.args(["-cmd", ".mode quote", &select]);
                    sqlite3
                }
                Backend::Postgres => self.psql(&format!("COPY ({select}) TO STDOUT")),
            };
            let (rows, digest) = digest_of(&mut command);
            (table.clone(), rows, digest)
        };
        columns.iter().map(digest).collect()
    }

    fn sql(&self, sql: &str) -> String {
        let mut command = match self.server.backend() {
            Backend::Sqlite => {
                let mut sqlite3 = self.sqlite3();
                sqlite3.arg(sql);
                sqlite3
            }
            Backend::Postgres => self.psql(sql),
        };
        let output = command.output().expect("sqlite3 or psql runs");
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn sqlite3(&self) -> Command {
        let mut sqlite3 = Command::new("sqlite3");
        sqlite3
            .args(["-bail", "-cmd", ".timeout 10000"])
            .arg(self.server.data_folder().join("passerelle.db"))
            .stdin(Stdio::null());
        sqlite3
    }

    fn psql(&self, sql: &str) -> Command {
        let url = self
            .server
            .database_url()
            .expect("a PostgreSQL database has a URL");
        Postgres::shared().psql_at(&url, sql)
    }
}

/// What an import alone does not bring: keyed patients, updates, deletions, links.
#[track_caller]
fn vary(server: &Server) {
    let fhir = server.client("fhir");
    let keyed = Subject::Keyed(Key::BuiltIn);
    for number in (VARIED..).take(VARIED_PATIENTS) {
        let named = keyed.named(number);
        let survivor = put_by(&fhir, "Patient", &named, &keyed.body(number))
            .expect(201)
            .id();
        put_by(&fhir, "Patient", &named, &keyed.body_called(number, "Autrement")).expect(200);
        let mut replaced = Subject::Patient.body(number + APART);
        let other = format!("Patient/{survivor}");
        replaced["link"] = json!([{ "other": { "reference": other }, "type": "replaced-by" }]);
        fhir.post("/Patient").json(&replaced).send().expect(201);
        let gone = Subject::Patient.body(number + 2 * APART);
        let gone = fhir.post("/Patient").json(&gone).send().expect(201).id();
        let deleted = fhir.delete(format!("/Patient/{gone}")).send();
        assert!(matches!(deleted.status, 200 | 204), "{deleted:?}");
    }
}

/// Lines and digest (FNV-1a, 64 bits) of what a command prints.
fn digest_of(command: &mut Command) -> (usize, u64) {
    let mut process = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("sqlite3 or psql runs");
    let mut out = process.stdout.take().expect("its output is piped");
    let mut buffer = vec![0; 256 * 1024];
    let (mut rows, mut digest) = (0, 0xcbf2_9ce4_8422_2325_u64);
    loop {
        let read = out.read(&mut buffer).expect("its output can be read");
        if read == 0 {
            break;
        }
        for byte in &buffer[..read] {
            rows += usize::from(*byte == b'\n');
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert!(
        process.wait().expect("own child can be waited for").success(),
        "a table cannot be read"
    );
    (rows, digest)
}

/// The migrations as they lie in the repository, in order.
fn steps(backend: Backend) -> Vec<Step> {
    let folder = format!(
        "{}/../../migrations/{}",
        env!("CARGO_MANIFEST_DIR"),
        backend.name()
    );
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let step = |folder: &PathBuf| {
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        Step {
            version: name.split('_').next().unwrap_or_default().replace('-', ""),
            down: std::fs::read_to_string(folder.join("down.sql"))
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display())),
        }
    };
    folders.iter().map(step).collect()
}
