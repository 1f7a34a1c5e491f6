//! What the doors own in a Patient stays when a FHIR client replaces it without that (`adapters.md` 5.3 R2): otherwise
//! every PUT of an EHR would cut partners off from their patient. The EHR's own elements are replaced as FHIR says.
//!
//! Kept are the identifiers that doors give and partners know, and the extensions of ours. What the client sends of the
//! same system or extension takes the place of what was stored, but for the ids that the server gives: those cannot be
//! changed or invented.

use fhir::interaction::Refusal;
use fhir::{Issue, IssueCode, Resource};
use serde_json::{Value, json};

use crate::naming::{IDENTIFIER_TYPE, INS_NIR, NSS_NIR, Naming};
use crate::tree::{Object, extension, objects, text};

#[cfg(test)]
mod tests;

/// The extensions of a Patient that stay. Of `partner-representation` each stands for its adapter and field.
const EXTENSIONS: [&str; 9] = [
    REPRESENTATION,
    IDENTIFICATION_STATUS,
    "partner-status",
    "metadata",
    "age-verified-at",
    "ruo-pathway-acknowledged-at",
    "prescription-consult-completed-at",
    "researcher-acknowledgement-id",
    "prescription-status",
];
const REPRESENTATION: &str = "partner-representation";
const IDENTIFICATION_STATUS: &str = "patient-identification-status";
const UNIDENTIFIED: &str = "unidentified";

/// The Patient to be stored when a FHIR client sends `sent` in the place of `stored`; `None` when that is `sent` as it
/// is. `allocated`: the Medicapp id that stands beside the resource.
///
/// # Errors
/// An id of the server's that the client changed or invented.
pub fn keep(
    stored: &Resource,
    allocated: Option<&str>,
    sent: &Resource,
    naming: &Naming,
) -> Result<Option<Resource>, Refusal> {
    check_given_ids(stored, allocated, sent, naming)?;
    let mut merged = sent.clone();
    let (old, new) = (stored.tree(), merged.tree_mut());
    keep_identifiers(old, new, naming);
    keep_extensions(old, new, naming);
    keep_gender_words(old, new, naming);
    keep_patronymics(old, new, naming);
    keep_phone_types(old, new, naming);
    keep_tag(old, new, naming);
    Ok((merged != *sent).then_some(merged))
}

/// The Patient to be stored when a FHIR client's patch makes `patched` of `stored`; `None` when that is `patched` as it
/// is. A patch says what goes: only by what the doors find a patient may it not take away.
///
/// # Errors
/// An id of the server's that the patch changed, invented or removed, and a NIR with rank that it removed.
pub fn patched(
    stored: &Resource,
    allocated: Option<&str>,
    patched: &Resource,
    naming: &Naming,
) -> Result<Option<Resource>, Refusal> {
    let mut issues = removed(stored, patched, naming);
    if let Err(invented) = check_given_ids(stored, allocated, patched, naming) {
        issues.extend(invented.issues);
    }
    if !issues.is_empty() {
        return Err(Refusal { issues });
    }
    let mut merged = patched.clone();
    keep_tag(stored.tree(), merged.tree_mut(), naming);
    Ok((merged != *patched).then_some(merged))
}

/// What a patch took away that it may not.
fn removed(stored: &Resource, patched: &Resource, naming: &Naming) -> Vec<Issue> {
    let given = given_systems(naming);
    let composite = naming.nir_rang();
    let stays = |system: &str, value: Option<&str>| {
        objects(patched.tree(), "identifier").any(|held| {
            text(held, "system") == Some(system)
                && match value {
                    Some(value) => text(held, "value") == Some(value),
                    None => text(held, "value").is_some(),
                }
        })
    };
    objects(stored.tree(), "identifier")
        .enumerate()
        .filter_map(|(position, held)| {
            let (system, value) = (text(held, "system")?, text(held, "value")?);
            let is_given = given.iter().any(|known| known == system);
            let kept = match (is_given, system == composite) {
                (true, _) => stays(system, Some(value)),
                // Another one may take its place, as in an update.
                (false, true) => stays(system, None),
                (false, false) => true,
            };
            let advice = format!(
                "The identifier of {system} is what partners know this patient by: a patch cannot remove it. Leave it \
                 where it is."
            );
            (!kept).then(|| {
                Issue::error(IssueCode::BusinessRule, advice)
                    .with_diagnostics(system)
                    .at(format!("Patient.identifier[{position}]"))
            })
        })
        .collect()
}

/// The systems whose values the server gives.
pub(crate) fn given_systems(naming: &Naming) -> [String; 3] {
    [
        naming.medicapp_patient_id(),
        naming.patient_graph_id(),
        naming.preperson_id(),
    ]
}

