//! Resolve duplicate (PIXm ITI-104, `patient-identity.md` 2): who is written with a `replaced-by` link has a survivor, which
//! hears of it in the same transaction, whatever interaction wrote it.

use std::sync::Arc;

use fhir::query::{Clause, Criteria, ReferenceTest, SearchParam, Test};
use fhir::{Issue, IssueCode, Resource, ResourceType, Target};
use serde_json::{Value, json};
use store::{ClassFilter, Stored, Writer};

use crate::context::Door;
use crate::error::Error;
use crate::pix::{named, replacement, survivor};
use crate::prepare::{parse_stored, prepare_as};
use crate::scope::Permission;
use crate::session::WriteContext;
use crate::update::put;

/// So many patients that link to one who is replaced are looked at.
const LINKED: usize = 1_000;

/// Links the survivor back, and lets the links of others follow. Nobody who is not there is refused for it, unless an
/// identifier was to say who it is: whom a reference names may come later, or live elsewhere. An import brings them in
/// whatever order, and the survivor its own link.
///
/// # Errors
/// 422 of a patient that would replace itself, and of an identifier that is nobody's; 403 of a FHIR client that may not
/// update.
pub(crate) fn settle(
    tx: &mut dyn Writer,
    context: &WriteContext,
    subsumed: &Stored,
    resource: &Resource,
) -> Result<(), Error> {
    if resource.kind() != ResourceType::Patient {
        return Ok(());
    }
    let links = resource.list("link").iter().enumerate();
    let mut replacing = links.filter(|(_, link)| kind_of(link) == Some("replaced-by"));
    let Some((position, other)) = replacing.find_map(|(position, link)| Some((position, link.get("other")?)))
    else {
        return Ok(());
    };
    let place = format!("Patient.link[{position}].other");
    let Some(next) = named(tx, other)? else {
        let is_named = other.get("reference").is_none() && other.get("identifier").is_some();
        return if is_named && !context.may_come_out_of_order() {
            Err(refused(
                &place,
                "No patient here, or more than one, has this identifier. Feed the one who survives first, or name it by a reference.",
            ))
        } else {
            Ok(())
        };
    };
    // The one that was just written is at the end of a circle, as it would be followed into it again.
    let (end, patient) = survivor(tx, next)?;
    let leads_back = replacement(tx, &patient)?.is_some_and(|again| again.row != end.row);
    if end.row == subsumed.row || leads_back {
        return Err(refused(
            &place,
            "This patient would take its own place: the one named here was itself replaced by it, or is it. Name another.",
        ));
    }
    // A client that may create only must not change others by what it creates. The doors' clients have other scopes.
    let caller = &context.caller;
    if caller.door == Door::Fhir && !caller.scopes.allow(ResourceType::Patient, Permission::Update) {
        return Err(Error::Forbidden(format!(
            "Saying who took a patient's place changes {} too, and this client lacks the scope system/Patient.u. Leave the \
             replaced-by link out, or ask the operator to grant it.",
            end.target
        )));
    }
    let own = reference(&subsumed.target);
    change(tx, context, &end.target, |survivor| {
        with_links(survivor, |links| {
            let is_known = |link: &Value| kind_of(link) == Some("replaces") && refers_to(link, &own);
            if !links.iter().any(is_known) {
                links.push(json!({ "other": { "reference": own }, "type": "replaces" }));
            }
        });
    })?;
    for linked in linked_to(tx, &subsumed.target)? {
        if linked.target == end.target {
            continue;
        }
        let there = reference(&end.target);
        change(tx, context, &linked.target, |patient| {
            with_links(patient, |links| {
                // Whom somebody replaced stays whom it replaced.
                for link in links.iter_mut().filter(|link| kind_of(link) != Some("replaces")) {
                    if refers_to(link, &own)
                        && let Some(Value::Object(other)) = link.get_mut("other")
                    {
                        other.insert("reference".to_owned(), Value::String(there.clone()));
                    }
                }
            });
        })?;
    }
    Ok(())
}

/// Who has a link to it by reference.
fn linked_to(tx: &mut dyn Writer, target: &Target) -> Result<Vec<Stored>, Error> {
    let by_reference = ReferenceTest::Typed {
        kind: target.kind.to_string(),
        id: target.id.to_string(),
    };
    let criteria = Criteria {
        kind: target.kind,
        clauses: vec![Clause {
            param: SearchParam::Link,
            test: Test::Reference(vec![by_reference]),
        }],
    };
    let mut linked = tx.matches(&criteria, ClassFilter::Any, LINKED)?;
    linked.retain(|stored| stored.target != *target);
    Ok(linked)
}

/// Changes a patient that is there, and makes a version of it when that changes something.
fn change(
    tx: &mut dyn Writer,
    context: &WriteContext,
    target: &Target,
    edit: impl FnOnce(&mut Resource),
) -> Result<(), Error> {
    let Some(current) = tx.get_for_update(target)?.filter(|current| !current.deleted) else {
        return Ok(());
    };
    let mut resource = parse_stored(&current)?;
    edit(&mut resource);
    // What a profile says of it was said when it was sent: a link that follows is no occasion to refuse.
    let prepared = prepare_as(resource, current.class, &context.keys, &Arc::default())?;
    put(tx, context, &current, &prepared).map(|_| ())
}

/// Runs on the list of links; what is left empty is no element.
fn with_links(patient: &mut Resource, run: impl FnOnce(&mut Vec<Value>)) {
    let mut links = match patient.tree_mut().get_mut("link") {
        Some(Value::Array(links)) => std::mem::take(links),
        _ => Vec::new(),
    };
    run(&mut links);
    if !links.is_empty() {
        patient.tree_mut().insert("link".to_owned(), Value::Array(links));
    }
}

fn kind_of(link: &Value) -> Option<&str> {
    link.get("type")?.as_str()
}

fn refers_to(link: &Value, reference: &str) -> bool {
    let text = link
        .get("other")
        .and_then(|other| other.get("reference")?.as_str());
    text.is_some_and(|text| text == reference)
}

fn reference(target: &Target) -> String {
    target.to_string()
}

fn refused(place: &str, text: &str) -> Error {
    Error::Rule(vec![Issue::error(IssueCode::BusinessRule, text).at(place)])
}
