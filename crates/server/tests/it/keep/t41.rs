//! T41: of an erased person nothing is left, byte by byte: not in the database and its log, not in a backup made after,
//! not in the log of the server, and of the ledger a pseudonym alone. A restored older backup is erased again.

use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::harness::{Context, Test, not_run};
use testkit::tests;
use testkit::wait::wait_for;

use super::copies::{Backup, Restored};
use super::*;

pub const TESTS: &[Test] =
    tests![t41_of_an_erased_person_no_byte_is_left_and_an_older_backup_is_erased_again];

pub const SQLITE: &[Test] =
    tests![t41_a_long_reader_keeps_an_erased_person_in_the_log_no_longer_than_it_reads];

/// What must not be found again.
const CANARIES: [&str; 23] = [
    "Kanarienvogelin",
    "Kanarekova",
    "Канаркова",
    "kanari-suffix",
    "kanari-prefix",
    "+33699001122",
    "kanarina@example.org",
    "kanarina-work@example.org",
    "12 rue du Canari-Bleu",
    "Canariville",
    "97499",
    "KANARI-IPP-7",
    "KANARI-EXT-8",
    "kanari-narrative",
    "kanari-extension-value",
    "Kanari-Contact",
    "+33699003344",
    "1931-07-29",
    "kanari-language",
    "a2FuYXJpLXBob3Rv",
    "Kanari-Linked",
    "Kanari-Linked-Once",
    "KANARI-NUMBER-9",
];

/// A person who is written twice, with a canary in every corner.
#[track_caller]
fn person(server: &Server) -> Somebody {
    let someone = somebody(server, CANARIES[0]);
    let fhir = server.client("fhir");
    let target = format!("/Patient/{}", someone.id);
    let mut body = fhir.get(&target).send().expect(200).json();
    body["text"] = json!({
        "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">kanari-narrative</div>"
    });
    body["name"] = json!([
        { "use": "official", "family": CANARIES[0], "given": ["Jean"], "suffix": [CANARIES[3]], "prefix": [CANARIES[4]] },
        { "use": "maiden", "family": CANARIES[1] }, { "use": "nickname", "text": CANARIES[2] }
    ]);
    body["telecom"] = json!([
        { "system": "phone", "value": CANARIES[5] }, { "system": "email", "value": CANARIES[6] }
    ]);
    body["address"] = json!([{ "line": [CANARIES[8]], "city": CANARIES[9], "postalCode": CANARIES[10] }]);
    let identifiers = body["identifier"].as_array().cloned().unwrap_or_default();
    let more = [
        json!({ "system": LOCAL, "value": CANARIES[11] }),
        json!({ "system": LOCAL, "value": CANARIES[12] }),
    ];
    body["identifier"] = json!([identifiers, more.to_vec()].concat());
    body["extension"] = json!([{ "url": "https://kanari.example/note", "valueString": CANARIES[14] }]);
    body["contact"] = json!([{
        "name": { "family": CANARIES[15] }, "telecom": [{ "system": "phone", "value": CANARIES[16] }]
    }]);
    body["birthDate"] = json!(CANARIES[17]);
    body["communication"] = json!([{ "language": { "text": CANARIES[18] } }]);
    body["photo"] = json!([{ "contentType": "image/png", "data": CANARIES[19] }]);
    fhir.put(&target).json(&body).send().expect(200);
    // The present version does not say what the one before said.
    body["telecom"] = json!([{ "system": "email", "value": CANARIES[7] }]);
    fhir.put(&target).json(&body).send().expect(200);
    spoken_of(server, &someone.id);
    someone
}

/// Others who name the person: still, in a version that is superseded, and by an identifier that the person had.
fn spoken_of(server: &Server, id: &str) {
    let fhir = server.client("fhir");
    let person = format!("/Patient/{id}");
    let mut whole = fhir.get(&person).send().expect(200).json();
    let before = whole.clone();
    let number = json!({ "system": LOCAL, "value": CANARIES[22] });
    whole["identifier"]
        .as_array_mut()
        .expect("identifiers")
        .push(number.clone());
    fhir.put(&person).json(&whole).send().expect(200);
    fhir.put(&person).json(&before).send().expect(200);
    let reference = format!("Patient/{id}");
    let other = json!({ "reference": reference, "display": CANARIES[20] });
    let mut linked = with(
        patient(&unique()),
        "link",
        json!([{ "other": other, "type": "seealso" }]),
    );
    fhir.post("/Patient").json(&linked).send().expect(201);
    for other in [
        json!({ "reference": reference, "display": CANARIES[21] }),
        json!({ "identifier": number, "display": "somebody" }),
    ] {
        linked = with(
            patient(&unique()),
            "link",
            json!([{ "other": other, "type": "seealso" }]),
        );
        let made = fhir.post("/Patient").json(&linked).send().expect(201).json();
        let own = format!("/Patient/{}", made["id"].as_str().expect("an id"));
        let mut without = made;
        without.as_object_mut().expect("an object").remove("link");
        fhir.put(&own).json(&without).send().expect(200);
    }
}

