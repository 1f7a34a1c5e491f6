//! Commands: repeatable, readable, silent about secrets.

use std::process::Output;

use testkit::harness::{Context, Test};
use testkit::sweep::TemporaryFolder;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    every_command_may_be_repeated,
    listings_show_no_secret,
    an_api_key_is_shown_once_and_is_another_each_time,
    a_mistake_is_answered_with_one_readable_sentence,
    help_names_every_flag,
    settings_come_from_flag_environment_and_file,
    a_command_makes_no_database_by_mistake_and_migrates_none,
];

/// Those of SQLite alone.
pub const SQLITE: &[Test] = tests![
    on_sqlite_a_scrub_has_nothing_to_do,
    what_cannot_be_logged_as_wanted_stops_the_start,
    help_shows_what_a_command_heeds_and_its_own_defaults,
];

fn every_command_may_be_repeated(context: &Context) {
    let server = context.server();
    let commands: [&[&str]; 7] = [
        &["space", "add", "clinic"],
        &["space", "add", "trial", "--sandbox"],
        &[
            "binding",
            "add",
            "--door",
            "patient-graph",
            "--word",
            "brand-9",
            "--space",
            "trial",
        ],
        &[
            "binding",
            "add",
            "--door",
            "medicapp-cloud",
            "--word",
            "ts_000000000009",
            "--space",
            "clinic",
        ],
        &[
            "key-system",
            "add",
            "https://clinic.example/ipp",
            "--resource",
            "Patient",
        ],
        &[
            "key-system",
            "add",
            "https://clinic.example/badge",
            "--resource",
            "Practitioner",
            "--unique",
            "active",
        ],
        &[
            "client",
            "add",
            "ehr",
            "--name",
            "EHR",
            "--space",
            "clinic",
            "--door",
            "fhir",
            "--scope",
            "system/Patient.cruds",
        ],
    ];
    let listings = || {
        ["space", "binding", "key-system", "client"].map(|noun| succeeds(context, &server, &[noun, "list"]))
    };
    let first: Vec<String> = commands
        .iter()
        .map(|command| succeeds(context, &server, command))
        .collect();
    let listed = listings();
    for (command, printed) in commands.iter().zip(&first) {
        assert_eq!(&succeeds(context, &server, command), printed, "{command:?}");
    }
    assert_eq!(listings(), listed);
    let [spaces, bindings, key_systems, clients] = &listed;
    for (list, words) in [
        (spaces, &["clinic\tlive", "trial\tsandbox", "demo\tsandbox"][..]),
        (bindings, &["patient-graph\tbrand-9\ttrial"]),
        (
            key_systems,
            &[
                "https://clinic.example/ipp\tPatient\tunique live",
                "https://clinic.example/badge\tPractitioner\tunique active",
                "urn:oid:1.2.250.1.213.1.4.8",
            ],
        ),
        (clients, &["ehr\tclinic\tfhir\tsystem/Patient.cruds"]),
    ] {
        for word in words {
            assert!(list.contains(word), "{word} is not in {list}");
        }
    }
    // A client's row becomes what was said last.
    succeeds(
        context,
        &server,
        &[
            "client",
            "add",
            "ehr",
            "--space",
            "clinic",
            "--door",
            "fhir",
            "--scope",
            "system/Patient.rs",
        ],
    );
    let clients = succeeds(context, &server, &["client", "list"]);
    assert!(
        clients.contains("ehr\tclinic\tfhir\tsystem/Patient.rs")
            && !clients.contains("ehr\tclinic\tfhir\tsystem/Patient.cruds"),
        "{clients}"
    );
    let migrated = command(context)
        .args(["migrate", "--database", &database_of(&server)])
        .output()
        .unwrap();
    assert!(
        migrated.status.success() && String::from_utf8_lossy(&migrated.stdout).contains("up to date"),
        "{migrated:?}"
    );
    // Revoking twice is no mistake either.
    let key = issue_key(context, &server, "ehr");
    let (prefix, _) = key.rsplit_once('_').unwrap();
    for _ in 0..2 {
        succeeds(context, &server, &["key", "revoke", prefix]);
    }
}

