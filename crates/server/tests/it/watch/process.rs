//! What the machine's other users see of the process, and `passerelle health`.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::postgres::Postgres;
use testkit::server::{Backend, Server};
use testkit::tests;
use testkit::wait::wait_for;

use crate::support::*;

/// Tests of both databases.
pub const TESTS: &[Test] = tests![
    health_says_whether_a_server_is_ready,
    a_json_log_line_tells_a_request
];

/// Tests of what only a database with a password has.
pub const POSTGRES: &[Test] = tests![a_database_password_is_not_in_the_process_list];

const PASSWORD: &str = "Kanarienvogel-9";

fn health_says_whether_a_server_is_ready(context: &Context) {
    let mut server = context.settings().admin().start();
    let ask = |name: &str, address: &str| {
        let mut command = command(context);
        command
            .args(["health", name, address])
            .output()
            .expect("the binary runs")
    };
    let [listening, admin] = [server.address(), server.admin().address()].map(|address| address.to_string());
    let everywhere = format!("0.0.0.0:{}", server.address().port());
    for (name, address) in [
        ("--listen", &listening),
        ("--listen", &everywhere),
        ("--admin-listen", &admin),
    ] {
        let output = ask(name, address);
        assert!(output.status.success(), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("ready"),
            "{output:?}"
        );
    }
    server.terminate();
    for (name, address) in [("--listen", &listening), ("--admin-listen", &admin)] {
        let output = ask(name, address);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains(address) && said.contains("does not answer"),
            "{said}"
        );
    }
    let output = ask("--listen", "nowhere");
    assert!(!output.status.success(), "{output:?}");
}

fn a_json_log_line_tells_a_request(context: &Context) {
    let settings = context.settings().argument("--log-format").argument("json");
    let server = settings.start();
    let fhir = server.client("fhir");
    let body = patient("1");
    let created = fhir
        .post("/Patient?_pretty=true")
        .header("X-Request-Id", "the-create")
        .json(&body);
    let created = created.send().expect(201);
    let missing = fhir.get("/Patient/nobody").header("X-Request-Id", "the-miss");
    missing.send().expect(404);
    let line = |id: &str| {
        wait_for(Duration::from_secs(10), "the log line", || {
            let log = server.log();
            let lines = log.lines().filter(|line| line.starts_with('{'));
            let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["request_id"] == id)
        })
    };
    let line_of_create = line("the-create");
    let expected = [
        ("level", json!("INFO")),
        ("target", json!("access")),
        ("method", json!("POST")),
        ("route", json!("/fhir/{type}")),
        ("status", json!(201)),
        ("client", json!("demo-fhir")),
        ("received", json!(body.to_string().len())),
        ("sent", json!(created.body.len())),
    ];
    for (name, value) in expected {
        assert_eq!(line_of_create[name], value, "{name} in {line_of_create}");
    }
    assert!(
        line_of_create["micros"].as_u64().is_some_and(|micros| micros > 0),
        "{line_of_create}"
    );
    assert!(
        line_of_create["timestamp"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z')),
        "{line_of_create}"
    );
    assert_eq!(line("the-miss")["code"], "not-found");
}

/// The command line of a server as everybody sees it.
fn shown(server: &Server) -> String {
    let bytes = std::fs::read(format!("/proc/{}/cmdline", server.pid())).expect("a running process");
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn a_database_password_is_not_in_the_process_list(context: &Context) {
    assert_eq!(context.backend(), Backend::Postgres);
    let database = Postgres::shared().fresh_database();
    let url = database
        .url()
        .replace("postgres@", &format!("postgres:{PASSWORD}@"));
    assert!(url.contains(PASSWORD), "{url}");
    // By flag, as the kit starts it.
    let server = context.settings().database_url(&url).start();
    let shown_by_flag = shown(&server);
    assert!(
        shown_by_flag.contains("demo") && !shown_by_flag.contains(PASSWORD),
        "{shown_by_flag}"
    );
    server
        .client("fhir")
        .post("/Patient")
        .json(&patient("1"))
        .send()
        .expect(201);
    assert!(!server.log().contains(PASSWORD));
    // By the environment.
    let folder = server.data_folder().join("environment.log");
    let log = std::fs::File::create(&folder).expect("a file");
    let mut child = command(context)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("PASSERELLE_DATABASE", &url)
        .env("PASSERELLE_ERASURE_LEDGER", server.erasure_ledger())
        .stderr(log)
        .spawn()
        .expect("the binary runs");
    let read = || std::fs::read_to_string(&folder).unwrap_or_default();
    let serves = std::panic::catch_unwind(|| {
        wait_for(Duration::from_secs(30), "the server to serve", || {
            read().contains("serving").then_some(())
        });
        let bytes = std::fs::read(format!("/proc/{}/cmdline", child.id())).expect("a running process");
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert!(shown.contains("serve") && !shown.contains(PASSWORD), "{shown}");
    });
    child.kill().expect("own child");
    child.wait().expect("own child");
    assert!(serves.is_ok(), "{}", read());
    assert!(!read().contains(PASSWORD), "{}", read());
}
