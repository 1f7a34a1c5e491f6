//! T4: transactions held at named points.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use store::ledger::Ledger;
use store::{ClassFilter, LockSet, StoreError, Trace, pause};

use crate::bench::{BOTH, Bench, Case, Database, SPACE};
use crate::fixture::{PATIENT, criteria, get, id, insert, locks, patient, target};

pub const CASES: &[Case] = &[
    Case {
        name: "t4_nobody_is_answered_before_the_commit",
        on: BOTH,
        run: |bench| Box::pin(nobody_is_answered_before_the_commit(bench)),
        alone: true,
    },
    Case {
        name: "t4_waiting_writes_are_committed_together",
        on: &[Database::Sqlite],
        run: |bench| Box::pin(waiting_writes_are_committed_together(bench)),
        alone: true,
    },
    Case {
        name: "t4_the_second_writer_of_an_identifier_sees_what_the_first_did",
        on: &[Database::Postgres],
        run: |bench| Box::pin(the_second_writer_sees_what_the_first_did(bench)),
        alone: true,
    },
    Case {
        name: "t4_a_write_that_fails_after_its_first_change_harms_no_neighbour_in_its_group",
        on: BOTH,
        run: |bench| Box::pin(a_write_that_fails_late_harms_no_neighbour(bench)),
        alone: true,
    },
    Case {
        name: "t4_a_write_whose_asker_has_left_before_its_commit_is_taken_back",
        on: &[Database::Postgres],
        run: |bench| Box::pin(a_write_whose_asker_has_left_is_taken_back(bench)),
        alone: true,
    },
    Case {
        name: "t41_an_erasure_is_in_the_ledger_before_it_is_committed_and_one_taken_back_is_not",
        on: BOTH,
        run: |bench| Box::pin(an_erasure_is_in_the_ledger_before_it_is_committed(bench)),
        alone: true,
    },
];

/// Holds the first transaction that comes to `point`.
pub struct Held {
    reached: Receiver<()>,
    release: Sender<()>,
}

impl Held {
    pub fn at(point: &'static str) -> Held {
        let (tell, reached) = channel();
        let (release, go) = channel::<()>();
        let ends = Mutex::new(Some((tell, go)));
        pause::install(move |name| {
            if name != point {
                return;
            }
            let held = ends.lock().unwrap().take();
            if let Some((tell, go)) = held {
                tell.send(()).unwrap();
                // An error: the test has ended.
                let _ = go.recv();
            }
        });
        Held { reached, release }
    }

    /// Until it is there.
    pub fn wait(&self) {
        tokio::task::block_in_place(|| self.reached.recv().unwrap());
    }

    /// Lets it go on.
    pub fn release(self) {
        self.release.send(()).unwrap();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        pause::clear();
    }
}

async fn a_write_whose_asker_has_left_is_taken_back(bench: Arc<Bench>) {
    let store = bench.open();
    let space = store.for_space(SPACE);
    for point in [pause::BEGUN, pause::LOCKED, pause::RAN] {
        let held = Held::at(point);
        let name: String = format!("left-{}", point.replace('.', "-"));
        let write = tokio::spawn({
            let (space, name) = (space.clone(), name.clone());
            async move { insert(&space, &name, patient("1", "Dupont")).await }
        });
        held.wait();
        write.abort();
        assert!(write.await.is_err_and(|ended| ended.is_cancelled()));
        held.release();
        // The thread goes on alone; it has ended when its connection is back.
        while store.levels().connections_in_use > 0 {
            tokio::task::yield_now().await;
        }
        assert!(get(&space, &name).await.is_none(), "written after {point}");
        insert(&space, &name, patient("1", "Dupont")).await.unwrap();
    }
}

