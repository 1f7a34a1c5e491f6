//! What the partner doors need of a store: lists, records, times in the order of commits, erasure.

use std::sync::Arc;

use fhir::index::TokenRow;
use fhir::interaction::{Listing, Replaced};
use fhir::query::IndexParam;
use fhir::query::param::fold_token;
use fhir::{Identifier, Timestamp};
use store::{
    AllocatedId, KeyRow, KeyState, ListPage, LockSet, NewResource, Policy, Record, SpaceStore, StoreError,
    Stored, Trace,
};

use crate::bench::{Bench, Database, SPACE};
use crate::cases;
use crate::fixture::{PATIENT, find, get, id, insert, patient, remove, replace, target};

cases![
    a_list_is_in_order_of_creation_whatever_changes_later,
    a_list_after_a_moment_is_strictly_after_it,
    an_attached_record_modifies_its_resource_without_a_version,
    who_wrote_first_and_last_is_kept,
    a_poller_by_time_never_misses_a_change,
    an_erased_person_is_nowhere_in_the_database,
    ids_are_given_to_patients_that_have_none_and_to_nobody_twice,
];

fn listing() -> Listing {
    Listing {
        kind: PATIENT,
        created_after: None,
        modified_after: None,
        replaced: Replaced::Hidden,
        offset: 0,
        count: 100,
    }
}

async fn list(space: &SpaceStore, listing: Listing) -> ListPage {
    let page: Result<ListPage, StoreError> = space.read(move |reader| reader.list(&listing)).await;
    page.unwrap()
}

fn names(page: &ListPage) -> Vec<&str> {
    page.resources
        .iter()
        .map(|stored| stored.target.id.as_str())
        .collect()
}

async fn a_list_is_in_order_of_creation_whatever_changes_later(bench: Arc<Bench>) {
    let space = bench.open_space();
    for name in ["c", "a", "b", "gone"] {
        insert(&space, name, patient(name, "Dupont")).await.unwrap();
    }
    replace(&space, "c", patient("c", "Martin")).await.unwrap();
    remove(&space, "gone").await;
    let page = list(&space, listing()).await;
    assert_eq!((names(&page), page.total), (vec!["c", "a", "b"], 3));
    let second = Listing {
        offset: 1,
        count: 1,
        ..listing()
    };
    let page = list(&space, second).await;
    assert_eq!((names(&page), page.total), (vec!["a"], 3));
    let beyond = Listing {
        offset: u64::MAX,
        ..listing()
    };
    let page = list(&space, beyond).await;
    assert_eq!((names(&page), page.total), (vec![], 3));
}

async fn a_list_after_a_moment_is_strictly_after_it(bench: Arc<Bench>) {
    let space = bench.open_space();
    let first = insert(&space, "a", patient("a", "Dupont")).await.unwrap();
    let second = insert(&space, "b", patient("b", "Dupont")).await.unwrap();
    let created = |after: Timestamp| Listing {
        created_after: Some(after),
        ..listing()
    };
    let modified = |after: Timestamp| Listing {
        modified_after: Some(after),
        ..listing()
    };
    let just_before = |time: Timestamp| Timestamp::from_micros(time.micros() - 1);
    assert_eq!(
        names(&list(&space, created(second.created)).await),
        Vec::<&str>::new()
    );
    assert!(names(&list(&space, created(just_before(second.created))).await).contains(&"b"));
    let changed = replace(&space, "a", patient("a", "Martin")).await.unwrap();
    assert_eq!(changed.created, first.created);
    let page = list(&space, modified(just_before(changed.updated))).await;
    assert_eq!((names(&page), page.total), (vec!["a"], 1));
    assert_eq!(list(&space, modified(changed.updated)).await.total, 0);
}

