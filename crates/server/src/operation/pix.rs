//! `Patient/$ihe-pix` — PIXm ITI-83, <https://profiles.ihe.net/ITI/PIXm/ITI-83.html>

use actix_web::HttpResponse;
use engine::Reply;
use fhir::parameters::{Accepted, Holds};
use fhir::{Identifier, Interaction, Issue, IssueCode};
use serde_json::json;

use super::Given;
use crate::ask::Ask;
use crate::error::{self, Failure};
use crate::respond;

const SOURCE: &str = "sourceIdentifier";
const TARGET: &str = "targetSystem";

const ACCEPTED: [Accepted; 2] = [
    Accepted {
        name: SOURCE,
        holds: Holds::Text,
        repeats: false,
    },
    Accepted {
        name: TARGET,
        holds: Holds::Text,
        repeats: true,
    },
];

/// The other identifiers of a patient, and the patient.
pub async fn cross_reference(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let Given { parameters, .. } = super::given(&ask, super::of_patient, &ACCEPTED).await?;
    let canonical = |system: &str| ask.visit.app.auth.canonical_system(system);
    let source = match parameters.text(SOURCE) {
        None => return Err(error::of_issues(vec![missing()]).into()),
        Some(_) => parameters.value(SOURCE, "write system|value, both.", |text| {
            source(text, &canonical)
        })?,
    };
    let Some(source) = source else {
        return Err(error::of_issues(vec![missing()]).into());
    };
    let targets = parameters.texts(TARGET).map(canonical).collect();
    let Reply::CrossReferenced(found) = ask.run(Interaction::CrossReference { source, targets }).await?
    else {
        return Err(error::broken("the engine answered with a reply of another kind").into());
    };
    let mut parts: Vec<_> = found
        .identifiers
        .iter()
        .map(|identifier| json!({ "name": "targetIdentifier", "valueIdentifier": identifier }))
        .collect();
    // Who asks for identifiers of one domain and gets none has no use for the patient either.
    if !parts.is_empty() || !found.is_limited {
        let reference = ask.visit.base().resource(&found.target);
        parts.push(json!({ "name": "targetId", "valueReference": { "reference": reference } }));
    }
    let mut answer = json!({ "resourceType": "Parameters" });
    if !parts.is_empty()
        && let Some(map) = answer.as_object_mut()
    {
        map.insert("parameter".to_owned(), json!(parts));
    }
    respond::made(&answer, ask.visit.answer.get())
}

fn source(text: &str, canonical: &impl Fn(&str) -> String) -> Option<Identifier> {
    let (system, value) = text.split_once('|')?;
    (!system.is_empty() && !value.is_empty()).then(|| Identifier {
        system: canonical(system),
        value: value.to_owned(),
    })
}

fn missing() -> Issue {
    Issue::error(
        IssueCode::Required,
        "Whose identifiers are asked for? Send sourceIdentifier=system|value.",
    )
    .with_diagnostics(SOURCE)
}
