//! What the door shows of a Patient, whoever wrote it (`adapters.md` 5.4). Reading changes nothing.

use fhir::time::TimeRange;
use fhir::{Resource, Timestamp};
use serde_json::Value;

use super::metadata::Metadata;
use super::read::is_full_date;
use super::wire::{self, List, Patient, SafePatient};
use super::{ADAPTER, Context, Kept, names};
use crate::gender::Words;
use crate::naming::from_segment;
use crate::tree::{Object, extension, identifier, objects, text};
use crate::{overlay, pick, status};

/// The order of uses in which a name is looked for.
const NAMES: [&str; 4] = ["usual", "official", "", "temp"];

/// The answer about one patient.
pub fn show(resource: &Resource, kept: &Kept, context: &Context<'_>) -> Patient {
    let tree = resource.tree();
    let name = nth(tree, "name", pick::name(tree, &NAMES, context.today));
    let moment = |name: &str| moment(own(tree, name, "valueDateTime", context)?);
    let words = |name: &str| own(tree, name, "valueString", context).map(str::to_owned);
    Patient {
        id: id(tree, context),
        brand_id: context.brand.to_owned(),
        first_name: name.and_then(given).unwrap_or_default().to_owned(),
        last_name: name
            .and_then(|name| text(name, "family"))
            .unwrap_or_default()
            .to_owned(),
        date_of_birth: text(tree, "birthDate")
            .filter(|date| is_full_date(date))
            .map(str::to_owned),
        gender: wire::text(&overlaid(tree, "gender", Value::is_string, context)),
        email: email(tree, context).map(str::to_owned),
        phone: wire::text(&overlaid(tree, "phone", Value::is_string, context)),
        external_ids: external_ids(tree, context),
        status: status(tree, context),
        metadata: metadata(tree, context),
        age_verified_at: moment("age-verified-at"),
        ruo_pathway_acknowledged_at: moment("ruo-pathway-acknowledged-at"),
        researcher_acknowledgement_id: words("researcher-acknowledgement-id"),
        prescription_status: words("prescription-status"),
        prescription_consult_completed_at: moment("prescription-consult-completed-at"),
        created_at: millis(kept.created),
        updated_at: millis(kept.updated),
    }
}

/// The answer of `GET /v1/patients/{id}/safe`: no name, birth date, gender, e-mail address or phone.
pub fn show_safe(resource: &Resource, kept: &Kept, context: &Context<'_>) -> SafePatient {
    let tree = resource.tree();
    SafePatient {
        id: id(tree, context),
        brand_id: context.brand.to_owned(),
        external_ids: external_ids(tree, context),
        status: status(tree, context),
        metadata: metadata(tree, context),
        created_at: millis(kept.created),
        updated_at: millis(kept.updated),
    }
}

/// The answer of `GET /v1/patients`: a page, and how many patients there are on all pages.
pub fn show_list<'r>(
    page: impl IntoIterator<Item = (&'r Resource, Kept)>,
    total: u64,
    context: &Context<'_>,
) -> List {
    let page = page.into_iter();
    List {
        patients: page
            .map(|(resource, kept)| show(resource, &kept, context))
            .collect(),
        total,
    }
}

/// Whether the door knows this Patient by this id. A Patient is found by its own id too; where that is not
/// the one the door shows, it is not found.
pub fn is_shown_as(resource: &Resource, wanted: &str, context: &Context<'_>) -> bool {
    id(resource.tree(), context) == wanted
}

/// What the elements say of a field that may have an overlay.
pub(super) fn plain(tree: &Object, field: &str, context: &Context<'_>) -> Value {
    let text = match field {
        "gender" => gender(tree, context),
        "phone" => {
            let place = pick::phone(tree, context.today);
            nth(tree, "telecom", place).and_then(|point| text(point, "value"))
        }
        _ => return Value::Object(mapped(tree, context)),
    };
    text.map_or(Value::Null, |text| Value::String(text.to_owned()))
}

/// A field as its overlay has it while that holds. Overlays come through `/fhir` too, so one of the wrong
/// kind is passed over.
fn overlaid(tree: &Object, field: &str, is_kind: fn(&Value) -> bool, context: &Context<'_>) -> Value {
    let now = plain(tree, field, context);
    overlay::raw(tree, context.naming, ADAPTER, field, &now)
        .filter(is_kind)
        .unwrap_or(now)
}

