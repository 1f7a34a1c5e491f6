//! What becomes of the fields of a record in a partner's form.

use fhir::Resource;
use serde_json::Value;

use super::ledger::Ledger;
use super::probe::{Place, Probe};
use super::shown::{organization, render};
use super::{Dialect, Options, mapped, record};
use crate::ehealth;
use crate::naming::Naming;
use crate::tree::{Object, extension, identifier, objects, text};

/// Which fields of a partner's record are in another partner's form of it.
pub(super) fn of_record(
    from: Dialect,
    to: Dialect,
    bytes: &[u8],
    (patient, shown): (&Resource, &str),
    options: &Options<'_>,
) -> Ledger {
    let mut ledger = Ledger::default();
    let Ok(mut tree) = record::read(bytes) else {
        return ledger;
    };
    if let (Dialect::Ehealth, Some(Value::Object(data))) = (from, tree.get("data")) {
        tree = data.clone();
    }
    record::without_nulls_on_top(&mut tree);
    let show = |tree: &Object| {
        let patient = mapped(from, &record::bytes(tree), options).ok()?;
        render(to, &patient.content, options).ok()
    };
    // Written again a number may be spelt otherwise than it was sent.
    let base = show(&tree).unwrap_or_default();
    Probe::new(tree, &base, options.naming, &show).run("$", &mut ledger);
    defaulted(to, patient, shown, options, &mut ledger);
    ledger
}

/// Which elements are in what is shown. The mapping itself is asked: what could be taken away without a trace
/// is not shown.
pub(super) fn of_patient(dialect: Dialect, patient: &Resource, shown: &str, options: &Options<'_>) -> Ledger {
    let mut ledger = Ledger::default();
    if dialect == Dialect::Fhir {
        return ledger;
    }
    let show = |patient: &Resource| render(dialect, patient, options).ok();
    let mut probe = Probe::new(patient.clone(), shown, options.naming, &show);
    for implied in implied(dialect, patient, shown, options) {
        probe.imply(&implied, &mut ledger);
    }
    probe.run("Patient", &mut ledger);
    defaulted(dialect, patient, shown, options, &mut ledger);
    ledger
}

/// What the form says without reading it there: elements that repeat another.
fn implied(dialect: Dialect, patient: &Resource, shown: &str, options: &Options<'_>) -> Vec<Place> {
    let tree = patient.tree();
    let naming = options.naming;
    let shown: Value = serde_json::from_str(shown).unwrap_or_default();
    let says = |key: &str| shown.get(key).and_then(Value::as_str);
    let mut places: Vec<Place> = Vec::new();
    let is_space = match dialect {
        Dialect::MedicappCloud => organization(patient, &naming.trust_space()) == says("trustSpaceUuid"),
        Dialect::MedicappConnect => organization(patient, &naming.medicapp_space()) == options.space,
        Dialect::PatientGraph => organization(patient, &naming.brand()) == says("brand_id"),
        Dialect::Ehealth | Dialect::Fhir => false,
    };
    // An option that is not given is then read from here, and the probe sees it.
    let is_given = options.space.is_some() || options.brand.is_some();
    if is_space && is_given && patient.get("managingOrganization").is_some() {
        places.push(("managingOrganization", None));
    }
    let own_id = match dialect {
        Dialect::PatientGraph => Some(naming.patient_graph_id()),
        Dialect::Ehealth => Some(naming.preperson_id()),
        _ => None,
    };
    let is_doubled = own_id.is_some_and(|system| identifier(tree, &system).is_some());
    if is_doubled && patient.body_id().is_some() && patient.body_id() == says("id") {
        places.push(("id", None));
    }
    if dialect == Dialect::Ehealth {
        places.extend(derived(patient, is_doubled, naming));
    }
    if dialect == Dialect::MedicappCloud {
        places.extend(billing(tree, &shown));
    }
    places
}

/// What marks a preperson whose identifier shows it already.
fn derived(patient: &Resource, is_doubled: bool, naming: &Naming) -> Vec<Place> {
    let url = naming.extension(ehealth::IDENTIFICATION_STATUS);
    let is_status = |item: &Value| item.get("url").and_then(Value::as_str) == Some(&url);
    let position = patient.list("extension").iter().position(is_status);
    let status = extension(patient.tree(), &url).and_then(|status| text(status, "valueCode"));
    let is_plain = is_doubled && status == Some(ehealth::UNIDENTIFIED);
    let status = position.filter(|_| is_plain).map(|at| ("extension", Some(at)));
    let is_ours = patient.meta().is_some_and(|meta| {
        let system = naming.code_system("patient-tags");
        let mut tags = objects(meta, "tag");
        tags.all(|tag| text(tag, "system") == Some(&system)) && meta.keys().all(|key| key == "tag")
    });
    status
        .into_iter()
        .chain(is_ours.then_some(("meta", None)))
        .collect()
}

/// The billing NIR that repeats the NIR of the key.
fn billing(tree: &Object, shown: &Value) -> Option<Place> {
    let nir = shown.get("identificationKey")?.get("nir")?.as_str()?;
    let body = nir.get(..13)?;
    let has_key = |identifier: &Object| {
        text(identifier, "system") == Some(crate::naming::NSS_NIR)
            && text(identifier, "value").is_some_and(|value| value.starts_with(body))
    };
    let position = objects(tree, "identifier").position(has_key)?;
    Some(("identifier", Some(position)))
}

/// The keys of the form that the Patient gave nothing for.
fn defaulted(dialect: Dialect, patient: &Resource, shown: &str, options: &Options<'_>, ledger: &mut Ledger) {
    let Ok(Value::Object(shown)) = serde_json::from_str(shown) else {
        return;
    };
    for (key, value) in &shown {
        let is_empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Object(object) => object.is_empty(),
            _ => false,
        };
        let is_fixed = match (dialect, key.as_str()) {
            (Dialect::MedicappCloud, "created") | (Dialect::MedicappConnect, "recordsCount") => true,
            (Dialect::PatientGraph | Dialect::Ehealth, "status") => {
                patient.get("active").is_none() && patient.get("link").is_none()
            }
            (Dialect::MedicappCloud, "trustSpaceUuid") => {
                organization(patient, &options.naming.trust_space()) != value.as_str()
            }
            (Dialect::PatientGraph, "brand_id") => {
                organization(patient, &options.naming.brand()) != value.as_str()
            }
            _ => false,
        };
        if is_empty || is_fixed {
            ledger.defaulted(&format!("result $.{key}"));
        }
    }
}
