//! What the programme consists of.

use testkit::server::Backend;

use crate::programme::Programme;
use crate::{load, outages, races};

/// A part that can be chosen by name.
pub struct Part {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What it tries, for `--help`.
    pub about: &'static str,
    /// The databases that it makes sense on.
    pub databases: &'static [Backend],
    /// Runs its rounds.
    pub run: fn(&mut Programme<'_>),
}

const BOTH: &[Backend] = &[Backend::Sqlite, Backend::Postgres];

const SQLITE: &[Backend] = &[Backend::Sqlite];
const POSTGRES: &[Backend] = &[Backend::Postgres];

/// Every part, in the order in which they run.
pub const PARTS: &[Part] = &[
    Part {
        name: "t1",
        about: "64 clients push the same resource at once: one is left, with versions in order;
         on PostgreSQL also through two server processes",
        databases: BOTH,
        run: races::upserts,
    },
    Part {
        name: "t2",
        about: "64 clients mix conditional PUT, If-None-Exist and POST on one identifier",
        databases: BOTH,
        run: races::mixes,
    },
    Part {
        name: "t3",
        about: "64 clients write on the condition of the same If-Match: one gets through",
        databases: BOTH,
        run: races::if_match,
    },
    Part {
        name: "t5",
        about: "16 clients read and write registers: what they saw is linearizable; once undisturbed, once with kills",
        databases: BOTH,
        run: races::registers,
    },
    Part {
        name: "t6",
        about: "kill -9 under load: everything acknowledged is there afterwards",
        databases: BOTH,
        run: races::kills,
    },
    Part {
        name: "t7",
        about: "500 writes under strace: each is flushed before its answer",
        databases: SQLITE,
        run: load::flush_order,
    },
    Part {
        name: "t9",
        about: "the database is away (refuses, resets, swallows): 503 within 2 s, served again within 5 s of its return",
        databases: POSTGRES,
        run: outages::database_away,
    },
    Part {
        name: "t10",
        about: "the answer to a COMMIT is lost 200 times: 503, and one resource after the same request again",
        databases: POSTGRES,
        run: outages::lost_answer,
    },
    Part {
        name: "t11",
        about: "the disk is full, the log's too: 507 for writes, 200 for reads, writing again by itself",
        databases: BOTH,
        run: outages::disk_full,
    },
    Part {
        name: "failover",
        about: "two PostgreSQL servers, the primary is killed, the standby promoted: nothing acknowledged is lost",
        databases: POSTGRES,
        run: outages::failover,
    },
    Part {
        name: "t33",
        about:
            "SIGTERM under load: every request let in is answered, the end comes within 10 s; with 20 drippers
         in every fifth round",
        databases: BOTH,
        run: outages::terminate,
    },
    Part {
        name: "t25",
        about: "10,000 wrong keys from one address and from 50: 429 after the free ones, and the owner gets in",
        databases: BOTH,
        run: load::brute_force,
    },
    Part {
        name: "t35",
        about: "from each earlier schema with 100,000 resources up, down and up, killed 20 times: the same data",
        databases: BOTH,
        run: outages::migrations,
    },
    Part {
        name: "t29",
        about: "1,000 idle clients, 200 slow headers, 200 slow bodies beside 50 honest requests/s, 60 s",
        databases: BOTH,
        run: load::slow_clients,
    },
    Part {
        name: "t30",
        about: "three times the peak for 60 s: refusals within 50 ms, 80 % of the peak served, normal 5 s after",
        databases: BOTH,
        run: load::overload,
    },
    Part {
        name: "t32",
        about: "10 minutes at 80 % of the peak: memory, descriptors, latency and write-ahead log stay as they are",
        databases: BOTH,
        run: load::soak,
    },
];
