//! T7, T25, T29, T30 and T32: what is promised of a server that works.

use std::time::Duration;

use testkit::cores::Halves;
use testkit::postgres::Postgres;
use testkit::server::{Backend, Server};
use testkit::strace;
use testkit::torture::trend::Trend;
use testkit::torture::{brute_force, flush_order, overload, slow_clients, soak};

use crate::programme::Programme;

/// T7: each write is flushed before its answer.
pub fn flush_order(programme: &mut Programme<'_>) {
    let writes = programme.options.share(500);
    programme.told("T7", || {
        assert!(
            strace::available(),
            "strace is not installed, or tracing is forbidden"
        );
        flush_order::run(&programme.options.binary, writes);
        format!("{writes} of {writes} writes were flushed before their answer")
    });
}

/// T25: wrong keys by the thousand.
pub fn brute_force(programme: &mut Programme<'_>) {
    let Some(server) = programme.server("T25") else {
        return;
    };
    let guesses = usize::try_from(programme.options.share(10_000)).unwrap();
    for (net, addresses) in [(1, 1), (2, 50)] {
        programme.told(&format!("T25 from {addresses}"), || {
            let attack = brute_force::attack(&server, net, addresses, guesses);
            format!(
                "{} wrong keys answered 401, {} 429; the owner got in {} times, the slowest {} ms",
                attack.denied,
                attack.slowed,
                attack.owner,
                attack.slowest.as_millis()
            )
        });
    }
}

/// T29: slow clients beside honest ones.
pub fn slow_clients(programme: &mut Programme<'_>) {
    let Some(server) = programme.server("T29") else {
        return;
    };
    let plan = slow_clients::Plan {
        idle: 1_000,
        slow_heads: 200,
        slow_bodies: 200,
        rate: 50.0,
        // Shorter than the time in which slow ones are cut would show nothing.
        stretch: Duration::from_secs(programme.options.share(60).max(20)),
        cut_limit: Duration::from_secs(15),
        factor: 2.0,
    };
    programme.told("T29", || {
        let outcome = slow_clients::run(&server, plan);
        format!(
            "{} slow connections cut, the longest after {:.1} s; p99 of honest requests {:.1} ms alone, {:.1} ms beside; \
             descriptors {:?} before, at most, after",
            outcome.cut,
            outcome.longest.as_secs_f64(),
            millis(outcome.alone),
            millis(outcome.beside),
            outcome.descriptors
        )
    });
}

/// T30: three times the peak.
pub fn overload(programme: &mut Programme<'_>) {
    on_halves(programme, "T30", overload_of);
}

/// The server (and PostgreSQL) has one half of the cores, the clients have the other: they stand for other machines,
/// and what they need would be taken from what the peak was measured with.
fn on_halves(programme: &mut Programme<'_>, part: &'static str, run: fn(&mut Programme<'_>, &Server)) {
    let cores = Halves::of_this_process();
    let database = (programme.backend == Backend::Postgres).then(|| Postgres::shared().pid());
    if let Some(database) = database {
        cores.move_to_first(database);
    }
    if let Some(server) = cores.start_on_first(|| programme.server(part)) {
        run(programme, &server);
    }
    for pid in database.into_iter().chain([std::process::id()]) {
        cores.set_free(pid);
    }
}

fn overload_of(programme: &mut Programme<'_>, server: &Server) {
    let plan = overload::Plan {
        peak: Duration::from_secs(programme.options.share(10).max(2)),
        normal: Duration::from_secs(programme.options.share(20).max(2)),
        stretch: Duration::from_secs(programme.options.share(60)),
        refusal_limit: Duration::from_millis(50),
        served: 0.8,
        normal_after: Duration::from_secs(5),
    };
    programme.told("T30", || {
        let outcome = overload::run(server, plan);
        format!(
            "{:.0} writes/s flat out, peak {:.0} before, {:.0} after; {:.0}/s asked for, {:.0}/s sent, {:.0}/s served ({:.0} % of the higher peak); \
             {} refused, p99 {:.1} ms; p99 of a normal load {:.1} ms after a peak as long (slowest second {:.1} ms), {:.1} ms after this ({:.1} ms)",
            outcome.peaks.0.flat_out,
            outcome.peaks.0.peak,
            outcome.peaks.1.peak,
            outcome.offered.0,
            outcome.offered.1,
            outcome.served,
            100.0 * outcome.served / outcome.peak(),
            outcome.refused,
            millis(outcome.refusals),
            millis(outcome.normal.0.p99),
            millis(outcome.normal.0.slowest),
            millis(outcome.normal.1.p99),
            millis(outcome.normal.1.slowest)
        )
    });
}

/// T32: a long day at 80 % of the peak.
pub fn soak(programme: &mut Programme<'_>) {
    on_halves(programme, "T32", soak_of);
}

fn soak_of(programme: &mut Programme<'_>, server: &Server) {
    let plan = soak::Plan {
        peak: Duration::from_secs(programme.options.share(20).max(2)),
        stretch: Duration::from_secs(programme.options.share(600)),
        growth_per_hour: 0.01,
        drift: 0.2,
        log_limit: 64 * 1024 * 1024,
        more_descriptors: 8,
    };
    programme.told("T32", || {
        let outcome = soak::run(server, plan);
        let tenth = |tenth: &soak::Tenth| {
            let (p50, p99) = (millis(tenth.p50), millis(tenth.p99));
            let memory = mebibytes(tenth.memory);
            format!("{p50:.1} ms, {p99:.1} ms, {:.2}, {:.3} ms, {memory:.1} MiB", tenth.cores, millis(tenth.work))
        };
        let tenths: Vec<String> = outcome.tenths.iter().map(tenth).collect();
        format!(
            "{:.0} requests/s flat out, peak {:.0}; {} served; memory {:.1} MiB after the warm-up, {:.1} MiB at the end ({} an hour); \
             descriptors {}, at most {}; p99 {:.1} ms, at the end {:.1} ms ({}); write-ahead log at most {:.1} MiB; \
             tenths (p50, p99, cores of the server, the same work, most memory): {}",
            outcome.flat_out,
            outcome.peak,
            outcome.served,
            mebibytes(outcome.memory.0),
            mebibytes(outcome.memory.1),
            percent(outcome.growth_per_hour),
            outcome.descriptors.0,
            outcome.descriptors.1,
            millis(outcome.p99.0),
            millis(outcome.p99.1),
            factor(outcome.drift),
            mebibytes(outcome.log),
            tenths.join("; ")
        )
    });
}

/// A part of something, with two standard errors.
fn percent(trend: Trend) -> String {
    format!("{:+.1} ± {:.1} %", trend.slope * 100.0, trend.error * 200.0)
}

/// By what something is multiplied whose logarithm has this trend, and the two ends of what two standard errors leave open.
fn factor(trend: Trend) -> String {
    let [middle, low, high] = [0.0, -2.0, 2.0].map(|errors| (trend.slope + errors * trend.error).exp());
    format!("x {middle:.2}, between {low:.2} and {high:.2}")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
