//! Records of patient-graph as Patients: its requests, and the 18 keys of its answers.

use fhir::time::TimeRange;
use fhir::{Id, Resource};
use serde_json::{Value, json};

use super::problem::{self, Problem};
use super::record::{self, Gap, Known};
use super::spaces::together;
use super::{Options, Translated};
use crate::naming::Naming;
use crate::patient_graph::{ADAPTER, Metadata, id_entry, names, read_create, to_fhir_with};
use crate::tree::{Object, push, text};

const KNOWN: Known = &[
    "id",
    "brand_id",
    "first_name",
    "last_name",
    "date_of_birth",
    "gender",
    "email",
    "phone",
    "external_ids",
    "status",
    "metadata",
    "age_verified_at",
    "ruo_pathway_acknowledged_at",
    "researcher_acknowledgement_id",
    "prescription_status",
    "prescription_consult_completed_at",
];
/// Keys of answers alone.
const ANSWER: [&str; 4] = ["id", "status", "created_at", "updated_at"];
/// The fields that only the server writes, with the type of their extension.
const EXTRAS: [(&str, &str); 5] = [
    ("age_verified_at", MOMENT),
    ("ruo_pathway_acknowledged_at", MOMENT),
    ("researcher_acknowledgement_id", WORDS),
    ("prescription_status", WORDS),
    ("prescription_consult_completed_at", MOMENT),
];
const MOMENT: &str = "valueDateTime";
const WORDS: &str = "valueString";

/// Names that the door shows as `""` of a Patient without.
const GAPS: [Gap; 2] = [
    Gap {
        field: "first_name",
        stand_in: "x",
        clear: |patient| record::clear_name_part(patient, "given"),
    },
    Gap {
        field: "last_name",
        stand_in: "x",
        clear: |patient| record::clear_name_part(patient, "family"),
    },
];

/// A record as a Patient.
pub(super) fn read(bytes: &[u8], options: &Options<'_>) -> Result<Translated<Resource>, Vec<Problem>> {
    let mut record = record::read(bytes)?;
    let mut problems = Vec::new();
    let mut ledger = record::account(&record, KNOWN);
    let id = record::id(&record, "id", &mut problems);
    let extras = extras(&record, options.naming, &mut problems);
    let status = status(&record, &mut problems);
    if !record.get("brand_id").is_some_and(Value::is_string) {
        ledger.defaulted("Patient.managingOrganization");
    }
    if status.is_none() {
        ledger.defaulted("Patient.active");
    }
    let brand = record::word(&mut record, "brand_id", options.brand, "--brand", &mut problems);
    // A null says nothing; inside `metadata` it is the brand's own.
    record.retain(|_, value| !value.is_null());
    let mut open = Vec::new();
    if record::is_answer(&record, &ANSWER) {
        open = record::fill(&mut record, &GAPS);
    }
    let read = read_create(&body(record, bytes), &[&brand]).map_err(|fault| problem::of_graph(&fault));
    let create = together(read, problems)?;
    let fhir_id = id.as_deref().and_then(Id::parse);
    let context = options.graph(&brand);
    let mut patient = to_fhir_with(&create, fhir_id.as_ref(), &context);
    let tree = patient.tree_mut();
    if let (Some(id), None) = (&id, &fhir_id) {
        // No id that FHIR knows: the identifier alone carries it.
        push(tree, "identifier", id_entry(id, &context));
    }
    open.iter().for_each(|gap| (gap.clear)(tree));
    extras
        .into_iter()
        .for_each(|extra| push(tree, "extension", extra));
    if let Some(status) = status.filter(|status| status != "active") {
        tree.insert("active".to_owned(), json!(false));
        if status != "inactive" {
            push(tree, "extension", partner_status(&status, options.naming));
        }
    }
    Ok(Translated {
        content: patient,
        ledger,
    })
}

/// What the door reads: `metadata` stands in it in its own digits and order.
fn body(mut record: Object, bytes: &[u8]) -> Vec<u8> {
    let metadata = record.shift_remove("metadata").and_then(|_| {
        let text = std::str::from_utf8(bytes).ok()?;
        Metadata::of_body(text)
    });
    let mut body = record::bytes(&record);
    if let Some(metadata) = metadata {
        body.pop();
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(b"\"metadata\":");
        body.extend_from_slice(metadata.as_str().as_bytes());
        body.push(b'}');
    }
    body
}

fn extras(record: &Object, naming: &Naming, problems: &mut Vec<Problem>) -> Vec<Value> {
    let mut found = Vec::new();
    for (field, kind) in EXTRAS {
        let value = match record.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) if text.trim().is_empty() => continue,
            Some(Value::String(text)) => text,
            Some(_) => {
                problems.push(Problem::at(field, "must be a string"));
                continue;
            }
        };
        if kind == MOMENT && !is_moment(value) {
            let rule = "must be a date and time with its offset, such as 2026-11-21T03:34:00.123Z";
            problems.push(Problem::at(field, rule));
            continue;
        }
        let url = naming.extension(&field.replace('_', "-"));
        found.push(json!({ "url": url, (kind): value }));
    }
    found
}

/// A `dateTime` with time and offset, as the door shows it.
fn is_moment(text: &str) -> bool {
    text.contains('T') && TimeRange::parse(text).is_some()
}

fn status(record: &Object, problems: &mut Vec<Problem>) -> Option<String> {
    match record.get("status") {
        None | Some(Value::Null) => None,
        Some(Value::String(_)) => text(record, "status").map(str::to_owned),
        Some(_) => {
            problems.push(Problem::at("status", "must be a string"));
            None
        }
    }
}

fn partner_status(status: &str, naming: &Naming) -> Value {
    json!({
        "url": naming.extension(names::PARTNER_STATUS),
        "extension": [
            { "url": "adapter", "valueCode": ADAPTER },
            { "url": "status", "valueString": status },
        ],
    })
}
