//! Rounds in which many clients send the same new person at once; one resource may come of each.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::load::{self, Line, Written};
use crate::process;
use crate::report::Measured;
use crate::requests::{Body, Plan, Writer};
use crate::statistics::Statistics;
use crate::verify;
use crate::workload::Workload;

/// Clients that meet in each round.
const CLIENTS: u16 = 32;

/// Runs `rounds` rounds, then counts the resources of each.
pub fn run(plan: &Plan, workload: Workload, rounds: u32) -> Result<Measured, String> {
    let numbers: Vec<u64> = (0..rounds)
        .map(|_| {
            if workload == Workload::Race {
                plan.new_account()
            } else {
                plan.new_patient()
            }
        })
        .collect();
    let barrier = Barrier::new(usize::from(CLIENTS));
    let (server_before, own_before) = load::cpu_times(plan);
    let begin = Instant::now();
    let mut statistics = Statistics::default();
    thread::scope(|scope| {
        let (barrier, numbers) = (&barrier, &numbers);
        let threads: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(move || take_part(plan, workload, numbers, barrier)))
            .collect();
        for one in threads {
            statistics.merge(one.join().expect("race threads do not panic"));
        }
    });
    let elapsed = begin.elapsed();
    let (server_after, own_after) = load::cpu_times(plan);
    let written = match workload {
        Workload::Race => Written {
            accounts: numbers,
            ..Written::default()
        },
        _ => Written {
            patients: numbers,
            ..Written::default()
        },
    };
    let verified = verify::all(plan, &written)?;
    let requests = statistics.count().max(1) as f64;
    let per_request = |after: Option<u64>, before: Option<u64>| Some((after? - before?) as f64 / requests);
    Ok(Measured {
        workload: workload.name(),
        connections: CLIENTS,
        per_second: requests / elapsed.as_secs_f64(),
        server_cpu: per_request(server_after, server_before),
        own_cpu: per_request(own_after, own_before),
        memory: plan.access.pid.and_then(process::anonymous_memory),
        rounds_with_duplicates: Some((verified.doubled, u64::from(rounds))),
        statistics,
        verified,
    })
}

fn take_part(plan: &Plan, workload: Workload, numbers: &[u64], barrier: &Barrier) -> Statistics {
    let (mut writer, mut line) = (Writer::new(plan), Line::new(plan));
    let mut statistics = Statistics::default();
    for number in numbers {
        match workload {
            Workload::Race => writer.put_account(*number, Body::Original),
            _ => writer.post_patient(*number),
        }
        // Connected before the start: the race is about the writes. A failure shows in the exchange.
        let _ = line.open();
        barrier.wait();
        let sent = Instant::now();
        match line.exchange(&writer.request) {
            Ok(()) => statistics.answered(line.response.status, sent.elapsed()),
            Err(_) => statistics.failures += 1,
        }
    }
    statistics
}
