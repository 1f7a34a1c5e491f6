//! A table for people and JSON for machines.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::process;
use crate::statistics::{Statistics, percentile};
use crate::verify::Verified;

/// One workload at one number of connections.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The workload.
    pub workload: &'static str,
    /// Connections.
    pub connections: u16,
    /// Answered requests per second.
    pub per_second: f64,
    /// Latencies, statuses, failures.
    pub statistics: Statistics,
    /// CPU time of the server per request, in microseconds; without its database when that is another
    /// process.
    pub server_cpu: Option<f64>,
    /// CPU time of this generator per request, in microseconds.
    pub own_cpu: Option<f64>,
    /// Peak of the server's anonymous memory, in bytes.
    pub memory: Option<u64>,
    /// Of a race: rounds that left more than one resource, and all rounds.
    pub rounds_with_duplicates: Option<(u64, u64)>,
    /// What was found afterwards.
    pub verified: Verified,
}

/// One limit of the machine.
#[derive(Clone, Debug)]
pub struct Floor {
    name: &'static str,
    connections: u16,
    per_second: f64,
    sorted: Vec<u32>,
}

impl Floor {
    /// Of what was counted in `elapsed`.
    pub fn new(name: &'static str, connections: u16, elapsed: Duration, statistics: &Statistics) -> Floor {
        let per_second = statistics.count() as f64 / elapsed.as_secs_f64();
        Floor {
            name,
            connections,
            per_second,
            sorted: statistics.sorted(),
        }
    }
}

/// Everything of one run.
#[derive(Debug)]
pub struct Report {
    settings: Value,
    idle_memory: Option<u64>,
    floors: Vec<Floor>,
    measured: Vec<Measured>,
}

impl Report {
    /// Nothing measured yet.
    pub fn new(arguments: &Arguments) -> Report {
        let settings = json!({
            "stored": arguments.stored,
            "seconds": arguments.seconds,
            "rounds": arguments.rounds,
            "seed": arguments.seed,
            "first": arguments.first_number(),
            "database": arguments.database.as_deref().map(|_| "postgresql"),
        });
        Report {
            settings,
            idle_memory: None,
            floors: Vec::new(),
            measured: Vec::new(),
        }
    }

    /// Notes the server's memory before any load.
    pub fn note_start(&mut self, pid: Option<u32>) {
        self.idle_memory = pid.and_then(process::anonymous_memory);
    }

    /// Adds a floor.
    pub fn add_floor(&mut self, floor: Floor) {
        self.floors.push(floor);
    }

    /// Adds a workload, and says so at once: a full run takes minutes.
    pub fn add(&mut self, measured: Measured) {
        eprintln!(
            "{:<12} {:>4} × {:>9.0}/s",
            measured.workload, measured.connections, measured.per_second
        );
        self.measured.push(measured);
    }

    /// Whether nothing was lost, doubled or wrong.
    pub fn is_clean(&self) -> bool {
        self.measured
            .iter()
            .all(|one| one.verified.doubled == 0 && one.verified.lost == 0 && one.statistics.wrong == 0)
    }

    /// Prints the table.
    pub fn print(&self) {
        println!();
        if let Some(idle) = self.idle_memory {
            println!(
                "server memory before the load: {:.1} MB anonymous",
                megabytes(idle)
            );
        }
        println!(
            "{:<12} {:>5} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8} {:>8} {:>8}  answers",
            "workload",
            "conns",
            "req/s",
            "p50 ms",
            "p99 ms",
            "max ms",
            "of http",
            "srv µs",
            "gen µs",
            "RSS MB"
        );
        for floor in &self.floors {
            println!(
                "{}",
                line(floor.name, floor.connections, floor.per_second, &floor.sorted)
            );
        }
        for one in &self.measured {
            let figures = line(
                one.workload,
                one.connections,
                one.per_second,
                &one.statistics.sorted(),
            );
            let ratio = self.ratio_to_floor(one).map(|ratio| format!("{ratio:.2}"));
            println!(
                "{figures} {:>7} {:>8} {:>8} {:>8}  {}",
                ratio.unwrap_or_else(|| "-".to_owned()),
                shown(one.server_cpu),
                shown(one.own_cpu),
                shown(one.memory.map(megabytes)),
                answers(one)
            );
        }
    }

