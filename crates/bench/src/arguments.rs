//! The command line.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;

use crate::workload::Workload;

/// Measures a Passerelle server over loopback HTTP.
///
/// Either name a running server (--base, --bearer, and --pid for its memory and CPU), or let --demo start
/// one on a fresh database. Each workload runs at each number of connections, on the same stored data;
/// afterwards what was written is searched for, and lost or doubled resources are reported (exit code 1).
///
/// Examples:
///   bench --demo --workload put-new,read,race --stored 10000
///   bench --demo --database temporary --connections 16,64 --json out.json
///   bench --base http://127.0.0.1:8080 --bearer sk_test_… --pid 4711 --workload mixed
///   bench --floor --seconds 2
#[derive(Debug, Parser)]
#[command(name = "bench", version, verbatim_doc_comment)]
pub struct Arguments {
    /// Base URL of a running server; http and a loopback address only. /fhir is added when it has no path
    #[arg(long, value_name = "URL", conflicts_with = "demo")]
    pub base: Option<String>,

    /// API key of a client that may do everything on Patient and Practitioner
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true,
        env = "BENCH_BEARER"
    )]
    pub bearer: String,

    /// Process number of the server, for memory and CPU
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,

    /// Start a server of its own, on SQLite in a temporary folder (TMPDIR decides where)
    #[arg(long)]
    pub demo: bool,

    /// With --demo: a PostgreSQL URL, or `temporary` for a cluster of its own
    #[arg(long, value_name = "URL", requires = "demo")]
    pub database: Option<String>,

    /// With --demo: the binary, instead of `passerelle` beside this one
    #[arg(long, value_name = "PATH", requires = "demo")]
    pub binary: Option<PathBuf>,

    /// What to run, comma-separated: put-new, put-changed, put-same, put-hot, race, race-post, read, find,
    /// ine-new, ine-known, demographics, mixed; search-3, history-page, history-one, transaction-20; with --demo also
    /// the partner doors' cloud, connect, graph, preperson, list-first, list-1000; or all (the first twelve)
    #[arg(long, value_name = "LIST", value_parser = Workload::parse_list, default_value = "all")]
    pub workload: WorkloadList,

    /// Numbers of connections, comma-separated; each is one thread that waits for each answer
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "64",
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    pub connections: Vec<u16>,

    /// Resources stored before anything is measured, shared between the types the workloads need
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=5_000_000))]
    pub stored: u64,

    /// How long each workload is measured, in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,

    /// How long each workload runs before it is measured, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub warm_up: u64,

    /// Rounds of the race workloads
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,

    /// Remember in this file what was stored; when it is there, nothing is stored again and the same is measured. For runs on
    /// one database, with the same --first and --stored
    #[arg(long, value_name = "FILE", requires = "first")]
    pub kept: Option<PathBuf>,
    /// Number of the first invented person; by default taken from the clock, so that runs on one database
    /// do not meet, and 0 with --demo
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=900_000_000))]
    pub first: Option<u64>,

    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Also measure what the machine allows: this generator against a trivial responder, and flushes of
    /// 4 KiB to the disk
    #[arg(long)]
    pub floor: bool,

    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The workloads asked for, in order.
pub type WorkloadList = std::sync::Arc<[Workload]>;

impl Arguments {
    /// How long each workload is measured.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Number of the first invented person of this run.
    pub fn first_number(&self) -> u64 {
        /// Numbers one run may use up before it meets the next one's.
        const NUMBERS_PER_RUN: u64 = 10_000_000;
        self.first.unwrap_or_else(|| {
            if self.demo {
                return 0;
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.as_secs() % 90 * NUMBERS_PER_RUN
        })
    }
}
