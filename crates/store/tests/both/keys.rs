//! Identifier keys: who owns, who holds, who once held.

use std::sync::Arc;

use store::{KeyState, LockSet, NewResource, Policy, StoreError};

use crate::bench::Bench;
use crate::cases;
use crate::fixture::{get, holders, id, insert, key, patient, remove, replace};

cases![
    an_identifier_has_one_owner,
    a_dropped_account_identifier_becomes_an_alias_and_can_come_back,
    a_dropped_key_of_a_key_system_is_free,
    holders_come_owner_first_then_by_latest_change,
    a_deletion_frees_keys_and_aliases,
    policies_and_identifiers_do_not_touch_each_other,
];

fn with(keys: &[(Policy, &str, KeyState)]) -> NewResource {
    let mut new = patient("x", "Dupont");
    new.keys = keys
        .iter()
        .map(|&(policy, value, state)| key(policy, value, state))
        .collect();
    new
}

fn owning(value: &str) -> NewResource {
    with(&[(Policy::Account, value, KeyState::Owning)])
}

async fn an_identifier_has_one_owner(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", owning("1")).await.unwrap();
    let second: Result<_, StoreError> = space
        .write(LockSet::default(), |tx| {
            tx.insert(&id("b"), &owning("1"), "author")
        })
        .await;
    assert!(second.is_err(), "two owners");
    assert!(get(&space, "b").await.is_none());
    insert(&space, "c", with(&[(Policy::Account, "1", KeyState::Held)]))
        .await
        .unwrap();
    let third = replace(&space, "c", owning("1")).await;
    assert!(third.is_err(), "two owners");
    let found = holders(&space, Policy::Account, "1").await;
    assert_eq!(
        found,
        [("a".into(), KeyState::Owning), ("c".into(), KeyState::Held)]
    );
    // The owner steps down, and the other may step up.
    replace(&space, "a", with(&[(Policy::Account, "1", KeyState::Held)]))
        .await
        .unwrap();
    replace(&space, "c", owning("1")).await.unwrap();
    let found = holders(&space, Policy::Account, "1").await;
    assert_eq!(
        found,
        [("c".into(), KeyState::Owning), ("a".into(), KeyState::Held)]
    );
}

async fn a_dropped_account_identifier_becomes_an_alias_and_can_come_back(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", owning("1")).await.unwrap();
    replace(&space, "a", owning("2")).await.unwrap();
    assert_eq!(
        holders(&space, Policy::Account, "1").await,
        [("a".into(), KeyState::Retired)]
    );
    // An alias does not own: another may take the identifier.
    insert(&space, "b", owning("1")).await.unwrap();
    let found = holders(&space, Policy::Account, "1").await;
    assert_eq!(
        found,
        [("b".into(), KeyState::Owning), ("a".into(), KeyState::Retired)]
    );
    remove(&space, "b").await;
    replace(&space, "a", owning("1")).await.unwrap();
    assert_eq!(
        holders(&space, Policy::Account, "1").await,
        [("a".into(), KeyState::Owning)]
    );
    assert_eq!(
        holders(&space, Policy::Account, "2").await,
        [("a".into(), KeyState::Retired)]
    );
    assert_eq!(bench.number("SELECT count(*) AS number FROM identifier_key"), 2);
}

async fn a_dropped_key_of_a_key_system_is_free(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", with(&[(Policy::KeySystem, "1", KeyState::Owning)]))
        .await
        .unwrap();
    replace(&space, "a", with(&[])).await.unwrap();
    assert!(holders(&space, Policy::KeySystem, "1").await.is_empty());
    assert_eq!(bench.number("SELECT count(*) AS number FROM identifier_key"), 0);
    insert(&space, "b", with(&[(Policy::KeySystem, "1", KeyState::Owning)]))
        .await
        .unwrap();
}

async fn holders_come_owner_first_then_by_latest_change(bench: Arc<Bench>) {
    let space = bench.open_space();
    let held = || with(&[(Policy::Account, "1", KeyState::Held)]);
    for name in ["a", "b", "c"] {
        insert(&space, name, held()).await.unwrap();
    }
    replace(&space, "a", held()).await.unwrap();
    insert(&space, "d", owning("1")).await.unwrap();
    replace(&space, "b", with(&[])).await.unwrap();
    let found = holders(&space, Policy::Account, "1").await;
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["d", "a", "c", "b"]);
}

async fn a_deletion_frees_keys_and_aliases(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", owning("1")).await.unwrap();
    replace(&space, "a", owning("2")).await.unwrap();
    remove(&space, "a").await;
    assert!(holders(&space, Policy::Account, "1").await.is_empty());
    assert!(holders(&space, Policy::Account, "2").await.is_empty());
    insert(&space, "b", owning("2")).await.unwrap();
}

async fn policies_and_identifiers_do_not_touch_each_other(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", owning("1")).await.unwrap();
    insert(&space, "b", with(&[(Policy::KeySystem, "1", KeyState::Owning)]))
        .await
        .unwrap();
    let long = "é".repeat(5_000);
    let (one, other) = (format!("{long}1"), format!("{long}2"));
    insert(&space, "c", owning(&one)).await.unwrap();
    insert(&space, "d", owning(&other)).await.unwrap();
    assert_eq!(
        holders(&space, Policy::Account, "1").await,
        [("a".into(), KeyState::Owning)]
    );
    assert_eq!(
        holders(&space, Policy::Account, &other).await,
        [("d".into(), KeyState::Owning)]
    );
}