/// Everything of a database, as bytes: file, log and index of SQLite, all rows of PostgreSQL.
fn everything(server: &Server, restored: Option<&Restored>) -> Vec<u8> {
    let database = match restored {
        Some(restored) => restored.database.as_ref(),
        None => server.postgres_database(),
    };
    let Some(database) = database else {
        let file = match restored {
            Some(restored) => restored.url.trim_start_matches("sqlite:").to_owned(),
            None => server.data_folder().join("passerelle.db").display().to_string(),
        };
        let parts =
            ["", "-wal", "-shm"].map(|suffix| std::fs::read(format!("{file}{suffix}")).unwrap_or_default());
        assert!(!parts[0].is_empty(), "no database at {file}");
        return parts.concat();
    };
    let tables = database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
    assert!(tables.lines().count() >= 9, "{tables}");
    let rows = |table: &str| database.query(&format!("SELECT t::text FROM \"{}\" t", table.trim()));
    tables.lines().map(rows).collect::<String>().into_bytes()
}

fn canaries_in(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |canary: &&str| {
        bytes
            .windows(canary.len())
            .any(|window| window == canary.as_bytes())
    };
    CANARIES.into_iter().filter(holds).collect()
}

/// A backup as bytes: of PostgreSQL's as text, since a custom one is compressed.
fn content(context: &Context, server: &Server) -> Vec<u8> {
    if let Some(database) = server.postgres_database() {
        return copies::plain_dump(database);
    }
    let backup = Backup::of(context, server);
    let manifest = format!("{}.manifest", backup.file.display());
    [std::fs::read(&backup.file), std::fs::read(manifest)]
        .map(|bytes| bytes.expect("a backup"))
        .concat()
}

fn t41_of_an_erased_person_no_byte_is_left_and_an_older_backup_is_erased_again(context: &Context) {
    let server = context.server();
    let person = person(&server);
    assert_eq!(
        canaries_in(&everything(&server, None)),
        CANARIES,
        "they were never there"
    );
    assert_eq!(
        canaries_in(&content(context, &server)),
        CANARIES,
        "a backup would not show them"
    );
    let older = Backup::of(context, &server);
    person.erase(&server);
    // At once, before anything else is asked.
    let nothing: [&str; 0] = [];
    assert_eq!(canaries_in(&everything(&server, None)), nothing);
    assert_eq!(canaries_in(&content(context, &server)), nothing);
    assert_eq!(canaries_in(ledger_of(&server).as_bytes()), nothing);
    assert_eq!(canaries_in(server.log().as_bytes()), nothing);
    let lines = ledger_of(&server);
    assert_eq!(lines.lines().filter(|line| line.contains(&person.id)).count(), 1);
    // The trail still says that it happened.
    let trail = format!(
        "SELECT interaction FROM audit WHERE id = '{}' AND interaction = 'erase'",
        person.id
    );
    assert_eq!(execute(&server, &trail), "erase");
    let restored = older.restored(context, &server);
    assert_eq!(person.status(&restored.server), 410, "back from the backup");
    assert_eq!(canaries_in(&everything(&server, Some(&restored))), nothing);
    assert_eq!(canaries_in(restored.server.log().as_bytes()), nothing);
    let fhir = restored.server.client("fhir");
    assert!(
        history(&fhir, "Patient", &person.id)
            .iter()
            .all(|(method, body)| method == "DELETE" && !body)
    );
    assert_eq!(restored.faults(context), "");
}

/// Somebody who reads a SQLite database until dropped, as a long backup does.
struct Reader(std::process::Child);

impl Reader {
    fn of(server: &Server) -> Reader {
        use std::io::{BufRead as _, BufReader, Write as _};
        let spawned = Command::new("sqlite3")
            .arg(server.data_folder().join("passerelle.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            not_run("no sqlite3 program")
        };
        let input = child.stdin.as_mut().expect("its input");
        input
            .write_all(b"BEGIN; SELECT count(*) FROM resource;\n")
            .expect("it listens");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        output.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "4");
        Reader(child)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It ends by itself when its input does; nothing is left of it either way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn t41_a_long_reader_keeps_an_erased_person_in_the_log_no_longer_than_it_reads(context: &Context) {
    let server = context.server();
    let person = person(&server);
    let reader = Reader::of(&server);
    person.erase(&server);
    assert_ne!(
        canaries_in(&everything(&server, None)).len(),
        0,
        "this test sees nothing"
    );
    drop(reader);
    wait_for(Duration::from_secs(20), "the log to be emptied", || {
        canaries_in(&everything(&server, None)).is_empty().then_some(())
    });
    assert_eq!(person.status(&server), 410);
}
