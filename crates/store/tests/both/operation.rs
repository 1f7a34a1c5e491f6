//! Opening, migrating, the audit trail, closing, and a database that goes away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Durability, LockSet, Options, Store, StoreError};

use crate::bench::{BOTH, Bench, Case, Database, SPACE};
use crate::cases;
use crate::cluster;
use crate::fixture::{entry, find, get, id, insert, patient, target};
use crate::proxy::{Mode, Proxy};

cases![
    migrations_go_up_down_and_up_again_to_the_same_tables,
    a_schema_of_a_newer_server_is_refused_with_advice,
    a_new_database_is_not_ready_before_it_is_migrated,
    audit_rows_of_reads_are_written_soon_and_at_the_latest_when_closing,
    a_closed_store_accepts_nothing_and_has_kept_everything,
    two_processes_may_migrate_at_once,
    many_readers_share_few_connections,
];

pub const SERVER_CASES: &[Case] = &[
    Case {
        name: "a_server_that_may_lose_writes_is_refused",
        on: &[Database::Postgres],
        run: |bench| Box::pin(a_server_that_may_lose_writes_is_refused(bench)),
        alone: false,
    },
    Case {
        name: "cut_connections_heal_by_themselves",
        on: &[Database::Postgres],
        run: |bench| Box::pin(cut_connections_heal_by_themselves(bench)),
        alone: false,
    },
    Case {
        name: "t9_a_database_that_swallows_requests_is_noticed_and_its_return_too",
        on: &[Database::Postgres],
        run: |bench| Box::pin(a_database_that_swallows_requests(bench)),
        // It measures time.
        alone: true,
    },
    Case {
        name: "no_error_of_opening_holds_the_password",
        on: &[Database::Sqlite],
        run: |bench| Box::pin(no_error_of_opening_holds_the_password(bench)),
        alone: false,
    },
    Case {
        name: "a_full_disk_refuses_writes_and_serves_reads",
        on: &[Database::Sqlite],
        run: |bench| Box::pin(a_full_disk_refuses_writes_and_serves_reads(bench)),
        alone: false,
    },
    Case {
        name: "durable_writes_survive_reopening",
        on: BOTH,
        run: |bench| Box::pin(durable_writes_survive_reopening(bench)),
        alone: false,
    },
];

/// What the database is made of, as one number's worth of text is not: names of tables and columns.
fn shape(bench: &Bench) -> String {
    let sql = match bench.database {
        Database::Sqlite => {
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_master \
             WHERE name NOT LIKE '%diesel_schema_migrations%' ORDER BY type, name"
        }
        Database::Postgres => {
            "SELECT line FROM (SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
             || ' ' || coalesce(collation_name, '') AS line FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%' \
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_%') AS shape \
             ORDER BY line"
        }
    };
    bench.lines(sql).join("\n")
}

/// How many there are.
fn migrations() -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite");
    std::fs::read_dir(folder).unwrap().count()
}

async fn migrations_go_up_down_and_up_again_to_the_same_tables(bench: Arc<Bench>) {
    let store = bench.open();
    let up = shape(&bench);
    assert!(up.contains("identifier_key") && up.contains("medicapp_record"));
    assert!(up.contains("client_certificate"));
    assert!(store.pending_migrations().unwrap().is_empty());
    store.unmigrate().unwrap();
    assert_eq!(shape(&bench), "", "something is left");
    assert_eq!(store.pending_migrations().unwrap().len(), migrations());
    store.migrate().unwrap();
    assert_eq!(shape(&bench), up);
    insert(&store.for_space(SPACE), "a", patient("1", "Dupont"))
        .await
        .unwrap();
}

async fn a_schema_of_a_newer_server_is_refused_with_advice(bench: Arc<Bench>) {
    let store = bench.open();
    bench.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    for refused in [
        store.migrate().unwrap_err(),
        store.pending_migrations().unwrap_err(),
        Store::open(&bench.url, bench.options()).map(|_| ()).unwrap_err(),
    ] {
        let StoreError::Refused(text) = refused else {
            panic!("{refused:?}")
        };
        assert!(
            text.contains("99990101000000") && text.contains("Start that server"),
            "{text}"
        );
    }
}

