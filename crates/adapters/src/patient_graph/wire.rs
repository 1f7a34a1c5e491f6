//! The door's answers, their keys in the order of its document.

use serde::Serialize;
use serde_json::Value;

use super::metadata::Metadata;
use crate::tree::Object;

/// A patient: 18 keys, always all of them.
#[derive(Clone, Serialize)]
#[allow(missing_docs)] // the partner's words
pub struct Patient {
    pub id: String,
    pub brand_id: String,
    pub first_name: String,
    pub last_name: String,
    pub date_of_birth: Option<String>,
    pub gender: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// Key to value, all of them texts.
    pub external_ids: Object,
    pub status: String,
    pub metadata: Metadata,
    pub age_verified_at: Option<String>,
    pub ruo_pathway_acknowledged_at: Option<String>,
    pub researcher_acknowledgement_id: Option<String>,
    pub prescription_status: Option<String>,
    pub prescription_consult_completed_at: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

// A person: never reaches a log by `{:?}`.
impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Patient({})", self.id)
    }
}

/// What of a patient is no personal health information.
#[derive(Clone, Serialize)]
#[allow(missing_docs)] // the partner's words
pub struct SafePatient {
    pub id: String,
    pub brand_id: String,
    pub external_ids: Object,
    pub status: String,
    pub metadata: Metadata,
    pub created_at: String,
    pub updated_at: String,
}

impl std::fmt::Debug for SafePatient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SafePatient({})", self.id)
    }
}

/// A page of patients.
#[derive(Clone, Debug, Serialize)]
pub struct List {
    /// The page.
    pub patients: Vec<Patient>,
    /// How many there are on all pages.
    pub total: u64,
}

/// The JSON text of an answer. Nothing of this door's fails to be written; if it did, there would be no body.
pub fn render(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

/// The text of a JSON string.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
