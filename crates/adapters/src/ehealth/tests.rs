//! The door as its callers see it.

use super::{Caller, Context, Switches};
use crate::naming::Naming;

mod checks;
mod fixtures;
mod mutants;
mod profiles;
pub(crate) mod properties;

const TODAY: &str = "2026-11-21";
const PREPERSON: &str = "7c3da506-804d-4550-8993-bf17f9ee0402";

/// What a [`Context`] borrows.
struct World {
    naming: Naming,
    caller: Caller,
    switches: Switches,
}

impl World {
    fn new() -> World {
        World {
            naming: Naming::new(Naming::DEFAULT_BASE),
            // A SPECIALIST of an outpatient clinic.
            caller: Caller {
                user: "2922a240-63db-404e-b730-09222bfeb2dd".to_owned(),
                legal_entity: "4c7b1f4e-3a43-4f4c-8d3f-2f0c3f1e9a10".to_owned(),
                legal_entity_type: "OUTPATIENT".to_owned(),
                legal_entity_status: "ACTIVE".to_owned(),
                scopes: vec!["preperson:read".to_owned(), "preperson:write".to_owned()],
            },
            switches: Switches::default(),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            naming: &self.naming,
            today: TODAY,
            caller: &self.caller,
            switches: &self.switches,
        }
    }
}