async fn an_attached_record_modifies_its_resource_without_a_version(bench: Arc<Bench>) {
    let space = bench.open_space();
    let stored = insert(&space, "a", patient("a", "Dupont")).await.unwrap();
    let other = insert(&space, "b", patient("b", "Dupont")).await.unwrap();
    let late = Timestamp::from_micros(other.updated.micros() + 1_000);
    let record = |name: &str, status: &str, created: Timestamp| Record {
        row: stored.row,
        id: name.to_owned(),
        status: status.to_owned(),
        created,
    };
    for record in [
        record("rec_2", "open", late),
        record("rec_1", "completed", stored.created),
        record("rec_2", "completed", late),
    ] {
        let written: Result<(), StoreError> = space
            .write(LockSet::default(), move |tx| tx.put_record(&record))
            .await;
        written.unwrap();
    }
    let after = Listing {
        modified_after: Some(other.updated),
        ..listing()
    };
    let page = list(&space, after).await;
    assert_eq!((names(&page), page.total), (vec!["a"], 1));
    let expected = [
        record("rec_1", "completed", stored.created),
        record("rec_2", "completed", late),
    ];
    assert_eq!(page.records, expected);
    let now = get(&space, "a").await.unwrap();
    assert_eq!((now.version, now.updated), (stored.version, stored.updated));
}

/// The id with the rows that find it.
fn allocated(row: i64, text: &str) -> AllocatedId {
    let system = "urn:example:allocated".to_owned();
    AllocatedId {
        row,
        id: text.to_owned(),
        token: TokenRow {
            param: IndexParam::AllocatedIdentifier,
            system: system.clone(),
            code: fold_token(IndexParam::Identifier, text),
        },
        key: KeyRow {
            policy: Policy::KeySystem,
            identifier: Identifier {
                system,
                value: text.to_owned(),
            },
            state: KeyState::Owning,
        },
    }
}

async fn ids_are_given_to_patients_that_have_none_and_to_nobody_twice(bench: Arc<Bench>) {
    let space = bench.open_space();
    let mut rows = Vec::new();
    for name in ["a", "b", "gone"] {
        rows.push(insert(&space, name, patient(name, "Dupont")).await.unwrap().row);
    }
    remove(&space, "gone").await;
    let give = async |given: Vec<AllocatedId>| -> Result<u64, StoreError> {
        space
            .write(LockSet::default(), move |tx| tx.give_medicapp_ids(&given))
            .await
    };
    assert_eq!(give(vec![]).await.unwrap(), 0);
    assert_eq!(give(vec![allocated(rows[0], "pat_1")]).await.unwrap(), 1);
    let all = rows.iter().zip(["pat_2", "pat_3", "pat_4"]);
    let all = all.map(|(&row, id)| allocated(row, id)).collect();
    assert_eq!(give(all).await.unwrap(), 1, "one has an id, one is deleted");
    for (name, id) in [("a", "pat_1"), ("b", "pat_3")] {
        let stored = get(&space, name).await.unwrap();
        assert_eq!(stored.medicapp_id.as_deref(), Some(id));
        assert_eq!(stored.version.to_string(), "1");
        let query = format!("identifier=urn:example:allocated|{id}");
        assert_eq!(find(&space, &query).await, [name]);
    }
    // A key that is another's is never passed over.
    let third = insert(&space, "c", patient("c", "Dupont")).await.unwrap();
    assert!(give(vec![allocated(third.row, "pat_3")]).await.is_err());
}

async fn who_wrote_first_and_last_is_kept(bench: Arc<Bench>) {
    let space = bench.open_space();
    let by = |author: &'static str| {
        let space = space.clone();
        async move {
            let written: Result<Stored, StoreError> = space
                .write(LockSet::default(), move |tx| {
                    match tx.get_for_update(&target("a"))? {
                        Some(current) => tx.replace(&current, &patient("a", author), author),
                        None => Ok(tx.insert(&id("a"), &patient("a", author), author)?.unwrap()),
                    }
                })
                .await;
            written.unwrap()
        }
    };
    let first = by("ann").await;
    by("bob").await;
    by("cid").await;
    let now = get(&space, "a").await.unwrap();
    let authors = |stored: &Stored| (stored.created_by.clone(), stored.updated_by.clone());
    assert_eq!(authors(&now), ("ann".to_owned(), "cid".to_owned()));
    assert_eq!(now.created, first.updated);
    let second: Result<Option<Stored>, StoreError> = space
        .read(|reader| reader.version(&target("a"), fhir::VersionId::FIRST.next()))
        .await;
    assert_eq!(
        authors(&second.unwrap().unwrap()),
        ("ann".to_owned(), "bob".to_owned())
    );
}

