//! The two Medicapp doors: [`cloud`] (`/cloud/partner/v5`, one trust space per patient) and [`connect`]
//! (`/v5`, one space per key) — `adapters.md` 3.
//!
//! What both share stands here once: what a field may look like (`fields`), the name (`names`), e-mail and
//! telephone (`telecom`), identifiers and the NIR (`identity`, [`nir`]), and the error envelope ([`error`]).
//! The contract in short: `medicapp/README.md`.

use fhir::{Resource, Timestamp};

use crate::naming::Naming;
use crate::tree::{Object, objects, text};

pub mod cloud;
pub mod connect;
pub mod error;
mod fields;
mod identity;
mod names;
pub mod nir;
mod parameters;
mod person;
mod telecom;

pub use error::Fault;
pub use fields::Violation;

#[cfg(test)]
pub(crate) mod tests;

/// The switches of `adapters.md` 10 that these doors know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `medicapp.reject_future_birth`
    pub future_birth: FutureBirth,
    /// `medicapp.strict_key_conflict`
    pub key_conflict: KeyConflict,
    /// `medicapp.locked_fields`
    pub locked_fields: LockedFields,
    /// `medicapp.cloud_get_full`
    pub cloud_get: CloudGet,
    /// `medicapp.per_page_over`
    pub per_page_over: PerPageOver,
    /// `medicapp.template_fhir`
    pub template_fhir: TemplateFhir,
    /// `medicapp.match_ins`
    pub match_ins: MatchIns,
    /// `medicapp.nir_system`
    pub nir_system: NirSystem,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            future_birth: FutureBirth::Refuse,
            key_conflict: KeyConflict::Warn,
            locked_fields: LockedFields::RefuseDifferent,
            cloud_get: CloudGet::Full,
            per_page_over: PerPageOver::Clamp,
            template_fhir: TemplateFhir::Offered,
            match_ins: MatchIns::On,
            nir_system: NirSystem::Nss,
        }
    }
}

/// What becomes of a date of birth after today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FutureBirth {
    /// It is a faulty field.
    Refuse,
    /// It is taken.
    Take,
}

/// What becomes of a cloud POST whose externalId finds a patient with another NIR and rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyConflict {
    /// That patient is the answer, with a warning.
    Warn,
    /// 409.
    Refuse,
}

/// What becomes of a locked field in a cloud PUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockedFields {
    /// One that differs from what is stored is 400, and nothing is written.
    RefuseDifferent,
    /// Any is 400, and nothing is written.
    RefuseAlways,
    /// The field is passed over.
    Ignore,
}

/// What the cloud GET shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudGet {
    /// The five keys of a POST and the administrative fields.
    Full,
    /// The five keys of a POST.
    Keys,
}

/// What becomes of a `per_page` above [`connect::MAX_PER_PAGE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerPageOver {
    /// It is lowered.
    Clamp,
    /// 400.
    Refuse,
}

/// Whether the connect list takes `template=FHIR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateFhir {
    /// It does.
    Offered,
    /// 400.
    Refused,
}

/// Whether a qualified INS-NIR that a FHIR client set counts as the NIR of rank 01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchIns {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// Under which system the NIR of an identificationKey is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NirSystem {
    /// `urn:oid:1.2.250.1.213.1.4.13` (FR Core from 2.2 on).
    Nss,
    /// `urn:oid:1.2.250.1.213.1.4.8` with the type `NH`, never `INS-NIR` (FR Core up to 2.1).
    Ins,
}

/// What a deployment and the day say.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The names of identifier systems and extensions.
    pub naming: &'a Naming,
    /// `YYYY-MM-DD` in UTC.
    pub today: &'a str,
    /// The switches.
    pub switches: Switches,
}

impl<'a> Rules<'a> {
    /// The context of a request about this space.
    pub fn within(self, space: Space<'a>) -> Context<'a> {
        Context { rules: self, space }
    }
}

/// The space of the partner that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space<'a> {
    /// A trust space of the cloud door.
    Trust(&'a str),
    /// The space of a connect key.
    Connect(&'a str),
}

/// What a mapping has to know beside the patient.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Deployment and day.
    pub rules: Rules<'a>,
    /// Whose patients.
    pub space: Space<'a>,
}

impl Context<'_> {
    /// The name of the door in overlays.
    fn adapter(&self) -> &'static str {
        match self.space {
            Space::Trust(_) => "medicapp-cloud",
            Space::Connect(_) => "medicapp-connect",
        }
    }

    /// The system of the external ids of the space.
    pub fn external_id_system(&self) -> String {
        match self.space {
            Space::Trust(name) => self.rules.naming.trust_space_external_id(name),
            Space::Connect(name) => self.rules.naming.space_external_id(name),
        }
    }
}

/// What the store knows of a patient beside its body.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The Medicapp id that was allocated when the patient was created; the one in the body, if it holds one.
    pub patient_id: &'a str,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Its records, oldest first.
    pub records: &'a [Record],
}

/// A record (dossier) of a patient: a side table, not part of the Patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `rec_8f3a2b1c`
    pub id: String,
    /// `completed`
    pub status: String,
    /// When it was attached.
    pub created: Timestamp,
}

/// Whether the doors show this patient: one that a merge replaced is answered like a missing one and is
/// listed nowhere (`adapters.md` 8.2). An inactive one is shown.
pub fn is_visible(patient: &Resource) -> bool {
    is_live(patient.tree())
}

fn is_live(patient: &Object) -> bool {
    !objects(patient, "link").any(|link| text(link, "type") == Some("replaced-by"))
}

/// `2024-01-15T09:30:00Z`: whole seconds, the rest cut off.
fn seconds(at: Timestamp) -> String {
    let instant = at.to_instant();
    match instant.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => instant,
    }
}
