//! What both doors promise. `fixtures` runs the folders of `fixtures/medicapp-*`, `properties` the round
//! trips, `hostile` mutated bodies, `tables` the edge cases that are lists of values.

use fhir::{Resource, ResourceType, Timestamp};
use serde_json::Value;

use super::{Context, Kept, Rules, Space, Switches};
use crate::naming::Naming;

mod fixtures;
pub(crate) mod hostile;
mod properties;
pub(crate) mod sample;
mod spaces;
mod tables;

pub(super) const TODAY: &str = "2026-11-21";
pub(super) const TRUST_SPACE: &str = "ts_xxxxxxxxxxxx";
pub(super) const TRUST_SPACES: [&str; 2] = [TRUST_SPACE, "ts_other"];
pub(super) const CONNECT_SPACE: &str = "main";
pub(super) const FRESH_ID: &str = "pat_aaaaaaaaaaaaaaaa";

pub(super) struct World {
    pub(super) naming: Naming,
    pub(super) switches: Switches,
}

impl World {
    pub(super) fn new() -> World {
        World {
            naming: Naming::new(Naming::DEFAULT_BASE),
            switches: Switches::default(),
        }
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        Rules {
            naming: &self.naming,
            today: TODAY,
            switches: self.switches,
        }
    }

    pub(super) fn cloud(&self) -> Context<'_> {
        self.rules().within(Space::Trust(TRUST_SPACE))
    }

    pub(super) fn connect(&self) -> Context<'_> {
        self.rules().within(Space::Connect(CONNECT_SPACE))
    }
}

pub(super) const KEPT: Kept<'static> = Kept {
    patient_id: FRESH_ID,
    created: Timestamp::from_micros(1_705_311_000_000_000),
    updated: Timestamp::from_micros(1_742_479_200_123_456),
    records: &[],
};

pub(super) fn patient(value: Value) -> Resource {
    match value {
        Value::Object(tree) => Resource::from_guarded(ResourceType::Patient, tree),
        other => panic!("{other} is no object"),
    }
}

/// The faults of a resource as R4, warnings aside.
pub(super) fn errors(resource: &Resource) -> Vec<String> {
    fhir::validate::validate(resource)
        .into_iter()
        .filter(|issue| issue.is_error())
        .map(|issue| format!("{:?} {}", issue.expression, issue.text))
        .collect()
}