fn external_ids(tree: &Object, context: &Context<'_>) -> Object {
    let is_map = |value: &Value| {
        value
            .as_object()
            .is_some_and(|map| map.values().all(Value::is_string))
    };
    match overlaid(tree, "external_ids", is_map, context) {
        Value::Object(map) => map,
        _ => Object::new(),
    }
}

/// The brand's identifiers by key; the first one of a key counts.
fn mapped(tree: &Object, context: &Context<'_>) -> Object {
    let prefix = context.naming.brand_external_ids(context.brand);
    let mut map = Object::new();
    for identifier in objects(tree, "identifier") {
        let key = text(identifier, "system").and_then(|system| system.strip_prefix(&prefix));
        let key = key.and_then(from_segment).filter(|key| !key.is_empty());
        let (Some(key), Some(value)) = (key, text(identifier, "value")) else {
            continue;
        };
        if !map.contains_key(&key) {
            map.insert(key, Value::String(value.to_owned()));
        }
    }
    map
}

/// The words as received while they still mean the code, else the code.
fn gender<'t>(tree: &'t Object, context: &Context<'_>) -> Option<&'t str> {
    let code = text(tree, "gender")?;
    let url = context.naming.extension(names::GENDER_AS_RECEIVED);
    let received = tree
        .get("_gender")
        .and_then(Value::as_object)
        .and_then(|sibling| extension(sibling, &url))
        .and_then(|extension| text(extension, "valueString"))
        .filter(|received| Words::PatientGraph.to_fhir(received) == Some(code));
    received.or_else(|| Words::PatientGraph.from_fhir(code))
}

/// The e-mail address that the door shows.
pub(super) fn email<'t>(tree: &'t Object, context: &Context<'_>) -> Option<&'t str> {
    let place = pick::email(tree, context.today);
    nth(tree, "telecom", place).and_then(|point| text(point, "value"))
}

/// The table's word, or the partner's own where the Patient is merely not active.
fn status(tree: &Object, context: &Context<'_>) -> String {
    let words = status::Words::PatientGraph;
    let of_patient = words.of_patient(tree).unwrap_or_default();
    if of_patient != words.of_active(false).unwrap_or_default() {
        return of_patient.to_owned();
    }
    let url = context.naming.extension(names::PARTNER_STATUS);
    objects(tree, "extension")
        .filter(|extension| text(extension, "url") == Some(&url))
        .filter(|extension| part(extension, "adapter", "valueCode") == Some(ADAPTER))
        .find_map(|extension| part(extension, "status", "valueString"))
        // One that says the patient is active went stale.
        .filter(|own| !words.is_active(own))
        .unwrap_or(of_patient)
        .to_owned()
}

/// Whether another Patient took this one's place.
pub(super) fn is_merged(tree: &Object) -> bool {
    status::is_replaced(tree)
}

fn part<'t>(extension: &'t Object, name: &str, value: &str) -> Option<&'t str> {
    let part = objects(extension, "extension").find(|part| text(part, "url") == Some(name))?;
    text(part, value)
}

fn metadata(tree: &Object, context: &Context<'_>) -> Metadata {
    own(tree, names::METADATA, "valueString", context)
        .and_then(Metadata::parse)
        .unwrap_or_default()
}

fn id(tree: &Object, context: &Context<'_>) -> String {
    identifier(tree, &context.naming.patient_graph_id())
        .or_else(|| text(tree, "id"))
        .unwrap_or_default()
        .to_owned()
}

/// The value of one of our extensions of the Patient.
fn own<'t>(tree: &'t Object, name: &str, value: &str, context: &Context<'_>) -> Option<&'t str> {
    text(extension(tree, &context.naming.extension(name))?, value)
}

/// A `dateTime` as the door writes it; a mere date is no moment.
fn moment(text: &str) -> Option<String> {
    let range = text.contains('T').then(|| TimeRange::parse(text)).flatten()?;
    Some(millis(Timestamp::from_micros(range.low)))
}

/// RFC 3339 in UTC with milliseconds: `2026-11-21T03:34:00.123Z`.
fn millis(at: Timestamp) -> String {
    // An instant has six decimals and a Z; three decimals go.
    let mut text = at.to_instant();
    text.truncate(text.len().saturating_sub("456Z".len()));
    text.push('Z');
    text
}

fn given(name: &Object) -> Option<&str> {
    name.get("given")?.as_array()?.first()?.as_str()
}

fn nth<'t>(tree: &'t Object, property: &str, place: Option<usize>) -> Option<&'t Object> {
    tree.get(property)?.as_array()?.get(place?)?.as_object()
}
