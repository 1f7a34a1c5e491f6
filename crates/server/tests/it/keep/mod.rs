//! What is kept of a database beside it: the ledger of erasures, backups; and that what lies in it is whole.

mod backup;
mod check;
mod copies;
mod erase;
mod fhir_delete;
mod ledger;
mod t34;
mod t41;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::harness::{Context, Suite};
use testkit::http::Client;
use testkit::postgres::Postgres;
use testkit::server::Server;

use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(ledger::TESTS)
        .postgres(ledger::POSTGRES)
        .both(erase::TESTS)
        .both(fhir_delete::TESTS)
        .sqlite(backup::SQLITE)
        .postgres(backup::POSTGRES)
        .both(check::TESTS)
        .both(t34::TESTS)
        .both(t41::TESTS)
        .sqlite(t41::SQLITE)
}

/// The system of the ids that the Medicapp doors show.
const MEDICAPP_ID: &str = "https://fhir-facade.example/ns/medicapp/patient-id";

/// Somebody born at the connect door: the id there, and the one of FHIR.
struct Somebody {
    medicapp_id: String,
    id: String,
}

/// A new patient of this family.
#[track_caller]
fn somebody(server: &Server, family: &str) -> Somebody {
    let body = json!({ "firstName": "Jean", "lastName": family, "birthDate": "1980-05-15" });
    let request = server.client("medicapp-connect");
    let request = request
        .post("/patients")
        .header("Content-Type", "application/json");
    let made = request.body(body.to_string()).send().expect(201).json();
    let medicapp_id = made["patientUuid"]
        .as_str()
        .or_else(|| made["id"].as_str())
        .unwrap_or_else(|| panic!("no id in {made}"))
        .to_owned();
    let ids = found(&server.client("fhir"), "Patient", (MEDICAPP_ID, &medicapp_id));
    assert_eq!(ids.len(), 1, "{ids:?}");
    Somebody {
        medicapp_id,
        id: ids[0].clone(),
    }
}

impl Somebody {
    /// Erases at the connect door.
    #[track_caller]
    fn erase(&self, server: &Server) {
        self.ask_for_erasure(server).expect(200);
    }

    fn ask_for_erasure(&self, server: &Server) -> testkit::http::Response {
        let connect = server.client("medicapp-connect");
        connect.delete(format!("/patients/{}", self.medicapp_id)).send()
    }

    /// How FHIR answers a read.
    fn status(&self, server: &Server) -> u16 {
        read(&server.client("fhir"), &self.id)
    }
}

/// How FHIR answers a read of a patient.
fn read(fhir: &Client, id: &str) -> u16 {
    fhir.get(format!("/Patient/{id}")).send().status
}

/// The ledger of a server, as text.
#[track_caller]
fn ledger_of(server: &Server) -> String {
    std::fs::read_to_string(server.erasure_ledger()).expect("a ledger")
}

/// A copy of the database of a server that does not run.
struct Aside(String);

impl Aside {
    #[track_caller]
    fn of(server: &Server) -> Aside {
        match server.postgres_database() {
            None => {
                let file = server.data_folder().join("passerelle.db");
                let copy = server.data_folder().join(format!("aside-{}.db", unique()));
                assert!(
                    !server.data_folder().join("passerelle.db-wal").exists(),
                    "not closed"
                );
                std::fs::copy(file, &copy).expect("a copy");
                Aside(copy.display().to_string())
            }
            Some(database) => {
                server.wait_for_sessions_to_end();
                let copy = format!("aside_{}_{}", database.name(), unique());
                let made = format!("CREATE DATABASE {copy} TEMPLATE {}", database.name());
                Postgres::shared().query("postgres", &made);
                Aside(copy)
            }
        }
    }

    /// Puts the copy in the place of the database: it is restored.
    #[track_caller]
    fn put_back(&self, server: &Server) {
        match server.postgres_database() {
            None => {
                let file = server.data_folder().join("passerelle.db");
                for side in ["db-wal", "db-shm"] {
                    let _ = std::fs::remove_file(file.with_extension(side));
                }
                let log = Path::new(&self.0).with_extension("db-wal");
                if log.exists() {
                    std::fs::copy(log, file.with_extension("db-wal")).expect("a restored log");
                }
                std::fs::copy(&self.0, file).expect("a restored file");
            }
            Some(database) => {
                server.wait_for_sessions_to_end();
                let name = database.name();
                let shared = Postgres::shared();
                shared.query("postgres", &format!("DROP DATABASE {name}"));
                shared.query("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", self.0));
            }
        }
    }
}

/// `passerelle serve` on the database of a server that does not run; it is expected to refuse.
#[track_caller]
fn refused_start(context: &Context, server: &Server) -> String {
    let output = serve(context, server).output().expect("the binary runs");
    assert!(!output.status.success(), "it started: {output:?}");
    said(&output)
}

fn serve(context: &Context, server: &Server) -> Command {
    let mut command = command(context);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("PASSERELLE_DATABASE", database_of(server))
        .env("PASSERELLE_ERASURE_LEDGER", server.erasure_ledger());
    command
}

/// What a command wrote to standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command that has to fail; what it said.
#[track_caller]
fn fails(context: &Context, server: &Server, arguments: &[&str]) -> String {
    let output = passerelle(context, server, arguments);
    assert!(!output.status.success(), "passerelle {arguments:?}: {output:?}");
    said(&output)
}

/// The versions that a history shows: method and whether there is a body.
#[track_caller]
fn history(fhir: &Client, kind: &str, id: &str) -> Vec<(String, bool)> {
    let bundle: Value = fhir
        .get(format!("/{kind}/{id}/_history"))
        .send()
        .expect(200)
        .json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let entry = |entry: &Value| {
        let method = entry["request"]["method"].as_str().unwrap_or_default();
        (method.to_owned(), entry.get("resource").is_some())
    };
    entries.iter().map(entry).collect()
}