fn an_api_key_is_shown_once_and_is_another_each_time(context: &Context) {
    let server = context.server();
    let issue = || {
        let arguments = ["key", "issue", "demo-ehealth", "--ehealth-api-key"];
        let printed = succeeds(context, &server, &arguments);
        let key = printed.lines().next().expect("a line").to_owned();
        assert!(
            key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{printed}"
        );
        key
    };
    let keys = [issue(), issue()];
    assert_ne!(keys[0], keys[1]);
    for noun in ["client", "key"] {
        let listed = succeeds(context, &server, &[noun, "list"]);
        assert!(keys.iter().all(|key| !listed.contains(key)), "{listed}");
    }
}

fn listings_show_no_secret(context: &Context) {
    let server = context.server();
    let key = issue_key(context, &server, "demo-fhir");
    let (prefix, secret) = key.rsplit_once('_').unwrap();
    let listed = succeeds(context, &server, &["key", "list"]);
    assert!(
        listed.contains(prefix) && listed.contains("demo-fhir"),
        "{listed}"
    );
    for door in [
        "fhir",
        "sas",
        "medicapp-cloud",
        "medicapp-connect",
        "patient-graph",
        "ehealth",
    ] {
        let (_, secret) = server.credential(door).bearer.rsplit_once('_').unwrap();
        assert!(!listed.contains(secret), "{door}");
    }
    assert!(!listed.contains(secret));
    for noun in ["space", "binding", "client", "key-system"] {
        let listed = succeeds(context, &server, &[noun, "list"]);
        assert!(
            !listed.contains(secret) && !listed.contains("api-key-sha256"),
            "{listed}"
        );
    }
}

