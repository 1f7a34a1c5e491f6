//! Histories: complete, in order, and found without reading everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhir::query::encoding;
use fhir::query::history::{History, Scope};
use fhir::query::parse::Handling;
use fhir::{ResourceType, Timestamp};
use serde_json::json;
use store::{ClassFilter, HistoryPage, LockSet, SpaceStore, StoreError, Stored, Trace, Whose};

use crate::bench::{Bench, Database};
use crate::fixture::*;

crate::cases![
    a_history_is_walked_to_its_end_and_back_newest_first,
    a_version_belongs_to_the_time_from_its_writing_to_the_next,
    an_erased_resource_has_deletions_without_content_in_its_history,
    a_revival_is_told_from_an_update,
    a_cursor_of_another_history_is_refused,
    p50_every_version_is_met_once_while_others_are_written,
    histories_use_an_index,
];

const KINDS: [ResourceType; 2] = ResourceType::ALL;

fn asked(query: &str) -> History {
    let pairs = encoding::pairs(query).unwrap();
    History::parse(Scope::System, &pairs, Handling::Strict).unwrap_or_else(|issues| panic!("{issues:?}"))
}

/// A page of everything, or of one resource.
async fn page(
    space: &SpaceStore,
    query: &str,
    of: Option<&str>,
    cursor: Option<String>,
) -> Result<HistoryPage, StoreError> {
    let mut history = asked(query);
    history.cursor = cursor;
    let target = of.map(target);
    space
        .read(move |tx| {
            let stored = match &target {
                Some(target) => tx.get(target)?,
                None => None,
            };
            let whose = stored.as_ref().map_or(Whose::All(&KINDS), Whose::One);
            tx.history(&history, whose, ClassFilter::Any)
        })
        .await
}

fn names(page: &HistoryPage) -> Vec<String> {
    let name = |stored: &Stored| {
        let deleted = if stored.deleted { " deleted" } else { "" };
        format!("{}/{}{deleted}", stored.target.id, stored.version)
    };
    page.versions.iter().map(|past| name(&past.stored)).collect()
}

async fn listed(space: &SpaceStore, query: &str, of: Option<&str>) -> Vec<String> {
    names(&page(space, query, of, None).await.unwrap())
}

fn practitioner(family: &str) -> store::NewResource {
    new(&resource(
        ResourceType::Practitioner,
        json!({"name": [{"family": family}]}),
    ))
}

/// Seven versions of three resources; in their order.
async fn filled(space: &SpaceStore) -> Vec<&'static str> {
    insert(space, "a", patient("a", "A")).await;
    insert(space, "p", practitioner("P")).await;
    replace(space, "a", patient("a", "AA")).await.unwrap();
    insert(space, "b", patient("b", "B")).await;
    remove(space, "a").await;
    replace(space, "b", patient("b", "BB")).await.unwrap();
    replace(space, "a", patient("a", "AAA")).await.unwrap();
    vec!["a/4", "b/2", "a/3 deleted", "b/1", "a/2", "p/1", "a/1"]
}

async fn a_history_is_walked_to_its_end_and_back_newest_first(bench: Arc<Bench>) {
    let space = bench.open_space();
    let all = filled(&space).await;
    let of_a: Vec<&str> = all.iter().copied().filter(|name| name.starts_with('a')).collect();
    for (of, expected) in [(None, &all), (Some("a"), &of_a)] {
        for count in 1..=8 {
            let query = format!("_count={count}&_total=accurate");
            let mut at = page(&space, &query, of, None).await.unwrap();
            let mut pages = vec![names(&at)];
            assert!(at.previous.is_none());
            while let Some(next) = at.next {
                at = page(&space, &query, of, Some(next)).await.unwrap();
                pages.push(names(&at));
                assert_eq!(at.total, Some(expected.len() as u64));
            }
            assert_eq!(&pages.concat(), expected, "{count}");
            assert!(pages.iter().rev().skip(1).all(|page| page.len() == count));
            let mut back = vec![names(&at)];
            while let Some(previous) = at.previous {
                at = page(&space, &query, of, Some(previous)).await.unwrap();
                back.push(names(&at));
            }
            back.reverse();
            assert_eq!(back, pages, "{count}");
        }
        let counted = page(&space, "_count=0", of, None).await.unwrap();
        assert_eq!(
            (counted.versions.len(), counted.total),
            (0, Some(expected.len() as u64))
        );
        let uncounted = page(&space, "_total=none&_count=2", of, None).await.unwrap();
        assert_eq!(
            (
                uncounted.versions.len(),
                uncounted.total,
                uncounted.next.is_some()
            ),
            (2, None, true)
        );
    }
    let patients = history_of(&space, &[PATIENT]).await;
    assert_eq!(patients.len(), all.len() - 1);
    assert_eq!(history_of(&space, &[ResourceType::Practitioner]).await, ["p/1"]);
}

