//! Measures the store alone: `cargo run --release -p store --example measure -- URL STORED SECONDS`.
//!
//! Regulator-sized Patients (1.1 KB; eight tokens, three strings, a date, a key) written by 64 tasks, each a
//! find-or-create in one transaction with its audit row; then reads by id and by identifier.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measuring tool"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fhir::query::Criteria;
use fhir::{Canonical, Id, Identifier, Resource, ResourceType, Target, Timestamp};
use serde_json::{Value, json};
use store::{
    AuditEntry, Class, ClassFilter, KeyRow, KeyState, LockSet, NewResource, Options, Policy, SpaceKey,
    SpaceStore, Store, StoreError,
};

const TASKS: u64 = 64;
const SPACE: SpaceKey = SpaceKey(1);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let url = arguments.get(1).expect("a URL").clone();
    let stored: u64 = arguments.get(2).map_or(0, |text| text.parse().unwrap());
    let seconds: u64 = arguments.get(3).map_or(5, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(measure(url, stored, Duration::from_secs(seconds)));
}

async fn measure(url: String, stored: u64, time: Duration) {
    let store = Store::open(&url, Options::default()).unwrap();
    store.migrate().unwrap();
    let space = store.for_space(SPACE);
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    run(&space, &next, Until::Count(stored), put_new).await;
    println!("{stored} stored in {:.1} s", started.elapsed().as_secs_f64());
    let from = next.load(Ordering::Relaxed);
    let report = run(&space, &next, Until::Time(time), put_new).await;
    println!("put-new              {report}");
    let known = next.load(Ordering::Relaxed).max(from + 1);
    let report = run(
        &space,
        &Arc::new(AtomicU64::new(0)),
        Until::Time(time),
        move |space, number| put_new(space, scramble(number) % known),
    )
    .await;
    println!("put-same             {report}");
    let report = run(
        &space,
        &Arc::new(AtomicU64::new(0)),
        Until::Time(time),
        move |space, number| get(space, scramble(number) % known),
    )
    .await;
    println!("get                  {report}");
    let report = run(
        &space,
        &Arc::new(AtomicU64::new(0)),
        Until::Time(time),
        move |space, number| find(space, scramble(number) % known),
    )
    .await;
    println!("match by identifier  {report}");
    store.close().await.unwrap();
}

enum Until {
    Count(u64),
    Time(Duration),
}

async fn run<F, R>(space: &SpaceStore, next: &Arc<AtomicU64>, until: Until, work: F) -> String
where
    F: Fn(SpaceStore, u64) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let started = Instant::now();
    let (limit, deadline) = match until {
        Until::Count(count) => (next.load(Ordering::Relaxed) + count, Duration::MAX),
        Until::Time(time) => (u64::MAX, time),
    };
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (space, next) = (space.clone(), Arc::clone(next));
            tokio::spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < deadline {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= limit {
                        break;
                    }
                    let begun = Instant::now();
                    work(space.clone(), number).await;
                    times.push(begun.elapsed());
                    // Inline reads never wait: let the others have their turn.
                    tokio::task::yield_now().await;
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    next.fetch_min(limit, Ordering::Relaxed);
    let elapsed = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| {
        let position = (times.len() as f64 * share) as usize;
        times.get(position).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    format!(
        "{:>8.0}/s  p50 {:.3} ms  p99 {:.3} ms",
        times.len() as f64 / elapsed,
        at(0.5),
        at(0.99)
    )
}

fn scramble(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn identifier(number: u64) -> Identifier {
    Identifier {
        system: "urn:oid:1.2.250.1.213.3.6".to_owned(),
        value: format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    }
}

fn name(number: u64) -> Id {
    Id::parse(&format!("{:016x}", scramble(number).wrapping_add(number << 44))).unwrap()
}

fn resource(number: u64) -> NewResource {
    let mixed = scramble(number);
    let Identifier { system, value } = identifier(number);
    let tree = json!({
        "meta": {"profile": ["https://interop.esante.gouv.fr/ig/fhir/StructureDefinition/FrPatient"], "source": system},
        "identifier": [
            {"system": system, "value": value, "type": {"coding": [{"system": "urn:types", "code": "INTRN"}]}},
        ],
        "active": true,
        "name": [{"family": format!("Family{}", mixed % 50_000), "given": [format!("Given{}", mixed % 997)]}],
        "gender": if mixed.is_multiple_of(2) { "male" } else { "female" },
        "birthDate": format!("{}-{:02}-{:02}", 1930 + mixed % 80, 1 + mixed % 12, 1 + mixed % 28),
        "telecom": [{"system": "phone", "value": format!("+336{:08}", mixed % 100_000_000)}],
        "address": [{"city": format!("City{}", mixed % 3_000)}],
        "extension": [{"url": "http://example.org/filler", "valueString": "x".repeat(400)}],
    });
    let Value::Object(tree) = tree else { unreachable!() };
    let resource = Resource::from_guarded(ResourceType::Patient, tree);
    NewResource {
        class: Class::Ordinary,
        canonical: Canonical::of(&resource),
        index: fhir::index::extract(&resource),
        keys: vec![KeyRow {
            policy: Policy::KeySystem,
            identifier: identifier(number),
            state: KeyState::Owning,
        }],
        medicapp_id: None,
        replaced: false,
    }
}

async fn put_new(space: SpaceStore, number: u64) {
    let criteria = Criteria::by_identifier(ResourceType::Patient, &identifier(number));
    let (id, new) = (name(number), resource(number));
    let locks = LockSet {
        values: vec![identifier(number).value],
        shared: Some(ResourceType::Patient),
        ..LockSet::default()
    };
    let entry = AuditEntry {
        time: Timestamp::from_micros(0),
        request_id: "0123456789abcdef0123456789abcdef".to_owned(),
        client: "client".to_owned(),
        space: Some(SPACE),
        door: "fhir",
        interaction: "conditional-update",
        kind: Some(ResourceType::Patient.into()),
        id: Some(id.clone()),
        version: None,
        outcome: "ok",
    };
    let outcome: Result<(), StoreError> = space
        .write(locks, move |tx| {
            if let [stored] = tx.matches(&criteria, ClassFilter::Any, 2)?.as_slice() {
                assert!(stored.digest == *new.canonical.digest());
                return Ok(());
            }
            let taken = tx.holders(ResourceType::Patient, Policy::KeySystem, &new.keys[0].identifier)?;
            assert!(taken.is_empty());
            assert!(tx.insert(&id, &new, "author")?.is_some(), "two numbers, one id");
            tx.audit(&entry)
        })
        .await;
    outcome.unwrap();
}

async fn get(space: SpaceStore, number: u64) {
    let target = Target {
        kind: ResourceType::Patient,
        id: name(number),
    };
    let found: Result<_, StoreError> = space.read(move |tx| tx.get(&target)).await;
    assert!(found.unwrap().is_some());
}

async fn find(space: SpaceStore, number: u64) {
    let criteria = Criteria::by_identifier(ResourceType::Patient, &identifier(number));
    let found: Result<_, StoreError> = space
        .read(move |tx| tx.matches(&criteria, ClassFilter::Any, 2))
        .await;
    assert_eq!(found.unwrap().len(), 1);
}
