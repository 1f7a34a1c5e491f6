//! The one address of the connect door: `address[]` picked, its four parts changed in place
//! (`adapters.md` 5.4).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::medicapp::Context;
use crate::medicapp::fields::{self, Faults};
use crate::medicapp::person::set_primitive;
use crate::tree::{Object, push, retain, text};
use crate::{overlay, pick};

/// The field of the door.
pub(super) const FIELD: &str = "address";
/// What is wrong with an address of another kind.
pub(super) const NO_OBJECT: &str = "must be an object of street, city, postalCode and country";

/// An address in the door's words; the lines of the street are separated by line breaks.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// The lines above the city.
    pub street: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The postal code.
    pub postal_code: Option<String>,
    /// As sent; no ISO code is demanded.
    pub country: Option<String>,
}

// It says where a person lives: its content never reaches a log by `{:?}`.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(…)")
    }
}

/// The parts that are FHIR properties of the same meaning.
const PLAIN: [&str; 3] = ["city", "postalCode", "country"];

impl Address {
    /// Merges what was sent into this address, key by key (RFC 7396); keys that are not known are nobody's
    /// concern.
    pub(super) fn merged(&self, sent: &Object, faults: &mut Faults) -> Address {
        let mut part = |name: &str, old: &Option<String>| match sent.get(name) {
            None => old.clone(),
            Some(value) => {
                let same = value.as_str() == old.as_deref() && old.is_some();
                if same {
                    return old.clone();
                }
                let new = faults.take(&format!("address.{name}"), fields::address_part(value));
                new.flatten().map(str::to_owned)
            }
        };
        Address {
            street: part("street", &self.street),
            city: part("city", &self.city),
            postal_code: part("postalCode", &self.postal_code),
            country: part("country", &self.country),
        }
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Address::default()
    }

    fn part(&self, property: &str) -> Option<&str> {
        let part = match property {
            "city" => &self.city,
            "postalCode" => &self.postal_code,
            _ => &self.country,
        };
        part.as_deref()
    }

    fn of(address: &Object) -> Address {
        let lines: Vec<&str> = lines(address).collect();
        let plain = |property: &str| text(address, property).map(str::to_owned);
        Address {
            street: (!lines.is_empty()).then(|| lines.join("\n")),
            city: plain("city"),
            postal_code: plain("postalCode"),
            country: plain("country"),
        }
    }
}

fn lines(address: &Object) -> impl Iterator<Item = &str> {
    address
        .get("line")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// What the chosen address says, whatever was kept beside it.
pub(super) fn projected(patient: &Object, today: &str) -> Option<Address> {
    let position = pick::address(patient, today)?;
    Some(Address::of(patient.get("address")?.get(position)?.as_object()?))
}

/// What the door shows.
pub(super) fn shown(patient: &Object, context: &Context<'_>) -> Option<Address> {
    let projected = projected(patient, context.rules.today);
    let now = json!(projected);
    match overlay::raw(patient, context.rules.naming, context.adapter(), FIELD, &now) {
        Some(raw) => serde_json::from_value(raw).unwrap_or_default(),
        None => projected,
    }
}

/// What becomes of the address.
pub(super) enum Change {
    /// It is dropped whole.
    Drop,
    /// Its four parts are these.
    Parts(Address),
}

/// Changes or drops what the door shows. An address that the door does not show is not touched.
pub(super) fn set(patient: &mut Object, context: &Context<'_>, change: &Change) {
    let today = context.rules.today;
    let position = position(patient, context);
    let raw = match change {
        Change::Drop => {
            if let Some(position) = position {
                remove(patient, position);
            }
            Value::Null
        }
        Change::Parts(address) => {
            edit(patient, position, address);
            let now = projected(patient, today);
            // Nothing but nulls is no address, unless one stands there that has more than the four parts.
            if address.is_empty() && now.as_ref() != Some(address) {
                Value::Null
            } else {
                json!(address)
            }
        }
    };
    let now = json!(projected(patient, today));
    overlay::keep(
        patient,
        context.rules.naming,
        context.adapter(),
        FIELD,
        &raw,
        &now,
    );
}

/// The position of the address that the door shows: not the chosen one when that only surfaced because the
/// partner's was dropped.
fn position(patient: &Object, context: &Context<'_>) -> Option<usize> {
    let today = context.rules.today;
    let shown = shown(patient, context)?;
    let mut written = Object::new();
    write(&mut written, &shown);
    let form = Address::of(&written);
    if projected(patient, today).as_ref() == Some(&form) {
        return pick::address(patient, today);
    }
    let list = patient.get("address")?.as_array()?;
    list.iter().position(|address| {
        address.as_object().is_some_and(|address| {
            pick::is_current(address, today)
                && text(address, "use") != Some("old")
                && Address::of(address) == form
        })
    })
}

fn edit(patient: &mut Object, position: Option<usize>, parts: &Address) {
    let list = patient.get_mut("address").and_then(Value::as_array_mut);
    let chosen = position.and_then(|position| list?.get_mut(position)?.as_object_mut());
    match chosen {
        Some(address) => {
            write(address, parts);
            let says_nothing = |property: &str| matches!(property, "id" | "use" | "type" | "period");
            if address.keys().all(|property| says_nothing(property))
                && let Some(position) = position
            {
                remove(patient, position);
            }
        }
        None => {
            let mut address = Object::new();
            write(&mut address, parts);
            if !address.is_empty() {
                push(patient, "address", Value::Object(address));
            }
        }
    }
}

fn remove(patient: &mut Object, position: usize) {
    let mut number = 0;
    retain(patient, "address", |_| {
        number += 1;
        number != position + 1
    });
}

/// Writes the parts that differ, and drops what was said of their old values.
fn write(address: &mut Object, parts: &Address) {
    let old = Address::of(address);
    let mut is_stale = false;
    if old.street != parts.street {
        let street = parts.street.as_deref().unwrap_or_default();
        let new: Vec<&str> = street
            .split('\n')
            .filter(|line| !line.trim().is_empty())
            .collect();
        if !lines(address).eq(new.iter().copied()) {
            is_stale |= old.street.is_some();
            address.shift_remove("_line");
            if new.is_empty() {
                address.shift_remove("line");
            } else {
                address.insert("line".to_owned(), json!(new));
            }
        }
    }
    for property in PLAIN {
        let new = parts.part(property).filter(|part| !part.is_empty());
        if old.part(property) != new {
            is_stale |= old.part(property).is_some();
            set_primitive(address, property, new);
        }
    }
    // A text that spells the old parts would now be wrong.
    if is_stale {
        address.shift_remove("text");
        address.shift_remove("_text");
    }
}
