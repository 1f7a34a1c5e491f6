//! POST /patients: the body to a checked [`Create`] and to a Patient.

use fhir::{Identifier, Resource};
use serde_json::Value;

use super::address::{self, Address, Change};
use crate::gender::Words;
use crate::json;
use crate::medicapp::fields::Faults;
use crate::medicapp::person::{Person, field};
use crate::medicapp::{Context, Fault, Rules};

/// A checked create.
#[derive(Clone, PartialEq, Eq)]
pub struct Create {
    person: Person,
    address: Option<Address>,
}

// It is a person: its content never reaches a log by `{:?}`.
impl std::fmt::Debug for Create {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Create(…)")
    }
}

impl Create {
    /// The external id with its system: when another patient of the space has it, the answer is
    /// [`Fault::ExternalIdConflict`].
    pub fn external_id(&self, context: &Context<'_>) -> Option<Identifier> {
        let value = self.person.external_id.clone()?;
        let system = context.external_id_system();
        Some(Identifier { system, value })
    }
}

/// Reads the body of a POST.
///
/// # Errors
/// What is no JSON object; else all faulty fields.
pub fn read_create(body: &[u8], rules: &Rules<'_>) -> Result<Create, Fault> {
    let body = json::object(body)?;
    let mut faults = Faults::default();
    let person = Person::read(&body, Words::MedicappConnect, rules, &mut faults);
    let address = match field(&body, "address") {
        Value::Null => None,
        Value::Object(sent) => Some(Address::default().merged(sent, &mut faults)),
        _ => {
            faults.add("address", address::NO_OBJECT);
            None
        }
    };
    match (faults.into_list(), person) {
        (None, Some(person)) => Ok(Create {
            person,
            address: address.filter(|address| !address.is_empty()),
        }),
        (violations, _) => Err(Fault::Invalid(violations.unwrap_or_default())),
    }
}

/// The new Patient of the space of the context. `patient_id` is fresh: `pat_` and 16 characters of base32.
pub fn to_fhir(create: &Create, patient_id: &str, context: &Context<'_>) -> Resource {
    to_fhir_with(create, Some(patient_id), context)
}

/// As [`to_fhir`], for a patient that may have no Medicapp id yet.
pub fn to_fhir_with(create: &Create, patient_id: Option<&str>, context: &Context<'_>) -> Resource {
    let mut patient = create.person.to_fhir(patient_id, context, |_| {});
    if let Some(address) = &create.address {
        address::set(patient.tree_mut(), context, &Change::Parts(address.clone()));
    }
    patient
}
