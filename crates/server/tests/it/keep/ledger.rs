//! The ledger of erasures (`access.md` 4): written before the answer, done again in a restored database.

use testkit::harness::{Context, Test};
use testkit::postgres::Postgres;
use testkit::race::race;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    an_erasure_is_in_the_ledger_when_it_is_answered,
    an_erasure_that_the_ledger_cannot_keep_is_refused,
    a_restored_database_is_erased_again_at_start,
    an_id_that_was_erased_stays_used_where_it_is_not_known,
    a_missing_ledger_refuses_the_start_unless_told_so,
    a_ledger_of_another_database_refuses_the_start,
    a_damaged_line_refuses_the_start_only_where_it_may_be_needed,
    a_ledger_that_lost_its_end_refuses_the_start,
    an_older_ledger_is_refused_also_after_a_restored_database_was_erased_again,
    half_a_line_at_the_end_is_nobodys,
    two_processes_keep_one_ledger,
];

pub const POSTGRES: &[Test] = tests![without_a_named_ledger_erasures_are_refused];

fn an_erasure_is_in_the_ledger_when_it_is_answered(context: &Context) {
    let server = context.server();
    let person = somebody(&server, "Kanarienvogel");
    let before = ledger_of(&server);
    assert_eq!(before.lines().count(), 1, "{before}");
    person.erase(&server);
    let after = ledger_of(&server);
    let line = after.lines().last().expect("a line");
    let fields: Vec<&str> = line.split('\t').collect();
    assert_eq!(fields[..3], ["demo", "Patient", person.id.as_str()], "{line}");
    assert!(fields[3].ends_with('Z'), "{line}");
    assert_eq!(fields[4], "demo-medicapp-connect");
    assert_eq!(fields.len(), 6);
    assert_eq!(after.lines().count(), 2);
    for word in ["Kanarienvogel", "Jean", &person.medicapp_id] {
        assert!(!after.contains(word), "{after}");
    }
    // A second DELETE is answered without one.
    person.ask_for_erasure(&server).expect(404);
    assert_eq!(ledger_of(&server), after);
}

fn an_erasure_that_the_ledger_cannot_keep_is_refused(context: &Context) {
    let server = context.server();
    let person = somebody(&server, "Kanarek");
    let (ledger, away) = (server.erasure_ledger(), server.data_folder().join("away"));
    std::fs::rename(&ledger, &away).expect("moved away");
    person.ask_for_erasure(&server).expect(503);
    assert!(!ledger.exists(), "a new ledger hides that the old one is gone");
    assert_eq!(person.status(&server), 200, "refused, and yet erased");
    // Everything else works.
    somebody(&server, "Somebody");
    std::fs::rename(&away, &ledger).expect("moved back");
    person.erase(&server);
    assert_eq!(person.status(&server), 410);
    assert_eq!(ledger_of(&server).lines().count(), 2);
}

fn a_restored_database_is_erased_again_at_start(context: &Context) {
    let mut server = context.server();
    let (gone_before, gone_after) = (somebody(&server, "Before"), somebody(&server, "After"));
    let stays = somebody(&server, "Stays");
    gone_before.erase(&server);
    assert!(server.terminate().success());
    let older = Aside::of(&server);
    server.restart();
    gone_after.erase(&server);
    assert!(server.terminate().success());
    older.put_back(&server);
    server.restart();
    assert_eq!(gone_after.status(&server), 410, "back from the backup");
    assert_eq!(gone_before.status(&server), 410);
    assert_eq!(stays.status(&server), 200);
    let log = server.log();
    assert!(log.contains("erased again") && log.contains("again=1"), "{log}");
    let fhir = server.client("fhir");
    assert_eq!(
        history(&fhir, "Patient", &gone_after.id),
        [("DELETE".to_owned(), false), ("DELETE".to_owned(), false)]
    );
    let audited = format!(
        "SELECT client, interaction FROM audit WHERE id = '{}' AND outcome = 'ok'",
        gone_after.id
    );
    let rows = execute(&server, &audited);
    assert!(
        rows.lines().any(|row| row == "erasure-ledger|erase-again"),
        "{rows}"
    );
    // Not a second time.
    let entries = ledger_of(&server).lines().count();
    assert!(server.terminate().success());
    server.restart();
    assert_eq!(ledger_of(&server).lines().count(), entries);
}