fn check_given_ids(
    stored: &Resource,
    allocated: Option<&str>,
    sent: &Resource,
    naming: &Naming,
) -> Result<(), Refusal> {
    let given = given_systems(naming);
    let is_known = |system: &str, value: Option<&str>| {
        let allocated = allocated.filter(|_| given.first().is_some_and(|medicapp| medicapp == system));
        (allocated.is_some() && allocated == value)
            || objects(stored.tree(), "identifier")
                .any(|held| text(held, "system") == Some(system) && text(held, "value") == value)
    };
    let sent_identifiers = sent.get("identifier").and_then(Value::as_array);
    let issues: Vec<Issue> = sent_identifiers
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(position, identifier)| {
            let identifier = identifier.as_object()?;
            let system = text(identifier, "system")?;
            let invented = given.iter().any(|known| known == system) && !is_known(system, text(identifier, "value"));
            invented.then(|| {
                let advice = format!(
                    "Values of {system} are given by the server, and this patient was not given this one. Leave the \
                     identifier out: what was given stays."
                );
                Issue::error(IssueCode::BusinessRule, advice).at(format!("Patient.identifier[{position}]"))
            })
        })
        .collect();
    if issues.is_empty() {
        Ok(())
    } else {
        Err(Refusal { issues })
    }
}

/// Whether identifiers of this system are the doors'.
fn is_owned(system: &str, naming: &Naming) -> bool {
    let Some(path) = system
        .strip_prefix(naming.base())
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return false;
    };
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        ["medicapp", "patient-id" | "nir-rang"]
            | ["medicapp", "trust-space" | "space", _, "external-id"]
            | ["patient-graph", "patient-id"]
            | ["patient-graph", "brand", _, "external-id", ..]
            | ["ehealth", "preperson-id"]
            | ["ehealth", "legal-entity", _, "preperson-external-id"]
    )
}

fn keep_identifiers(old: &Object, new: &mut Object, naming: &Naming) {
    let sent_systems: Vec<String> = objects(new, "identifier")
        .filter_map(|identifier| text(identifier, "system"))
        .map(str::to_owned)
        .collect();
    let is_sent = |system: &str| sent_systems.iter().any(|sent| sent == system);
    let composite = naming.nir_rang();
    // The billing NIR goes with the key that it was written with, and only with that.
    let body = (!is_sent(&composite))
        .then(|| crate::tree::identifier(old, &composite))
        .flatten()
        .and_then(|both| both.rsplit_once('-'))
        .map(|(body, _)| body);
    keep_items(old, new, "identifier", |held| {
        let Some(system) = text(held, "system") else {
            return false;
        };
        let of_key = body.is_some_and(|body| {
            is_billing(held, system) && text(held, "value").is_some_and(|value| value.starts_with(body))
        });
        (is_owned(system, naming) || of_key) && !is_sent(system)
    });
}

/// Whether it is a number under which care is billed, in either of the systems it may be written in.
fn is_billing(held: &Object, system: &str) -> bool {
    let is_typed = || {
        held.get("type")
            .and_then(Value::as_object)
            .is_some_and(|concept| {
                objects(concept, "coding").any(|coding| {
                    text(coding, "code") == Some("NH") && text(coding, "system") == Some(IDENTIFIER_TYPE)
                })
            })
    };
    system == NSS_NIR || (system == INS_NIR && is_typed())
}

/// Puts the items of a list that are to stay back into their places: a client that leaves out nothing else changes
/// nothing.
fn keep_items(old: &Object, new: &mut Object, property: &str, stays: impl Fn(&Object) -> bool) {
    let list = old.get(property).and_then(Value::as_array);
    for (position, item) in list.into_iter().flatten().enumerate() {
        if !item.as_object().is_some_and(&stays) {
            continue;
        }
        match new.get_mut(property).and_then(Value::as_array_mut) {
            Some(list) => list.insert(position.min(list.len()), item.clone()),
            None => {
                new.insert(property.to_owned(), Value::Array(vec![item.clone()]));
            }
        }
    }
}

fn keep_extensions(old: &Object, new: &mut Object, naming: &Naming) {
    let urls = EXTENSIONS.map(|name| naming.extension(name));
    let representation = naming.extension(REPRESENTATION);
    let sent: Vec<(String, Option<(String, String)>)> = objects(new, "extension")
        .filter_map(|extension| Some((text(extension, "url")?.to_owned(), field_of(extension))))
        .collect();
    keep_items(old, new, "extension", |held| {
        let Some(url) = text(held, "url").filter(|url| urls.iter().any(|known| known == url)) else {
            return false;
        };
        let field = (url == representation).then(|| field_of(held)).flatten();
        !sent
            .iter()
            .any(|(sent, sent_field)| sent == url && (url != representation || *sent_field == field))
    });
}

