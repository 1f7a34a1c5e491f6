//! Who asks, through which door, and the randomness the engine is given.

use std::fmt;

use fhir::Id;
use store::SpaceKey;

use crate::scope::Scopes;

/// A way in (`access.md` 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Door {
    /// `/fhir`
    Fhir,
    /// `/cloud/partner/v5`
    MedicappCloud,
    /// `/v5`
    MedicappConnect,
    /// `/v1`
    PatientGraph,
    /// `/api`
    Ehealth,
}

impl Door {
    /// All doors.
    pub const ALL: [Door; 5] = [
        Door::Fhir,
        Door::MedicappCloud,
        Door::MedicappConnect,
        Door::PatientGraph,
        Door::Ehealth,
    ];

    /// The name in configuration, audit and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Door::Fhir => "fhir",
            Door::MedicappCloud => "medicapp-cloud",
            Door::MedicappConnect => "medicapp-connect",
            Door::PatientGraph => "patient-graph",
            Door::Ehealth => "ehealth",
        }
    }

    /// The door of this name.
    pub fn parse(name: &str) -> Option<Door> {
        Door::ALL.into_iter().find(|door| door.as_str() == name)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Rules that a client's writes obey beside FHIR's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientPolicy {
    /// None.
    #[default]
    None,
    /// `regulator-accounts.md`: everything this client writes is a regulator's account, and it sees
    /// nothing else.
    SasRegulator,
}

impl ClientPolicy {
    /// The name in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            ClientPolicy::None => "none",
            ClientPolicy::SasRegulator => "sas-regulator",
        }
    }
}

/// Who asks, as the credential told: everything a decision may rest on.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The client's id.
    pub client: String,
    /// The space this request is about.
    pub space: SpaceKey,
    /// Through which door it came.
    pub door: Door,
    /// What it may do.
    pub scopes: Scopes,
    /// Its policy.
    pub policy: ClientPolicy,
    /// The request's id, for audit and log.
    pub request_id: String,
}

/// Where new logical ids come from.
pub trait IdSource: Send + Sync {
    /// A fresh id that nobody has used.
    fn next(&self) -> Id;
}

/// Random ids that rise with time (UUID version 7): new rows lie next to each other in every index.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn next(&self) -> Id {
        let text = uuid::Uuid::now_v7().to_string();
        // A UUID is 36 characters of [0-9a-f-]: always an id. The loop satisfies the type, not a doubt.
        loop {
            if let Some(id) = Id::parse(&text) {
                return id;
            }
        }
    }
}