    /// Writes the figures as JSON to `path`, when there is one.
    pub fn save(&self, path: Option<&Path>) -> Result<(), String> {
        let Some(path) = path else { return Ok(()) };
        let floors: Vec<Value> = self.floors.iter().map(floor_json).collect();
        let workloads: Vec<Value> = self.measured.iter().map(measured_json).collect();
        let report = json!({
            "settings": self.settings,
            "idleMemoryBytes": self.idle_memory,
            "floors": floors,
            "workloads": workloads,
        });
        let text = format!("{report:#}\n");
        std::fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    /// Requests per second as a share of what this generator can ask for at as many connections.
    fn ratio_to_floor(&self, one: &Measured) -> Option<f64> {
        let same = |floor: &&Floor| floor.name == "floor-http" && floor.connections == one.connections;
        self.floors
            .iter()
            .find(same)
            .map(|floor| one.per_second / floor.per_second)
    }
}

fn line(name: &str, connections: u16, per_second: f64, sorted: &[u32]) -> String {
    let [half, most, all] =
        [50.0, 99.0, 100.0].map(|percent| f64::from(percentile(sorted, percent)) / 1000.0);
    format!("{name:<12} {connections:>5} {per_second:>9.0} {half:>9.2} {most:>9.2} {all:>9.2}")
}

/// Statuses, and whatever is not as it should be.
fn answers(one: &Measured) -> String {
    let statistics = &one.statistics;
    let mut words: Vec<String> = statistics
        .statuses
        .iter()
        .map(|(status, count)| format!("{status}×{count}"))
        .collect();
    if statistics.failures > 0 {
        words.push(format!("UNANSWERED×{}", statistics.failures));
    }
    if statistics.wrong > 0 {
        words.push(format!("WRONG×{}", statistics.wrong));
    }
    if let Some((doubled, rounds)) = one.rounds_with_duplicates {
        words.push(format!("rounds with duplicates {doubled}/{rounds}"));
    }
    let Verified {
        looked_for,
        doubled,
        lost,
    } = one.verified;
    if looked_for > 0 {
        words.push(format!("of {looked_for} checked: {doubled} doubled, {lost} lost"));
    }
    words.join("  ")
}

fn floor_json(floor: &Floor) -> Value {
    json!({
        "name": floor.name,
        "connections": floor.connections,
        "perSecond": round(floor.per_second),
        "p50Microseconds": percentile(&floor.sorted, 50.0),
        "p99Microseconds": percentile(&floor.sorted, 99.0),
        "maxMicroseconds": percentile(&floor.sorted, 100.0),
    })
}

fn measured_json(one: &Measured) -> Value {
    let sorted = one.statistics.sorted();
    let statuses: serde_json::Map<String, Value> = one
        .statistics
        .statuses
        .iter()
        .map(|(status, count)| (status.to_string(), json!(count)))
        .collect();
    json!({
        "workload": one.workload,
        "connections": one.connections,
        "perSecond": round(one.per_second),
        "p50Microseconds": percentile(&sorted, 50.0),
        "p99Microseconds": percentile(&sorted, 99.0),
        "maxMicroseconds": percentile(&sorted, 100.0),
        "statuses": statuses,
        "refused": one.statistics.refused(),
        "unanswered": one.statistics.failures,
        "wrong": one.statistics.wrong,
        "roundsWithDuplicates": one.rounds_with_duplicates.map(|(doubled, _)| doubled),
        "checked": one.verified.looked_for,
        "doubled": one.verified.doubled,
        "lost": one.verified.lost,
        "serverMicrosecondsPerRequest": one.server_cpu.map(round),
        "generatorMicrosecondsPerRequest": one.own_cpu.map(round),
        "memoryBytes": one.memory,
    })
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.1}"))
}

/// To one decimal: more digits would claim more than was measured.
fn round(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
