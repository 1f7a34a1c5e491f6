//! Registers under load: what many readers and writers saw must fit one order of versions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Crowd, Subject};
use crate::history::{Action, Operation, Outcome, check_consecutive, check_last_updated, check_register};
use crate::http::{Client, Response};
use crate::random::{Random, mix};
use crate::server::Server;
use crate::wait::poll;

/// How long and how hard.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many clients read and write.
    pub clients: usize,
    /// How many resources they share.
    pub registers: usize,
    /// How long one stretch of load is.
    pub stretch: Duration,
    /// How often the server is killed and started again; there is one stretch more than kills.
    pub kills: usize,
}

/// What a run amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Operations of all clients.
    pub operations: usize,
    /// Versions written.
    pub versions: usize,
    /// Writes that nobody knows the end of.
    pub unanswered: usize,
    /// The longest time to an answer.
    pub slowest: Duration,
}

/// One operation on one register, with the instant that came back.
struct Seen {
    register: usize,
    operation: Operation,
    last_updated: Option<(u64, String)>,
}

/// Lets clients read and write a few resources, and checks that what they saw is linearizable, that versions
/// have no gap, and that `lastUpdated` never falls.
#[track_caller]
pub fn run(server: &mut Server, plan: Plan, random: &mut Random) -> Summary {
    let start = Instant::now();
    let mut seen = Vec::new();
    for stretch in 0..=plan.kills {
        let kill = stretch < plan.kills;
        seen.extend(one_stretch(server, plan, stretch, start, kill, random.bits()));
        if kill {
            server.wait_for_sessions_to_end();
            server.restart();
        }
    }
    let client = server.client("fhir");
    for register in 0..plan.registers {
        let answer = client
            .get(format!("/Patient/{}", id(register)))
            .send()
            .expect(200);
        let invoked = nanoseconds(start);
        seen.push(read_of(
            plan.clients,
            register,
            invoked,
            nanoseconds(start),
            &answer.json(),
        ));
    }
    judge(plan, &seen)
}