async fn history_of(space: &SpaceStore, kinds: &'static [ResourceType]) -> Vec<String> {
    let page = space
        .read(move |tx| tx.history(&asked(""), Whose::All(kinds), ClassFilter::Any))
        .await;
    names(&page.map_err(|error: StoreError| error).unwrap())
}

async fn a_version_belongs_to_the_time_from_its_writing_to_the_next(bench: Arc<Bench>) {
    let space = bench.open_space();
    let first = insert(&space, "a", patient("a", "A")).await.unwrap();
    let second = replace(&space, "a", patient("a", "AA")).await.unwrap();
    let other = insert(&space, "b", patient("b", "B")).await.unwrap();
    let third = remove(&space, "a").await;
    let at = |time: Timestamp, micros: i64| Timestamp::from_micros(time.micros() + micros).to_instant();
    let (since, when) = (
        |time, micros| format!("_since={}", at(time, micros)),
        |time, micros| format!("_at={}", at(time, micros)),
    );
    for (of, query, expected) in [
        (None, since(second.updated, 0), &["a/3 deleted", "b/1", "a/2"][..]),
        (None, since(second.updated, 1), &["a/3 deleted", "b/1"]),
        (None, since(third.updated, 1), &[]),
        (Some("a"), since(second.updated, 0), &["a/3 deleted", "a/2"]),
        (Some("a"), when(first.updated, -1), &[]),
        (Some("a"), when(first.updated, 0), &["a/1"]),
        (Some("a"), when(second.updated, -1), &["a/1"]),
        (Some("a"), when(second.updated, 0), &["a/2"]),
        (Some("a"), when(third.updated, -1), &["a/2"]),
        (Some("a"), when(third.updated, 0), &["a/3 deleted"]),
        (Some("a"), when(third.updated, 1_000_000), &["a/3 deleted"]),
        (None, when(second.updated, 0), &["a/2"]),
        (None, when(other.updated, 0), &["b/1", "a/2"]),
        (None, when(third.updated, 0), &["a/3 deleted", "b/1"]),
        // All of it lies in one of two centuries.
        (None, "_at=2000".to_owned(), &[]),
        (
            None,
            format!("{}&{}", when(other.updated, 0), since(other.updated, 0)),
            &["b/1"],
        ),
    ] {
        let found = page(&space, &query, of, None).await.unwrap();
        assert_eq!(names(&found), expected, "{of:?} {query}");
        assert_eq!(found.total, Some(expected.len() as u64), "{query}");
        let counted = page(&space, &format!("{query}&_count=0"), of, None)
            .await
            .unwrap();
        assert_eq!(counted.total, Some(expected.len() as u64), "{query}");
    }
    // A stretch of time holds all that was current in it.
    let year: String = first.updated.to_instant().chars().take(4).collect();
    assert_eq!(
        listed(&space, &format!("_at={year}"), Some("a")).await,
        ["a/3 deleted", "a/2", "a/1"]
    );
}

async fn an_erased_resource_has_deletions_without_content_in_its_history(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "a", patient("a", "A")).await;
    replace(&space, "a", patient("a", "AA")).await.unwrap();
    let erased: Result<Stored, StoreError> = space
        .write(LockSet::default(), |tx| {
            let current = tx.get_for_update(&target("a"))?.expect("it is there");
            let trace = Trace {
                author: "author",
                client: "client",
                request_id: "request",
                occasion: store::Occasion::Asked,
            };
            tx.erase(&current, &trace)
        })
        .await;
    erased.unwrap();
    let found = page(&space, "", Some("a"), None).await.unwrap();
    assert_eq!(names(&found), ["a/3 deleted", "a/2 deleted", "a/1 deleted"]);
    assert!(found.versions.iter().all(|past| past.stored.body.is_empty()));
}

async fn a_revival_is_told_from_an_update(bench: Arc<Bench>) {
    let space = bench.open_space();
    filled(&space).await;
    let found = page(&space, "", Some("a"), None).await.unwrap();
    let revived: Vec<bool> = found.versions.iter().map(|past| past.revived).collect();
    assert_eq!(revived, [true, false, false, false]);
    // Superseded, it is still one.
    replace(&space, "a", patient("a", "AAAA")).await.unwrap();
    let found = page(&space, "_count=2", Some("a"), None).await.unwrap();
    let revived: Vec<bool> = found.versions.iter().map(|past| past.revived).collect();
    assert_eq!(revived, [false, true]);
}

async fn a_cursor_of_another_history_is_refused(bench: Arc<Bench>) {
    let space = bench.open_space();
    filled(&space).await;
    let of_all = page(&space, "_count=1", None, None).await.unwrap().next;
    let of_a = page(&space, "_count=1", Some("a"), None).await.unwrap().next;
    let of_search = crate::fixture::page(&space, "_count=1", None).await.unwrap().next;
    assert!(of_all.is_some() && of_a.is_some() && of_search.is_some());
    for (of, cursor) in [
        (Some("a"), &of_all),
        (None, &of_a),
        (Some("b"), &of_a),
        (None, &of_search),
    ] {
        let refused = page(&space, "_count=1", of, cursor.clone()).await;
        assert_eq!(refused.err(), Some(StoreError::BadCursor), "{of:?}");
    }
    let narrower = page(&space, "_count=1&_since=2000", None, of_all).await;
    assert_eq!(narrower.err(), Some(StoreError::BadCursor));
}