async fn nobody_is_answered_before_the_commit(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "before", patient("0", "Before")).await.unwrap();
    for (point, visible) in [
        (pause::RAN, false),
        (pause::COMMITTING, false),
        (pause::COMMITTED, true),
    ] {
        let held = Held::at(point);
        let name: String = format!("at-{}", point.replace('.', "-"));
        let write = tokio::spawn({
            let (space, name) = (space.clone(), name.clone());
            async move { insert(&space, &name, patient("1", "Dupont")).await }
        });
        held.wait();
        assert!(!write.is_finished(), "answered at {point}");
        // A reader neither waits for the writer nor sees what is not committed.
        assert!(get(&space, "before").await.is_some());
        assert_eq!(get(&space, &name).await.is_some(), visible, "{point}");
        assert!(!write.is_finished(), "answered at {point}");
        held.release();
        assert!(write.await.unwrap().is_some());
        assert!(get(&space, &name).await.is_some());
    }
}

async fn an_erasure_is_in_the_ledger_before_it_is_committed(bench: Arc<Bench>) {
    const TRACE: Trace<'_> = Trace {
        author: "author",
        client: "client",
        request_id: "request",
        occasion: store::Occasion::Asked,
    };
    let store = bench.open();
    let space = store.for_space(SPACE);
    let path = std::env::temp_dir().join(format!("ledger-{}-{:?}", std::process::id(), bench.database));
    let ledger = Ledger::open_or_begin(&path, store.now()).unwrap();
    store.erasures().record_in(ledger);
    let lines = || std::fs::read_to_string(&path).unwrap();
    for name in ["gone", "stays"] {
        insert(&space, name, patient("1", "Dupont")).await.unwrap();
    }
    let erase = |name: &'static str, end: End| {
        let space = space.clone();
        async move {
            let done: Result<(), StoreError> = space
                .write(locks(&[]), move |tx| {
                    let current = tx.get_for_update(&target(name))?.unwrap();
                    tx.erase(&current, &TRACE)?;
                    match end {
                        End::Kept => Ok(()),
                        _ => Err(StoreError::BadCursor),
                    }
                })
                .await;
            done
        }
    };
    let held = Held::at(pause::COMMITTING);
    let write = tokio::spawn(erase("gone", End::Kept));
    held.wait();
    assert!(lines().contains("\tgone\t"), "{}", lines());
    assert!(!get(&space, "gone").await.unwrap().deleted, "committed before");
    held.release();
    write.await.unwrap().unwrap();
    assert!(get(&space, "gone").await.unwrap().deleted);
    assert_eq!(erase("stays", End::Refused).await, Err(StoreError::BadCursor));
    assert!(!get(&space, "stays").await.unwrap().deleted);
    assert!(!lines().contains("\tstays\t"), "{}", lines());
    // A ledger that cannot be written takes the erasure back, and none of its neighbours in the group.
    std::fs::remove_file(&path).unwrap();
    let held = Held::at(pause::BEGUN);
    let first = tokio::spawn({
        let space = space.clone();
        async move { insert(&space, "first", patient("1", "Dupont")).await }
    });
    held.wait();
    let refused = tokio::spawn(erase("stays", End::Kept));
    let neighbour = tokio::spawn({
        let space = space.clone();
        async move { insert(&space, "neighbour", patient("1", "Dupont")).await }
    });
    wait_until_queued().await;
    held.release();
    let refused = refused.await.unwrap().unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    assert!(!get(&space, "stays").await.unwrap().deleted);
    for write in [first, neighbour] {
        assert!(write.await.unwrap().is_some());
    }
    assert!(get(&space, "neighbour").await.is_some());
}

