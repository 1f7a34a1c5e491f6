//! T18: the SQL answers as the matcher does, on random data and random queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhir::query::encoding;
use fhir::query::{matcher, parse, sample};
use fhir::{Id, ResourceType, Timestamp};
use store::{ClassFilter, StoreError};

use crate::bench::{Bench, SPACE};
use crate::cases;
use crate::fixture::{ids, new};

cases![t18_sql_answers_as_the_matcher_does];

const RESOURCES: u64 = 250;
const QUERIES: u64 = 2_000;
const SEED: u64 = 20_261_121;

async fn t18_sql_answers_as_the_matcher_does(bench: Arc<Bench>) {
    println!("seed {SEED}");
    let clock = Arc::new(SampleClock(std::sync::Mutex::new(Timestamp::from_micros(0))));
    let space = bench
        .open_with(store::Options {
            clock: Arc::clone(&clock) as Arc<dyn store::Clock>,
            ..bench.options()
        })
        .for_space(SPACE);
    let mut stored = BTreeMap::new();
    for seed in SEED..SEED + RESOURCES {
        let resource = sample::resource(seed);
        let kind = resource.kind();
        // The vocabulary has few ids: the first resource gets it, a later one gets its own.
        let drawn = sample::id(seed);
        let name = if stored.contains_key(&(kind, drawn.clone())) {
            Id::parse(&format!("own-{seed}")).unwrap()
        } else {
            drawn
        };
        *clock.0.lock().unwrap() = sample::updated(seed);
        let (at, version) = (name.clone(), new(&resource));
        let made = space
            .write(store::LockSet::default(), move |tx| {
                tx.insert(&at, &version, "author")
            })
            .await
            .map_err(|error: StoreError| error)
            .unwrap()
            .unwrap();
        stored.insert((kind, name), (made.row, resource, made.updated));
    }
    let mut matched = 0;
    for seed in SEED..SEED + QUERIES {
        let kind = if seed % 3 == 0 {
            ResourceType::Practitioner
        } else {
            ResourceType::Patient
        };
        let text = sample::query_string(seed, kind);
        let pairs = encoding::pairs(&text).unwrap();
        let query = parse::search(kind, &pairs, parse::Handling::Strict, sample::now())
            .unwrap_or_else(|issues| panic!("{text}: {issues:?}"));
        let mut expected: Vec<(i64, String)> = stored
            .iter()
            .filter(|((_, id), (_, resource, updated))| {
                matcher::matches(&query.criteria, resource, id, *updated)
            })
            .map(|((_, id), (row, _, _))| (*row, id.to_string()))
            .collect();
        expected.sort();
        let expected: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
        let criteria = query.criteria.clone();
        let found = space
            .read(move |tx| tx.matches(&criteria, ClassFilter::Any, 1_000))
            .await;
        let found = ids(&found.map_err(|error: StoreError| error).unwrap());
        assert_eq!(found, expected, "seed {seed}: {kind}?{text}");
        let page = space.read(move |tx| tx.search(&query, ClassFilter::Any)).await;
        let page = page.map_err(|error: StoreError| error).unwrap();
        assert_eq!(
            page.total,
            Some(expected.len() as u64),
            "seed {seed}: {kind}?{text}"
        );
        matched += expected.len();
    }
    assert!(
        matched > 5_000,
        "the samples match too seldom to tell anything: {matched}"
    );
}

struct SampleClock(std::sync::Mutex<Timestamp>);

impl store::Clock for SampleClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}
