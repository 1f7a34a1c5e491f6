//! `passerelle check`: finds what is not whole, and writes anew what follows from the bodies.

use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    a_busy_database_has_no_faults,
    every_fault_is_one_line_that_names_it_and_the_remedy,
    a_repair_makes_found_again_who_was_lost,
    what_no_body_says_is_not_repaired,
    content_of_nobody_is_told_and_left,
    a_repair_goes_on_until_nothing_is_left,
    who_was_erased_and_is_not_gone_can_be_erased_again,
];

/// What a check printed, line by line, and whether it succeeded.
fn check(context: &Context, server: &Server, more: &[&str]) -> (Vec<String>, bool) {
    let output = passerelle(context, server, &[&["check"], more].concat());
    let lines = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    (lines, output.status.success())
}

#[track_caller]
fn assert_whole(context: &Context, server: &Server) {
    assert_eq!(check(context, server, &[]), (Vec::new(), true));
}

fn a_busy_database_has_no_faults(context: &Context) {
    // With the demo's people, accounts and links, and everything that doors give them.
    let server = context
        .settings()
        .content(testkit::server::Content::Samples)
        .start();
    let fhir = server.client("fhir");
    let kept = fhir
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201)
        .id();
    fhir.delete(format!("/Patient/{kept}")).send().expect(204);
    let person = somebody(&server, "Gone");
    person.erase(&server);
    let first = account(MORVAN, &[(INTRN, "t-check-1"), (IDNPS, "810000000001")], true);
    let sas = server.client("sas");
    put_account(&sas, (INTRN, "t-check-1"), &first).expect(201);
    let without = crate::support::account(MORVAN, &[(INTRN, "t-check-1")], true);
    put_account(&sas, (INTRN, "t-check-1"), &without).expect(200);
    let survivor = fhir
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201)
        .id();
    let replaced =
        json!([{ "other": { "reference": format!("Patient/{survivor}") }, "type": "replaced-by" }]);
    let merged = with(with(patient(&unique()), "link", replaced), "active", json!(false));
    fhir.post("/Patient").json(&merged).send().expect(201);
    assert_whole(context, &server);
}

/// A patient, and the row of it.
fn one(server: &Server, fhir: &Client, value: &str) -> (String, String) {
    let body = with(patient(value), "birthDate", json!("1980-02-03"));
    let id = fhir.post("/Patient").json(&body).send().expect(201).id();
    let row = execute(server, &format!("SELECT row FROM resource WHERE id = '{id}'"));
    (id, row)
}

fn every_fault_is_one_line_that_names_it_and_the_remedy(context: &Context) {
    let (server, fhir) = context.fhir();
    let people: Vec<(String, String)> = (0..9).map(|_| one(&server, &fhir, &unique())).collect();
    for (id, _) in &people[5..7] {
        let changed = with(
            with(patient(&unique()), "id", json!(id)),
            "gender",
            json!("other"),
        );
        fhir.put(format!("/Patient/{id}"))
            .json(&changed)
            .send()
            .expect(200);
    }
    fhir.delete(format!("/Patient/{}", people[7].0))
        .send()
        .expect(204);
    let gone = somebody(&server, "Gone");
    gone.erase(&server);
    assert_whole(context, &server);
    let row = |number: usize| people[number].1.clone();
    let spoil = [
        format!("DELETE FROM index_string WHERE row = {}", row(0)),
        format!(
            "INSERT INTO index_date (space, row, kind, param, low, high) VALUES (1, {}, 1, 2, 5, 6)",
            row(1)
        ),
        format!("UPDATE resource SET body = 'no json' WHERE row = {}", row(2)),
        format!(
            "UPDATE resource SET body = replace(body, 'Ordinaire', 'Autre') WHERE row = {}",
            row(3)
        ),
        format!(
            "UPDATE resource SET replaced = {} WHERE row = {}",
            if server.postgres_database().is_some() {
                "true"
            } else {
                "1"
            },
            row(4)
        ),
        format!("DELETE FROM resource_version WHERE row = {}", row(5)),
        format!(
            "UPDATE resource_version SET body = replace(body, 'Ordinaire', 'Autre') WHERE row = {}",
            row(6)
        ),
        format!("UPDATE resource SET body = 'back' WHERE row = {}", row(7)),
        format!("UPDATE index_token SET kind = 2 WHERE row = {}", row(8)),
        format!(
            "UPDATE resource_version SET body = 'back' WHERE id = '{}'",
            gone.id
        ),
    ];
    for sql in spoil {
        execute(&server, &sql);
    }
    let (lines, whole) = check(context, &server, &[]);
    assert!(!whole);
    let about = |number: usize| format!("demo Patient/{} version ", people[number].0);
    let expected = [
        (
            about(0),
            "rows of index_string are not those of its body: ",
            "check --repair",
        ),
        (
            about(1),
            "rows of index_date are not those of its body: 0 missing, 1 too many",
            "check --repair",
        ),
        (about(2), "its body is no JSON", "restore a backup"),
        (about(3), "its digest is not that of its body", "restore a backup"),
        (about(4), "the mark that it was replaced", "check --repair"),
        (
            about(5),
            "its versions are not consecutive from 1",
            "restore a backup",
        ),
        (about(6), "its digest is not that of its body", "restore a backup"),
        (about(7), "is a deletion, and has content", "restore a backup"),
        (
            format!("demo row {}", row(8)),
            "rows of index_token belong to no resource of their type",
            "check --repair",
        ),
        (
            format!("demo Patient/{}", gone.id),
            "was erased, and is not gone",
            "erase",
        ),
    ];
    for (about, what, remedy) in &expected {
        let found = lines.iter().any(|line| {
            line.starts_with(about.as_str())
                && line.contains(what)
                && line.contains(&format!("remedy: {remedy}"))
                || line.starts_with(about.as_str())
                    && line.contains(what)
                    && line.contains(&format!("remedy: passerelle {remedy}"))
        });
        assert!(found, "no line '{about}… {what}… {remedy}' in {lines:#?}");
    }
    // No line shows what a person is called.
    assert!(
        lines
            .iter()
            .all(|line| !line.contains("Ordinaire") && !line.contains("Autre")),
        "{lines:#?}"
    );
    let (other, _) = check(context, &server, &["--space", "nowhere"]);
    assert!(other.is_empty());
}

