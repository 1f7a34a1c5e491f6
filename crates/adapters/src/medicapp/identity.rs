//! Identifiers: the Medicapp id, the external id of the space and the identificationKey (`adapters.md` 5.1).

use fhir::validate::nir;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::nir::{Key, Rang};
use super::{Context, Kept, MatchIns, NirSystem, Rules, Space};
use crate::naming::{IDENTIFIER_TYPE, INS_NIR, NSS_NIR};
use crate::overlay;
use crate::tree::{Object, identifier, objects, objects_mut, push, retain, text};

/// The field of overlays that hold a whole key which FHIR cannot.
const KEY_FIELD: &str = "identificationKey";
/// The field of overlays that hold the spelling of a NIR.
const NIR_FIELD: &str = "identificationKey.nir";

/// `identificationKey` as the cloud door shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentificationKey {
    /// 13 or 15 characters.
    pub nir: String,
    /// Two digits; `null` when it is not known.
    pub rang: Option<String>,
}

// A NIR never reaches a log by `{:?}`.
impl std::fmt::Debug for IdentificationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentificationKey(…)")
    }
}

impl IdentificationKey {
    /// The 13 characters that say who is meant.
    pub(super) fn body(&self) -> &str {
        self.nir.get(..13).unwrap_or(&self.nir)
    }

    /// Whether NIR or rank of the two contradict each other; what one does not say contradicts nothing.
    pub(super) fn differs(&self, key: &Key) -> bool {
        let sent = key.rang.map(|rang| rang.to_string());
        let other_rang = matches!((&self.rang, &sent), (Some(mine), Some(sent)) if mine != sent);
        self.body() != key.nir.body() || other_rang
    }

    /// Whether it says all that the sent key does.
    pub(super) fn covers(&self, key: &Key) -> bool {
        !self.differs(key) && (self.rang.is_some() || key.rang.is_none())
    }

    pub(super) fn of(key: &Key) -> IdentificationKey {
        IdentificationKey {
            nir: key.nir.reveal().to_owned(),
            rang: key.rang.map(|rang| rang.to_string()),
        }
    }
}

/// The id that the doors show.
pub(super) fn patient_id<'t>(patient: &'t Object, rules: &Rules<'_>, kept: &Kept<'t>) -> &'t str {
    identifier(patient, &rules.naming.medicapp_patient_id()).unwrap_or(kept.patient_id)
}

/// The external id in the space.
pub(super) fn external_id<'t>(patient: &'t Object, context: &Context<'_>) -> Option<&'t str> {
    identifier(patient, &context.external_id_system())
}

/// The identifier of a Medicapp id.
pub(super) fn patient_id_entry(rules: &Rules<'_>, id: &str) -> Value {
    json!({ "use": "usual", "system": rules.naming.medicapp_patient_id(), "value": id })
}

/// Changes or removes the external id in the space.
pub(super) fn set_external_id(patient: &mut Object, context: &Context<'_>, new: Option<&str>) {
    let entry = |system: &str, value: &str| match context.space {
        Space::Trust(_) => json!({ "use": "secondary", "system": system, "value": value }),
        Space::Connect(_) => json!({
            "use": "secondary",
            "type": { "coding": [{ "system": IDENTIFIER_TYPE, "code": "PI" }] },
            "system": system,
            "value": value,
        }),
    };
    set(patient, &context.external_id_system(), |_| true, new, entry);
}

/// Sets the value of the first identifier of a system that is meant, makes one, or removes all of them.
fn set(
    patient: &mut Object,
    system: &str,
    is_meant: impl Fn(&Object) -> bool,
    new: Option<&str>,
    entry: impl Fn(&str, &str) -> Value,
) {
    let is_meant = |held: &Object| text(held, "system") == Some(system) && is_meant(held);
    let Some(value) = new else {
        retain(patient, "identifier", |held| {
            !held.as_object().is_some_and(&is_meant)
        });
        return;
    };
    let held = objects_mut(patient, "identifier").find(|(_, held)| is_meant(held));
    match held {
        Some((_, held)) => {
            if text(held, "value") != Some(value) {
                held.insert("value".to_owned(), json!(value));
                held.shift_remove("_value");
            }
        }
        None => push(patient, "identifier", entry(system, value)),
    }
}

/// The key that the identifiers say, in the spelling of 15 characters when there is one.
pub(super) fn projected_key(patient: &Object, rules: &Rules<'_>) -> Option<IdentificationKey> {
    let own = identifier(patient, &rules.naming.nir_rang()).and_then(|both| both.rsplit_once('-'));
    if let Some((body, rang)) = own {
        let long = objects(patient, "identifier")
            .filter(|held| is_billing(held, rules))
            .filter_map(|held| text(held, "value"))
            .find(|value| value.len() == 15 && value.starts_with(body));
        return Some(IdentificationKey {
            nir: long.unwrap_or(body).to_owned(),
            rang: Some(rang.to_owned()),
        });
    }
    if rules.switches.match_ins == MatchIns::Off {
        return None;
    }
    let qualified = objects(patient, "identifier")
        .filter(|held| text(held, "system") == Some(INS_NIR) && has_type(held, "INS-NIR"))
        .find_map(|held| {
            text(held, "value").filter(|value| nir::key(value.get(..13).unwrap_or("")).is_some())
        })?;
    Some(IdentificationKey {
        nir: qualified.to_owned(),
        rang: Some(Rang::INSURED.to_string()),
    })
}

