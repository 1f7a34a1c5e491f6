//! The command line: repeatable, readable, silent about secrets; the demo keeps what it has.

use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::server::{Content, Server};
use testkit::sweep::TemporaryFolder;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    every_command_may_be_repeated,
    listings_show_no_secret,
    a_mistake_is_answered_with_one_readable_sentence,
    help_names_every_flag,
    a_restarted_demo_keeps_its_data_and_its_credentials,
    an_empty_demo_deletes_nothing,
    other_files_in_the_folder_do_not_matter,
    a_demo_loads_its_people_once,
    the_printed_curl_lines_work,
    settings_come_from_flag_environment_and_file,
    an_own_set_up_serves_without_the_demo,
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
    let migrated = Command::new(context.binary())
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
    let mistakes: [(&[&str], &[&str]); 14] = [
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
        (&["key", "rotate", "nobody"], &["nobody"]),
        (&["spaces", "add", "x"], &["spaces"]),
    ];
    for (arguments, words) in mistakes {
        readable(&passerelle(context, &server, arguments), words);
    }
    let run = |arguments: &[&str]| Command::new(context.binary()).args(arguments).output().unwrap();
    readable(&run(&["space", "list", "--database", "mysql://x"]), &["mysql"]);
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
        let output = Command::new(context.binary())
            .args(arguments)
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let settings = [
        "--config",
        "--listen",
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
    let commands: [(&[&str], &[&str]); 14] = [
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
                "--version",
            ],
        ),
        (&["serve"], &settings),
        (&["migrate"], &["--database", "--config"]),
        (&["demo"], &["--data", "--listen", "--database", "--empty"]),
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
                "--disabled",
                "sas-regulator",
            ],
        ),
        (&["key", "issue"], &["--days", "--database"]),
        (&["key", "rotate"], &["--overlap-hours"]),
        (&["key", "revoke"], &["--database"]),
        (&["key", "list"], &["--database"]),
        (&["client", "list"], &["--database"]),
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

fn credentials(server: &Server) -> Vec<String> {
    [
        "fhir",
        "sas",
        "medicapp-cloud",
        "medicapp-connect",
        "patient-graph",
        "ehealth",
    ]
    .map(|door| server.credential(door).bearer.clone())
    .to_vec()
}

fn total(client: &Client, kind: &str) -> u64 {
    client.get(format!("/{kind}?_count=0")).send().expect(200).json()["total"]
        .as_u64()
        .unwrap()
}

fn a_restarted_demo_keeps_its_data_and_its_credentials(context: &Context) {
    let (mut server, fhir) = context.fhir();
    let created = fhir.post("/Patient").json(&patient("kept")).send().expect(201);
    let before = credentials(&server);
    for graceful in [true, false] {
        if graceful {
            assert!(server.terminate().success());
        }
        server.restart();
        assert_eq!(credentials(&server), before);
        let fhir = server.client("fhir");
        let read = fhir.get(path_of(created.location())).send().expect(200);
        assert_eq!(read.text(), created.text());
        assert_eq!(count_local(&fhir, "kept"), 1);
    }
    let keys = succeeds(context, &server, &["key", "list"]);
    assert_eq!(
        keys.lines().count(),
        before.len(),
        "a restart issues no further keys: {keys}"
    );
}

