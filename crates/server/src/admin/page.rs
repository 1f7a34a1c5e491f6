//! What `/metrics` says. `docs/OPERATIONS.md` explains each family; a test holds the two together.

use std::time::{Instant, UNIX_EPOCH};

use measure::{Kind, Page};
use store::meters::Levels;

use super::process;
use crate::app::App;
use crate::health::Readiness;
use crate::panic::PANICS;

/// The page, of this instant.
pub fn of(app: &App, readiness: Readiness) -> String {
    let mut page = Page::default();
    let levels = app.engine.store().levels();
    server(&mut page, app, readiness, &levels);
    requests(&mut page, app);
    store(&mut page, app, &levels);
    spans(&mut page, app);
    own_process(&mut page, app);
    page.into_text()
}

fn server(page: &mut Page, app: &App, readiness: Readiness, levels: &Levels) {
    page.family(
        "passerelle_build_info",
        Kind::Gauge,
        "1; the labels say what runs.",
    )
    .labelled(
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("database", levels.database),
        ],
        1.0,
    );
    let ready = f64::from(u8::from(readiness == Readiness::Ready));
    page.family(
        "passerelle_ready",
        Kind::Gauge,
        "1 when requests should be sent here, else 0.",
    )
    .value(ready);
    page.family(
        "passerelle_panics_total",
        Kind::Counter,
        "Faults of the program that a request met.",
    )
    .value(PANICS.get() as f64);
    page.family(
        "passerelle_http_in_flight",
        Kind::Gauge,
        "Requests that are worked on, health and what anybody may ask left out.",
    )
    .value(app.in_flight() as f64);
    page.family(
        "passerelle_http_in_flight_limit",
        Kind::Gauge,
        "How many are let in in any case; less while there is too much to do.",
    )
    .value(app.in_flight_limit(Instant::now()) as f64);
}

fn requests(page: &mut Page, app: &App) {
    let mut family = page.family(
        "passerelle_http_request_duration_seconds",
        Kind::Histogram,
        "From the head of a request to the head of its answer.",
    );
    for answers in app.meters.answers() {
        let labels = [
            ("door", answers.door),
            ("route", answers.route),
            ("method", answers.method),
            ("status", answers.status),
        ];
        family.histogram(&labels, answers.times);
    }
    let mut family = page.family(
        "passerelle_refusals_total",
        Kind::Counter,
        "Requests that were refused, by the code of the first issue.",
    );
    for (door, code, count) in app.meters.refusals() {
        family.labelled(&[("door", door), ("code", code)], count as f64);
    }
}

fn spans(page: &mut Page, app: &App) {
    let [sent, dropped] = app.spans.as_ref().map_or([0, 0], |spans| {
        [spans.fates().sent.get(), spans.fates().dropped.get()]
    });
    page.family(
        "passerelle_spans_sent_total",
        Kind::Counter,
        "Spans that the OpenTelemetry collector has taken.",
    )
    .value(sent as f64);
    page.family(
        "passerelle_spans_dropped_total",
        Kind::Counter,
        "Spans that were dropped: too many waited, or the collector did not take them.",
    )
    .value(dropped as f64);
}

fn store(page: &mut Page, app: &App, levels: &Levels) {
    let meters = app.engine.store().meters();
    store_levels(page, levels, meters.waits.waiting.get());
    let histograms = [
        (
            "passerelle_store_connection_wait_seconds",
            "How long those waited who found no free connection.",
            &meters.waits.took,
        ),
        (
            "passerelle_store_commit_seconds",
            "The time of each COMMIT of writes.",
            &meters.commit,
        ),
        (
            "passerelle_store_group_writes",
            "Writes in each commit (SQLite).",
            &meters.group,
        ),
        (
            "passerelle_store_checkpoint_seconds",
            "The time of each checkpoint (SQLite).",
            &meters.checkpoint,
        ),
    ];
    for (name, help, histogram) in histograms {
        page.family(name, Kind::Histogram, help).histogram(&[], histogram);
    }
    let counters = [
        (
            "passerelle_store_commit_failures_total",
            "Commits that failed.",
            &meters.failed_commits,
        ),
        (
            "passerelle_store_reruns_total",
            "Writes or groups that were run again because another one was in the way.",
            &meters.reruns,
        ),
    ];
    for (name, help, counter) in counters {
        page.family(name, Kind::Counter, help).value(counter.get() as f64);
    }
}

fn store_levels(page: &mut Page, levels: &Levels, waiting: u64) {
    let gauges: [(&'static str, &str, Option<u64>); 8] = [
        (
            "passerelle_store_connections_in_use",
            "Database connections in use.",
            Some(levels.connections_in_use),
        ),
        (
            "passerelle_store_connections_limit",
            "How many there may be.",
            Some(levels.connections_limit),
        ),
        (
            "passerelle_store_connections_waiting",
            "Who waits for one.",
            Some(waiting),
        ),
        (
            "passerelle_store_write_queue",
            "Writes in the queue of SQLite's writer.",
            Some(levels.queued_writes),
        ),
        (
            "passerelle_store_file_bytes",
            "The size of SQLite's file.",
            levels.file_bytes,
        ),
        (
            "passerelle_store_log_bytes",
            "The size of SQLite's write-ahead log.",
            levels.log_bytes,
        ),
        (
            "passerelle_audit_backlog_rows",
            "Audit rows that are not written yet.",
            Some(levels.audit_rows),
        ),
        (
            "passerelle_audit_backlog_limit",
            "How many there may be; then requests are refused.",
            Some(levels.audit_limit),
        ),
    ];
    for (name, help, value) in gauges {
        let mut family = page.family(name, Kind::Gauge, help);
        if let Some(value) = value {
            family.value(value as f64);
        }
    }
}

/// Under the names that every Prometheus client uses.
fn own_process(page: &mut Page, app: &App) {
    let started = app.meters.started.duration_since(UNIX_EPOCH).ok();
    let families: [(&'static str, Kind, &str, Option<f64>); 6] = [
        (
            "process_cpu_seconds_total",
            Kind::Counter,
            "Processor time.",
            process::cpu_seconds(),
        ),
        (
            "process_resident_memory_bytes",
            Kind::Gauge,
            "Memory in RAM.",
            process::resident_bytes(),
        ),
        (
            "process_open_fds",
            Kind::Gauge,
            "Open files and sockets.",
            process::open_files(),
        ),
        (
            "process_max_fds",
            Kind::Gauge,
            "How many there may be.",
            process::open_files_limit(),
        ),
        ("process_threads", Kind::Gauge, "Threads.", process::threads()),
        (
            "process_start_time_seconds",
            Kind::Gauge,
            "When the server began to serve, seconds since 1970.",
            started.map(|since| since.as_secs_f64()),
        ),
    ];
    for (name, kind, help, value) in families {
        let mut family = page.family(name, kind, help);
        if let Some(value) = value {
            family.value(value);
        }
    }
}
