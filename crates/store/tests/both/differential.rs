//! T18: the SQL answers as the matcher does, on random data and random queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhir::query::encoding;
use fhir::query::matcher::{self, Member};
use fhir::query::{Query, parse, sample};
use fhir::{Id, ResourceType, Timestamp};
use store::{ClassFilter, Page, SpaceStore, StoreError};

use crate::bench::{Bench, SPACE};
use crate::cases;
use crate::fixture::{ids, new};

cases![t18_sql_answers_as_the_matcher_does];

const RESOURCES: u64 = 250;
const QUERIES: u64 = 2_000;
/// Searches of both types at once, besides.
const SYSTEM_QUERIES: u64 = 300;
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
    // Without statistics PostgreSQL takes long for chains of several steps.
    bench.execute("ANALYZE");
    let all: Vec<(i64, Member<'_>)> = stored
        .iter()
        .map(|((_, id), (row, resource, updated))| {
            let updated = *updated;
            (
                *row,
                Member {
                    resource,
                    id,
                    updated,
                },
            )
        })
        .collect();
    let members: Vec<Member<'_>> = all.iter().map(|(_, member)| *member).collect();
    let (mut matched, mut linked, mut included) = (0, 0, 0);
    for seed in SEED..SEED + QUERIES {
        let kind = if seed % 3 == 0 {
            ResourceType::Practitioner
        } else {
            ResourceType::Patient
        };
        let text = sample::search_string(seed, kind);
        let shown = format!("seed {seed}: {kind}?{text}");
        let pairs = encoding::pairs(&text).unwrap();
        let mut query = parse::search(kind, &pairs, parse::Handling::Strict, sample::now())
            .unwrap_or_else(|issues| panic!("{shown}: {issues:?}"));
        let mut found: Vec<&(i64, Member<'_>)> = all
            .iter()
            .filter(|(_, member)| matcher::matches_among(&query.criteria, member, &members))
            .collect();
        found.sort_by_key(|(row, _)| *row);
        let mut expected: Vec<String> = found.iter().map(|(_, member)| member.id.to_string()).collect();
        let criteria = query.criteria.clone();
        let matches = space
            .read(move |tx| tx.matches(&criteria, ClassFilter::Any, 1_000))
            .await;
        let matches = matches.map_err(|error: StoreError| error);
        let matches = ids(&matches.unwrap_or_else(|error| panic!("{shown}: {error:?}")));
        assert_eq!(matches, expected, "{shown}");
        matched += expected.len();
        if text.contains("_has:") || text.contains('.') {
            linked += expected.len();
        }
        // The sort is stable: equals stay in order of rows.
        found.sort_by_cached_key(|(_, member)| matcher::rank(&query.sort, member));
        expected = found.iter().map(|(_, member)| member.id.to_string()).collect();
        if !query.includes.is_empty() {
            let matches: Vec<Member<'_>> = found.iter().map(|(_, member)| *member).collect();
            query.count = 1_000;
            let page = searched(&space, &query).await;
            let name = |kind: ResourceType, id: &Id| format!("{kind}/{id}");
            let beside = page.included.resources.iter();
            let mut beside: Vec<String> = beside
                .map(|stored| name(stored.target.kind, &stored.target.id))
                .collect();
            let wanted = matcher::beside(&query, &matches, &members);
            let wanted = wanted.iter().map(|one| name(one.resource.kind(), one.id));
            let mut wanted: Vec<String> = wanted.collect();
            beside.sort();
            wanted.sort();
            assert_eq!(beside, wanted, "beside the matches of {shown}");
            included += wanted.len();
        }
        query.count = [3, 7, 50, 1_000][usize::try_from(seed % 4).unwrap()];
        pages_are(&space, query, &expected, &shown).await;
    }
    for seed in SEED..SEED + SYSTEM_QUERIES {
        let text = sample::system_string(seed);
        let shown = format!("seed {seed}: ?{text}");
        let pairs = encoding::pairs(&text).unwrap();
        let mut query = parse::search_system(&pairs, parse::Handling::Strict, sample::now())
            .unwrap_or_else(|issues| panic!("{shown}: {issues:?}"));
        let of_kind = |kind| fhir::query::Criteria {
            kind,
            ..query.criteria.clone()
        };
        let each: Vec<_> = query.kinds().into_iter().map(of_kind).collect();
        let mut found: Vec<&(i64, Member<'_>)> = all
            .iter()
            .filter(|(_, member)| {
                each.iter()
                    .any(|criteria| matcher::matches_among(criteria, member, &members))
            })
            .collect();
        found.sort_by_key(|(row, _)| *row);
        found.sort_by_cached_key(|(_, member)| matcher::rank(&query.sort, member));
        let expected: Vec<String> = found.iter().map(|(_, member)| member.id.to_string()).collect();
        query.count = [3, 7, 50, 1_000][usize::try_from(seed % 4).unwrap()];
        pages_are(&space, query, &expected, &shown).await;
    }
    println!("{matched} matches, {linked} of them beside chains, {included} included");
    assert!(
        matched > 5_000 && linked > 500 && included > 500,
        "the samples match too seldom to tell anything: {matched}, {linked}, {included}"
    );
}

/// Follows the links to the end and back, some pages at most.
async fn pages_are(space: &SpaceStore, mut query: Query, expected: &[String], shown: &str) {
    const PAGES: usize = 4;
    let size = query.count as usize;
    let pages: Vec<&[String]> = expected.chunks(size).collect();
    let last = pages.len().min(PAGES);
    let mut cursor = None;
    for turn in 0..last.max(1) {
        query.cursor = cursor;
        let page = searched(space, &query).await;
        assert_eq!(page.total, Some(expected.len() as u64), "{shown}");
        let wanted = pages.get(turn).copied().unwrap_or_default();
        assert_eq!(ids(&page.matches), wanted, "page {turn} of {shown}");
        assert_eq!(
            page.next.is_some(),
            turn + 1 < pages.len(),
            "page {turn} of {shown}"
        );
        assert_eq!(page.previous.is_some(), turn > 0, "page {turn} of {shown}");
        cursor = if turn + 1 < last { page.next } else { page.previous };
    }
    for turn in (0..last.saturating_sub(1)).rev() {
        query.cursor = cursor;
        let page = searched(space, &query).await;
        assert_eq!(ids(&page.matches), pages[turn], "back at page {turn} of {shown}");
        assert_eq!(
            (page.previous.is_some(), page.next.is_some()),
            (turn > 0, true),
            "{shown}"
        );
        cursor = page.previous;
    }
}

async fn searched(space: &SpaceStore, query: &Query) -> Page {
    let page = space.search(query.clone(), ClassFilter::Any).await;
    page.unwrap()
}

struct SampleClock(std::sync::Mutex<Timestamp>);

impl store::Clock for SampleClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}
