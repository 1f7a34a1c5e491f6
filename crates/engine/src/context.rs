//! Who asks, through which door, and the randomness the engine is given.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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
    /// In whose name it writes: the UUID of a user, or one that stands for the client (`adapters.md` 5.2).
    pub author: String,
    /// What the audit trail holds of this request so far.
    pub witness: Witness,
}

/// What the audit trail holds of a request. Clones speak of the same one: so whoever answers it can tell whether
/// something was recorded, whatever ran.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<AtomicU8>);

impl Witness {
    const DONE: u8 = 1;
    const REFUSED: u8 = 2;

    /// Something was done, and has its row.
    pub fn done(&self) {
        self.0.store(Witness::DONE, Ordering::Relaxed);
    }

    /// Something was refused, and has its row.
    pub fn refused(&self) {
        self.0.store(Witness::REFUSED, Ordering::Relaxed);
    }

    /// Whether there is a row.
    pub fn has_row(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether the last row is that of a refusal.
    pub fn has_refusal(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Witness::REFUSED
    }
}

/// Where new logical ids come from.
pub trait IdSource: Send + Sync {
    /// A fresh id that nobody has used.
    fn next(&self) -> Id;

    /// A fresh id for the Medicapp doors to show, `pat_` and 16 characters, that nobody has used and that comes after
    /// those of earlier milliseconds.
    fn next_patient_id(&self) -> String {
        let (time, random) = {
            let uuid = uuid::Uuid::now_v7().as_u128();
            // The first 48 bits are the time, the last 62 are random.
            (uuid >> 80, uuid & u128::from(u32::MAX))
        };
        let mut bits = (time << 32) | random;
        let mut text = ['0'; 16];
        for place in text.iter_mut().rev() {
            *place = BASE32.chars().nth((bits & 31) as usize).unwrap_or('0');
            bits >>= 5;
        }
        format!("{}{}", fhir::query::ALLOCATED_PREFIX, String::from_iter(text))
    }
}

/// Digits of base 32 in the order of their characters, without those that look like others.
const BASE32: &str = "0123456789abcdefghjkmnpqrstvwxyz";

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