fn an_id_that_was_erased_stays_used_where_it_is_not_known(context: &Context) {
    let mut server = context.server();
    assert!(server.terminate().success());
    let older = Aside::of(&server);
    server.restart();
    let person = somebody(&server, "Later");
    person.erase(&server);
    assert!(server.terminate().success());
    older.put_back(&server);
    server.restart();
    assert_eq!(person.status(&server), 410);
    let fhir = server.client("fhir");
    assert_eq!(
        history(&fhir, "Patient", &person.id),
        [("DELETE".to_owned(), false)]
    );
    let body = with(patient(&unique()), "id", json!(person.id));
    let answer = fhir.put(format!("/Patient/{}", person.id)).json(&body).send();
    refused(answer, 409, "conflict");
}

fn a_missing_ledger_refuses_the_start_unless_told_so(context: &Context) {
    let mut server = context.server();
    let person = somebody(&server, "Gone");
    person.erase(&server);
    assert!(server.terminate().success());
    std::fs::remove_file(server.erasure_ledger()).expect("a ledger");
    let sentence = refused_start(context, &server);
    for words in ["is missing", "--erasure-ledger", "--without-erasure-ledger"] {
        assert!(sentence.contains(words), "{sentence}");
    }
    assert!(!server.erasure_ledger().exists());
    // Told so, a new one begins, with what the database knows itself.
    let told = [
        "erase",
        "--space",
        "demo",
        "Patient/nobody",
        "--without-erasure-ledger",
    ];
    let answer = fails(context, &server, &told);
    assert!(answer.contains("there is no Patient/nobody"), "{answer}");
    assert!(ledger_of(&server).contains(&person.id));
    server.restart();
    assert_eq!(person.status(&server), 410);
}

fn a_ledger_of_another_database_refuses_the_start(context: &Context) {
    let (mut server, other) = (context.server(), context.server());
    assert!(server.terminate().success());
    let foreign = std::fs::read(other.erasure_ledger()).expect("a ledger");
    std::fs::write(server.erasure_ledger(), &foreign).expect("put in its place");
    let sentence = refused_start(context, &server);
    assert!(sentence.contains("ledger of another database"), "{sentence}");
    // Not even then: it is another's.
    let told = [
        "erase",
        "--space",
        "demo",
        "Patient/nobody",
        "--without-erasure-ledger",
    ];
    let answer = fails(context, &server, &told);
    assert!(answer.contains("ledger of another database"), "{answer}");
    assert_eq!(std::fs::read(server.erasure_ledger()).expect("a ledger"), foreign);
    std::fs::write(server.erasure_ledger(), "something else\n").expect("put in its place");
    let sentence = refused_start(context, &server);
    assert!(sentence.contains("not an erasure ledger"), "{sentence}");
}

/// The ledger with a letter of the line that names this id changed.
fn damage(text: &str, id: &str) -> String {
    let damaged = |line: &str| match line.contains(id) {
        true => line.replacen("Patient", "Patiend", 1),
        false => line.to_owned(),
    };
    text.lines().map(|line| damaged(line) + "\n").collect()
}

fn a_damaged_line_refuses_the_start_only_where_it_may_be_needed(context: &Context) {
    let mut server = context.server();
    let (first, second) = (somebody(&server, "First"), somebody(&server, "Second"));
    assert!(server.terminate().success());
    let older = Aside::of(&server);
    server.restart();
    first.erase(&server);
    second.erase(&server);
    // The next start has read the ledger to its end.
    assert!(server.terminate().success());
    server.restart();
    assert!(server.terminate().success());
    let whole = ledger_of(&server);
    std::fs::write(server.erasure_ledger(), damage(&whole, &first.id)).expect("damaged");
    server.restart();
    let log = server.log();
    assert!(log.contains("line=2") && log.contains("is damaged"), "{log}");
    assert_eq!(first.status(&server), 410);
    assert!(server.terminate().success());
    // An older database would need it.
    older.put_back(&server);
    let sentence = refused_start(context, &server);
    assert!(sentence.contains("damaged in line 2"), "{sentence}");
    std::fs::write(server.erasure_ledger(), whole).expect("restored from its copy");
    server.restart();
    assert_eq!((first.status(&server), second.status(&server)), (410, 410));
}

fn a_ledger_that_lost_its_end_refuses_the_start(context: &Context) {
    let mut server = context.server();
    let (first, second) = (somebody(&server, "First"), somebody(&server, "Second"));
    first.erase(&server);
    let early = ledger_of(&server);
    second.erase(&server);
    assert!(server.terminate().success());
    let whole = ledger_of(&server);
    std::fs::write(server.erasure_ledger(), &early).expect("an older copy");
    let sentence = refused_start(context, &server);
    assert!(sentence.contains("has lost its end"), "{sentence}");
    std::fs::write(server.erasure_ledger(), whole).expect("the newest copy");
    server.restart();
    assert_eq!(second.status(&server), 410);
}