/// Adapter and field of a `partner-representation`.
fn field_of(overlay: &Object) -> Option<(String, String)> {
    let part = |name: &str| {
        let part = objects(overlay, "extension").find(|part| text(part, "url") == Some(name))?;
        text(part, "valueCode")
            .or_else(|| text(part, "valueString"))
            .map(str::to_owned)
    };
    Some((part("adapter")?, part("field")?))
}

/// The words for a gender stay while the gender does.
fn keep_gender_words(old: &Object, new: &mut Object, naming: &Naming) {
    let url = naming.extension("gender-as-received");
    if text(old, "gender").is_none() || text(old, "gender") != text(new, "gender") {
        return;
    }
    keep_sibling(old, new, "_gender", &url);
}

/// Puts an extension of a primitive's sibling back.
fn keep_sibling(old: &Object, new: &mut Object, sibling: &str, url: &str) {
    let Some(held) = old
        .get(sibling)
        .and_then(Value::as_object)
        .and_then(|sibling| extension(sibling, url))
    else {
        return;
    };
    let target = new.entry(sibling.to_owned()).or_insert_with(|| json!({}));
    if let Some(target) = target.as_object_mut()
        && extension(target, url).is_none()
    {
        crate::tree::push(target, "extension", Value::Object(held.clone()));
    }
}

/// Which given name is a patronymic stays known while the name does.
fn keep_patronymics(old: &Object, new: &mut Object, naming: &Naming) {
    let url = naming.extension("name-part-kind");
    let flagged: Vec<&Object> = objects(old, "name")
        .filter(|name| {
            let siblings = name.get("_given").and_then(Value::as_array);
            siblings
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .any(|sibling| extension(sibling, &url).is_some())
        })
        .collect();
    for (_, name) in crate::tree::objects_mut(new, "name") {
        let same = |held: &&&Object| {
            held.get("given") == name.get("given") && held.get("family") == name.get("family")
        };
        let held = flagged.iter().find(same).and_then(|held| held.get("_given"));
        if let Some(held) = held
            && !name.contains_key("_given")
        {
            name.insert("_given".to_owned(), held.clone());
        }
    }
}

/// The dictionary's word for a telephone of a contact stays while the number does.
fn keep_phone_types(old: &Object, new: &mut Object, naming: &Naming) {
    let url = naming.extension("phone-type");
    let typed: Vec<&Object> = objects(old, "contact")
        .flat_map(|contact| objects(contact, "telecom"))
        .filter(|point| extension(point, &url).is_some())
        .collect();
    for (_, contact) in crate::tree::objects_mut(new, "contact") {
        for (_, point) in crate::tree::objects_mut(contact, "telecom") {
            let same = |held: &&&Object| {
                ["system", "value", "use"]
                    .iter()
                    .all(|part| held.get(*part) == point.get(*part))
            };
            if extension(point, &url).is_none()
                && let Some(held) = typed.iter().find(same).and_then(|held| extension(held, &url))
            {
                crate::tree::push(point, "extension", Value::Object(held.clone()));
            }
        }
    }
}

/// The tag by which the unidentified are found follows the extension that says so.
fn keep_tag(old: &Object, new: &mut Object, naming: &Naming) {
    let system = naming.code_system("patient-tags");
    let is_meant =
        |tag: &Object| text(tag, "system") == Some(&system) && text(tag, "code") == Some(UNIDENTIFIED);
    let is_tagged = |patient: &Object| {
        patient
            .get("meta")
            .and_then(Value::as_object)
            .is_some_and(|meta| objects(meta, "tag").any(is_meant))
    };
    let status = extension(new, &naming.extension(IDENTIFICATION_STATUS));
    let is_unidentified = status.and_then(|status| text(status, "valueCode")) == Some(UNIDENTIFIED);
    match (is_unidentified, is_tagged(new)) {
        (true, false) if is_tagged(old) => {
            let Some(old_meta) = old.get("meta").and_then(Value::as_object) else {
                return;
            };
            let meta = new.entry("meta").or_insert_with(|| json!({}));
            if let Some(meta) = meta.as_object_mut() {
                keep_items(old_meta, meta, "tag", is_meant);
            }
        }
        (false, true) if is_tagged(old) => {
            let Some(meta) = new.get_mut("meta").and_then(Value::as_object_mut) else {
                return;
            };
            crate::tree::retain(meta, "tag", |tag| !tag.as_object().is_some_and(is_meant));
            if meta.is_empty() {
                new.shift_remove("meta");
            }
        }
        _ => {}
    }
}
