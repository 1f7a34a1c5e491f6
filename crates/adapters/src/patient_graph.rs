//! The door patient-graph v1, under `/v1`: a brand's patients (`adapters.md` 4; `patient_graph/README.md`).
//!
//! A request comes in through [`read_create`] or [`read_list`], becomes a Patient in [`to_fhir`], is held
//! against its likes with [`criteria`] and [`is_duplicate`], and any Patient of the brand is answered by
//! [`show`], [`show_safe`] and [`show_list`]. The door has no call that changes a patient: none is published.

use fhir::Timestamp;

use crate::naming::Naming;

mod duplicate;
mod error;
mod from_fhir;
mod metadata;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod to_fhir;
mod wire;

pub use duplicate::{criteria, find_or_create, is_duplicate, lock_values};
pub use error::{Fault, Missing, Violation};
pub use from_fhir::{is_shown_as, show, show_list, show_safe};
pub(crate) use metadata::property;
pub use metadata::{MAX_METADATA_BYTES, Metadata};
pub use read::{
    Create, DEFAULT_LIMIT, ListParameters, MAX_EMAIL_CHARS, MAX_EXTERNAL_IDS, MAX_LIMIT, MAX_TEXT_CHARS,
    read_create, read_list,
};
pub(crate) use to_fhir::id_entry;
pub use to_fhir::{to_fhir, to_fhir_with};
pub use wire::{List, Patient, SafePatient, render};

/// The door's name: in overlays, statuses and configuration.
pub const ADAPTER: &str = "patient-graph";

/// What a translation is to know besides the request and the resource.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The names of systems and extensions.
    pub naming: &'a Naming,
    /// The day, `YYYY-MM-DD` in UTC: it decides which names and telecoms are current.
    pub today: &'a str,
    /// The brand that the space is bound to.
    pub brand: &'a str,
}

/// What the store knows of a Patient beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// When it was created.
    pub created: Timestamp,
    /// When it was last written.
    pub updated: Timestamp,
}

/// What a deployment may want otherwise (`adapters.md` 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `patient_graph.duplicate_email`: whether an equal e-mail address makes a duplicate.
    pub duplicate_email: bool,
    /// `patient_graph.get_by_id`: whether `GET /v1/patients/{id}` is answered. For the routes to heed.
    pub get_by_id: bool,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            duplicate_email: true,
            get_by_id: true,
        }
    }
}

/// Names of fields with an overlay, and of our extensions.
pub(crate) mod names {
    pub(crate) const GENDER_AS_RECEIVED: &str = "gender-as-received";
    pub(crate) const METADATA: &str = "metadata";
    pub(crate) const PARTNER_STATUS: &str = "partner-status";
}
