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
    a_key_or_heads_that_are_gone_are_missed,
];

/// Those of a database in a file.
pub const SQLITE: &[Test] = tests![a_mistyped_path_is_no_empty_trail];

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
    // Where they have a place of their own, they are missed.
    if context.backend() == Backend::Sqlite {
        for without in [&[][..], &["--without-key"], &["--without-heads"]] {
            let output = passerelle(context, &server, &[&["audit", "verify"], without].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                !output.status.success() && said.contains("or say --without-"),
                "{said}"
            );
        }
    }
    let verify = ["audit", "verify", "--without-key", "--without-heads"];
    let output = passerelle(context, &server, &verify);
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

/// What a server says that does not start.
fn refused_start(context: &Context, server: &Server) -> String {
    let mut command = command(context);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("PASSERELLE_DATABASE", database_of(server))
        .env("PASSERELLE_AUDIT_KEY", outside(server, "key"))
        .env("PASSERELLE_ERASURE_LEDGER", server.erasure_ledger());
    let output = command.output().expect("the binary runs");
    assert!(!output.status.success(), "it started: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn a_key_or_heads_that_are_gone_are_missed(context: &Context) {
    use std::os::unix::fs::PermissionsExt as _;
    let (mut server, fhir) = context.fhir();
    fhir.get("/Patient/nobody").send().expect(404);
    server.terminate();
    let (key, public) = (outside(&server, "key"), outside(&server, "key.pub"));
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let sentence = refused_start(context, &server);
    assert!(sentence.contains("signed, and there is no key"), "{sentence}");
    assert!(
        sentence.contains("--audit-key") && sentence.contains("openssl genpkey"),
        "{sentence}"
    );
    assert!(public.exists() && !key.exists());
    // One that others can read is no secret.
    std::fs::write(&key, kept).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let sentence = refused_start(context, &server);
    assert!(sentence.contains("chmod 600"), "{sentence}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::remove_file(outside(&server, "heads")).unwrap();
    server.restart();
    assert!(
        server.log().contains("heads of the audit trail are missing"),
        "{}",
        server.log()
    );
}

fn a_mistyped_path_is_no_empty_trail(context: &Context) {
    let server = shared(context);
    let path = server.data_folder().join("mistyped.db");
    let url = format!("sqlite:{}", path.display());
    for command in ["verify", "export"] {
        let output = passerelle(context, server, &["audit", command, "--database", &url]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("there is no database at"),
            "{said}"
        );
        assert!(!path.exists());
    }
}