/// One sentence or two on standard error, for a person: no debug output, no panic, no backtrace.
#[track_caller]
fn readable(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it succeeded: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(text.len() < 1200 && text.trim().len() > 20, "{text}");
    for inside in [
        "panicked",
        "RUST_BACKTRACE",
        "stack backtrace",
        "Some(",
        "Err(",
        "Error {",
        "diesel::",
        "src/",
    ] {
        assert!(!text.contains(inside), "{inside} in {text}");
    }
    for word in words {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
}

fn a_mistake_is_answered_with_one_readable_sentence(context: &Context) {
    let server = context.server();
    let mistakes: [(&[&str], &[&str]); 19] = [
        (&["space", "add", "a b"], &["a b"]),
        (&["space", "add", "demo"], &["demo", "sandbox"]),
        (
            &["binding", "add", "--door", "window", "--space", "demo"],
            &["window", "patient-graph"],
        ),
        (
            &[
                "binding",
                "add",
                "--door",
                "patient-graph",
                "--word",
                "x",
                "--space",
                "nowhere",
            ],
            &["nowhere", "space add"],
        ),
        (
            &["key-system", "add", "urn:x", "--resource", "Observation"],
            &["Observation", "Patient"],
        ),
        (
            &[
                "key-system",
                "add",
                "urn:x",
                "--resource",
                "Patient",
                "--unique",
                "always",
            ],
            &["always", "live"],
        ),
        (
            &[
                "client",
                "add",
                "x",
                "--space",
                "nowhere",
                "--door",
                "fhir",
                "--scope",
                "system/Patient.r",
            ],
            &["nowhere"],
        ),
        (
            &[
                "client",
                "add",
                "x",
                "--space",
                "demo",
                "--door",
                "fhir",
                "--scope",
                "system/Patient.x",
            ],
            &["system/Patient.x"],
        ),
        (
            &[
                "client",
                "add",
                "x",
                "--space",
                "demo",
                "--door",
                "cat",
                "--scope",
                "system/Patient.r",
            ],
            &["cat"],
        ),
        (
            &["client", "add", "x", "--space", "demo", "--door", "fhir"],
            &["--scope"],
        ),
        (&["key", "issue", "nobody"], &["nobody", "client list"]),
        (
            &["key", "revoke", "sk_test_nothing"],
            &["sk_test_nothing", "key list"],
        ),
        (&["client", "disable", "nobody"], &["nobody", "client list"]),
        (&["client", "enable", "nobody"], &["nobody", "client list"]),
        (
            &["key", "issue", "demo-fhir", "--live"],
            &["demo-fhir", "live", "client add"],
        ),
        (
            &["key", "issue", "demo-fhir", "--live", "--sandbox"],
            &["--sandbox"],
        ),
        (&["key", "rotate", "nobody"], &["nobody", "key list"]),
        (
            &["key", "rotate", "nobody", "--overlap-hours", "-1"],
            &["--overlap-hours"],
        ),
        (&["spaces", "add", "x"], &["spaces"]),
    ];
    for (arguments, words) in mistakes {
        readable(&passerelle(context, &server, arguments), words);
    }
    let run = |arguments: &[&str]| command(context).args(arguments).output().unwrap();
    readable(
        &run(&["space", "list", "--database", "mysql://x"]),
        &["sqlite:PATH", "postgres://"],
    );
    readable(
        &run(&["space", "list", "--database", "sqlite:/nowhere/at/all.db"]),
        &["/nowhere/at/all.db"],
    );
    readable(
        &run(&["serve", "--config", "/nowhere/at/all.toml"]),
        &["/nowhere/at/all.toml"],
    );
    let folder = TemporaryFolder::new("cli");
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    readable(
        &run(&["serve", "--config", file.to_str().unwrap()]),
        &["wrong.toml", "lisen"],
    );
    // A taken address is told with what to do. The other server keeps running.
    let address = server.address().to_string();
    let data = folder.path().join("data");
    readable(
        &run(&[
            "demo",
            "--empty",
            "--data",
            data.to_str().unwrap(),
            "--listen",
            &address,
        ]),
        &[&address, "--listen"],
    );
    server.client("fhir").get("/Patient").send().expect(200);
    // A password in the URL is not told again.
    let secret = run(&[
        "space",
        "list",
        "--database",
        "postgres://someone:hunter2@127.0.0.1:1/none",
    ]);
    readable(&secret, &[]);
    assert!(
        !String::from_utf8_lossy(&secret.stderr).contains("hunter2"),
        "{secret:?}"
    );
}

fn help_names_every_flag(context: &Context) {
    let help = |arguments: &[&str]| {
        let output = command(context).args(arguments).arg("--help").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let settings = [
        "--config",
        "--listen",
        "--admin-listen",
        "--otlp-endpoint",
        "--database",
        "--base-url",
        "--naming-base",
        "--trusted-proxies",
        "--cors-origins",
        "--max-concurrent",
        "--body-deadline",
        "--workers",
        "--connections",
        "--log-format",
        "--unsafe-durability",
    ];
    let commands: [(&[&str], &[&str]); 15] = [
        (
            &[],
            &[
                "serve",
                "migrate",
                "demo",
                "space",
                "binding",
                "key-system",
                "client",
                "key",
                "record",
                "--version",
            ],
        ),
        (&["serve"], &settings),
        (&["migrate"], &["--database", "--config"]),
        (
            &["demo"],
            &["--data", "--listen", "--database", "--empty", "--config"],
        ),
        (&["space", "add"], &["--sandbox", "--database", "--config"]),
        (&["space", "list"], &["--database"]),
        (
            &["binding", "add"],
            &["--door", "--word", "--space", "medicapp-cloud"],
        ),
        (
            &["key-system", "add"],
            &["--resource", "--unique", "live", "active"],
        ),
        (
            &["client", "add"],
            &[
                "--name",
                "--space",
                "--door",
                "--scope",
                "--policy",
                "--legal-entity-id",
                "--legal-entity-type",
                "--legal-entity-status",
                "--user-id",
                "--rate-limit",
                "--expires",
                "--disabled",
                "sas-regulator",
            ],
        ),
        (
            &["key", "issue"],
            &["--days", "--ehealth-api-key", "--live", "--sandbox", "--database"],
        ),
        (&["key", "rotate"], &["--overlap-hours", "--days"]),
        (&["key", "revoke"], &["--database"]),
        (&["key", "list"], &["--database"]),
        (&["client", "list"], &["--database"]),
        (
            &["record", "add"],
            &[
                "--space",
                "--patient",
                "--id",
                "--status",
                "--created",
                "--database",
            ],
        ),
    ];
    for (command, flags) in commands {
        let text = help(command);
        for flag in flags {
            assert!(
                text.contains(flag),
                "`{} --help` does not name {flag}:\n{text}",
                command.join(" ")
            );
        }
    }
}

fn settings_come_from_flag_environment_and_file(context: &Context) {
    let folder = TemporaryFolder::new("settings");
    let file = folder.path().join("passerelle.toml");
    let database = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    std::fs::write(&file, format!("database = \"{}\"\n", database("file.db"))).unwrap();
    let run = |environment: Option<&str>, arguments: &[&str]| {
        let mut command = crate::support::command(context);
        command
            .args(["space", "add", "s", "--config"])
            .arg(&file)
            .args(arguments);
        if let Some(url) = environment {
            command.env("PASSERELLE_DATABASE", url);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let there = |name: &str| folder.path().join(name).exists();
    run(None, &[]);
    assert!(there("file.db"));
    run(Some(&database("environment.db")), &[]);
    assert!(there("environment.db"));
    run(Some(&database("other.db")), &["--database", &database("flag.db")]);
    assert!(there("flag.db") && !there("other.db"));
}

fn a_command_makes_no_database_by_mistake_and_migrates_none(context: &Context) {
    let folder = TemporaryFolder::new("cli");
    let file = folder.path().join("none.db");
    let url = format!("sqlite:{}", file.display());
    let run = |arguments: &[&str], url: &str| {
        let mut command = crate::support::command(context);
        command
            .args(arguments)
            .args(["--database", url])
            .output()
            .unwrap()
    };
    for arguments in [
        &["space", "list"][..],
        &["client", "list"],
        &["key", "issue", "ehr"],
        &["binding", "list"],
    ] {
        readable(
            &run(arguments, &url),
            &["there is no database", "passerelle migrate"],
        );
        assert!(!file.exists(), "{arguments:?}");
    }
    // The schema of an earlier release, where there is a tool for it.
    let server = context.server();
    let forget = "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM \
                  __diesel_schema_migrations)";
    let Some(database) = server.postgres_database() else {
        return;
    };
    database.query(forget);
    readable(
        &run(&["space", "list"], &database_of(&server)),
        &["run `passerelle migrate` first"],
    );
}

fn what_cannot_be_logged_as_wanted_stops_the_start(context: &Context) {
    let folder = TemporaryFolder::new("cli");
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    let serve = |choice: &str| {
        let mut command = crate::support::command(context);
        // A start that gets as far as listening ends there.
        command.args(["serve", "--listen", "256.0.0.1:0", "--database", &url]);
        command.env("RUST_LOG", choice).output().unwrap()
    };
    readable(
        &serve("access=loud"),
        &["RUST_LOG", "access=loud", "info,access=warn"],
    );
    for as_not_set in ["", " "] {
        let output = serve(as_not_set);
        readable(&output, &["ERROR", "256.0.0.1:0", "--listen"]);
        // Once, and in the form of the log.
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(told.matches("256.0.0.1:0").count(), 1, "{told}");
    }
    // With a log that leaves errors out, the end is told all the same.
    readable(&serve("off"), &["Error: ", "256.0.0.1:0"]);
}

fn help_shows_what_a_command_heeds_and_its_own_defaults(context: &Context) {
    let help = |command: &str| {
        let output = self::command(context).args([command, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let demo = help("demo");
    assert!(
        demo.contains("passerelle.db in DIR") && !demo.contains("sqlite:passerelle.db]"),
        "{demo}"
    );
    for (command, heeded, without) in [
        ("health", "--admin-listen", "--naming-base"),
        ("migrate", "--database", "--otlp-endpoint"),
    ] {
        let text = help(command);
        assert!(text.contains(heeded) && !text.contains(without), "{text}");
        // What the server is given may be given here too.
        let taken = self::command(context)
            .args([command, "--max-concurrent", "many"])
            .output()
            .unwrap();
        assert!(
            String::from_utf8_lossy(&taken.stderr).contains("many"),
            "{taken:?}"
        );
    }
}

fn on_sqlite_a_scrub_has_nothing_to_do(context: &Context) {
    let said = context.server().command(&["scrub"]);
    assert!(
        said.starts_with("Nothing to do: on SQLite nothing of an erased person is left"),
        "{said}"
    );
}
