//! Steady load: one thread per connection, each waits for its answer before it sends again.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::http::{AnswerBody, Connection, Failure, Response, Timeouts};
use testkit::random::Random;

use crate::arguments::Arguments;
use crate::doors::{Door, DoorAccess, deep_page};
use crate::ehr;
use crate::process;
use crate::report::Measured;
use crate::requests::{Body, Plan, Writer};
use crate::statistics::Statistics;
use crate::verify;
use crate::workload::Workload;

/// Connections that store the resources a run starts from.
const PRELOAD_CONNECTIONS: usize = 64;
/// Failures in a row after which a thread gives up.
const MOST_FAILURES_IN_A_ROW: u32 = 20;
/// Keys that half of the clients of put-hot share.
const HOT_KEYS: usize = 8;
/// One answer in this many is looked into.
const LOOKED_INTO: u64 = 64;

/// What one thread wrote, by number, each with a 2xx answer.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Accounts.
    pub accounts: Vec<u64>,
    /// Patients.
    pub patients: Vec<u64>,
    /// Patients that came in through a partner door.
    pub partners: Vec<(Door, u64)>,
}

impl Written {
    fn merge(&mut self, other: Written) {
        self.accounts.extend(other.accounts);
        self.patients.extend(other.patients);
        self.partners.extend(other.partners);
    }
}

/// A connection that is opened again after a failure.
pub struct Line<'a> {
    plan: &'a Plan,
    connection: Option<Connection>,
    /// The last answer.
    pub response: Response,
    failures_in_a_row: u32,
}

impl<'a> Line<'a> {
    /// Not connected yet.
    pub fn new(plan: &'a Plan) -> Line<'a> {
        Line {
            plan,
            connection: None,
            response: Response::default(),
            failures_in_a_row: 0,
        }
    }

    /// Connects, unless connected.
    pub fn open(&mut self) -> Result<&mut Connection, Failure> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(self.plan.access.address, Timeouts::default())?);
        }
        Ok(self.connection.as_mut().expect("just opened"))
    }

    /// Sends `request` and reads the answer into `self.response`.
    pub fn exchange(&mut self, request: &[u8]) -> Result<(), Failure> {
        let mut response = std::mem::take(&mut self.response);
        let outcome = self
            .open()
            .and_then(|connection| connection.exchange(request, AnswerBody::Announced, &mut response));
        self.response = response;
        let closing = self
            .response
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if outcome.is_err() || closing {
            self.connection = None;
        }
        self.failures_in_a_row = if outcome.is_ok() {
            0
        } else {
            self.failures_in_a_row + 1
        };
        outcome
    }

    /// Whether the server seems to be gone.
    pub fn is_hopeless(&self) -> bool {
        self.failures_in_a_row >= MOST_FAILURES_IN_A_ROW
    }
}

