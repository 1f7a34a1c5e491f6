//! The operator's documents speak of what the server has: its metrics, its alerts, its commands.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::scrape;
use crate::support::*;

/// Tests of both databases.
pub const TESTS: &[Test] = tests![every_metric_is_explained_and_every_one_that_is_shown_is_there];

/// Tests that need no database.
pub const ONCE: &[Test] = tests![
    every_alert_is_explained,
    the_dashboard_is_one_that_grafana_reads,
    unit_and_container_call_what_there_is,
];

fn document(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything in a text that is written like a metric of ours.
fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.starts_with("passerelle_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The queries of the dashboard, those of its variables included.
fn queries(dashboard: &Value, found: &mut Vec<String>) {
    match dashboard {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if ["expr", "query", "definition"].contains(&name.as_str()) => {
                        found.push(text.clone());
                    }
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

/// The names in the first column of the tables below a heading.
fn rows_below(document: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = document
        .split_once(&format!("\n## {heading}\n"))
        .expect("a heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
    cells
        .map(|rest| rest.split('`').next().unwrap_or_default().to_owned())
        .collect()
}

fn every_metric_is_explained_and_every_one_that_is_shown_is_there(context: &Context) {
    let server = context.settings().admin().start();
    let exported = scrape(&server).families;
    let explained = rows_below(&document("OPERATIONS.md"), "Metrics");
    let names: BTreeSet<String> = exported.keys().cloned().collect();
    assert_eq!(
        names, explained,
        "exported (left) and explained in OPERATIONS.md (right)"
    );

    let dashboard: Value = serde_json::from_str(&document("grafana/passerelle.json")).expect("JSON");
    let mut shown = Vec::new();
    queries(&dashboard, &mut shown);
    shown.push(document("alerts.yml"));
    let used: BTreeSet<String> = shown.iter().flat_map(|text| metrics_in(text)).collect();
    assert!(used.len() > 20, "{used:?}");
    for name in used {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().any(|end| {
            let family = name.strip_suffix(end).and_then(|family| exported.get(family));
            family.is_some_and(|kind| kind == "histogram")
        });
        let is_plain = exported.get(&name).is_some_and(|kind| kind != "histogram");
        assert!(of_histogram || is_plain, "nothing exports {name}");
    }
}

fn every_alert_is_explained(_: &Context) {
    let rules = document("alerts.yml");
    let alerts: BTreeSet<String> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(alerts.len(), rules.matches("alert:").count());
    assert!(alerts.len() > 10, "{alerts:?}");
    assert_eq!(alerts, rows_below(&document("OPERATIONS.md"), "Alerts"));
    // What they compare labels with is what the server says.
    for (label, known) in [
        (
            "code",
            &["login", "throttled", "transient", "no-store", "exception"][..],
        ),
        ("status", &["2xx", "4xx", "5xx"]),
        ("door", &["none", "fhir"]),
        ("job", &["passerelle"]),
        ("severity", &["page", "ticket"]),
    ] {
        for operator in ["=\"", "!=\""] {
            let written = format!("{label}{operator}");
            for rest in rules.split(&written).skip(1) {
                let value = rest.split('"').next().unwrap_or_default();
                assert!(known.contains(&value), "{label}=\"{value}\" is said by nobody");
            }
        }
    }
    for rule in rules.split("- alert: ").skip(1) {
        for part in ["expr: ", "severity: ", "summary: "] {
            assert!(rule.contains(part), "no {part} in {rule}");
        }
    }
}

fn the_dashboard_is_one_that_grafana_reads(_: &Context) {
    let dashboard: Value = serde_json::from_str(&document("grafana/passerelle.json")).expect("JSON");
    assert_eq!(dashboard["uid"], "passerelle");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "panels share an id");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = &panel["title"];
        assert!(title.as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        let [x, y, width, height] =
            ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().expect("a place"));
        assert!(x + width <= 24, "{title} is wider than the page");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title} lies over another panel");
        }
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().expect("targets");
            assert!(
                !targets.is_empty() && targets.iter().all(|target| target["expr"].is_string()),
                "{title}"
            );
        }
    }
}

/// Every file that the example of a configuration names.
fn paths_in(config: &str) -> Vec<&str> {
    let settings = config.lines().filter(|line| !line.starts_with("# "));
    settings
        .filter_map(|line| line.split_once(" = "))
        .flat_map(|(_, value)| value.split('"').skip(1).step_by(2))
        .filter_map(|text| text.strip_prefix("sqlite:").or(Some(text)))
        .filter(|text| text.starts_with('/'))
        .collect()
}

fn unit_and_container_call_what_there_is(context: &Context) {
    let help = |command: &str| {
        let output = self::command(context)
            .args([command, "--help"])
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "passerelle {command}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let unit = document("deploy/passerelle.service");
    let container = document("deploy/Containerfile");
    let config = document("deploy/passerelle.toml");
    let mut calls = 0;
    for line in unit.lines().chain(container.lines()) {
        let starts = ["Exec", "CMD", "ENTRYPOINT", "HEALTHCHECK"];
        if !starts.iter().any(|start| line.trim_start().starts_with(start)) {
            continue;
        }
        let line = line.replace(['"', ',', '[', ']'], " ");
        let Some((_, words)) = line.split_once("passerelle ") else {
            continue;
        };
        let mut words = words.split_whitespace();
        // The entry point is the program alone.
        let Some(command) = words.next() else { continue };
        let help = help(command);
        for flag in words.filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{line}: no {flag}");
        }
        calls += 1;
    }
    assert_eq!(calls, 2, "calls of the unit and of the container");
    // Images by their names alone, and nobody special inside.
    for line in container.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        assert!(
            !line.split(' ').next().unwrap_or_default().contains('/'),
            "{line}"
        );
    }
    let user = container
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("USER "));
    assert!(
        user.is_some_and(|user| !["root", "0"].contains(&user)),
        "{user:?}"
    );
    // What the configuration names lies where the unit lets the server write.
    assert!(config.contains("\ndatabase = \"sqlite:/var/lib/passerelle/"));
    let folders = unit
        .lines()
        .find_map(|line| line.strip_prefix("StateDirectory="))
        .expect("folders of its own");
    let mut places = 0;
    for path in paths_in(&config) {
        let (_, rest) = path.split_once("/var/lib/").unwrap_or_default();
        let folder = rest.split('/').next().unwrap_or_default();
        // What only root writes is read: handed over, or from the folder of a group that the unit explains.
        let is_explained = path
            .rsplit_once('/')
            .is_some_and(|(folder, _)| folder == "/etc/passerelle/tls" && unit.contains(folder));
        assert!(
            is_explained || folders.split(' ').any(|known| known == folder),
            "the configuration names {path}, and the unit lets nobody use it"
        );
        places += 1;
    }
    assert!(places >= 8, "{places} paths");
    for line in [
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "Restart=on-failure",
        "StartLimitIntervalSec=0",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "TimeoutStopSec=15",
        "LoadCredential=",
    ] {
        assert!(unit.contains(&format!("\n{line}")), "{line}");
    }
}
