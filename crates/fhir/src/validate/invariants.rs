//! The invariants of the datatypes and of the resources themselves, one by one —
//! <https://hl7.org/fhir/R4/conformance-rules.html#constraints>
//!
//! Those that need more than one element's properties (`ref-1`, `dom-2` to `dom-5`) are checked by the walk;
//! `dom-6` (a narrative is good practice) is not enforced.

use serde_json::{Map, Value};
use std::cmp::Ordering;

use super::{decimal, primitives};

/// A rule of a type, named by its key in the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // FHIR's keys; `rule` says each in words
pub enum Invariant {
    Age1,
    Att1,
    Cnt3,
    Cpt2,
    Dis1,
    Drq1,
    Drq2,
    Drt1,
    Exp1,
    Ext1,
    Org1,
    Org2,
    Org3,
    Pat1,
    Per1,
    Qty3,
    Rat1,
    Ref1,
    Rng2,
    Sqty1,
    Tim1,
    Tim2,
    Tim4,
    Tim5,
    Tim6,
    Tim7,
    Tim8,
    Tim9,
    Tim10,
    Trd1,
    Trd2,
    Trd3,
}

const UCUM: &str = "http://unitsofmeasure.org";

impl Invariant {
    /// The key as the specification writes it, and what must hold, with what to do about it.
    pub const fn rule(self) -> (&'static str, &'static str) {
        match self {
            Invariant::Age1 => (
                "age-1",
                "an Age needs a UCUM code (system http://unitsofmeasure.org) with its value, and the value is above 0: add system and code, such as a for years",
            ),
            Invariant::Att1 => (
                "att-1",
                "an Attachment with data needs its contentType: add it, such as image/jpeg",
            ),
            Invariant::Cnt3 => (
                "cnt-3",
                "a Count is a whole number with system http://unitsofmeasure.org and code 1: write it so",
            ),
            Invariant::Cpt2 => (
                "cpt-2",
                "a contact point with a value needs a system: add system, such as phone or email",
            ),
            Invariant::Dis1 => (
                "dis-1",
                "a Distance needs a UCUM code with its value: add system http://unitsofmeasure.org and code, such as m",
            ),
            Invariant::Drq1 => (
                "drq-1",
                "a codeFilter has either path or searchParam: keep exactly one",
            ),
            Invariant::Drq2 => (
                "drq-2",
                "a dateFilter has either path or searchParam: keep exactly one",
            ),
            Invariant::Drt1 => (
                "drt-1",
                "a Duration's code is a UCUM unit of its value: add value and system http://unitsofmeasure.org, or take code out",
            ),
            Invariant::Exp1 => ("exp-1", "an Expression needs expression or reference: add one"),
            Invariant::Ext1 => (
                "ext-1",
                "an extension has either a value[x] or nested extensions: keep exactly one of them",
            ),
            Invariant::Org1 => ("org-1", "an Organization needs a name or an identifier: add one"),
            Invariant::Org2 => (
                "org-2",
                "an address of an Organization is never of use home: change its use",
            ),
            Invariant::Org3 => (
                "org-3",
                "a telecom of an Organization is never of use home: change its use",
            ),
            Invariant::Pat1 => (
                "pat-1",
                "a contact needs a name, telecom, address or organization: add one, or leave the contact out",
            ),
            Invariant::Per1 => (
                "per-1",
                "a period starts before it ends: start is after end, exchange or correct them",
            ),
            Invariant::Qty3 => (
                "qty-3",
                "a code for the unit needs its system: add system, such as http://unitsofmeasure.org",
            ),
            Invariant::Rat1 => (
                "rat-1",
                "a Ratio has numerator and denominator, or neither and an extension: complete it",
            ),
            Invariant::Ref1 => (
                "ref-1",
                "a local reference points to a contained resource: contain one with this id, or write Type/id",
            ),
            Invariant::Rng2 => (
                "rng-2",
                "the low end of a Range is not above its high end: exchange or correct them",
            ),
            Invariant::Sqty1 => ("sqty-1", "this Quantity has no comparator: take it out"),
            Invariant::Tim1 => ("tim-1", "a duration needs its unit: add durationUnit"),
            Invariant::Tim2 => ("tim-2", "a period needs its unit: add periodUnit"),
            Invariant::Tim4 => ("tim-4", "a duration is not negative: correct it"),
            Invariant::Tim5 => ("tim-5", "a period is not negative: correct it"),
            Invariant::Tim6 => ("tim-6", "periodMax needs period: add it"),
            Invariant::Tim7 => ("tim-7", "durationMax needs duration: add it"),
            Invariant::Tim8 => ("tim-8", "countMax needs count: add it"),
            Invariant::Tim9 => (
                "tim-9",
                "an offset needs a when other than C, CM, CD and CV: change when or take offset out",
            ),
            Invariant::Tim10 => ("tim-10", "timeOfDay and when exclude each other: keep one"),
            Invariant::Trd1 => ("trd-1", "data and timing exclude each other: keep one"),
            Invariant::Trd2 => ("trd-2", "a condition needs data: add it"),
            Invariant::Trd3 => (
                "trd-3",
                "a named-event needs name, a periodic trigger timing, a data trigger data: add it",
            ),
        }
    }