/// Stores what `workloads` need, `total` resources in all, and notes it in the plan.
pub fn preload(plan: &mut Plan, workloads: &[Workload], total: u64) -> Result<(), String> {
    let accounts = workloads.iter().any(|workload| workload.needs_accounts());
    let patients = workloads.iter().any(|workload| workload.needs_patients());
    let share = if accounts && patients { total / 2 } else { total };
    let start = Instant::now();
    if accounts {
        plan.accounts = store(plan, share, "accounts", Plan::new_account, |writer, number| {
            writer.put_account(number, Body::Original);
        })?;
        plan.accounts.sort_unstable();
    }
    if patients {
        if workloads.contains(&Workload::SearchThree) {
            // Whom every patient names as its general practitioner, and the search shows beside.
            let next = AtomicU64::new(0);
            let number = |_: &Plan| next.fetch_add(1, Ordering::Relaxed);
            store(
                plan,
                ehr::PRACTITIONERS,
                "practitioners",
                number,
                |writer, number| {
                    writer.put_practitioner(number);
                },
            )?;
        }
        let stored = store(plan, share, "patients", Plan::new_patient, |writer, number| {
            writer.post_patient(number)
        })?;
        plan.patients = stored.into_iter().map(|(number, _)| number).collect();
        plan.patients.sort_unstable();
    }
    eprintln!(
        "stored {total} resources in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Writes down what was stored: a line for each account (number, id), then one for each patient (number).
///
/// # Errors
/// When the file cannot be written.
pub fn keep(plan: &Plan, file: &Path) -> Result<(), String> {
    let accounts = plan
        .accounts
        .iter()
        .map(|(number, id)| format!("{number} {id}\n"));
    let patients = plan.patients.iter().map(|number| format!("{number}\n"));
    let text: String = accounts.chain(patients).collect();
    std::fs::write(file, text).map_err(|error| format!("{} cannot be written: {error}", file.display()))
}

/// Takes what [`keep`] wrote, as if it had been stored by this run.
///
/// # Errors
/// When the file cannot be read, or is none.
pub fn take_kept(plan: &mut Plan, file: &Path) -> Result<(), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{} cannot be read: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    for line in text.lines() {
        let (number, id) = line
            .split_once(' ')
            .map_or((line, None), |(number, id)| (number, Some(id)));
        let number: u64 = number
            .parse()
            .map_err(|error: std::num::ParseIntError| wrong(&error))?;
        match id {
            Some(id) => {
                plan.new_account();
                plan.accounts.push((number, id.into()));
            }
            None => {
                plan.new_patient();
                plan.patients.push(number);
            }
        }
    }
    Ok(())
}

type Stored = Vec<(u64, Box<str>)>;

fn store(
    plan: &Plan,
    count: u64,
    what: &str,
    number: impl Fn(&Plan) -> u64 + Sync,
    write: impl Fn(&mut Writer<'_>, u64) + Sync,
) -> Result<Stored, String> {
    let (taken, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    let keep = || {
        let (mut writer, mut line) = (Writer::new(plan), Line::new(plan));
        let mut stored = Stored::new();
        while taken.fetch_add(1, Ordering::Relaxed) < count {
            let number = number(plan);
            write(&mut writer, number);
            line.exchange(&writer.request)
                .map_err(|failure| format!("while storing {what}: {failure}"))?;
            if !matches!(line.response.status, 200 | 201) {
                return Err(format!("while storing {what}:\n{:?}", line.response));
            }
            stored.push((number, line.response.id().into_boxed_str()));
            let so_far = done.fetch_add(1, Ordering::Relaxed) + 1;
            if so_far.is_multiple_of(10_000) {
                let rate = so_far as f64 / start.elapsed().as_secs_f64();
                eprintln!("storing {what}: {so_far} of {count}, {rate:.0}/s");
            }
        }
        Ok(stored)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..PRELOAD_CONNECTIONS).map(|_| scope.spawn(keep)).collect();
        let mut all = Stored::new();
        for one in threads {
            all.extend(one.join().map_err(|_| "a storing thread panicked".to_owned())??);
        }
        Ok(all)
    })
}

/// Runs one workload at `connections` connections, then checks what it wrote.
pub fn run(
    plan: &Plan,
    workload: Workload,
    connections: u16,
    arguments: &Arguments,
) -> Result<Measured, String> {
    let warm_up = Duration::from_millis(arguments.warm_up);
    let begin = Instant::now();
    let (measure_from, stop_at) = (begin + warm_up, begin + warm_up + arguments.duration());
    let (server_before, own_before) = cpu_times(plan);
    let mut outcome = Outcome::default();
    let mut memory = 0;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|number| scope.spawn(move || drive(plan, workload, number, measure_from, stop_at)))
            .collect();
        // Memory is looked at while the load lasts: its peak is what a machine must have.
        while Instant::now() < stop_at && !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            memory = memory.max(plan.access.pid.and_then(process::anonymous_memory).unwrap_or(0));
            thread::sleep(Duration::from_millis(200));
        }
        for one in threads {
            outcome.merge(one.join().expect("load threads do not panic"));
        }
    });
    let (server_after, own_after) = cpu_times(plan);
    if outcome.requests == 0 {
        return Err(format!("{}: not one answer", workload.name()));
    }
    let elapsed = measure_from
        .elapsed()
        .min(arguments.duration() + Duration::from_secs(1));
    let verified = verify::written(plan, &outcome.written)?;
    let per_request =
        |after: Option<u64>, before: Option<u64>| Some((after? - before?) as f64 / outcome.requests as f64);
    Ok(Measured {
        workload: workload.name(),
        connections,
        per_second: outcome.statistics.count() as f64 / elapsed.as_secs_f64(),
        server_cpu: per_request(server_after, server_before),
        own_cpu: per_request(own_after, own_before),
        memory: (memory > 0).then_some(memory),
        rounds_with_duplicates: None,
        statistics: outcome.statistics,
        verified,
    })
}

/// CPU time of the server and of this process so far, in microseconds.
pub fn cpu_times(plan: &Plan) -> (Option<u64>, Option<u64>) {
    (
        plan.access.pid.and_then(process::cpu_time),
        process::cpu_time(std::process::id()),
    )
}

/// What one thread, or all of them, did.
#[derive(Default)]
struct Outcome {
    statistics: Statistics,
    written: Written,
    /// Answered requests, those of the warm-up included.
    requests: u64,
}

impl Outcome {
    fn merge(&mut self, other: Outcome) {
        self.statistics.merge(other.statistics);
        self.written.merge(other.written);
        self.requests += other.requests;
    }
}

/// What a request that is about to be sent would have written.
enum Effect {
    Nothing,
    Account(u64),
    Patient(u64),
    Patients(Vec<u64>),
    Partner(Door, u64),
}

