//! The audit trail when what its own connection says or hears is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{AuditEntry, Durability, Options, Store, pause};

use crate::bench::{Bench, Case, Database};
use crate::cluster;
use crate::fixture::entry;
use crate::proxy::{Mode, Proxy};
use crate::schedules::Held;

pub const CASES: &[Case] = &[Case {
    name: "t9_an_audit_trail_whose_connection_is_lost_goes_on_and_doubles_nothing",
    on: &[Database::Postgres],
    run: |bench| Box::pin(an_audit_trail_goes_on(bench)),
    alone: true,
}];

/// How soon rows have to be there once the database answers again. PostgreSQL ends what hangs after 10 and 30 s.
const LIMIT: Duration = Duration::from_secs(5);
/// Rows while the connection is lost, and afterwards.
const ROWS: usize = 40;

fn row(case: &str, number: usize) -> AuditEntry {
    AuditEntry {
        request_id: format!("{case} {number}"),
        ..entry("ok")
    }
}

/// Waits until `rows` rows of a case are there, while others ask the same database.
async fn written(bench: &Bench, store: &Store, case: &str, rows: usize) {
    let begin = Instant::now();
    let sql = format!("SELECT count(*) AS number FROM audit WHERE request_id LIKE '{case} %'");
    loop {
        let _ = store.ready().await;
        let found = bench.number(&sql);
        if found >= i64::try_from(rows).unwrap() && store.levels().audit_rows == 0 {
            return;
        }
        assert!(
            begin.elapsed() < LIMIT,
            "{case}: {found} of {rows} rows are written"
        );
    }
}

async fn an_audit_trail_goes_on(bench: Arc<Bench>) {
    let proxy = Proxy::start(cluster::folder());
    let url = bench.url_through(&proxy);
    bench.open();
    let options = Options {
        durability: Durability::Unsafe,
        connections: 3,
        audit_delay: Duration::from_millis(20),
        patience: Duration::from_millis(500),
        ..Options::default()
    };
    let store = Store::open(&url, options).unwrap();
    let cases = [
        ("begin", None, Mode::Swallow),
        ("commit", Some(pause::TRAIL_COMMITTING), Mode::Swallow),
        ("answer", Some(pause::TRAIL_COMMITTING), Mode::Deafen),
    ];
    for (case, point, mode) in cases {
        // So that there is a connection to be lost.
        store.audit_later(row(case, 0)).unwrap();
        written(&bench, &store, case, 1).await;
        let lost = proxy.lost();
        let held = point.map(Held::at);
        if held.is_none() {
            proxy.set(mode);
        }
        for number in 1..=ROWS {
            store.audit_later(row(case, number)).unwrap();
        }
        if let Some(held) = held {
            held.wait();
            proxy.set(mode);
            held.release();
        }
        let begin = Instant::now();
        while proxy.lost() == lost {
            assert!(begin.elapsed() < LIMIT, "{case}: nothing was lost");
            tokio::task::yield_now().await;
        }
        proxy.set(Mode::Pass);
        for number in ROWS + 1..=2 * ROWS {
            store.audit_later(row(case, number)).unwrap();
        }
        written(&bench, &store, case, 2 * ROWS + 1).await;
    }
    // What hung on the lost connections ends with them, and writes nothing.
    bench.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    store.audit_later(row("last", 0)).unwrap();
    written(&bench, &store, "last", 1).await;
    let doubled = bench.lines("SELECT request_id AS line FROM audit GROUP BY request_id HAVING count(*) > 1");
    assert_eq!(doubled, Vec::<String>::new());
    store.close().await.unwrap();
}