fn an_older_ledger_is_refused_also_after_a_restored_database_was_erased_again(context: &Context) {
    let mut server = context.server();
    let [first, second, third] = ["First", "Second", "Third"].map(|name| somebody(&server, name));
    assert!(server.terminate().success());
    let older = Aside::of(&server);
    server.restart();
    first.erase(&server);
    second.erase(&server);
    assert!(server.terminate().success());
    let before = ledger_of(&server);
    older.put_back(&server);
    server.restart();
    assert_eq!((first.status(&server), second.status(&server)), (410, 410));
    let copy = ledger_of(&server);
    assert_eq!(copy, before, "what comes from the ledger is written to it again");
    third.erase(&server);
    assert!(server.terminate().success());
    // With a line twice, as older versions wrote them, there are as many lines as erasures.
    let twice = copy.lines().last().expect("a line");
    for old in [copy.clone(), format!("{copy}{twice}\n")] {
        let whole = ledger_of(&server);
        std::fs::write(server.erasure_ledger(), &old).expect("an older copy");
        let sentence = refused_start(context, &server);
        assert!(sentence.contains("has lost its end"), "{sentence}");
        std::fs::write(server.erasure_ledger(), whole).expect("the newest copy");
    }
    server.restart();
    assert_eq!(third.status(&server), 410);
}

fn half_a_line_at_the_end_is_nobodys(context: &Context) {
    let mut server = context.server();
    let (first, second) = (somebody(&server, "First"), somebody(&server, "Second"));
    first.erase(&server);
    assert!(server.terminate().success());
    let whole = ledger_of(&server);
    let torn = format!("{whole}demo\tPatient\t{}", second.id);
    std::fs::write(server.erasure_ledger(), &torn).expect("torn");
    server.restart();
    assert_eq!(second.status(&server), 200, "nobody was answered for this one");
    assert!(server.log().contains("half a line"), "{}", server.log());
    second.erase(&server);
    let mended = ledger_of(&server);
    assert!(mended.starts_with(&whole), "{mended}");
    assert_eq!(mended.lines().count(), 3, "{mended}");
    assert!(server.terminate().success());
    server.restart();
    assert_eq!(second.status(&server), 410);
}

fn two_processes_keep_one_ledger(context: &Context) {
    let first = context.server();
    let second = first.second();
    let people: Vec<Somebody> = (0..12).map(|_| somebody(&first, &unique())).collect();
    let statuses = race(people.len(), |number| {
        let server = if number % 2 == 0 { &first } else { &second };
        people[number].ask_for_erasure(server).status
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let ledger = ledger_of(&first);
    assert_eq!(ledger.lines().count(), 1 + people.len(), "{ledger}");
    for person in &people {
        assert!(ledger.contains(&person.id));
    }
    drop(second);
    let mut first = first;
    first.restart();
    assert!(people.iter().all(|person| person.status(&first) == 410));
}

fn without_a_named_ledger_erasures_are_refused(context: &Context) {
    let database = Postgres::shared().fresh_database();
    let run = |arguments: &[&str]| {
        let mut command = command(context);
        command.args(arguments).env("PASSERELLE_DATABASE", database.url());
        command.output().expect("the binary runs")
    };
    assert!(run(&["space", "add", "clinic"]).status.success());
    let folder = testkit::sweep::TemporaryFolder::new("import");
    let file = folder.path().join("people.ndjson");
    let person = with(patient("no-ledger"), "id", json!("p1"));
    std::fs::write(&file, format!("{person}\n")).expect("a file");
    let path = file.display().to_string();
    let imported = run(&["import", "--space", "clinic", "--from", "fhir", &path]);
    assert!(imported.status.success(), "{imported:?}");
    let refused = run(&["erase", "--space", "clinic", "Patient/p1"]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("--erasure-ledger"), "{refused:?}");
    assert_eq!(
        database.query("SELECT count(*) FROM resource WHERE NOT deleted"),
        "1"
    );
    // Named once, it is missed when it is not named.
    let ledger = folder.path().join("kept.erasures").display().to_string();
    let erased = run(&[
        "erase",
        "--space",
        "clinic",
        "Patient/p1",
        "--erasure-ledger",
        &ledger,
    ]);
    assert!(erased.status.success(), "{erased:?}");
    let refused = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("Name the file with --erasure-ledger"),
        "{refused:?}"
    );
}