async fn p50_every_version_is_met_once_while_others_are_written(bench: Arc<Bench>) {
    const RESOURCES: usize = 10;
    const VERSIONS: usize = 10;
    let space = bench.open_space();
    for round in 0..VERSIONS {
        for number in 0..RESOURCES {
            let (at, new) = (number.to_string(), patient("x", &format!("{round}")));
            match round {
                0 => drop(insert(&space, &at, new).await),
                _ => drop(replace(&space, &at, new).await.unwrap()),
            }
        }
    }
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (space, done) = (space.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut turn = 0;
                while !done.load(Ordering::Relaxed) {
                    let at = (turn * 3 % RESOURCES).to_string();
                    // The other writer may be faster: then the write is refused.
                    drop(replace(&space, &at, patient("x", &format!("{writer} {turn}"))).await);
                    insert(&space, &format!("{writer}-{turn}"), patient("y", "new")).await;
                    turn += 1;
                }
                turn
            })
        })
        .collect();
    let existed: Vec<String> = (0..RESOURCES)
        .flat_map(|number| (1..=VERSIONS).map(move |version| format!("{number}/{version}")))
        .collect();
    for count in [3, 7, 50] {
        let query = format!("_count={count}&_total=accurate");
        let mut at = page(&space, &query, None, None).await.unwrap();
        let mut seen = names(&at);
        while let Some(next) = at.next {
            at = page(&space, &query, None, Some(next)).await.unwrap();
            seen.extend(names(&at));
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all, "{count}: a version was met twice");
        for version in &existed {
            assert!(
                seen.binary_search(version).is_ok(),
                "{count}: {version} was not met"
            );
        }
    }
    done.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await.unwrap() > 0, "nothing was written meanwhile");
    }
}

async fn histories_use_an_index(bench: Arc<Bench>) {
    let space = bench.open_space();
    let fill: Vec<_> = (0..8)
        .map(|part| {
            let space = space.clone();
            tokio::spawn(async move {
                for number in 0..125 {
                    let at = format!("{part}-{number}");
                    insert(&space, &at, patient(&at, "One")).await;
                    replace(&space, &at, patient(&at, "Two")).await.unwrap();
                    replace(&space, &at, patient(&at, "Three")).await.unwrap();
                }
            })
        })
        .collect();
    for part in fill {
        part.await.unwrap();
    }
    let one = get(&space, "3-50").await;
    let time = one.as_ref().expect("it is there").updated.to_instant();
    let last = insert(&space, "last", patient("last", "One")).await.unwrap();
    let lately = last.updated.to_instant();
    let queries = [
        "_count=4".to_owned(),
        format!("_count=4&_since={lately}"),
        format!("_count=4&_at={time}"),
    ];
    for analyzed in [false, true] {
        if analyzed {
            bench.execute("ANALYZE");
        }
        for query in &queries {
            for (kinds, of) in [
                (vec![PATIENT], None),
                (KINDS.to_vec(), None),
                (vec![], one.clone()),
            ] {
                let name = format!("{query} {kinds:?} {} analyzed: {analyzed}", of.is_some());
                let is_one = of.is_some();
                let [first, behind, total] = space.explain_history(asked(query), kinds, of).await.unwrap();
                check(bench.database, &first, is_one, &name);
                check(bench.database, &behind, is_one, &name);
                // Who counts everything reads everything.
                if query.contains("_since") {
                    check(bench.database, &total, is_one, &name);
                }
            }
        }
    }
}

fn check(database: Database, plan: &[String], is_one: bool, name: &str) {
    let text = plan.join("\n");
    let scans = plan.iter().any(|line| match database {
        // What is left to be scanned are the page and its branches.
        Database::Sqlite => ["SCAN h", "SCAN r", "SCAN v USING", "SCAN n", "SCAN p "]
            .iter()
            .any(|scan| line.contains(scan)),
        Database::Postgres => line.contains("Seq Scan"),
    });
    assert!(!scans, "{name}:\n{text}");
    for index in ["resource_by_time", "resource_version_by_time"] {
        assert!(is_one || text.contains(index), "{name}: {index}\n{text}");
    }
    // Of all versions of a resource one is looked at for its body.
    let by_key = plan.iter().any(|line| match database {
        Database::Sqlite => line.contains("SEARCH v") && line.contains("(space=? AND row=? AND version=?)"),
        Database::Postgres => line.contains("Index Cond") && line.contains("(version = page"),
    });
    assert!(by_key || !text.contains("page"), "{name}:\n{text}");
}