async fn a_new_database_is_not_ready_before_it_is_migrated(bench: Arc<Bench>) {
    let store = Store::open(&bench.url, bench.options()).unwrap();
    assert_eq!(store.pending_migrations().unwrap().len(), migrations());
    assert!(store.ready().await.is_err());
    store.migrate().unwrap();
    store.ready().await.unwrap();
}

async fn audit_rows_of_reads_are_written_soon_and_at_the_latest_when_closing(bench: Arc<Bench>) {
    let store = bench.open();
    for _ in 0..100 {
        store.audit_later(entry("unchanged")).unwrap();
    }
    let count = "SELECT count(*) AS number FROM audit WHERE outcome = 'unchanged'";
    let until = Instant::now() + Duration::from_secs(10);
    while bench.number(count) < 100 {
        assert!(Instant::now() < until, "the audit trail is not written");
        tokio::task::yield_now().await;
    }
    for _ in 0..50 {
        store.audit_later(entry("unchanged")).unwrap();
    }
    store.close().await.unwrap();
    assert_eq!(bench.number(count), 150);
    let order = "SELECT count(DISTINCT seq) AS number FROM audit WHERE space = 7";
    assert_eq!(bench.number(order), 150);
}

async fn a_closed_store_accepts_nothing_and_has_kept_everything(bench: Arc<Bench>) {
    let store = bench.open();
    let space = store.for_space(SPACE);
    let writes: Vec<_> = (0..40)
        .map(|number| {
            let space = space.clone();
            tokio::spawn(async move {
                let name = format!("n{number}");
                let outcome: Result<_, StoreError> = space
                    .write(LockSet::default(), move |tx| {
                        tx.insert(&id(&name), &patient(&name, "Dupont"), "author")
                    })
                    .await;
                outcome.is_ok()
            })
        })
        .collect();
    store.close().await.unwrap();
    let mut kept = 0;
    for write in writes {
        kept += usize::from(write.await.unwrap());
    }
    assert!(store.audit_later(entry("late")).is_err());
    let again = bench.open();
    assert_eq!(find(&again.for_space(SPACE), "family=dupont").await.len(), kept);
}