fn drive(plan: &Plan, workload: Workload, thread: u16, measure_from: Instant, stop_at: Instant) -> Outcome {
    let mut random = Random::new(plan.seed ^ u64::from(thread) << 32);
    let (mut writer, mut line) = (Writer::new(plan), Line::new(plan));
    let mut outcome = Outcome::default();
    let hot = thread.is_multiple_of(2);
    while !line.is_hopeless() {
        let effect = prepare(plan, workload, hot, &mut random, &mut writer);
        let sent = Instant::now();
        if sent >= stop_at {
            break;
        }
        let answered = line.exchange(&writer.request);
        let latency = sent.elapsed();
        if answered.is_err() {
            outcome.statistics.failures += 1;
            continue;
        }
        outcome.requests += 1;
        let status = line.response.status;
        if sent >= measure_from {
            outcome.statistics.answered(status, latency);
        }
        if (200..300).contains(&status) {
            match effect {
                Effect::Nothing => {}
                Effect::Account(number) => outcome.written.accounts.push(number),
                Effect::Patient(number) => outcome.written.patients.push(number),
                Effect::Patients(numbers) => outcome.written.patients.extend(numbers),
                Effect::Partner(door, number) => outcome.written.partners.push((door, number)),
            }
            if outcome.requests.is_multiple_of(LOOKED_INTO) && !holds(&line.response.body, &writer.proof) {
                outcome.statistics.wrong += 1;
            }
        }
    }
    outcome
}

fn prepare(
    plan: &Plan,
    workload: Workload,
    hot: bool,
    random: &mut Random,
    writer: &mut Writer<'_>,
) -> Effect {
    // Accounts of the first half change; those of the second keep the body they were stored with.
    let half = plan.accounts.len() / 2;
    match workload {
        Workload::PutNew => {
            let number = plan.new_account();
            writer.put_account(number, Body::Original);
            Effect::Account(number)
        }
        Workload::PutChanged | Workload::PutHot => {
            let among = if workload == Workload::PutHot && hot {
                HOT_KEYS
            } else {
                half
            };
            let (number, _) = plan.accounts[random.below(among)];
            writer.put_account(number, Body::Changed);
            Effect::Account(number)
        }
        Workload::PutSame => {
            let (number, _) = plan.accounts[half + random.below(plan.accounts.len() - half)];
            writer.put_account(number, Body::Original);
            Effect::Account(number)
        }
        Workload::Read => {
            writer.read_account(&plan.accounts[random.below(plan.accounts.len())].1);
            Effect::Nothing
        }
        Workload::Find => {
            writer.find_account(plan.accounts[random.below(plan.accounts.len())].0);
            Effect::Nothing
        }
        Workload::IneNew => {
            let number = plan.new_patient();
            writer.post_patient(number);
            Effect::Patient(number)
        }
        Workload::IneKnown => {
            let number = plan.patients[random.below(plan.patients.len())];
            writer.post_patient(number);
            Effect::Patient(number)
        }
        Workload::Demographics => {
            writer.find_by_demographics(plan.patients[random.below(plan.patients.len())]);
            Effect::Nothing
        }
        Workload::Mixed => {
            let chosen = match random.below(100) {
                0..35 => Workload::Read,
                35..70 => Workload::Find,
                70..95 => Workload::PutChanged,
                _ => Workload::PutNew,
            };
            prepare(plan, chosen, hot, random, writer)
        }
        Workload::Create(door) => {
            let number = plan.new_patient();
            writer.post_through(doors(plan), door, number);
            Effect::Partner(door, number)
        }
        Workload::ListFirst | Workload::ListDeep => {
            let stored = plan.patients.len() as u64;
            let page = if workload == Workload::ListFirst {
                1
            } else {
                deep_page(stored)
            };
            writer.list_page(doors(plan), page);
            Effect::Nothing
        }
        Workload::SearchThree => {
            writer.search_by_three(plan.patients[random.below(plan.patients.len())]);
            Effect::Nothing
        }
        Workload::HistoryPage => {
            writer.history_page();
            Effect::Nothing
        }
        Workload::HistoryOne => {
            writer.history_of(&plan.accounts[random.below(plan.accounts.len())].1);
            Effect::Nothing
        }
        Workload::Transaction => {
            let numbers: Vec<u64> = (0..ehr::ENTRIES).map(|_| plan.new_patient()).collect();
            writer.post_transaction(&numbers);
            Effect::Patients(numbers)
        }
        Workload::Race | Workload::RacePost => unreachable!("races run in rounds"),
    }
}

/// The doors; a run with their workloads has been refused without.
pub fn doors(plan: &Plan) -> &DoorAccess {
    plan.doors.as_ref().expect("the run was checked for them")
}

/// Whether `body` holds `proof`; an empty proof proves nothing.
pub fn holds(body: &[u8], proof: &str) -> bool {
    proof.is_empty() || body.windows(proof.len()).any(|window| window == proof.as_bytes())
}