fn a_repair_makes_found_again_who_was_lost(context: &Context) {
    let (server, fhir) = context.fhir();
    let value = unique();
    let (id, row) = one(&server, &fhir, &value);
    let person = somebody(&server, "Door");
    for table in ["index_token", "index_string", "index_date", "identifier_key"] {
        execute(&server, &format!("DELETE FROM {table}"));
    }
    execute(
        &server,
        &format!(
            "INSERT INTO index_string (space, row, kind, param, folded, exact) VALUES (1, {row}, 1, 3, 'zz', 'zz')"
        ),
    );
    execute(
        &server,
        "INSERT INTO index_string (space, row, kind, param, folded, exact) VALUES (1, 987654, 1, 3, 'zz', 'zz')",
    );
    assert_eq!(count_local(&fhir, &value), 0);
    let (lines, repaired) = check(context, &server, &["--repair"]);
    assert!(repaired, "{lines:#?}");
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.contains("it was repaired")),
        "{lines:#?}"
    );
    assert_whole(context, &server);
    assert_eq!(found(&fhir, "Patient", (LOCAL, &value)), [id.as_str()]);
    let born = fhir
        .get("/Patient?birthdate=1980-02-03&_total=accurate")
        .send()
        .expect(200)
        .json();
    assert_eq!(born["total"], 1);
    // The id that a door shows is a key again.
    let ids = found(&fhir, "Patient", (MEDICAPP_ID, &person.medicapp_id));
    assert_eq!(ids, [person.id.as_str()]);
    // No version was made.
    assert_eq!(fhir.get(format!("/Patient/{id}")).send().expect(200).version(), 1);
}

fn what_no_body_says_is_not_repaired(context: &Context) {
    let (server, fhir) = context.fhir();
    let (_, row) = one(&server, &fhir, &unique());
    execute(
        &server,
        &format!("UPDATE resource SET body = 'no json' WHERE row = {row}"),
    );
    let (lines, whole) = check(context, &server, &["--repair"]);
    assert!(!whole);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].ends_with("remedy: restore a backup, or write the resource anew"),
        "{lines:#?}"
    );
    let rows = execute(
        &server,
        &format!("SELECT count(*) FROM index_string WHERE row = {row}"),
    );
    assert_ne!(rows, "0", "what finds it was taken away");
}

fn content_of_nobody_is_told_and_left(context: &Context) {
    let (server, _) = context.fhir();
    execute(
        &server,
        "INSERT INTO medicapp_record (space, row, id, created, status) VALUES (1, 987654, 'record-1', 5, 'open')",
    );
    let (lines, whole) = check(context, &server, &["--repair"]);
    assert!(!whole, "{lines:#?}");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].starts_with("demo row 987654: rows of medicapp_record")
            && lines[0].contains("restore a backup"),
        "{lines:#?}"
    );
    assert_eq!(
        execute(&server, "SELECT count(*) FROM medicapp_record WHERE row = 987654"),
        "1"
    );
}

fn a_repair_goes_on_until_nothing_is_left(context: &Context) {
    let (server, _) = context.fhir();
    let rows: Vec<String> = (0..250)
        .map(|number| format!("(1, {}, 1, 3, 'zz', 'zz')", 900_000 + number))
        .collect();
    let insert = format!(
        "INSERT INTO index_string (space, row, kind, param, folded, exact) VALUES {}",
        rows.join(", ")
    );
    execute(&server, &insert);
    let (lines, repaired) = check(context, &server, &["--repair"]);
    assert_eq!((lines.len(), repaired), (250, true));
    assert_whole(context, &server);
}

fn who_was_erased_and_is_not_gone_can_be_erased_again(context: &Context) {
    let server = context.server();
    let person = somebody(&server, "Gone");
    person.erase(&server);
    execute(
        &server,
        &format!(
            "UPDATE resource_version SET body = 'back' WHERE id = '{}'",
            person.id
        ),
    );
    let (lines, whole) = check(context, &server, &[]);
    assert!(
        !whole
            && lines
                .iter()
                .any(|line| line.ends_with("remedy: passerelle erase")),
        "{lines:#?}"
    );
    let who = format!("Patient/{}", person.id);
    let erase = ["erase", "--space", "demo", &who];
    let printed = succeeds(context, &server, &erase);
    assert!(printed.starts_with(&format!("erased {who}")), "{printed}");
    assert_whole(context, &server);
    let again = succeeds(context, &server, &erase);
    assert!(again.contains("was erased before"), "{again}");
}