async fn two_processes_may_migrate_at_once(bench: Arc<Bench>) {
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::task::spawn_blocking(move || {
                bench.open();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        bench.number("SELECT count(*) AS number FROM setting WHERE name = 'cursor-secret'"),
        1
    );
}

async fn many_readers_share_few_connections(bench: Arc<Bench>) {
    let store = bench.open_with(Options {
        connections: 2,
        ..bench.options()
    });
    let space = store.for_space(SPACE);
    insert(&space, "a", patient("1", "Dupont")).await.unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let space = space.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    assert!(get(&space, "a").await.is_some());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn a_server_that_may_lose_writes_is_refused(bench: Arc<Bench>) {
    let options = Options {
        durability: Durability::Full,
        ..bench.options()
    };
    // The cluster of the tests runs without fsync.
    let Err(StoreError::Refused(text)) = Store::open(&bench.url, options) else {
        panic!("a server without fsync was accepted");
    };
    assert!(text.contains("fsync"), "{text}");
}

async fn cut_connections_heal_by_themselves(bench: Arc<Bench>) {
    let store = bench.open();
    let space = store.for_space(SPACE);
    insert(&space, "a", patient("1", "Dupont")).await.unwrap();
    let reads = (0..8).map(|_| get(&space, "a"));
    for read in reads {
        read.await.unwrap();
    }
    bench.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    // Every idle connection is dead: no request may notice.
    for number in 0..8 {
        assert!(get(&space, "a").await.is_some());
        insert(&space, &format!("n{number}"), patient("2", "Martin"))
            .await
            .unwrap();
    }
    store.ready().await.unwrap();
}

async fn no_error_of_opening_holds_the_password(bench: Arc<Bench>) {
    for url in [
        "postgres://user:geheim%21@127.0.0.1:1/none",
        "postgres://user:geheim%21@127.0.0.1:1/none?nonsense=1",
        "postgresql://user:geheim%21@127.0.0.1:1:2/none",
        "mysql://user:geheim%21@127.0.0.1/none",
        "postgres://user@127.0.0.1:1/none?password=geheim%21",
    ] {
        let error = Store::open(url, bench.options()).map(|_| ()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("geheim"), "{text}");
    }
}

async fn durable_writes_survive_reopening(bench: Arc<Bench>) {
    let durability = match bench.database {
        Database::Sqlite => Durability::Full,
        Database::Postgres => Durability::Unsafe,
    };
    let options = Options {
        durability,
        ..bench.options()
    };
    let store = bench.open_with(options.clone());
    insert(&store.for_space(SPACE), "a", patient("1", "Dupont"))
        .await
        .unwrap();
    drop(store);
    let again = bench.open_with(options);
    assert!(get(&again.for_space(SPACE), "a").await.is_some());
}

async fn a_full_disk_refuses_writes_and_serves_reads(bench: Arc<Bench>) {
    let limited = bench.open_with(Options {
        limit_mebibytes: Some(2),
        ..bench.options()
    });
    let space = limited.for_space(SPACE);
    insert(&space, "first", patient("0", "First")).await.unwrap();
    let filler = "x".repeat(20_000);
    let mut kept = 1;
    for turn in 0..20 {
        let writes: Vec<_> = (0..16)
            .map(|number| {
                let (space, filler) = (space.clone(), filler.clone());
                tokio::spawn(async move {
                    let name = id(&format!("t{turn}n{number}"));
                    let outcome: Result<_, StoreError> = space
                        .write(LockSet::default(), move |tx| {
                            tx.insert(&name, &patient("1", &filler), "author")
                        })
                        .await;
                    outcome
                })
            })
            .collect();
        for write in writes {
            match write.await.unwrap() {
                Ok(_) => kept += 1,
                Err(StoreError::Full(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(kept < 200, "the limit does not limit");
    assert!(get(&space, "first").await.is_some());
    assert_eq!(bench.number("SELECT count(*) AS number FROM resource"), kept);
    // With room again writes go on; nothing was left half done.
    drop(limited);
    let roomy = bench.open();
    insert(&roomy.for_space(SPACE), "after", patient("2", "After"))
        .await
        .unwrap();
    let missing = "SELECT count(*) AS number FROM resource r WHERE NOT EXISTS \
                   (SELECT 1 FROM index_token t WHERE t.space = r.space AND t.row = r.row)";
    assert_eq!(bench.number(missing), 0);
    assert_eq!(
        bench.lines("SELECT integrity_check AS line FROM pragma_integrity_check"),
        ["ok"]
    );
}

async fn a_database_that_swallows_requests(bench: Arc<Bench>) {
    const LIMIT: Duration = Duration::from_secs(20);
    let proxy = Proxy::start(cluster::folder());
    let url = bench.url_through(&proxy);
    bench.open();
    let options = Options {
        durability: Durability::Unsafe,
        connections: 3,
        ..Options::default()
    };
    let store = Store::open(&url, options).unwrap();
    let space = store.for_space(SPACE);
    insert(&space, "before", patient("1", "Before")).await.unwrap();
    for cycle in 0..3 {
        proxy.set(Mode::Swallow);
        let asked = Instant::now();
        let requests: Vec<_> = (0..8)
            .map(|number| {
                let space = space.clone();
                tokio::spawn(async move {
                    if number % 2 == 0 {
                        let read: Result<_, StoreError> = space.read(|tx| tx.get(&target("before"))).await;
                        read.map(|_| ())
                    } else {
                        let name = id(&format!("lost-{cycle}-{number}"));
                        let write: Result<_, StoreError> = space
                            .write(LockSet::default(), move |tx| {
                                tx.insert(&name, &patient("2", "Lost"), "author")
                            })
                            .await;
                        write.map(|_| ())
                    }
                })
            })
            .collect();
        for request in requests {
            let outcome = request.await.unwrap();
            assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        }
        assert!(store.ready().await.is_err());
        assert!(asked.elapsed() < LIMIT, "{:?}", asked.elapsed());
        proxy.set(Mode::Pass);
        let back = Instant::now();
        while store.ready().await.is_err() {
            assert!(back.elapsed() < 2 * LIMIT, "the store does not recover");
        }
        assert!(get(&space, "before").await.is_some());
        insert(&space, &format!("after-{cycle}"), patient("3", "After"))
            .await
            .unwrap();
    }
    // What was never answered was not done, or done whole; here the requests never arrived.
    assert_eq!(find(&space, "family=lost").await, Vec::<String>::new());
    drop(proxy);
}
