//! Precision and recall of the grades of `$match` over the labelled pairs of `fixtures/match`, by kind of pair.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measuring tool for people at a terminal"
)]

use std::collections::BTreeMap;

use fhir::identity::{Grade, Traits, judge};
use fhir::{Resource, ResourceType};
use serde_json::Value;

fn main() {
    let path = format!("{}/../../fixtures/match/pairs.ndjson", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the labelled pairs");
    let mut kinds: BTreeMap<(bool, String), [usize; 4]> = BTreeMap::new();
    let mut all = [[0; 4]; 2];
    for line in text.lines() {
        let pair: Value = serde_json::from_str(line).expect("JSON");
        let grade = judge(&traits(&pair["asked"]), &traits(&pair["candidate"])).map(|judged| judged.grade);
        let column = match grade {
            Some(Grade::Certain) => 0,
            Some(Grade::Probable) => 1,
            Some(Grade::Possible) => 2,
            None => 3,
        };
        let same = pair["same"] == true;
        let kind = pair["kind"].as_str().unwrap_or_default().to_owned();
        kinds.entry((!same, kind)).or_default()[column] += 1;
        all[usize::from(same)][column] += 1;
    }
    println!("| kind | one person | certain | probable | possible | not |");
    println!("|---|---|---|---|---|---|");
    for ((different, kind), [certain, probable, possible, not]) in &kinds {
        let same = if *different { "no" } else { "yes" };
        println!("| {kind} | {same} | {certain} | {probable} | {possible} | {not} |");
    }
    let [different, same] = all;
    let total: usize = same.iter().sum();
    println!("\n| at least | precision | recall |\n|---|---|---|");
    for (position, name) in ["certain", "probable", "possible"].into_iter().enumerate() {
        let right: usize = same.iter().take(position + 1).sum();
        let wrong: usize = different.iter().take(position + 1).sum();
        println!(
            "| {name} | {:.3} ({right} of {}) | {:.3} ({right} of {total}) |",
            right as f64 / (right + wrong).max(1) as f64,
            right + wrong,
            right as f64 / total as f64,
        );
    }
}

fn traits(patient: &Value) -> Traits {
    let tree = patient.as_object().expect("a Patient").clone();
    Traits::of(&Resource::from_guarded(ResourceType::Patient, tree))
}