    /// Whether it holds for this object. Absent and wrongly typed elements are other checks' business.
    pub(super) fn holds(self, map: &Map<String, Value>) -> bool {
        let has = |name| has(map, name);
        let exclusive = |left, right| has(left) != has(right);
        let implies = |left, right| !has(left) || has(right);
        match self {
            Invariant::Age1 => is_ucum_amount(map) && sign(map, "value").is_none_or(Ordering::is_gt),
            Invariant::Att1 => implies("data", "contentType"),
            Invariant::Cnt3 => {
                is_ucum_amount(map)
                    && text(map, "code").is_none_or(|code| code == "1")
                    && number(map, "value").is_none_or(|value| !value.contains('.'))
            }
            Invariant::Cpt2 => implies("value", "system"),
            Invariant::Dis1 => is_ucum_amount(map),
            Invariant::Drq1 | Invariant::Drq2 => exclusive("path", "searchParam"),
            Invariant::Drt1 => !has("code") || (has("value") && text(map, "system") == Some(UCUM)),
            Invariant::Exp1 => has("expression") || has("reference"),
            Invariant::Ext1 => has("extension") != has_choice(map, "value"),
            Invariant::Org1 => has("identifier") || has("name"),
            Invariant::Org2 => !any_use_is_home(map, "address"),
            Invariant::Org3 => !any_use_is_home(map, "telecom"),
            Invariant::Pat1 => has("name") || has("telecom") || has("address") || has("organization"),
            Invariant::Per1 => !starts_after_end(map),
            Invariant::Qty3 => implies("code", "system"),
            Invariant::Rat1 => {
                has("numerator") == has("denominator") && (has("numerator") || has("extension"))
            }
            // The walk knows what is contained.
            Invariant::Ref1 => true,
            Invariant::Rng2 => !low_above_high(map),
            Invariant::Sqty1 => !has("comparator"),
            Invariant::Tim1 => implies("duration", "durationUnit"),
            Invariant::Tim2 => implies("period", "periodUnit"),
            Invariant::Tim4 => sign(map, "duration").is_none_or(Ordering::is_ge),
            Invariant::Tim5 => sign(map, "period").is_none_or(Ordering::is_ge),
            Invariant::Tim6 => implies("periodMax", "period"),
            Invariant::Tim7 => implies("durationMax", "duration"),
            Invariant::Tim8 => implies("countMax", "count"),
            Invariant::Tim9 => !has("offset") || (has("when") && !names_a_meal(map)),
            Invariant::Tim10 => !(has("timeOfDay") && has("when")),
            Invariant::Trd1 => !(has("data") && has_choice(map, "timing")),
            Invariant::Trd2 => implies("condition", "data"),
            Invariant::Trd3 => match text(map, "type") {
                Some("named-event") => has("name"),
                Some("periodic") => has_choice(map, "timing"),
                Some(kind) if kind.starts_with("data-") => has("data"),
                _ => true,
            },
        }
    }
}

/// Whether an element is there, by a value or by its `_` sibling.
fn has(map: &Map<String, Value>, name: &str) -> bool {
    map.keys().any(|key| key.strip_prefix('_').unwrap_or(key) == name)
}

/// Whether a choice element is there, of whatever type.
fn has_choice(map: &Map<String, Value>, name: &str) -> bool {
    map.keys().any(|key| {
        let key = key.strip_prefix('_').unwrap_or(key);
        key.strip_prefix(name)
            .is_some_and(|kind| kind.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

fn text<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    map.get(name).and_then(Value::as_str)
}

fn number<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    match map.get(name) {
        Some(Value::Number(number)) => Some(number.as_str()),
        _ => None,
    }
}

/// How a number compares to zero.
fn sign(map: &Map<String, Value>, name: &str) -> Option<Ordering> {
    decimal::compare(number(map, name)?, "0")
}

/// A value has a code, and a system is UCUM.
fn is_ucum_amount(map: &Map<String, Value>) -> bool {
    (has(map, "code") || !has(map, "value")) && text(map, "system").is_none_or(|system| system == UCUM)
}

fn any_use_is_home(map: &Map<String, Value>, name: &str) -> bool {
    let items = map.get(name).and_then(Value::as_array);
    items.is_some_and(|items| {
        items
            .iter()
            .any(|item| item.get("use").and_then(Value::as_str) == Some("home"))
    })
}

fn starts_after_end(map: &Map<String, Value>) -> bool {
    let span = |name| text(map, name).and_then(primitives::span);
    match (span("start"), span("end")) {
        (Some(start), Some(end)) => start.is_after(end),
        _ => false,
    }
}

/// Compares only what has the same unit.
fn low_above_high(map: &Map<String, Value>) -> bool {
    let end = |name| map.get(name).and_then(Value::as_object);
    let (Some(low), Some(high)) = (end("low"), end("high")) else {
        return false;
    };
    let same_unit = ["system", "code", "unit"]
        .iter()
        .all(|name| text(low, name) == text(high, name));
    let order = number(low, "value")
        .zip(number(high, "value"))
        .and_then(|(low, high)| decimal::compare(low, high));
    same_unit && order == Some(Ordering::Greater)
}

fn names_a_meal(map: &Map<String, Value>) -> bool {
    let items = map.get("when").and_then(Value::as_array);
    items.is_some_and(|items| {
        items
            .iter()
            .filter_map(Value::as_str)
            .any(|when| matches!(when, "C" | "CM" | "CD" | "CV"))
    })
}
