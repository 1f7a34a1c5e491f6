//! Resources, their versions, and the transaction around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use fhir::{Timestamp, VersionId};
use store::{Clock, LockSet, Options, SpaceKey, StoreError};

use crate::bench::Bench;
use crate::cases;
use crate::fixture::{entry, find, get, id, insert, patient, remove, replace, target};

cases![
    a_created_resource_is_read_as_it_was_written,
    an_id_in_use_is_not_created_again,
    versions_are_consecutive_and_all_of_them_stay_readable,
    a_deletion_frees_the_index_and_keeps_the_history,
    spaces_do_not_see_each_other,
    a_refused_write_leaves_nothing_behind,
    a_panic_in_a_write_harms_nobody_else,
    times_never_fall_when_the_clock_is_turned_back,
    an_index_follows_its_resource,
    a_stale_replacement_is_no_success,
];

async fn a_created_resource_is_read_as_it_was_written(bench: Arc<Bench>) {
    let space = bench.open_space();
    let new = patient("1", "Dupont");
    let digest = *new.canonical.digest();
    let made = insert(&space, "a", new).await.unwrap();
    let read = get(&space, "a").await.unwrap();
    assert_eq!(made.body, read.body);
    assert_eq!(
        (read.version, read.deleted, read.digest),
        (VersionId::FIRST, false, digest)
    );
    assert_eq!((made.row, made.updated), (read.row, read.updated));
    let tree: serde_json::Value = serde_json::from_str(&read.body).unwrap();
    assert_eq!(tree["id"], "a");
    assert_eq!(tree["meta"]["versionId"], "1");
    assert_eq!(tree["meta"]["lastUpdated"], read.updated.to_instant());
    assert_eq!(tree["name"][0]["family"], "Dupont");
    assert!(get(&space, "b").await.is_none());
}

async fn an_id_in_use_is_not_created_again(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", patient("1", "Dupont")).await.unwrap();
    assert!(insert(&space, "a", patient("2", "Martin")).await.is_none());
    assert_eq!(find(&space, "family=martin").await, Vec::<String>::new());
    remove(&space, "a").await;
    assert!(insert(&space, "a", patient("2", "Martin")).await.is_none());
}

async fn versions_are_consecutive_and_all_of_them_stay_readable(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", patient("1", "V1")).await.unwrap();
    replace(&space, "a", patient("1", "V2")).await.unwrap();
    remove(&space, "a").await;
    let revived = replace(&space, "a", patient("1", "V4")).await.unwrap();
    assert_eq!(revived.version.number(), 4);
    let mut last = Timestamp::from_micros(0);
    for (number, deleted, family) in [
        (1, false, "V1"),
        (2, false, "V2"),
        (3, true, ""),
        (4, false, "V4"),
    ] {
        let version = VersionId::new(number).unwrap();
        let stored = space
            .read(move |tx| tx.version(&target("a"), version))
            .await
            .map_err(|error: StoreError| error)
            .unwrap()
            .unwrap();
        assert_eq!((stored.version, stored.deleted), (version, deleted));
        assert!(stored.body.contains(family) && stored.body.is_empty() == deleted);
        assert!(stored.updated > last, "a time fell");
        last = stored.updated;
    }
    let missing = space
        .read(|tx| tx.version(&target("a"), VersionId::new(5).unwrap()))
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
    assert!(missing.is_none());
}

async fn a_deletion_frees_the_index_and_keeps_the_history(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", patient("1", "Dupont")).await.unwrap();
    assert_eq!(find(&space, "identifier=1").await, ["a"]);
    let gone = remove(&space, "a").await;
    assert!(gone.deleted && gone.body.is_empty() && gone.version.number() == 2);
    assert!(get(&space, "a").await.unwrap().deleted);
    for query in [
        "identifier=1",
        "family=dupont",
        "_id=a",
        "family:missing=true",
        "_lastUpdated=gt2000",
    ] {
        assert_eq!(find(&space, query).await, Vec::<String>::new(), "{query}");
    }
    for table in [
        "index_token",
        "index_string",
        "index_date",
        "index_reference",
        "identifier_key",
    ] {
        assert_eq!(
            bench.number(&format!("SELECT count(*) AS number FROM {table}")),
            0,
            "{table}"
        );
    }
    assert_eq!(bench.number("SELECT count(*) AS number FROM resource_version"), 1);
}

async fn spaces_do_not_see_each_other(bench: Arc<Bench>) {
    let store = bench.open();
    let (one, other) = (store.for_space(SpaceKey(1)), store.for_space(SpaceKey(2)));
    insert(&one, "a", patient("1", "Dupont")).await.unwrap();
    insert(&other, "a", patient("1", "Martin")).await.unwrap();
    assert!(get(&one, "a").await.unwrap().body.contains("Dupont"));
    assert!(get(&other, "a").await.unwrap().body.contains("Martin"));
    assert_eq!(find(&other, "family=dupont").await, Vec::<String>::new());
    assert_eq!(find(&other, "family:missing=false").await.len(), 1);
    remove(&one, "a").await;
    assert_eq!(find(&other, "identifier=1").await, ["a"]);
}

