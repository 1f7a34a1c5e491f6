//! A backup by the tool of each database, and a server on what it restores to.

use std::path::PathBuf;
use std::process::Command;

use testkit::harness::{Context, not_run};
use testkit::postgres::{Database, Postgres};
use testkit::server::Server;
use testkit::sweep::TemporaryFolder;

use super::{command, passerelle, succeeds};

/// A backup: of `passerelle backup`, or of `pg_dump`.
pub struct Backup {
    folder: TemporaryFolder,
    /// The file that holds it.
    pub file: PathBuf,
}

impl Backup {
    /// Backs up the database of a server, which may be running.
    #[track_caller]
    pub fn of(context: &Context, server: &Server) -> Backup {
        let folder = TemporaryFolder::new("copy");
        let file = folder.path().join("a.backup");
        match server.postgres_database() {
            None => {
                succeeds(context, server, &["backup", "--to", &file.display().to_string()]);
            }
            Some(database) => {
                let mut dump = tool("pg_dump");
                dump.args(["--format=custom", "--file"])
                    .arg(&file)
                    .arg(database.url());
                run(dump);
            }
        }
        Backup { folder, file }
    }

    /// A server on the restored database, with the ledger of the one that was backed up.
    #[track_caller]
    pub fn restored(&self, context: &Context, server: &Server) -> Restored {
        let ledger = server.erasure_ledger();
        let (url, database) = match server.postgres_database() {
            None => {
                let to = self
                    .folder
                    .path()
                    .join(format!("restored-{}.db", crate::support::unique()));
                let (from, to) = (self.file.display().to_string(), to.display().to_string());
                let output = passerelle(context, server, &["restore", &from, "--to", &to]);
                assert!(output.status.success(), "{output:?}");
                (format!("sqlite:{to}"), None)
            }
            Some(_) => {
                let database = Postgres::shared().fresh_database();
                let mut restore = tool("pg_restore");
                restore
                    .args(["--exit-on-error", "--no-owner", "--dbname"])
                    .arg(database.url())
                    .arg(&self.file);
                run(restore);
                (database.url(), Some(database))
            }
        };
        let settings = context.settings().database_url(&url);
        let settings = settings
            .argument("--erasure-ledger")
            .argument(&ledger.display().to_string())
            .argument("--audit-key")
            .argument(
                &server
                    .data_folder()
                    .join("passerelle.db.audit-key")
                    .display()
                    .to_string(),
            );
        Restored {
            server: settings.start(),
            url,
            database,
        }
    }
}

/// A server on a restored database.
pub struct Restored {
    pub server: Server,
    pub url: String,
    /// Of PostgreSQL.
    pub database: Option<Database>,
}

impl Restored {
    /// What `passerelle check` says of it.
    pub fn faults(&self, context: &Context) -> String {
        let mut check = command(context);
        check.arg("check").env("PASSERELLE_DATABASE", &self.url);
        let output = check.output().expect("the binary runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), printed.is_empty(), "{output:?}");
        printed
    }
}

/// Everything of a database of PostgreSQL, as `pg_dump` writes it as text.
pub fn plain_dump(database: &Database) -> Vec<u8> {
    let mut dump = tool("pg_dump");
    dump.args(["--format=plain", "--encoding=UTF8"])
        .arg(database.url());
    let output = dump.output().expect("a tool of PostgreSQL runs");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn tool(name: &str) -> Command {
    let beside = Postgres::shared().psql().with_file_name(name);
    if !beside.exists() {
        not_run(&format!("no {name} beside psql"));
    }
    Command::new(beside)
}

#[track_caller]
fn run(mut command: Command) {
    let output = command.output().expect("a tool of PostgreSQL runs");
    assert!(output.status.success(), "{command:?}: {output:?}");
}
