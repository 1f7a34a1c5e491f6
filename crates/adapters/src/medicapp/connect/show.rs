//! A Patient in the words of the connect door.

use fhir::Resource;
use serde::Serialize;

use super::address::{self, Address};
use crate::gender::Words;
use crate::medicapp::telecom::Point;
use crate::medicapp::{Context, Kept, identity, names, person, seconds};

/// Which of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// An item of the list: neither address nor records.
    Item,
    /// GET of one: both.
    One,
    /// The answer to POST and PUT: no records.
    Answer,
}

/// A patient.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patient {
    /// The Medicapp id.
    pub id: String,
    /// The first given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// `YYYY-MM-DD`; `null` when only a part is known.
    pub birth_date: Option<String>,
    /// `M`, `F` or `O`
    pub gender: Option<&'static str>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The telephone number.
    pub phone: Option<String>,
    /// The id in the partner's system.
    pub external_id: Option<String>,
    /// The address, where the answer has one and the patient too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// How many records are attached.
    pub records_count: usize,
    /// The records, where the answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<ShownRecord>>,
    /// Whole seconds, UTC.
    pub created_at: String,
    /// Whole seconds, UTC; an attached record modifies its patient.
    pub modified_at: String,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownRecord {
    /// `rec_8f3a2b1c`
    pub id: String,
    /// `completed`
    pub status: String,
    /// Whole seconds, UTC.
    pub created_at: String,
}

/// The answer to DELETE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// `true`
    pub deleted: bool,
    /// The Medicapp id.
    pub id: String,
}

/// The patient in one of the answers.
pub fn show(patient: &Resource, kept: &Kept<'_>, context: &Context<'_>, view: View) -> Patient {
    let tree = patient.tree();
    let today = context.rules.today;
    let records = || kept.records.iter();
    let modified = records()
        .map(|record| record.created)
        .fold(kept.updated, Ord::max);
    let record = |record: &crate::medicapp::Record| ShownRecord {
        id: record.id.clone(),
        status: record.status.clone(),
        created_at: seconds(record.created),
    };
    Patient {
        id: identity::patient_id(tree, &context.rules, kept).to_owned(),
        first_name: names::first_name(tree, today).map(str::to_owned),
        last_name: names::last_name(tree, today).map(str::to_owned),
        birth_date: person::birth_date(tree).map(str::to_owned),
        gender: person::gender(tree, Words::MedicappConnect),
        email: Point::Email.shown(tree, context),
        phone: Point::Phone.shown(tree, context),
        external_id: identity::external_id(tree, context).map(str::to_owned),
        address: address::shown(tree, context).filter(|_| view != View::Item),
        records_count: kept.records.len(),
        records: (view == View::One).then(|| records().map(record).collect()),
        created_at: seconds(kept.created),
        modified_at: seconds(modified),
    }
}

/// The patient as FHIR, for `template=FHIR`: without what other doors know it by, the NIR above all, and without what
/// was kept of their words. This door does not show them in its own words either.
pub fn show_fhir(patient: &Resource, context: &Context<'_>) -> Resource {
    let naming = context.rules.naming;
    let own = [naming.medicapp_patient_id(), context.external_id_system()];
    let overlay = naming.extension("partner-representation");
    let mut shown = patient.clone();
    let tree = shown.tree_mut();
    crate::tree::retain(tree, "identifier", |held| {
        let system = held
            .get("system")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        let is_foreign = system.starts_with(naming.base()) || system.starts_with(NATIONAL);
        !is_foreign || own.iter().any(|known| known == system)
    });
    crate::tree::retain(tree, "extension", |extension| {
        let Some(extension) = extension.as_object() else {
            return true;
        };
        let of_door = || {
            crate::tree::objects(extension, "extension").any(|part| {
                crate::tree::text(part, "url") == Some("adapter")
                    && crate::tree::text(part, "valueCode") == Some(context.adapter())
            })
        };
        crate::tree::text(extension, "url") != Some(&overlay) || of_door()
    });
    shown
}

/// What the systems of national identifiers of persons begin with: INS, its test and demo forms, the billing number.
const NATIONAL: &str = "urn:oid:1.2.250.1.213.1.4.";

/// The answer to DELETE.
pub fn deleted(patient_id: &str) -> Deleted {
    Deleted {
        deleted: true,
        id: patient_id.to_owned(),
    }
}
