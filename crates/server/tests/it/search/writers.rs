//! Writers beside a search, and the way through its pages.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::tokens::Corner;
use crate::support::*;

/// Stores so many rows that stay, all born on one day, and looks at them while two writers create, change and delete
/// others of that day as fast as they can, and change the staying ones as well: an update must not make a row appear
/// twice or vanish.
pub fn while_others_write(corner: &Corner, rows: usize, look: impl FnOnce()) {
    (0..rows).for_each(|number| corner.put(&format!("stay{number}"), json!({ "birthDate": "1980-01-01" })));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let done = &done;
            scope.spawn(move || write(corner, writer, rows, done));
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(look));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

fn write(corner: &Corner, writer: usize, rows: usize, done: &AtomicBool) {
    // A connection of its own.
    let (fhir, tag) = (corner.fhir.clone(), &corner.tag);
    let body = |id: &str, gender: &str| {
        json!({
            "resourceType": "Patient", "id": id, "birthDate": "1980-01-01", "gender": gender,
            "meta": { "tag": [{ "system": "urn:corner", "code": tag }] }
        })
    };
    let mut turn = 0;
    while !done.load(Ordering::Relaxed) {
        let id = format!("{tag}-come{writer}x{}", turn % 20);
        let path = format!("/Patient/{id}");
        fhir.put(&path).json(&body(&id, "other")).send();
        let staying = format!("{tag}-stay{}", (turn * 7 + writer) % rows);
        let gender = ["male", "female"][turn % 2];
        fhir.put(format!("/Patient/{staying}"))
            .json(&body(&staying, gender))
            .send();
        if turn % 3 == 0 {
            fhir.delete(&path).send();
        }
        turn += 1;
    }
}

/// Asserts that on the way from this page to the last each id is seen once, and of those that stay every one.
#[track_caller]
pub fn each_once(corner: &Corner, first: &str, rows: usize) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut next = Some(first.to_owned());
    while let Some(target) = next {
        let bundle: Value = corner.fhir.get(&target).send().expect(200).json();
        for id in ids(&bundle) {
            *seen.entry(id).or_insert(0) += 1;
        }
        next = link(&bundle, "next");
    }
    assert!(seen.values().all(|times| *times == 1), "{first}: {seen:?}");
    let stayed = seen.keys().filter(|id| id.contains("-stay")).count();
    assert_eq!(stayed, rows, "{first}: rows are missing");
}
