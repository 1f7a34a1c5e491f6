//! Records of the Medicapp doors as Patients.

use fhir::Resource;
use serde_json::Value;

use super::problem::{self, Problem};
use super::record::{self, Gap, Known};
use super::{Options, Translated};
use crate::medicapp::{Space, cloud as door, connect as connect_door};

const CLOUD: Known = &[
    "patientUuid",
    "trustSpaceUuid",
    "firstName",
    "lastName",
    "birthDate",
    "gender",
    "email",
    "phone",
    "externalId",
    "identificationKey.nir",
    "identificationKey.rang",
];
const CONNECT: Known = &[
    "id",
    "firstName",
    "lastName",
    "birthDate",
    "gender",
    "email",
    "phone",
    "externalId",
    "address.street",
    "address.city",
    "address.postalCode",
    "address.country",
];
/// Keys of answers alone.
const CLOUD_ANSWER: [&str; 2] = ["patientUuid", "created"];
const CONNECT_ANSWER: [&str; 4] = ["id", "recordsCount", "createdAt", "modifiedAt"];

/// What both doors demand, and show as `null` of a Patient that does not say it.
const GAPS: [Gap; 3] = [
    Gap {
        field: "firstName",
        stand_in: "x",
        clear: |patient| record::clear_name_part(patient, "given"),
    },
    Gap {
        field: "lastName",
        stand_in: "x",
        clear: |patient| record::clear_name_part(patient, "family"),
    },
    Gap {
        field: "birthDate",
        stand_in: "1900-01-01",
        clear: |patient| drop(patient.shift_remove("birthDate")),
    },
];
const GENDER_GAP: [Gap; 1] = [Gap {
    field: "gender",
    stand_in: "U",
    clear: |patient| drop(patient.shift_remove("gender")),
}];

/// A record of the cloud door: a POST, or what any of its calls answers.
pub(super) fn cloud(bytes: &[u8], options: &Options<'_>) -> Result<Translated<Resource>, Vec<Problem>> {
    let mut record = record::read(bytes)?;
    let mut problems = Vec::new();
    let mut ledger = record::account(&record, CLOUD);
    let id = record::id(&record, "patientUuid", &mut problems);
    if !record.get("trustSpaceUuid").is_some_and(Value::is_string) {
        ledger.defaulted("Patient.managingOrganization");
    }
    let space = record::word(
        &mut record,
        "trustSpaceUuid",
        options.space,
        options.space_flag,
        &mut problems,
    );
    let mut open = Vec::new();
    if record::is_answer(&record, &CLOUD_ANSWER) {
        open = record::fill(&mut record, &GAPS);
        open.extend(record::fill(&mut record, &GENDER_GAP));
    }
    let rules = options.rules();
    let read = door::read_create(&record::bytes(&record), &rules, &[&space]);
    let create = read.map_err(|fault| problem::of_medicapp(&fault));
    let create = together(create, problems)?;
    let mut patient = door::to_fhir_with(&create, id.as_deref(), &rules);
    open.iter().for_each(|gap| (gap.clear)(patient.tree_mut()));
    ledger.defaulted("Patient.active");
    Ok(Translated {
        content: patient,
        ledger,
    })
}

/// A record of the connect door: a POST, an item of the list, or what any other call answers.
pub(super) fn connect(bytes: &[u8], options: &Options<'_>) -> Result<Translated<Resource>, Vec<Problem>> {
    let mut record = record::read(bytes)?;
    let mut problems = Vec::new();
    let mut ledger = record::account(&record, CONNECT);
    let id = record::id(&record, "id", &mut problems);
    if options.space.is_none() {
        let flag = options.space_flag;
        let remedy = format!("the record does not say which space it is of: give {flag} for all records");
        problems.push(Problem::new("$", remedy));
    }
    let mut open = Vec::new();
    if record::is_answer(&record, &CONNECT_ANSWER) {
        open = record::fill(&mut record, &GAPS);
    }
    let rules = options.rules();
    let read = connect_door::read_create(&record::bytes(&record), &rules);
    let create = read.map_err(|fault| problem::of_medicapp(&fault));
    let create = together(create, problems)?;
    let context = rules.within(Space::Connect(options.space.unwrap_or_default()));
    let mut patient = connect_door::to_fhir_with(&create, id.as_deref(), &context);
    open.iter().for_each(|gap| (gap.clear)(patient.tree_mut()));
    ledger.defaulted("Patient.active");
    ledger.defaulted("Patient.managingOrganization");
    Ok(Translated {
        content: patient,
        ledger,
    })
}

/// What the door read, unless there are problems of its own or of ours.
pub(super) fn together<T>(
    read: Result<T, Vec<Problem>>,
    mut problems: Vec<Problem>,
) -> Result<T, Vec<Problem>> {
    match read {
        Ok(read) if problems.is_empty() => Ok(read),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}