/// The key that the cloud door shows: in the form in which it was sent.
pub(super) fn key(patient: &Object, context: &Context<'_>) -> Option<IdentificationKey> {
    let projected = projected_key(patient, &context.rules);
    let raw =
        |field: &str, now: &Value| overlay::raw(patient, context.rules.naming, context.adapter(), field, now);
    if let Some(whole) = raw(KEY_FIELD, &json!(projected)) {
        return serde_json::from_value(whole).unwrap_or_default();
    }
    let mut key = projected?;
    if let Some(Value::String(spelling)) = raw(NIR_FIELD, &json!(key.nir)) {
        key.nir = spelling;
    }
    Some(key)
}

/// Replaces the whole key, or removes it: nir-rang and the billing NIR written with it, never an INS.
pub(super) fn set_key(patient: &mut Object, context: &Context<'_>, new: Option<&Key>) {
    let rules = &context.rules;
    let old = key(patient, context);
    let keep = |patient: &mut Object, field: &str, raw: &Value, now: &Value| {
        overlay::keep(patient, rules.naming, context.adapter(), field, raw, now);
    };
    let composite = new.and_then(Key::composite);
    let plain = |system: &str, value: &str| json!({ "use": "secondary", "system": system, "value": value });
    set(
        patient,
        &rules.naming.nir_rang(),
        |_| true,
        composite.as_deref(),
        plain,
    );
    let billing = |held: &Object| is_billing(held, rules);
    let long = new.map(|key| key.nir.with_key());
    match &long {
        // Another NIR of the same system that the key did not come with is the EHR's own.
        Some(long) => {
            let is_replaced = |held: &Object| {
                let value = text(held, "value").unwrap_or_default();
                let of_old = old.as_ref().is_some_and(|old| value.starts_with(old.body()));
                billing(held) && (of_old || value == long)
            };
            set(
                patient,
                billing_system(rules),
                is_replaced,
                Some(long),
                billing_entry,
            );
        }
        None => set(patient, billing_system(rules), billing, None, billing_entry),
    }
    let now = projected_key(patient, rules);
    let whole = match new {
        Some(key) if key.rang.is_none() => json!(IdentificationKey::of(key)),
        Some(_) => json!(now),
        None => Value::Null,
    };
    keep(patient, KEY_FIELD, &whole, &json!(now));
    let spelling = json!(now.as_ref().map(|key| key.nir.as_str()));
    let sent = match new {
        Some(key) if key.rang.is_some() => json!(key.nir.reveal()),
        _ => spelling.clone(),
    };
    keep(patient, NIR_FIELD, &sent, &spelling);
}

const fn billing_system(rules: &Rules<'_>) -> &'static str {
    match rules.switches.nir_system {
        NirSystem::Nss => NSS_NIR,
        NirSystem::Ins => INS_NIR,
    }
}

fn billing_entry(system: &str, value: &str) -> Value {
    json!({
        "use": "official",
        "type": { "coding": [{ "system": IDENTIFIER_TYPE, "code": "NH" }] },
        "system": system,
        "value": value,
    })
}

fn is_billing(held: &Object, rules: &Rules<'_>) -> bool {
    text(held, "system") == Some(billing_system(rules))
        && match rules.switches.nir_system {
            NirSystem::Nss => true,
            NirSystem::Ins => has_type(held, "NH"),
        }
}

fn has_type(held: &Object, code: &str) -> bool {
    let Some(concept) = held.get("type").and_then(Value::as_object) else {
        return false;
    };
    objects(concept, "coding").any(|coding| text(coding, "code") == Some(code))
}

/// Drops what was kept of a key and no longer holds.
pub(super) fn tidy(patient: &mut Object, context: &Context<'_>) {
    let projected = projected_key(patient, &context.rules);
    let whole = json!(projected);
    let spelling = json!(projected.map(|key| key.nir));
    for (field, now) in [(KEY_FIELD, whole), (NIR_FIELD, spelling)] {
        tidy_field(patient, context, field, &now);
    }
}

/// Drops the overlay of a field when it no longer holds.
pub(super) fn tidy_field(patient: &mut Object, context: &Context<'_>, field: &str, now: &Value) {
    let naming = context.rules.naming;
    if overlay::raw(patient, naming, context.adapter(), field, now).is_none() {
        overlay::drop(patient, naming, context.adapter(), field);
    }
}