async fn a_refused_write_leaves_nothing_behind(bench: Arc<Bench>) {
    #[derive(Debug, PartialEq)]
    enum Refused {
        Rule,
        Store(StoreError),
    }
    impl From<StoreError> for Refused {
        fn from(error: StoreError) -> Refused {
            Refused::Store(error)
        }
    }
    let space = bench.open_space();
    insert(&space, "kept", patient("0", "Kept")).await.unwrap();
    // Together, so that on SQLite they meet in one group.
    let writes: Vec<_> = (0..32)
        .map(|number| {
            let space = space.clone();
            tokio::spawn(async move {
                space
                    .write(LockSet::default(), move |tx| {
                        let name = format!("n{number}");
                        tx.insert(&id(&name), &patient(&name, "New"), "author")?;
                        tx.audit(&entry("ok"))?;
                        if number % 3 == 0 {
                            let kept = tx.get_for_update(&target("kept"))?.unwrap();
                            tx.replace(&kept, &patient("0", "Spoilt"), "author")?;
                            return Err(Refused::Rule);
                        }
                        Ok(())
                    })
                    .await
            })
        })
        .collect();
    for (number, write) in writes.into_iter().enumerate() {
        let expected = if number % 3 == 0 {
            Err(Refused::Rule)
        } else {
            Ok(())
        };
        assert_eq!(write.await.unwrap(), expected, "{number}");
        assert_eq!(
            get(&space, &format!("n{number}")).await.is_some(),
            number % 3 != 0
        );
    }
    assert_eq!(get(&space, "kept").await.unwrap().version, VersionId::FIRST);
    assert_eq!(find(&space, "family=new").await.len(), 21);
    assert_eq!(bench.number("SELECT count(*) AS number FROM audit"), 21);
    assert_eq!(bench.number("SELECT count(*) AS number FROM resource_version"), 0);
    if bench.database == crate::bench::Database::Sqlite {
        assert_eq!(bench.number("SELECT max(seq) AS number FROM audit"), 21, "a gap");
    }
}

async fn a_panic_in_a_write_harms_nobody_else(bench: Arc<Bench>) {
    let space = bench.open_space();
    let outcome: Result<(), StoreError> = space
        .write(LockSet::default(), |tx| {
            tx.insert(&id("a"), &patient("1", "Dupont"), "author")?;
            panic!("on purpose");
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::Internal(_))), "{outcome:?}");
    assert!(get(&space, "a").await.is_none());
    insert(&space, "a", patient("1", "Dupont")).await.unwrap();
    let read = tokio::spawn({
        let space = space.clone();
        async move {
            space
                .read(|_| -> Result<(), StoreError> { panic!("on purpose") })
                .await
        }
    });
    assert!(!matches!(read.await, Ok(Ok(()))));
    assert!(get(&space, "a").await.is_some());
}

struct Turned(AtomicI64);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

async fn times_never_fall_when_the_clock_is_turned_back(bench: Arc<Bench>) {
    let clock = Arc::new(Turned(AtomicI64::new(1_000_000_000)));
    let store = bench.open_with(Options {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..bench.options()
    });
    let space = store.for_space(crate::bench::SPACE);
    let first = insert(&space, "a", patient("1", "A")).await.unwrap();
    clock.0.store(1_000_000, Ordering::Relaxed);
    let second = replace(&space, "a", patient("1", "B")).await.unwrap();
    let third = remove(&space, "a").await;
    assert!(first.updated < second.updated && second.updated < third.updated);
    if bench.database == crate::bench::Database::Sqlite {
        let other = insert(&space, "b", patient("2", "C")).await.unwrap();
        assert!(other.updated >= third.updated, "commit order and times disagree");
    }
}

async fn an_index_follows_its_resource(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", patient("1", "Dupont")).await.unwrap();
    let rows = "SELECT (SELECT count(*) FROM index_token) + (SELECT count(*) FROM index_string) AS number";
    let before = bench.number(rows);
    replace(&space, "a", patient("2", "Martin")).await.unwrap();
    assert_eq!(bench.number(rows), before);
    for (query, count) in [
        ("identifier=1", 0),
        ("identifier=2", 1),
        ("family=dupont", 0),
        ("family=martin", 1),
    ] {
        assert_eq!(find(&space, query).await.len(), count, "{query}");
    }
    // The same index, another body.
    replace(&space, "a", patient("2", "Martin")).await.unwrap();
    assert_eq!(bench.number(rows), before);
}

async fn a_stale_replacement_is_no_success(bench: Arc<Bench>) {
    let space = bench.open_space();
    let stale = insert(&space, "a", patient("1", "A")).await.unwrap();
    replace(&space, "a", patient("1", "B")).await.unwrap();
    let outcome = space
        .write(LockSet::default(), move |tx| {
            tx.replace(&stale, &patient("1", "C"), "author")
        })
        .await;
    assert!(
        matches!(outcome, Err(StoreError::Contention(_))),
        "a stale version was replaced"
    );
    assert_eq!(get(&space, "a").await.unwrap().version.number(), 2);
}
