//! `passerelle erase`: the same as the DELETE at the connect door, beside a running server.

use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    an_operator_erases_by_id_and_says_what_was_removed,
    an_operator_erases_whoever_carries_an_identifier,
    whom_to_erase_has_to_be_clear,
    who_is_erased_is_gone_from_every_version_of_others,
];

fn an_operator_erases_by_id_and_says_what_was_removed(context: &Context) {
    let server = context.server();
    let fhir = server.client("fhir");
    let person = somebody(&server, "Gone");
    let link = json!([{ "other": { "reference": format!("Patient/{}", person.id) }, "type": "seealso" }]);
    let linked = fhir
        .post("/Patient")
        .json(&with(patient(&unique()), "link", link))
        .send()
        .expect(201)
        .id();
    let who = format!("Patient/{}", person.id);
    let erase = ["erase", "--space", "demo", &who];
    let dry = [&erase[..], &["--dry-run"]].concat();
    assert_eq!(
        succeeds(context, &server, &dry),
        format!("would erase {who} in the space demo: versions 1, records 0, others that linked to it 1\n")
    );
    assert_eq!(person.status(&server), 200);
    assert_eq!(
        succeeds(context, &server, &erase),
        format!("erased {who} in the space demo: versions 1, records 0, others that linked to it 1\n")
    );
    assert_eq!(person.status(&server), 410);
    let other = fhir.get(format!("/Patient/{linked}")).send().expect(200).json();
    assert!(other.get("link").is_none(), "{other}");
    assert!(ledger_of(&server).contains(&person.id));
    let audited = format!(
        "SELECT client, interaction, outcome FROM audit WHERE id = '{}' AND client = 'erase' AND version = 2",
        person.id
    );
    assert_eq!(execute(&server, &audited), "erase|erase|ok");
    for again in [&erase[..], &dry] {
        let printed = succeeds(context, &server, again);
        assert_eq!(
            printed,
            format!("{who} in the space demo was erased before: nothing to do\n")
        );
    }
    // A deletion keeps its history: that can be erased too. And a Practitioner.
    let doctor = fhir
        .post("/Practitioner")
        .json(&resource("Practitioner", LOCAL, &unique()))
        .send()
        .expect(201)
        .id();
    fhir.delete(format!("/Practitioner/{doctor}")).send().expect(204);
    let who = format!("Practitioner/{doctor}");
    let printed = succeeds(context, &server, &["erase", "--space", "demo", &who]);
    assert!(printed.starts_with(&format!("erased {who}")), "{printed}");
    fhir.get(format!("/Practitioner/{doctor}/_history/1"))
        .send()
        .expect(410);
}

fn an_operator_erases_whoever_carries_an_identifier(context: &Context) {
    let server = context.server();
    let fhir = server.client("fhir");
    let value = unique();
    let id = fhir
        .post("/Patient")
        .json(&patient(&value))
        .send()
        .expect(201)
        .id();
    let identifier = format!("{LOCAL}|{value}");
    let printed = succeeds(
        context,
        &server,
        &["erase", "--space", "demo", "--identifier", &identifier],
    );
    assert!(printed.starts_with(&format!("erased Patient/{id} ")), "{printed}");
    assert_eq!(read(&fhir, &id), 410);
    let none = fails(
        context,
        &server,
        &["erase", "--space", "demo", "--identifier", &identifier],
    );
    // The same from standard input, where nobody sees it.
    let other = unique();
    let second = fhir
        .post("/Patient")
        .json(&patient(&other))
        .send()
        .expect(201)
        .id();
    let mut command = command(context);
    command
        .args(["erase", "--space", "demo", "--identifier", "-"])
        .env("PASSERELLE_DATABASE", database_of(&server))
        .env("PASSERELLE_ERASURE_LEDGER", server.erasure_ledger())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let line = format!("{LOCAL}|{other}\n");
    std::io::Write::write_all(&mut child.stdin.take().expect("its input"), line.as_bytes())
        .expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.starts_with(&format!("erased Patient/{second} ")),
        "{printed}"
    );
    assert!(
        none.contains("no Patient in the space demo carries that identifier"),
        "{none}"
    );
}