fn one_stretch(
    server: &mut Server,
    plan: Plan,
    stretch: usize,
    start: Instant,
    kill: bool,
    seed: u64,
) -> Vec<Seen> {
    let crowd = Crowd::new(&[server], "fhir", plan.clients);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (crowd, over) = (&crowd, &over);
        let running = scope.spawn(move || {
            crowd.race(|number, client| {
                let mut actor = Actor {
                    // A value names its writer and its place among that writer's writes.
                    next_value: (number as u64 + 1) * 10_000_000 + stretch as u64 * 100_000,
                    number,
                    plan,
                    start,
                    random: Random::new(mix(seed ^ number as u64)),
                    last_seen: vec![None; plan.registers],
                    seen: Vec::new(),
                };
                while !over.load(Ordering::SeqCst) && actor.act(client, kill) {}
                actor.seen
            })
        });
        // The load is on until its time is over, or a client has failed for good.
        poll(plan.stretch, || running.is_finished().then_some(()));
        if kill {
            server.kill9();
        }
        over.store(true, Ordering::SeqCst);
        match running.join() {
            Ok(seen) => seen.into_iter().flatten().collect(),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// One client at work.
struct Actor {
    number: usize,
    plan: Plan,
    start: Instant,
    random: Random,
    next_value: u64,
    /// The version of each register that this client knows of.
    last_seen: Vec<Option<u64>>,
    seen: Vec<Seen>,
}

impl Actor {
    /// Does one thing; false when the server is gone, which is a failure unless it may be killed.
    fn act(&mut self, client: &Client, may_be_killed: bool) -> bool {
        let register = self.random.below(self.plan.registers);
        let turn = self.random.below(100);
        let invoked = nanoseconds(self.start);
        let answer = match turn {
            0..40 => client.get(format!("/Patient/{}", id(register))).try_send(),
            40..50 => client.get(format!("/Patient?_id={}", id(register))).try_send(),
            _ => {
                self.next_value += 1;
                let mut request = client
                    .put(format!("/Patient/{}", id(register)))
                    .json(&body(register, self.next_value));
                if let (true, Some(version)) = (turn >= 75, self.last_seen[register]) {
                    request = request.header("If-Match", format!("W/\"{version}\""));
                }
                request.try_send()
            }
        };
        let completed = nanoseconds(self.start);
        match answer {
            Ok(answer) if turn < 50 => self.note_read(register, invoked, completed, &answer),
            Ok(answer) => self.note_write(register, invoked, completed, &answer),
            Err(failure) => {
                assert!(
                    may_be_killed,
                    "no answer from a server that nobody killed: {failure}"
                );
                if turn >= 50 {
                    self.note_unanswered(register, invoked);
                }
                return false;
            }
        }
        true
    }

    fn note_read(&mut self, register: usize, invoked: u64, completed: u64, answer: &Response) {
        let json = answer.json();
        let resource = match (answer.status, json["resourceType"].as_str()) {
            (404, _) => return,
            (200, Some("Bundle")) => json["entry"][0]["resource"].clone(),
            (200, _) => {
                assert_eq!(
                    json["meta"]["versionId"].as_str(),
                    Some(answer.version().to_string().as_str()),
                    "ETag and versionId differ: {answer:?}"
                );
                json
            }
            _ => panic!("a read was refused: {answer:?}"),
        };
        if resource.is_null() {
            // A search before the first write.
            return;
        }
        let read = read_of(self.number, register, invoked, completed, &resource);
        if let Some((version, _)) = read.last_updated {
            self.last_seen[register] = Some(version);
        }
        self.seen.push(read);
    }

    fn note_write(&mut self, register: usize, invoked: u64, completed: u64, answer: &Response) {
        let (outcome, last_updated) = match answer.status {
            200 | 201 => {
                let json = answer.json();
                let instant = json["meta"]["lastUpdated"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                self.last_seen[register] = Some(answer.version());
                (
                    Outcome::Acknowledged(answer.version()),
                    Some((answer.version(), instant)),
                )
            }
            412 => {
                // Somebody else was faster; learn the version anew by a read.
                self.last_seen[register] = None;
                (Outcome::Refused, None)
            }
            _ => panic!("a write was refused: {answer:?}"),
        };
        self.push_write(register, invoked, Some(completed), outcome, last_updated);
    }

    fn note_unanswered(&mut self, register: usize, invoked: u64) {
        self.push_write(register, invoked, None, Outcome::Unknown, None);
    }

    fn push_write(
        &mut self,
        register: usize,
        invoked: u64,
        completed: Option<u64>,
        outcome: Outcome,
        last_updated: Option<(u64, String)>,
    ) {
        let value = self.next_value;
        self.seen.push(Seen {
            register,
            operation: Operation {
                client: self.number,
                invoked,
                completed,
                action: Action::Write { value, outcome },
            },
            last_updated,
        });
    }
}

fn id(register: usize) -> String {
    format!("register-{register}")
}

fn body(register: usize, value: u64) -> Value {
    let mut body = Subject::Patient.body(register as u64);
    body["id"] = json!(id(register));
    body["name"] = json!([{ "family": format!("Valeur{value}") }]);
    body
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).expect("a test ends within 500 years")
}

#[track_caller]
fn read_of(client: usize, register: usize, invoked: u64, completed: u64, resource: &Value) -> Seen {
    let version = resource["meta"]["versionId"]
        .as_str()
        .and_then(|text| text.parse().ok());
    let value = resource["name"][0]["family"]
        .as_str()
        .and_then(|family| family.strip_prefix("Valeur")?.parse().ok());
    let (Some(version), Some(value)) = (version, value) else {
        panic!("a read without version or value: {resource}")
    };
    let instant = resource["meta"]["lastUpdated"].as_str().unwrap_or_default();
    Seen {
        register,
        operation: Operation {
            client,
            invoked,
            completed: Some(completed),
            action: Action::Read { version, value },
        },
        last_updated: Some((version, instant.to_owned())),
    }
}

#[track_caller]
fn judge(plan: Plan, seen: &[Seen]) -> Summary {
    let mut summary = Summary::default();
    for register in 0..plan.registers {
        let own: Vec<&Seen> = seen.iter().filter(|one| one.register == register).collect();
        let operations: Vec<Operation> = own.iter().map(|one| one.operation.clone()).collect();
        if let Err(violations) = check_register(&operations) {
            let shown: Vec<String> = violations.iter().take(5).map(ToString::to_string).collect();
            panic!(
                "register {register}: {} violations, the first:\n{}",
                violations.len(),
                shown.join("\n")
            );
        }
        let mut instants: BTreeMap<u64, &str> = BTreeMap::new();
        for (version, instant) in own.iter().filter_map(|one| one.last_updated.as_ref()) {
            let known = instants.entry(*version).or_insert(instant);
            assert_eq!(
                known, instant,
                "register {register}: version {version} has two lastUpdated"
            );
        }
        let history: Vec<(u64, &str)> = instants.iter().map(|(version, at)| (*version, *at)).collect();
        if let Err(problem) = check_last_updated(&history) {
            panic!("register {register}: {problem}");
        }
        let with = |wanted: fn(Outcome) -> bool| {
            let outcomes = operations.iter().filter_map(|one| match one.action {
                Action::Write { outcome, .. } => Some(outcome),
                Action::Read { .. } => None,
            });
            outcomes.filter(|outcome| wanted(*outcome)).collect::<Vec<_>>()
        };
        let acknowledged = with(|outcome| matches!(outcome, Outcome::Acknowledged(_)));
        let unanswered = with(|outcome| outcome == Outcome::Unknown).len();
        if unanswered == 0 {
            let versions: Vec<u64> = acknowledged
                .iter()
                .filter_map(|outcome| match outcome {
                    Outcome::Acknowledged(version) => Some(*version),
                    Outcome::Refused | Outcome::Unknown => None,
                })
                .collect();
            if let Err(problem) = check_consecutive(&versions) {
                panic!("register {register}: {problem}");
            }
        }
        let times = operations
            .iter()
            .filter_map(|one| one.completed?.checked_sub(one.invoked));
        summary.slowest = summary
            .slowest
            .max(Duration::from_nanos(times.max().unwrap_or(0)));
        summary.operations += operations.len();
        summary.versions += acknowledged.len();
        summary.unanswered += unanswered;
    }
    summary
}
