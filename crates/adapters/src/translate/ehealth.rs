//! Prepersons as Patients: POST and PATCH bodies, and the answers with or without their envelope.

use fhir::{Id, Resource, ResourceType};
use serde_json::{Value, json};

use super::problem::{self, Problem};
use super::record::{self, Gap, Known};
use super::spaces::together;
use super::{Options, Translated};
use crate::ehealth::{
    Body, Caller, Context, IDENTIFICATION_STATUS, Switches, UNIDENTIFIED, apply, parse_id, read_create,
    read_update, to_fhir_with,
};
use crate::naming::Naming;
use crate::tree::{Object, push, retain, text};

const KNOWN: Known = &[
    "id",
    "external_id",
    "first_name",
    "last_name",
    "second_name",
    "gender",
    "birth_date",
    "death_date",
    "emergency_contact",
    "note",
    "status",
];
/// Keys of answers alone.
const ANSWER: [&str; 6] = [
    "id",
    "status",
    "inserted_at",
    "inserted_by",
    "updated_at",
    "updated_by",
];
/// What a POST does not take.
const NOT_CREATED: [&str; 7] = [
    "id",
    "status",
    "death_date",
    "inserted_at",
    "inserted_by",
    "updated_at",
    "updated_by",
];
/// Under which a preperson without an id is changed before it is given away.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
const STAND_IN: &str = "x";

/// What a POST demands, and an answer shows as `null` of a Patient born through FHIR.
const GAPS: [Gap; 1] = [Gap {
    field: "gender",
    stand_in: "MALE",
    clear: |patient| drop(patient.shift_remove("gender")),
}];

/// A record as a Patient.
pub(super) fn read(bytes: &[u8], options: &Options<'_>) -> Result<Translated<Resource>, Vec<Problem>> {
    let mut record = record::read(bytes)?;
    if !record.contains_key("meta") {
        return preperson(record, options);
    }
    let Some(Value::Object(data)) = record.get_mut("data").map(Value::take) else {
        return Err(vec![Problem::at(
            "data",
            "must be the object that the answer is about",
        )]);
    };
    preperson(data, options).map_err(|mut problems| {
        for problem in &mut problems {
            problem.path = problem.path.replacen('$', "$.data", 1);
        }
        problems
    })
}

fn preperson(mut record: Object, options: &Options<'_>) -> Result<Translated<Resource>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut ledger = record::account(&record, KNOWN);
    record::without_nulls(&mut record);
    let id = id(&record, &mut problems);
    let is_active = is_active(&record, &mut problems);
    if is_active.is_none() {
        ledger.defaulted("Patient.active");
    }
    let is_answer = record::is_answer(&record, &ANSWER);
    let has_external_id = record.contains_key("external_id");
    let mut open = Vec::new();
    if is_answer {
        open = record::fill(&mut record, &GAPS);
        if !has_external_id {
            record.insert("external_id".to_owned(), STAND_IN.into());
        }
    }
    if has_external_id && options.legal_entity.is_none_or(str::is_empty) {
        let remedy = "the record does not say whose id it is: give --legal-entity for all records";
        problems.push(Problem::at("external_id", remedy));
    }
    let death = record.shift_remove("death_date");
    record.retain(|key, _| !NOT_CREATED.contains(&key.as_str()));

    let caller = caller(options.legal_entity.unwrap_or_default());
    let switches = Switches::default();
    let context = Context {
        naming: options.naming,
        today: options.today,
        caller: &caller,
        switches: &switches,
    };
    let body = Body::read(&record::bytes(&record)).map_err(|fault| problem::of_ehealth(&fault))?;
    let created = read_create(&body, &context)
        .map(|create| to_fhir_with(&create, id.as_ref(), &context))
        .map_err(|fault| problem::of_ehealth(&fault));
    let died = match &death {
        Some(date) => with_death(created, date, &context),
        None => created,
    };
    let mut patient = together(died, problems)?;
    let tree = patient.tree_mut();
    open.iter().for_each(|gap| (gap.clear)(tree));
    if is_answer && !has_external_id {
        drop_external_id(tree, options.naming);
    }
    if is_active == Some(false) {
        tree.insert("active".to_owned(), Value::Bool(false));
    }
    Ok(Translated {
        content: patient,
        ledger,
    })
}

/// What the door's PATCH makes of a date of death. Its faults are told beside those of the rest.
fn with_death(
    created: Result<Resource, Vec<Problem>>,
    date: &Value,
    context: &Context<'_>,
) -> Result<Resource, Vec<Problem>> {
    let mut body = Object::new();
    body.insert("death_date".to_owned(), date.clone());
    let body = Body::read(&record::bytes(&body)).map_err(|fault| problem::of_ehealth(&fault))?;
    let mut faults = Vec::new();
    let (mut patient, is_sound) = match created {
        Ok(patient) => (patient, true),
        Err(problems) => {
            faults = problems;
            (unidentified(context.naming), false)
        }
    };
    let is_nameless = patient.body_id().is_none();
    if is_nameless {
        patient.tree_mut().insert("id".to_owned(), NOBODY.into());
    }
    let changed = read_update(&body, &patient, context).and_then(|update| apply(&update, &patient, context));
    match changed {
        Ok(mut changed) if is_sound => {
            if is_nameless {
                changed.tree_mut().shift_remove("id");
            }
            Ok(changed)
        }
        Ok(_) => Err(faults),
        Err(fault) => {
            faults.extend(problem::of_ehealth(&fault));
            Err(faults)
        }
    }
}

fn unidentified(naming: &Naming) -> Resource {
    let mut tree = Object::new();
    let status = json!({ "url": naming.extension(IDENTIFICATION_STATUS), "valueCode": UNIDENTIFIED });
    push(&mut tree, "extension", status);
    Resource::from_guarded(ResourceType::Patient, tree)
}

fn id(record: &Object, problems: &mut Vec<Problem>) -> Option<Id> {
    let value = record.get("id").filter(|id| id.as_str() != Some(""))?;
    let id = value.as_str().and_then(|id| parse_id(id).ok());
    if id.is_none() {
        problems.push(Problem::at("id", "must be a UUID"));
    }
    Id::parse(&id?)
}

fn is_active(record: &Object, problems: &mut Vec<Problem>) -> Option<bool> {
    record.get("status")?;
    match text(record, "status") {
        Some("ACTIVE") => Some(true),
        Some("INACTIVE") => Some(false),
        _ => {
            problems.push(Problem::at("status", "must be ACTIVE or INACTIVE"));
            None
        }
    }
}

fn drop_external_id(tree: &mut Object, naming: &Naming) {
    retain(tree, "identifier", |identifier| {
        let system = identifier.get("system").and_then(Value::as_str);
        !system.is_some_and(|system| naming.is_preperson_external_id(system))
    });
    // The stand-in of a record without a legal entity has a system of nobody.
    let nobody = naming.preperson_external_id("");
    retain(tree, "identifier", |identifier| {
        identifier.get("system").and_then(Value::as_str) != Some(&nobody)
    });
}

/// Whose records they are; the checks of who may what are the door's.
fn caller(legal_entity: &str) -> Caller {
    Caller {
        user: String::new(),
        legal_entity: legal_entity.to_owned(),
        legal_entity_type: String::new(),
        legal_entity_status: String::new(),
        scopes: Vec::new(),
    }
}
