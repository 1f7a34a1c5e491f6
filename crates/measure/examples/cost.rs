//! What counting costs: nanoseconds per value of a histogram, alone and with threads that count the same.
//!
//! `cargo run --release -p measure --example cost`
#![allow(clippy::print_stdout, reason = "what an example is for")]

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use measure::Histogram;

const VALUES: u32 = 5_000_000;

fn main() {
    let times = Histogram::of_durations(&[
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    ]);
    for threads in [1, 2] {
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for value in 0..VALUES {
                        times.record_duration(Duration::from_micros(u64::from(black_box(value) % 3_000)));
                    }
                });
            }
        });
        let nanos = started.elapsed().as_nanos() as f64 / f64::from(VALUES);
        println!("{threads} thread(s): {nanos:.1} ns a value and thread");
    }
}