fn an_empty_demo_deletes_nothing(context: &Context) {
    let mut server = context.settings().content(Content::Samples).start();
    let fhir = server.client("fhir");
    fhir.post("/Patient").json(&patient("kept")).send().expect(201);
    let counts = ["Patient", "Practitioner"].map(|kind| total(&fhir, kind));
    assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
    let database = database_of(&server);
    let folder = server.data_folder().to_owned();
    assert!(server.terminate().success());
    // The same data, now with --empty.
    let mut child = Command::new(context.binary())
        .args([
            "demo",
            "--empty",
            "--listen",
            "127.0.0.1:0",
            "--database",
            &database,
            "--data",
        ])
        .arg(&folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let outcome = scope_guard(&mut child, || {
        let fhir = wait_for_demo(&folder, server.base());
        assert_eq!(["Patient", "Practitioner"].map(|kind| total(&fhir, kind)), counts);
    });
    outcome.unwrap();
}

/// Runs the check and ends the process whatever comes of it.
fn scope_guard(child: &mut std::process::Child, check: impl FnOnce()) -> std::thread::Result<()> {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
    child.kill().unwrap();
    child.wait().unwrap();
    outcome
}

/// A client of the demo whose `demo.json` lies in this folder, once it names another base than `old`.
fn wait_for_demo(folder: &std::path::Path, old: &str) -> Client {
    testkit::wait::wait_for(std::time::Duration::from_secs(30), "the demo to be ready", || {
        let text = std::fs::read(folder.join("demo.json")).ok()?;
        let demo: Value = serde_json::from_slice(&text).ok()?;
        let (url, key) = (demo["fhir"]["url"].as_str()?, demo["fhir"]["bearer"].as_str()?);
        if url.starts_with(old) && !old.is_empty() {
            return None;
        }
        let client = Client::at(url).with_bearer(key);
        let ready = client
            .get("/metadata")
            .try_send()
            .is_ok_and(|answer| answer.status == 200);
        ready.then_some(client)
    })
}

fn other_files_in_the_folder_do_not_matter(context: &Context) {
    let (mut server, fhir) = context.fhir();
    fhir.post("/Patient").json(&patient("kept")).send().expect(201);
    assert!(server.terminate().success());
    for (name, content) in [
        ("notes.txt", "x"),
        ("demo.json.new", "{"),
        ("passerelle.toml", "listen = 7"),
        ("other.db", "SQLite format 3\0"),
    ] {
        std::fs::write(server.data_folder().join(name), content).unwrap();
    }
    std::fs::create_dir(server.data_folder().join("folder")).unwrap();
    server.restart();
    assert_eq!(count_local(&server.client("fhir"), "kept"), 1);
    assert_eq!(
        std::fs::read_to_string(server.data_folder().join("notes.txt")).unwrap(),
        "x"
    );
    // A lost or broken demo.json costs the old keys, not the data.
    assert!(server.terminate().success());
    std::fs::write(server.data_folder().join("demo.json"), "{ broken").unwrap();
    server.restart();
    assert_eq!(count_local(&server.client("fhir"), "kept"), 1);
}

fn a_demo_loads_its_people_once(context: &Context) {
    let mut server = context.settings().content(Content::Samples).start();
    let fhir = server.client("fhir");
    let counts = ["Patient", "Practitioner"].map(|kind| total(&fhir, kind));
    assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
    // Somebody changed one and deleted another: a restart puts neither back.
    let page = fhir.get("/Patient?_count=2").send().expect(200).json();
    let changed = with(page["entry"][0]["resource"].clone(), "active", json!(false));
    let path = format!("/Patient/{}", changed["id"].as_str().unwrap());
    fhir.put(&path).json(&changed).send().expect(200);
    server.restart();
    let fhir = server.client("fhir");
    assert_eq!(["Patient", "Practitioner"].map(|kind| total(&fhir, kind)), counts);
    let kept = fhir.get(&path).send().expect(200);
    assert_eq!((&kept.json()["active"], kept.version()), (&json!(false), 2));
}

/// The `curl …` commands of the welcome, continuation lines joined.
fn curl_lines(log: &str) -> Vec<String> {
    let joined = log.replace("\\\n", " ");
    joined
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("curl "))
        .map(str::to_owned)
        .collect()
}

fn the_printed_curl_lines_work(context: &Context) {
    let server = context.settings().content(Content::Samples).start();
    let lines = curl_lines(&server.log());
    assert_eq!(lines.len(), 4, "{}", server.log());
    let installed = Command::new("curl")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !installed {
        assert!(lines.iter().all(|line| line.contains(server.base())), "{lines:?}");
        return;
    }
    for line in &lines {
        // The machine's proxy settings are none of the demo's.
        let command = format!("{line} --silent --show-error --noproxy '*' --write-out '\\n%{{http_code}}'");
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = text.lines().last().unwrap_or_default();
        assert!(
            output.status.success() && ["200", "201"].contains(&status),
            "{line}\n{text}\n{output:?}"
        );
    }
    let found = Command::new("sh")
        .args(["-c", &format!("{} --silent --noproxy '*'", lines[1])])
        .output()
        .unwrap();
    let bundle: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(
        bundle["total"], 1,
        "the practitioner to be found is there: {bundle}"
    );
}

fn settings_come_from_flag_environment_and_file(context: &Context) {
    let folder = TemporaryFolder::new("settings");
    let file = folder.path().join("passerelle.toml");
    let database = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    std::fs::write(&file, format!("database = \"{}\"\n", database("file.db"))).unwrap();
    let run = |environment: Option<&str>, arguments: &[&str]| {
        let mut command = Command::new(context.binary());
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

/// From nothing: spaces, client and key by commands, then `serve`.
fn an_own_set_up_serves_without_the_demo(context: &Context) {
    // A demo is only started for its database: on PostgreSQL a fresh one, on SQLite a folder.
    let mut server = context.server();
    let database = match server.database_url() {
        Some(url) => url,
        None => format!("sqlite:{}", server.data_folder().join("own.db").display()),
    };
    assert!(server.terminate().success());
    let run = |arguments: &[&str]| {
        let output = Command::new(context.binary())
            .args(arguments)
            .env("PASSERELLE_DATABASE", &database)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["migrate"]);
    run(&["space", "add", "clinic"]);
    run(&[
        "client",
        "add",
        "ehr",
        "--space",
        "clinic",
        "--door",
        "fhir",
        "--scope",
        "system/Patient.cruds",
    ]);
    let printed = run(&["key", "issue", "ehr"]);
    let key = printed
        .split_whitespace()
        .find(|word| word.starts_with("sk_live_"))
        .unwrap()
        .to_owned();
    // A free port: bound and let go.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut child = Command::new(context.binary())
        .args(["serve", "--listen", &free.to_string()])
        .env("PASSERELLE_DATABASE", &database)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let outcome = scope_guard(&mut child, || {
        let client = Client::new(free).with_prefix("/fhir").with_bearer(&key);
        testkit::wait::wait_for(
            std::time::Duration::from_secs(30),
            "the server to be ready",
            || {
                client
                    .get("/metadata")
                    .try_send()
                    .ok()
                    .filter(|answer| answer.status == 200)
            },
        );
        client.post("/Patient").json(&patient("1")).send().expect(201);
        assert_eq!(count_local(&client, "1"), 1);
        refused(client.get("/Practitioner").send(), 403, "forbidden");
    });
    outcome.unwrap();
}
