//! `passerelle audit verify`: T40 through the command, with the key and the heads that a server leaves.

use std::path::PathBuf;

use testkit::harness::{Context, Test};
use testkit::server::{Backend, Server};
use testkit::tests;

use super::wait_for_seals;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t40_verify_names_the_first_bad_row_and_a_cut_end,
    verify_without_key_or_heads_says_what_it_cannot_see,
    what_was_done_before_a_kill_is_sealed_at_the_next_start,
    the_key_is_its_owners_alone,
];

fn outside(server: &Server, what: &str) -> PathBuf {
    server.data_folder().join(format!("passerelle.db.audit-{what}"))
}

/// Runs the command; whether it succeeded, and what it said.
fn verify(context: &Context, server: &Server) -> (bool, String) {
    let (key, heads) = (outside(server, "key.pub"), outside(server, "heads"));
    let arguments = [
        "audit",
        "verify",
        "--audit-key",
        key.to_str().unwrap(),
        "--audit-heads",
        heads.to_str().unwrap(),
    ];
    let output = passerelle(context, server, &arguments);
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

fn t40_verify_names_the_first_bad_row_and_a_cut_end(context: &Context) {
    let (mut server, fhir) = context.fhir();
    for number in 0..40 {
        fhir.get(format!("/Patient/nobody-{number}")).send().expect(404);
    }
    wait_for_seals(&server);
    // Beside the server, too.
    let (whole, said) = verify(context, &server);
    assert!(whole && said.contains("space demo"), "{said}");
    server.terminate();
    let (whole, said) = verify(context, &server);
    assert!(whole && said.contains("heads from outside compared"), "{said}");

    let position = "SELECT count(*) FROM audit WHERE space = 1 AND seq <= \
                    (SELECT seq FROM audit WHERE space = 1 AND id = 'nobody-20')";
    let position: u64 = execute(&server, position).parse().unwrap();
    let overriding = match context.backend() {
        Backend::Sqlite => "",
        Backend::Postgres => "OVERRIDING SYSTEM VALUE",
    };
    execute(&server, "CREATE TABLE kept AS SELECT * FROM audit");
    execute(&server, "CREATE TABLE kept_seal AS SELECT * FROM audit_seal");
    let last = "(SELECT max(seq) FROM kept WHERE space = 1)";
    for (tampering, bad) in [
        (
            "UPDATE audit SET client = 'somebody' WHERE id = 'nobody-20'".to_owned(),
            format!("row {position} (number"),
        ),
        (
            "DELETE FROM audit WHERE id = 'nobody-20'".to_owned(),
            format!("row {position} (number"),
        ),
        (
            "UPDATE audit SET id = CASE id WHEN 'nobody-20' THEN 'nobody-30' ELSE 'nobody-20' END \
             WHERE id IN ('nobody-20', 'nobody-30')"
                .to_owned(),
            format!("row {position} (number"),
        ),
        (
            format!("DELETE FROM audit WHERE space = 1 AND seq = {last}"),
            "is gone".to_owned(),
        ),
        (
            "DELETE FROM audit WHERE space = 1; DELETE FROM audit_seal WHERE space = 1".to_owned(),
            "row 1 is gone with all behind it".to_owned(),
        ),
    ] {
        execute(&server, &tampering);
        let (whole, said) = verify(context, &server);
        assert!(
            !whole && said.contains("BAD") && said.contains(&bad),
            "{tampering}: {said}"
        );
        execute(
            &server,
            &format!(
                "DELETE FROM audit; INSERT INTO audit {overriding} SELECT * FROM kept; \
                 DELETE FROM audit_seal; INSERT INTO audit_seal SELECT * FROM kept_seal"
            ),
        );
    }
    let (whole, said) = verify(context, &server);
    assert!(whole, "{said}");
}

fn verify_without_key_or_heads_says_what_it_cannot_see(context: &Context) {
    let (mut server, fhir) = context.fhir();
    fhir.get("/Patient/nobody").send().expect(404);
    server.terminate();
    for file in ["key", "key.pub", "heads"] {
        std::fs::remove_file(outside(&server, file)).unwrap();
    }
    let output = passerelle(context, &server, &["audit", "verify"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains("--audit-key") && said.contains("--audit-heads"),
        "{said}"
    );
    // One that is named must be there.
    let output = passerelle(
        context,
        &server,
        &["audit", "verify", "--audit-key", "/nowhere/key"],
    );
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/nowhere/key"), "{said}");
}

fn what_was_done_before_a_kill_is_sealed_at_the_next_start(context: &Context) {
    let (mut server, fhir) = context.fhir();
    for number in 0..5 {
        fhir.post("/Patient")
            .json(&patient(&number.to_string()))
            .send()
            .expect(201);
    }
    server.kill9();
    server.wait_for_sessions_to_end();
    let (whole, said) = verify(context, &server);
    assert!(whole, "{said}");
    server.restart();
    wait_for_seals(&server);
    server.terminate();
    let (whole, said) = verify(context, &server);
    assert!(whole && !said.contains("not sealed yet"), "{said}");
}

fn the_key_is_its_owners_alone(context: &Context) {
    use std::os::unix::fs::PermissionsExt as _;
    let server = shared(context);
    let mode = std::fs::metadata(outside(server, "key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read_to_string(outside(server, "key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(!server.log().contains(secret), "the key stands in the log");
}