async fn waiting_writes_are_committed_together(bench: Arc<Bench>) {
    const WRITES: usize = 100;
    let space = bench.open_space();
    let commits = Arc::new(AtomicUsize::new(0));
    let held = Held::at(pause::BEGUN);
    let first = tokio::spawn({
        let space = space.clone();
        async move { insert(&space, "first", patient("0", "First")).await }
    });
    held.wait();
    let writes: Vec<_> = (0..WRITES)
        .map(|number| {
            let space = space.clone();
            tokio::spawn(async move { insert(&space, &format!("n{number}"), patient("1", "Dupont")).await })
        })
        .collect();
    wait_until_queued().await;
    let counter = Arc::clone(&commits);
    let release = held.release.clone();
    pause::install(move |name| {
        if name == pause::COMMITTED {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    release.send(()).unwrap();
    first.await.unwrap().unwrap();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let commits = commits.load(Ordering::Relaxed);
    assert!(
        (1..=WRITES / 4).contains(&commits),
        "{commits} commits for {WRITES} waiting writes"
    );
    drop(held);
}

/// How a write of the group ends, after it has changed something.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Kept,
    Refused,
    Panicked,
}

async fn a_write_that_fails_late_harms_no_neighbour(bench: Arc<Bench>) {
    const ENDS: [End; 7] = [
        End::Kept,
        End::Refused,
        End::Kept,
        End::Panicked,
        End::Refused,
        End::Kept,
        End::Kept,
    ];
    let space = bench.open_space();
    insert(&space, "shared", patient("0", "V1")).await.unwrap();
    let held = Held::at(pause::BEGUN);
    let first = tokio::spawn({
        let space = space.clone();
        async move { insert(&space, "first", patient("1", "First")).await }
    });
    held.wait();
    // Each changes the same row and adds one of its own.
    let writes = ENDS.map(|end| {
        let space = space.clone();
        tokio::spawn(async move {
            space
                .write(LockSet::default(), move |tx| {
                    let shared = tx.get_for_update(&target("shared"))?.unwrap();
                    let next = tx.replace(&shared, &patient("0", "Next"), "author")?;
                    tx.insert(&id(&format!("v{}", next.version)), &patient("2", "Own"), "author")?;
                    match end {
                        End::Kept => Ok(next.version.number()),
                        End::Refused => Err(StoreError::Contention("refused on purpose".to_owned())),
                        End::Panicked => panic!("on purpose"),
                    }
                })
                .await
        })
    });
    wait_until_queued().await;
    held.release();
    assert!(first.await.unwrap().is_some());
    let mut versions = Vec::new();
    for (end, write) in ENDS.into_iter().zip(writes) {
        let answer = write.await.unwrap();
        assert_eq!(answer.is_ok(), end == End::Kept, "{answer:?}");
        versions.extend(answer);
    }
    versions.sort_unstable();
    assert_eq!(versions, [2, 3, 4, 5]);
    let mut expected = vec!["first", "shared", "v2", "v3", "v4", "v5"];
    expected.sort_unstable();
    let mut stored = bench.lines("SELECT id AS line FROM resource");
    stored.sort_unstable();
    assert_eq!(stored, expected);
    assert_eq!(bench.number("SELECT count(*) AS number FROM resource_version"), 4);
    assert_eq!(
        bench.number(
            "SELECT count(*) AS number FROM index_token t WHERE NOT EXISTS \
             (SELECT 1 FROM resource r WHERE r.space = t.space AND r.row = t.row)"
        ),
        0
    );
}

/// All writes have queued once the runtime has nothing left to do but to wait for them.
async fn wait_until_queued() {
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}

async fn the_second_writer_sees_what_the_first_did(bench: Arc<Bench>) {
    let space = bench.open_space();
    let find_or_create = |name: &'static str| {
        let space = space.clone();
        tokio::spawn(async move {
            space
                .write(locks(&["1"]), move |tx| {
                    let found = tx.matches(&criteria(PATIENT, "identifier=1"), ClassFilter::Any, 2)?;
                    match found.first() {
                        Some(found) => Ok(found.target.id.to_string()),
                        None => Ok(tx
                            .insert(&id(name), &patient("1", "Dupont"), "author")?
                            .unwrap()
                            .target
                            .id
                            .to_string()),
                    }
                })
                .await
                .map_err(|error: StoreError| error)
                .unwrap()
        })
    };
    // The first holds its locks and has written; the second has begun.
    let first_ran = Held::at(pause::RAN);
    let first = find_or_create("first");
    first_ran.wait();
    let release = first_ran.release.clone();
    let second_begun = Held::at(pause::BEGUN);
    let second = find_or_create("second");
    second_begun.wait();
    second_begun.release.send(()).unwrap();
    assert!(!second.is_finished());
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap(), "first");
    assert_eq!(second.await.unwrap(), "first");
}
