//! A Patient as a partner's door shows it.

use fhir::time::TimeRange;
use fhir::{Resource, Timestamp};
use serde::Serialize;

use super::problem::Problem;
use super::{Dialect, Options};
use crate::ehealth;
use crate::medicapp::{self, Context, Space, cloud, connect};
use crate::patient_graph;
use crate::tree::text;

/// The one line of the partner's form.
pub(super) fn render(
    dialect: Dialect,
    patient: &Resource,
    options: &Options<'_>,
) -> Result<String, Vec<Problem>> {
    match dialect {
        Dialect::Fhir => Ok(line(patient.tree())),
        Dialect::MedicappCloud => {
            let context = medicapp_context(patient, dialect, options)?;
            Ok(line(&cloud::show(patient, &medicapp_kept(patient), &context)))
        }
        Dialect::MedicappConnect => {
            let context = medicapp_context(patient, dialect, options)?;
            let kept = medicapp_kept(patient);
            let mut shown = connect::show(patient, &kept, &context, connect::View::Answer);
            shown.created_at.clear();
            if updated(patient).is_none() {
                shown.modified_at.clear();
            }
            Ok(line(&shown))
        }
        Dialect::PatientGraph => graph(patient, options),
        Dialect::Ehealth => preperson(patient, options),
    }
}

fn line(shown: &impl Serialize) -> String {
    // Structs and trees with text keys cannot fail to be written.
    serde_json::to_string(shown).unwrap_or_default()
}

/// What a Patient says of its last change; when it was created, it never says.
fn updated(patient: &Resource) -> Option<Timestamp> {
    let range = TimeRange::parse(patient.meta()?.get("lastUpdated")?.as_str()?)?;
    Some(Timestamp::from_micros(range.low))
}

/// The organization that a Patient names in one of our systems: the space of its door.
pub(super) fn organization<'p>(patient: &'p Resource, system: &str) -> Option<&'p str> {
    let identifier = patient.get("managingOrganization")?.get("identifier")?;
    let identifier = identifier.as_object()?;
    text(identifier, "value").filter(|_| text(identifier, "system") == Some(system))
}

fn unnamed(what: &str, flag: &str) -> Vec<Problem> {
    let remedy = format!("does not name a {what}: give {flag} for all records");
    vec![Problem::new("Patient.managingOrganization", remedy)]
}

fn medicapp_context<'a>(
    patient: &'a Resource,
    dialect: Dialect,
    options: &Options<'a>,
) -> Result<Context<'a>, Vec<Problem>> {
    if !medicapp::is_visible(patient) {
        let remedy = "is replaced by another Patient, so that the door answers it like a missing one; \
                      translate the other";
        return Err(vec![Problem::new("Patient.link", remedy)]);
    }
    let (system, what) = match dialect {
        Dialect::MedicappCloud => (options.naming.trust_space(), "trust space"),
        _ => (options.naming.medicapp_space(), "Medicapp space"),
    };
    let name = options.space.or_else(|| organization(patient, &system));
    let name = name.ok_or_else(|| unnamed(what, "--space"))?;
    let space = match dialect {
        Dialect::MedicappCloud => Space::Trust(name),
        _ => Space::Connect(name),
    };
    Ok(options.rules().within(space))
}

fn medicapp_kept(patient: &Resource) -> medicapp::Kept<'static> {
    let updated = updated(patient).unwrap_or(Timestamp::from_micros(0));
    medicapp::Kept {
        // Nobody has allocated one.
        patient_id: "",
        created: updated,
        updated,
        records: &[],
    }
}

fn graph(patient: &Resource, options: &Options<'_>) -> Result<String, Vec<Problem>> {
    let brand = brand(patient, options).ok_or_else(|| unnamed("brand", "--brand"))?;
    let known = updated(patient);
    let at = known.unwrap_or(Timestamp::from_micros(0));
    let kept = patient_graph::Kept {
        created: at,
        updated: at,
    };
    let mut shown = patient_graph::show(patient, &kept, &options.graph(brand));
    shown.created_at.clear();
    if known.is_none() {
        shown.updated_at.clear();
    }
    Ok(patient_graph::render(&shown))
}

fn brand<'a>(patient: &'a Resource, options: &Options<'a>) -> Option<&'a str> {
    options
        .brand
        .or_else(|| organization(patient, &options.naming.brand()))
}

fn preperson(patient: &Resource, options: &Options<'_>) -> Result<String, Vec<Problem>> {
    let caller = ehealth::Caller {
        user: String::new(),
        legal_entity: String::new(),
        legal_entity_type: String::new(),
        legal_entity_status: String::new(),
        scopes: Vec::new(),
    };
    let switches = ehealth::Switches::default();
    let context = ehealth::Context {
        naming: options.naming,
        today: options.today,
        caller: &caller,
        switches: &switches,
    };
    let known = updated(patient);
    let at = known.unwrap_or(Timestamp::from_micros(0));
    let kept = ehealth::Kept {
        created: at,
        created_by: "",
        updated: at,
        updated_by: "",
    };
    let Some(mut shown) = ehealth::show(patient, &kept, &context) else {
        let remedy = format!(
            "is no preperson: the door shows Patients with an identifier of {}, and those with the extension \
             {} = {} and a UUID for an id",
            options.naming.preperson_id(),
            ehealth::IDENTIFICATION_STATUS,
            ehealth::UNIDENTIFIED,
        );
        return Err(vec![Problem::new("Patient", remedy)]);
    };
    shown.inserted_at.clear();
    if known.is_none() {
        shown.updated_at.clear();
    }
    Ok(line(&shown))
}
