//! The demo keeps what it has; what it prints works; a server can do without it.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::server::{Backend, Content, Server};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_restarted_demo_keeps_its_data_and_its_credentials,
    an_empty_demo_deletes_nothing,
    other_files_in_the_folder_do_not_matter,
    a_demo_loads_its_people_once,
    the_printed_curl_lines_work,
    an_own_set_up_serves_without_the_demo,
    another_naming_base_is_refused,
];

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
    let mut child = command(context)
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
    // Nobody else reads the credentials, whatever lay there before.
    let mode = std::fs::metadata(server.data_folder().join("demo.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Without certificates SIGHUP has nothing to do, and ends nobody.
    server.signal_hangup();
    assert_eq!(count_local(&server.client("fhir"), "kept"), 1);
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

fn the_printed_curl_lines_work(context: &Context) {
    let server = context.settings().content(Content::Samples).start();
    let lines = curl_lines(&server.log());
    assert_eq!(lines.len(), 8, "{}", server.log());
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

/// From nothing: spaces, client and key by commands, then `serve`.
fn an_own_set_up_serves_without_the_demo(context: &Context) {
    // A demo is only started for its database: on PostgreSQL a fresh one, on SQLite a folder.
    let mut server = context.server();
    let database = match server.database_url() {
        Some(url) => url,
        None => format!("sqlite:{}", server.data_folder().join("own.db").display()),
    };
    let ledger = match server.backend() {
        Backend::Sqlite => server.data_folder().join("own.db.erasures"),
        Backend::Postgres => server.erasure_ledger(),
    };
    assert!(server.terminate().success());
    let run = |arguments: &[&str]| {
        let output = command(context)
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
    let mut child = command(context)
        .args(["serve", "--listen", &free.to_string()])
        .env("PASSERELLE_DATABASE", &database)
        .env("PASSERELLE_ERASURE_LEDGER", &ledger)
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

fn another_naming_base_is_refused(context: &Context) {
    let server = context.server();
    let run = |base: &str| {
        let mut command = crate::support::command(context);
        command.args(["serve", "--listen", "127.0.0.1:0", "--naming-base", base]);
        command
            .env("PASSERELLE_DATABASE", database_of(&server))
            .output()
            .unwrap()
    };
    let output = run("https://other.example/ns");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{output:?}");
    assert!(
        text.contains("https://other.example/ns") && text.contains("--naming-base"),
        "{text}"
    );
    server.client("fhir").get("/Patient").send().expect(200);
}