fn who_is_erased_is_gone_from_every_version_of_others(context: &Context) {
    let server = context.server();
    let fhir = server.client("fhir");
    let doctor = fhir
        .post("/Practitioner")
        .json(&resource("Practitioner", LOCAL, &unique()))
        .send()
        .expect(201)
        .id();
    let theirs = json!([{ "reference": format!("Practitioner/{doctor}"), "display": "Dr Kanarienvogel" }]);
    let with_doctor = || with(patient(&unique()), "generalPractitioner", theirs.clone());
    let make = |body: &Value| fhir.post("/Patient").json(body).send().expect(201).id();
    let [keeps, left, deleted] = [with_doctor(), with_doctor(), with_doctor()].map(|body| make(&body));
    let body = with(patient(&unique()), "id", json!(left));
    fhir.put(format!("/Patient/{left}"))
        .json(&body)
        .send()
        .expect(200);
    fhir.delete(format!("/Patient/{deleted}")).send().expect(204);
    let said = |id: &str| {
        let history = fhir.get(format!("/Patient/{id}/_history")).send().expect(200);
        (
            history.json()["total"].clone(),
            history.text().contains("Kanarienvogel"),
        )
    };
    for id in [&keeps, &left, &deleted] {
        assert!(said(id).1, "it was never there");
    }
    let who = format!("Practitioner/{doctor}");
    succeeds(context, &server, &["erase", "--space", "demo", &who]);
    // Who still said it has a version more; the others have theirs.
    assert_eq!(said(&keeps), (json!(2), false));
    assert_eq!(said(&left), (json!(2), false));
    assert_eq!(said(&deleted), (json!(2), false));
    let now = fhir.get(format!("/Patient/{keeps}")).send().expect(200).json();
    assert!(now.get("generalPractitioner").is_none(), "{now}");
    succeeds(context, &server, &["check"]);
}

fn whom_to_erase_has_to_be_clear(context: &Context) {
    let server = context.server();
    let fhir = server.client("fhir");
    let value = unique();
    let make = || {
        fhir.post("/Patient")
            .json(&patient(&value))
            .send()
            .expect(201)
            .id()
    };
    let ids = [make(), make()];
    let identifier = format!("{LOCAL}|{value}");
    let third = fhir
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201)
        .id();
    let mistakes: [(&[&str], &str); 8] = [
        (
            &["--space", "demo", "--identifier", &identifier],
            "several carry that identifier",
        ),
        (
            &[
                "--space",
                "demo",
                &format!("Patient/{third}"),
                "--identifier",
                &identifier,
            ],
            "does not carry that identifier",
        ),
        (&["--space", "demo"], "say whom"),
        (
            &["--space", "demo", "Patient/nobody"],
            "there is no Patient/nobody",
        ),
        (&["--space", "demo", "Device/1"], "'Device' is not stored here"),
        (&["--space", "demo", "Patient/a b"], "'a b' cannot be an id"),
        (
            &["--space", "nowhere", "Patient/x"],
            "there is no space 'nowhere'",
        ),
        (&["--space", "demo", "--identifier", "no-bar"], "SYSTEM|VALUE"),
    ];
    for (arguments, words) in mistakes {
        let arguments = [&["erase"], arguments].concat();
        let sentence = fails(context, &server, &arguments);
        assert!(sentence.contains(words), "{arguments:?}: {sentence}");
    }
    for id in ids.iter().chain([&third]) {
        assert_eq!(read(&fhir, id), 200);
    }
    let both = [
        "erase",
        "--space",
        "demo",
        &format!("Patient/{}", ids[1]),
        "--identifier",
        &identifier,
    ];
    succeeds(context, &server, &both);
    assert_eq!((read(&fhir, &ids[0]), read(&fhir, &ids[1])), (200, 410));
}
