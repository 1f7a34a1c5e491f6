//! The door held against its fixtures, generated patients and broken bodies.

use fhir::time::TimeRange;
use fhir::{Id, Resource, ResourceType, Timestamp};
use serde_json::Value;

use super::{Context, Create, Fault, Kept, read_create, render, show, to_fhir};
use crate::naming::Naming;

mod door;
mod duplicates;
mod fixtures;
mod mutants;
pub(crate) mod properties;
mod published;

const BRANDS: [&str; 2] = ["acme", "loop health"];
const ID: &str = "0b8f5c3e-6a0d-4a6e-9a53-2f1d7c9e4b10";
const TODAY: &str = "2026-11-21";

fn naming() -> Naming {
    Naming::new(Naming::DEFAULT_BASE)
}

fn context<'a>(naming: &'a Naming, brand: &'a str) -> Context<'a> {
    Context {
        naming,
        today: TODAY,
        brand,
    }
}

fn kept() -> Kept {
    let at = |text: &str| Timestamp::from_micros(TimeRange::parse(text).unwrap().low);
    Kept {
        created: at("2026-11-20T23:59:59.999999Z"),
        updated: at("2026-11-21T03:34:00.123456Z"),
    }
}

fn create(body: &str) -> Result<Create, Fault> {
    read_create(body.as_bytes(), &BRANDS)
}

fn created(create: &Create, naming: &Naming) -> Resource {
    to_fhir(create, &Id::parse(ID).unwrap(), &context(naming, create.brand()))
}

fn shown(resource: &Resource, naming: &Naming) -> String {
    render(&show(resource, &kept(), &context(naming, "acme")))
}

fn resource(tree: Value) -> Resource {
    match tree {
        Value::Object(tree) => Resource::from_guarded(ResourceType::Patient, tree),
        other => panic!("{other} is no object"),
    }
}

/// A body of the three required fields and others.
fn body(others: &str) -> String {
    let comma = if others.is_empty() { "" } else { "," };
    format!(r#"{{"brand_id":"acme","first_name":"Ada","last_name":"Lovelace"{comma}{others}}}"#)
}

/// What a refused body is told.
fn message(body: &str) -> String {
    let fault = create(body).expect_err(body);
    assert_eq!(fault.status(), 400, "{body}");
    fault.message()
}

/// Random numbers that are the same every time (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below the bound.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound
    }

    fn pick<'t>(&mut self, items: &[&'t str]) -> &'t str {
        items[self.below(items.len())]
    }

    fn is_one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}