/// Writers keep creating while a poller asks for all that is newer than the newest it has seen.
async fn a_poller_by_time_never_misses_a_change(bench: Arc<Bench>) {
    const WRITERS: usize = 6;
    const EACH: usize = 40;
    let store = bench.open();
    let space = store.for_space(SPACE);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let space = space.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let name = format!("w{writer}-{number}");
                    let locks = LockSet {
                        in_order: true,
                        ..LockSet::default()
                    };
                    let written: Result<Option<Stored>, StoreError> = space
                        .write(locks, move |tx| {
                            tx.insert(&id(&name), &patient(&name, "Dupont"), "author")
                        })
                        .await;
                    written.unwrap().unwrap();
                }
            })
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut newest = Timestamp::from_micros(0);
    loop {
        let done = writers.iter().all(|writer| writer.is_finished());
        let page = list(
            &space,
            Listing {
                modified_after: Some(newest),
                count: 1_000,
                ..listing()
            },
        )
        .await;
        for stored in page.resources {
            newest = newest.max(stored.updated);
            seen.insert(stored.target.id.to_string());
        }
        if done {
            break;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.len(), WRITERS * EACH);
}

/// A value that stands in bodies, keys and index rows.
fn canary(number: usize) -> String {
    format!("canary{number:05}x")
}

fn person(number: usize, round: usize) -> NewResource {
    let name = canary(number);
    let mut new = patient(&name, &format!("{name}round{round}"));
    new.keys = vec![crate::fixture::key(
        store::Policy::KeySystem,
        &name,
        store::KeyState::Owning,
    )];
    new
}

/// Among many others that come, change and go, so that pages are split, balanced and reused.
async fn an_erased_person_is_nowhere_in_the_database(bench: Arc<Bench>) {
    const PEOPLE: usize = 600;
    let store = bench.open();
    let space = store.for_space(SPACE);
    for round in 0..3 {
        for number in 0..PEOPLE {
            let name = format!("p{number}");
            if round == 0 {
                insert(&space, &name, person(number, round)).await.unwrap();
            } else if (number + round) % 3 == 0 {
                replace(&space, &name, person(number, round)).await.unwrap();
            }
        }
    }
    let erased: Vec<usize> = (0..PEOPLE).filter(|number| number % 7 == 3).collect();
    for number in &erased {
        let at = target(&format!("p{number}"));
        let done: Result<Stored, StoreError> = space
            .write(LockSet::default(), move |tx| {
                let current = tx.get_for_update(&at)?.unwrap();
                let trace = Trace {
                    author: "author",
                    client: "client",
                    request_id: "request",
                    occasion: store::Occasion::Asked,
                };
                tx.erase(&current, &trace)
            })
            .await;
        let done = done.unwrap();
        assert!(done.deleted && done.body.is_empty());
    }
    let count = "SELECT count(*) AS number FROM erasure";
    assert_eq!(usize::try_from(bench.number(count)).unwrap(), erased.len());
    for table in [
        "resource",
        "resource_version",
        "index_token",
        "index_string",
        "identifier_key",
    ] {
        let dump = match bench.database {
            Database::Sqlite => None,
            Database::Postgres => Some(
                bench
                    .lines(&format!("SELECT CAST({table} AS TEXT) AS line FROM {table}"))
                    .join("\n"),
            ),
        };
        for number in &erased {
            let canary = canary(*number);
            assert!(
                !dump.as_deref().unwrap_or_default().contains(&canary),
                "{canary} is in {table}"
            );
        }
    }
    if bench.database == Database::Sqlite {
        let path = bench.url.trim_start_matches("sqlite:");
        let mut bytes = std::fs::read(path).unwrap();
        for beside in ["-wal", "-shm"] {
            bytes.extend(std::fs::read(format!("{path}{beside}")).unwrap_or_default());
        }
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(text.contains(&canary(0)), "the others are there");
        let left: Vec<&usize> = erased
            .iter()
            .filter(|number| text.contains(&canary(**number)))
            .collect();
        assert!(
            left.is_empty(),
            "{} of {} are still in the file: {left:?}",
            left.len(),
            erased.len()
        );
    }
}
