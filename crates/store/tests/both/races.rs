//! Many writers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fhir::VersionId;
use store::{ClassFilter, KeyState, LockSet, Policy, SpaceStore, Store, StoreError};

use crate::bench::{Bench, SPACE};
use crate::cases;
use crate::fixture::{PATIENT, criteria, get, id, insert, key, locks, patient, target};

cases![
    one_identifier_makes_one_resource_however_many_ask,
    without_locks_the_key_index_still_allows_one_owner,
    different_identifiers_do_not_refuse_each_other,
    versions_stay_consecutive_under_64_writers,
    two_servers_on_one_database_make_one_resource,
    crossed_identifiers_do_not_deadlock,
];

const CLIENTS: usize = 64;

/// Finds by an identifier or creates; the id found or made.
async fn find_or_create(
    space: &SpaceStore,
    value: String,
    name: String,
    locked: bool,
) -> Result<(String, bool), StoreError> {
    let lock = if locked {
        locks(&[&value])
    } else {
        LockSet::default()
    };
    space
        .write(lock, move |tx| {
            if !locked {
                let identifier = crate::fixture::identifier(&value);
                if let Some(holder) = tx.holders(PATIENT, Policy::KeySystem, &identifier)?.first() {
                    return Ok((holder.stored.target.id.to_string(), false));
                }
            }
            let found = tx.matches(
                &criteria(PATIENT, &format!("identifier={value}")),
                ClassFilter::Any,
                2,
            )?;
            match found.as_slice() {
                [] => {
                    let mut new = patient(&value, "Dupont");
                    new.keys = vec![key(Policy::KeySystem, &value, KeyState::Owning)];
                    let made = tx.insert(&id(&name), &new, "author")?.unwrap();
                    Ok((made.target.id.to_string(), true))
                }
                [one] => Ok((one.target.id.to_string(), false)),
                _ => panic!("two resources of one identifier"),
            }
        })
        .await
}

async fn race(spaces: &[SpaceStore], rounds: usize, locked: bool) {
    for round in 0..rounds {
        let tasks: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let space = spaces[client % spaces.len()].clone();
                let value = format!("value-{round}");
                tokio::spawn(async move {
                    find_or_create(&space, value, format!("r{round}c{client}"), locked).await
                })
            })
            .collect();
        let mut names = Vec::new();
        let mut made = 0;
        for task in tasks {
            let (name, new) = task.await.unwrap().unwrap();
            names.push(name);
            made += usize::from(new);
        }
        names.dedup();
        assert_eq!((made, names.len()), (1, 1), "round {round}");
    }
}

async fn one_identifier_makes_one_resource_however_many_ask(bench: Arc<Bench>) {
    race(&[bench.open_space()], 10, true).await;
    assert_eq!(bench.number("SELECT count(*) AS number FROM resource"), 10);
}

async fn without_locks_the_key_index_still_allows_one_owner(bench: Arc<Bench>) {
    race(&[bench.open_space()], 3, false).await;
    assert_eq!(bench.number("SELECT count(*) AS number FROM resource"), 3);
}

async fn different_identifiers_do_not_refuse_each_other(bench: Arc<Bench>) {
    let space = bench.open_space();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let space = space.clone();
            tokio::spawn(async move {
                for number in 0..5 {
                    let name = format!("c{client}n{number}");
                    let (found, new) = find_or_create(&space, name.clone(), name.clone(), true)
                        .await
                        .unwrap();
                    assert_eq!((found, new), (name, true));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        bench.number("SELECT count(*) AS number FROM resource"),
        5 * CLIENTS as i64
    );
}

async fn versions_stay_consecutive_under_64_writers(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", patient("1", "V1")).await.unwrap();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let space = space.clone();
            tokio::spawn(async move {
                space
                    .write(LockSet::default(), move |tx| {
                        let current = tx.get_for_update(&target("a"))?.unwrap();
                        tx.replace(&current, &patient("1", &format!("by {client}")), "author")
                    })
                    .await
                    .map_err(|error: StoreError| error)
                    .unwrap()
                    .version
                    .number()
            })
        })
        .collect();
    let mut versions = Vec::new();
    for task in tasks {
        versions.push(task.await.unwrap());
    }
    versions.sort_unstable();
    let expected: Vec<u64> = (2..=CLIENTS as u64 + 1).collect();
    assert_eq!(versions, expected);
    assert_eq!(
        get(&space, "a").await.unwrap().version,
        VersionId::new(65).unwrap()
    );
    assert_eq!(
        bench.number("SELECT count(*) AS number FROM resource_version"),
        64
    );
}

async fn two_servers_on_one_database_make_one_resource(bench: Arc<Bench>) {
    let stores: [Store; 2] = [bench.open(), bench.open()];
    let spaces = stores.map(|store| store.for_space(SPACE));
    race(&spaces, 5, true).await;
    race_again(&spaces).await;
}

/// What one server has written, the other replaces.
async fn race_again(spaces: &[SpaceStore]) {
    insert(&spaces[0], "shared", patient("s", "V1")).await.unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..20)
        .map(|client| {
            let (space, done) = (spaces[client % spaces.len()].clone(), Arc::clone(&done));
            tokio::spawn(async move {
                crate::fixture::replace(&space, "shared", patient("s", "V"))
                    .await
                    .unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(done.load(Ordering::Relaxed), 20);
    assert_eq!(get(&spaces[1], "shared").await.unwrap().version.number(), 21);
}

async fn crossed_identifiers_do_not_deadlock(bench: Arc<Bench>) {
    let space = bench.open_space();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let space = space.clone();
            tokio::spawn(async move {
                let lock = if client % 2 == 0 {
                    locks(&["one", "two"])
                } else {
                    locks(&["two", "one"])
                };
                space
                    .write(lock, move |tx| {
                        for value in if client % 2 == 0 {
                            ["one", "two"]
                        } else {
                            ["two", "one"]
                        } {
                            let found = tx.matches(
                                &criteria(PATIENT, &format!("identifier={value}")),
                                ClassFilter::Any,
                                2,
                            )?;
                            if found.is_empty() {
                                tx.insert(&id(value), &patient(value, "Dupont"), "author")?
                                    .unwrap();
                            }
                        }
                        Ok(())
                    })
                    .await
                    .map_err(|error: StoreError| error)
                    .unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(bench.number("SELECT count(*) AS number FROM resource"), 2);
}
