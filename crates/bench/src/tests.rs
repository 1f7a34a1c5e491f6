//! The whole way, from preload to verdict, against a server of a few lines whose faults are known.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::report::{Measured, Report};
use crate::requests::Plan;
use crate::target::ServerAccess;
use crate::workload::Workload;
use crate::{load, race};

/// What is wrong with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Looks first and writes later, as if nobody else could come in between.
    Doubles,
    /// Acknowledges and forgets, once the preload is over.
    Forgets,
    /// Finds somebody else.
    MixesUp,
}

/// How many resources the preload of these tests stores; the faults begin after it.
const PRELOADED: usize = 200;

#[derive(Default)]
struct Store {
    resources: Vec<Value>,
    by_identifier: HashMap<String, Vec<usize>>,
}

impl Store {
    fn add(&mut self, resource: Value) -> usize {
        let id = self.resources.len();
        for identifier in resource["identifier"].as_array().unwrap() {
            let key = format!(
                "{}|{}",
                identifier["system"].as_str().unwrap(),
                identifier["value"].as_str().unwrap()
            );
            self.by_identifier.entry(key).or_default().push(id);
        }
        self.resources.push(resource);
        id
    }
}

fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let store = Arc::new(Mutex::new(Store::default()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let store = Arc::clone(&store);
            std::thread::spawn(move || serve(&stream, fault, &store));
        }
    });
    address
}

fn serve(stream: &TcpStream, fault: Fault, store: &Mutex<Store>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut criterion, mut length) = (String::new(), None, 0);
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            if let Some(value) = header.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            if let Some(value) = header.strip_prefix("If-None-Exist: identifier=") {
                criterion = Some(value.trim().to_owned());
            }
            if header == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let target = line.split(' ').nth(1).unwrap();
        criterion = criterion.or_else(|| {
            target
                .split_once("?identifier=")
                .map(|(_, value)| value.to_owned())
        });
        let (status, location, answer) = match &line[..3] {
            "GET" => get(target, criterion.as_deref(), fault, store),
            _ => write(
                serde_json::from_slice(&body).unwrap(),
                &criterion.unwrap(),
                fault,
                store,
            ),
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nLocation: {location}\r\n\r\n",
            answer.len()
        );
        let mut writer = stream;
        writer
            .write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice())
            .unwrap();
    }
}

fn get(target: &str, criterion: Option<&str>, fault: Fault, store: &Mutex<Store>) -> (u16, String, Value) {
    let store = store.lock().unwrap();
    let Some(criterion) = criterion else {
        let id: usize = target.rsplit('/').next().unwrap().parse().unwrap();
        return (200, String::new(), json!({"id": id.to_string()}));
    };
    let found = store.by_identifier.get(criterion).cloned().unwrap_or_default();
    let entries: Vec<Value> = found
        .iter()
        .map(|id| {
            if fault == Fault::MixesUp {
                json!({})
            } else {
                store.resources[*id].clone()
            }
        })
        .map(|resource| json!({"resource": resource, "search": {"mode": "match"}}))
        .collect();
    (
        200,
        String::new(),
        json!({"resourceType": "Bundle", "type": "searchset", "entry": entries}),
    )
}

fn write(resource: Value, criterion: &str, fault: Fault, store: &Mutex<Store>) -> (u16, String, Value) {
    let mut locked = store.lock().unwrap();
    let location = |id: usize| format!("http://h/fhir/T/{id}/_history/1");
    let known = locked.by_identifier.get(criterion).map(|ids| ids[0]);
    let late = locked.resources.len() >= PRELOADED;
    if let Some(id) = known {
        return (200, location(id), resource);
    }
    if fault == Fault::Forgets && late {
        return (201, location(0), resource);
    }
    if fault == Fault::Doubles && late {
        locked.add(resource.clone());
    }
    (201, location(locked.add(resource.clone())), resource)
}

fn measure(fault: Fault, workload: &str) -> (Measured, bool) {
    let stored = PRELOADED.to_string();
    let arguments = Arguments::parse_from([
        "bench",
        "--base",
        "http://127.0.0.1:1",
        "--workload",
        workload,
        "--stored",
        &stored,
        "--seconds",
        "1",
        "--warm-up",
        "0",
        "--connections",
        "4",
        "--rounds",
        "5",
        "--first",
        "0",
    ]);
    let access = ServerAccess {
        address: start(fault),
        path: "/fhir".to_owned(),
        bearer: String::new(),
        pid: Some(std::process::id()),
    };
    let mut plan = Plan::new(access, arguments.first_number(), 1);
    load::preload(&mut plan, &arguments.workload, arguments.stored).unwrap();
    let workload = arguments.workload[0];
    let measured = if workload.is_race() {
        race::run(&plan, workload, arguments.rounds).unwrap()
    } else {
        load::run(&plan, workload, 4, &arguments).unwrap()
    };
    let mut report = Report::new(&arguments);
    report.add(measured.clone());
    (measured, report.is_clean())
}

#[test]
fn a_right_server_gets_a_clean_report_in_every_workload() {
    // The server of this test knows identifiers alone.
    let known = Workload::ALL
        .map(Workload::name)
        .into_iter()
        .filter(|name| *name != "demographics");
    std::thread::scope(|scope| {
        for workload in known {
            scope.spawn(move || check_clean(workload));
        }
    });
}

fn check_clean(workload: &str) {
    let (measured, clean) = measure(Fault::None, workload);
    assert!(clean, "{workload}: {measured:?}");
    assert!(
        measured
            .statistics
            .statuses
            .keys()
            .all(|status| matches!(status, 200 | 201)),
        "{workload}"
    );
    assert_eq!(measured.statistics.failures, 0, "{workload}");
    assert!(measured.memory.unwrap() > 0, "{workload}");
    if workload == "race" || workload == "race-post" {
        assert_eq!(measured.statistics.statuses[&201], 5);
        assert_eq!(measured.statistics.statuses[&200], 5 * 31);
        assert_eq!(measured.rounds_with_duplicates, Some((0, 5)));
    }
}

#[test]
fn doubled_resources_are_found_and_reported() {
    let (measured, clean) = measure(Fault::Doubles, "race");
    assert_eq!(measured.rounds_with_duplicates, Some((5, 5)));
    assert!(!clean);
    let (measured, clean) = measure(Fault::Doubles, "ine-new");
    assert!(measured.verified.doubled > 0 && measured.verified.doubled == measured.verified.looked_for);
    assert!(!clean);
}

#[test]
fn forgotten_resources_and_wrong_answers_are_found_and_reported() {
    let (measured, clean) = measure(Fault::Forgets, "put-new");
    assert!(measured.verified.lost > 0 && !clean);
    let (measured, clean) = measure(Fault::MixesUp, "find");
    assert!(measured.statistics.wrong > 0 && !clean);
}
