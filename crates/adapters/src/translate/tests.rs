//! What moves, and what is said of it. `round_trips` holds the doors' generated records against themselves,
//! `answers` the shapes that a door is never sent, `fates` the ledger, `hostile` broken records. What the
//! command prints stands in `fixtures/translate`.

use fhir::Resource;
use serde_json::Value;

use super::{Dialect, Ledger, Options, Problem, Translated, from_fhir, to_fhir, translate};
use crate::naming::Naming;

mod again;
mod answers;
mod fates;
mod hostile;
mod round_trips;

const TODAY: &str = "2026-11-21";
const BASE: &str = Naming::DEFAULT_BASE;

struct World {
    naming: Naming,
}

impl World {
    fn new() -> World {
        World {
            naming: Naming::new(BASE),
        }
    }

    /// Options that name everything.
    fn options(&self) -> Options<'_> {
        Options {
            space: Some("main"),
            space_flag: "--space",
            brand: Some("acme"),
            legal_entity: Some("4c7b1f4e-3a43-4f4c-8d3f-2f0c3f1e9a10"),
            ..self.silent()
        }
    }

    /// Options that name nothing.
    fn silent(&self) -> Options<'_> {
        Options {
            naming: &self.naming,
            today: TODAY,
            space: None,
            space_flag: "--space",
            brand: None,
            legal_entity: None,
        }
    }

    #[track_caller]
    fn patient(&self, from: Dialect, record: &str) -> Resource {
        match to_fhir(from, record.as_bytes(), &self.options()) {
            Ok(translated) => translated.content,
            Err(problems) => panic!("{record}: {problems:?}"),
        }
    }

    #[track_caller]
    fn shown(&self, to: Dialect, patient: &Resource) -> Translated<String> {
        from_fhir(to, patient, &self.options()).unwrap_or_else(|problems| panic!("{problems:?}"))
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn paths(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.path.as_str()).collect()
}

/// The paths that were dropped at least once.
fn dropped(ledger: &Ledger) -> Vec<&str> {
    let rows = ledger.rows().filter(|(_, counts)| counts.dropped > 0);
    rows.map(|(path, _)| path).collect()
}
