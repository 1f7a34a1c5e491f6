//! `_summary` and `_elements`: a resource with some of its elements left out, and tagged so —
//! <https://hl7.org/fhir/R4/search.html#summary>

use serde_json::{Map, Value, json};

use super::encoding::{Pair, clip};
use super::value::{Fault, each, unescape};
use crate::outcome::Issue;
use crate::resource::ResourceType;
use crate::validate::table;

/// The code system of [`SUBSETTED`].
pub const TAG_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
/// The code of the tag that a part of a resource bears: who has only that must not store it.
pub const SUBSETTED: &str = "SUBSETTED";

/// Which elements of a resource are wanted. Id, meta and what changes the meaning of the rest
/// (`implicitRules`, `modifierExtension`) are always among them; an element comes whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    /// `_summary=true`: what R4 marks as summary.
    Summary,
    /// `_summary=text`: the narrative (and what is mandatory: nothing in the two types).
    Text,
    /// `_summary=data`: everything but the narrative.
    Data,
    /// `_elements`: these, by their names in [`table`].
    Elements(Vec<&'static str>),
}

/// Reads `_summary` and `_elements` of a read from its pairs; other parameters are not looked at. `None`:
/// the whole resource is wanted.
///
/// # Errors
/// Whatever is not understood wholly, each issue naming the parameter; they mean status 400.
pub fn of_read(kind: ResourceType, pairs: &[Pair]) -> Result<Option<Subset>, Vec<Issue>> {
    let (mut subset, mut seen, mut issues) = (None, Vec::new(), Vec::new());
    for pair in pairs {
        let read = match pair.name.as_str() {
            "_summary" => summary(&pair.value),
            "_elements" => elements(&[kind], &pair.value).map(Some),
            _ => continue,
        };
        let fault = if pair.modifier.is_some() {
            Some(Fault::unsupported("it takes no modifier."))
        } else if seen.contains(&pair.name.as_str()) {
            Some(Fault::value("it is given more than once."))
        } else {
            seen.push(pair.name.as_str());
            match read {
                Err(fault) => Some(fault),
                Ok(None) => None,
                Ok(Some(_)) if subset.is_some() => Some(Fault::value(
                    "`_summary` and `_elements` exclude each other; keep one.",
                )),
                Ok(some) => {
                    subset = some;
                    None
                }
            }
        };
        issues.extend(fault.map(|fault| fault.about(&pair.full_name(), &pair.value)));
    }
    if issues.is_empty() {
        Ok(subset)
    } else {
        Err(issues)
    }
}

/// `_summary` of a search, `count` aside.
pub(super) fn of_search(value: &str) -> Result<Option<Subset>, Fault> {
    summary(value)
        .map_err(|_| Fault::value("the value is none of `true`, `text`, `data`, `count` and `false`."))
}

fn summary(value: &str) -> Result<Option<Subset>, Fault> {
    match value {
        "false" => Ok(None),
        "true" => Ok(Some(Subset::Summary)),
        "text" => Ok(Some(Subset::Text)),
        "data" => Ok(Some(Subset::Data)),
        "count" => Err(Fault::value(
            "only a search can be counted; on a read write `true`, `text`, `data` or `false`.",
        )),
        _ => Err(Fault::value(
            "the value is none of `true`, `text`, `data` and `false`.",
        )),
    }
}

/// `name,birthDate`; a choice by its name, with or without its type. Each is an element of one of the types.
pub(super) fn elements(kinds: &[ResourceType], value: &str) -> Result<Subset, Fault> {
    let all = || kinds.iter().flat_map(|&kind| table::resource(kind).elements);
    let named = |piece: &str| {
        let name = unescape(piece.trim());
        let name = name.strip_suffix("[x]").unwrap_or(&name);
        let found = all().find(|element| element.name == name || element.type_of(name).is_some());
        found.map(|element| element.name).ok_or_else(|| {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            Fault::value(format!(
                "{} has no element `{}`; list the names of its own elements, such as `name,identifier`.",
                kinds.join(" or "),
                clip(name)
            ))
        })
    };
    each(value, named).map(Subset::Elements)
}

impl Subset {
    /// Leaves out what is not wanted, and tags what remains.
    pub fn apply(&self, kind: ResourceType, tree: &mut Map<String, Value>) {
        let table = table::resource(kind);
        tree.retain(|property, _| {
            let name = property.strip_prefix('_').unwrap_or(property);
            let name = table.element(name).map_or(name, |found| found.element.name);
            is_indispensable(name) || self.wants(name)
        });
        tag(tree);
    }

    fn wants(&self, name: &str) -> bool {
        match self {
            Subset::Summary => is_summary(name),
            Subset::Text => name == "text",
            Subset::Data => name != "text",
            Subset::Elements(names) => names.contains(&name),
        }
    }
}

fn is_indispensable(name: &str) -> bool {
    matches!(
        name,
        "resourceType" | "id" | "meta" | "implicitRules" | "modifierExtension"
    )
}

/// Whether R4 marks the element of a Patient or Practitioner with Σ.
fn is_summary(name: &str) -> bool {
    matches!(
        name,
        "identifier"
            | "active"
            | "name"
            | "telecom"
            | "gender"
            | "birthDate"
            | "deceased"
            | "address"
            | "managingOrganization"
            | "link"
    )
}

/// Leaves the identifiers of other systems out, and tags what remains when there were any.
pub fn keep_domains(domains: &[String], tree: &mut Map<String, Value>) {
    let Some(Value::Array(identifiers)) = tree.get_mut("identifier") else {
        return;
    };
    let before = identifiers.len();
    identifiers.retain(|identifier| {
        let system = identifier.get("system").and_then(Value::as_str);
        system.is_some_and(|system| domains.iter().any(|domain| domain == system))
    });
    let (is_cut, is_empty) = (identifiers.len() < before, identifiers.is_empty());
    if is_empty {
        tree.shift_remove("identifier");
    }
    if is_cut {
        tag(tree);
    }
}

fn tag(tree: &mut Map<String, Value>) {
    let coding = json!({ "system": TAG_SYSTEM, "code": SUBSETTED });
    let is_tag =
        |tag: &Value| tag.get("code") == coding.get("code") && tag.get("system") == coding.get("system");
    if !tree.contains_key("meta") {
        // Behind type and id, where it stands in every answer.
        let place = usize::from(tree.contains_key("resourceType")) + usize::from(tree.contains_key("id"));
        tree.shift_insert(place, "meta".to_owned(), json!({}));
    }
    let Some(meta) = tree.get_mut("meta").and_then(Value::as_object_mut) else {
        return;
    };
    let tags = meta.entry("tag").or_insert_with(|| json!([]));
    if let Some(tags) = tags.as_array_mut()
        && !tags.iter().any(is_tag)
    {
        tags.push(coding);
    }
}

#[cfg(test)]
mod tests;
