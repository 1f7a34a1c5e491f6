//! `Patient/$match` — PDQm ITI-119, <https://hl7.org/fhir/R4/patient-operation-match.html>

use actix_web::HttpResponse;
use engine::Reply;
use engine::reply::Scored;
use fhir::interaction::{Content, Sought};
use fhir::parameters::{Accepted, Holds};
use fhir::{Interaction, Issue, IssueCode};
use serde_json::{Value, json};

use super::Given;
use crate::ask::Ask;
use crate::base::Base;
use crate::damage;
use crate::error::{self, Failure};
use crate::respond;

const GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";

const ACCEPTED: [Accepted; 3] = [
    Accepted {
        name: "resource",
        holds: Holds::Resource,
        repeats: false,
    },
    Accepted {
        name: "onlyCertainMatches",
        holds: Holds::Text,
        repeats: false,
    },
    Accepted {
        name: "count",
        holds: Holds::Text,
        repeats: false,
    },
];

/// Who a patient is likely to be: a searchset, best first.
pub async fn find(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let Given { parameters, content } = super::given(&ask, super::of_patient, &ACCEPTED).await?;
    let only_certain = parameters.value("onlyCertainMatches", "write true or false.", |text| {
        text.parse().ok()
    })?;
    let count = parameters.value("count", "write a whole number from 1.", |text| {
        text.parse().ok().filter(|count: &usize| *count > 0)
    })?;
    let patient = match content {
        Content::Sent(patient) => patient,
        Content::Malformed(issues) => return Err(error::of_issues(issues).into()),
        Content::Stored => return Err(error::of_issues(vec![missing()]).into()),
    };
    let sought = Sought {
        patient,
        only_certain: only_certain.unwrap_or(false),
        count,
    };
    let Reply::Matches(found) = ask.run(Interaction::Match(sought)).await? else {
        return Err(error::broken("the engine answered with a reply of another kind").into());
    };
    let base = ask.visit.base();
    let mut bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "total": found.total,
        "link": [{ "relation": "self", "url": format!("{base}/Patient/$match") }],
    });
    let entries: Vec<Value> = found.scored.iter().map(|scored| entry(&base, scored)).collect();
    if !entries.is_empty()
        && let Some(map) = bundle.as_object_mut()
    {
        map.insert("entry".to_owned(), Value::Array(entries));
    }
    respond::made(&bundle, ask.visit.answer.get())
}

fn entry(base: &Base, scored: &Scored) -> Value {
    match damage::tree(&scored.stored) {
        None => damage::entry(&scored.stored),
        Some(patient) => json!({
            "fullUrl": base.resource(&scored.stored.target),
            "resource": patient,
            "search": {
                "extension": [{ "url": GRADE, "valueCode": scored.judgement.grade.as_str() }],
                "mode": "match",
                "score": scored.judgement.score,
            },
        }),
    }
}

fn missing() -> Issue {
    Issue::error(
        IssueCode::Required,
        "Who is looked for? Send a Patient, alone or as the parameter `resource` of a Parameters resource.",
    )
}
