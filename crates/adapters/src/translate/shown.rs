//! A Patient as a partner's door shows it, and which of its elements are in what is shown.

use fhir::time::TimeRange;
use fhir::{Resource, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::ledger::Ledger;
use super::probe::Probe;
use super::problem::Problem;
use super::{Dialect, Options};
use crate::ehealth;
use crate::medicapp::{self, Context, Space, cloud, connect};
use crate::naming::Naming;
use crate::patient_graph;
use crate::tree::{Object, extension, identifier, objects, text};

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
fn organization<'p>(patient: &'p Resource, system: &str) -> Option<&'p str> {
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

/// Which elements are in what is shown. The mapping itself is asked: what could be taken away without a trace
/// is not shown.
pub(super) fn ledger(dialect: Dialect, patient: &Resource, shown: &str, options: &Options<'_>) -> Ledger {
    let mut ledger = Ledger::default();
    if dialect == Dialect::Fhir {
        return ledger;
    }
    let show = |patient: &Resource| render(dialect, patient, options).ok();
    let mut probe = Probe::new(patient, shown, options.naming, &show);
    for implied in implied(dialect, patient, shown, options) {
        probe.imply(&implied, &mut ledger);
    }
    probe.run(&mut ledger);
    defaulted(dialect, patient, shown, options, &mut ledger);
    ledger
}

/// A place in a Patient: a property, or one item of it.
pub(super) type Place = (&'static str, Option<usize>);

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
fn defaulted(
    dialect: Dialect,
    patient: &Resource,
    shown: &str,
    options: &Options<'_>,
    ledger: &mut Ledger,
) {
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
            ledger.defaulted(&format!("$.{key}"));
        }
    }
}
