//! `Patient/[id]/$everything` — <https://hl7.org/fhir/R4/patient-operation-everything.html>
//!
//! Of what is stored here that is the patient, its general practitioners, the patients it is linked to, and those that
//! are linked to it.

use actix_web::HttpResponse;
use engine::Reply;
use engine::scope::Permission;
use fhir::parameters::{Accepted, Holds};
use fhir::time::TimeRange;
use fhir::{Interaction, ResourceType};
use serde_json::json;
use store::Stored;

use super::Given;
use crate::ask::Ask;
use crate::bundle::{self, Links};
use crate::damage;
use crate::error::{self, Failure};
use crate::respond;

const fn text(name: &'static str) -> Accepted {
    Accepted {
        name,
        holds: Holds::Text,
        repeats: false,
    }
}

/// All of it comes in one Bundle, so there is no `_count`.
const ACCEPTED: [Accepted; 4] = [text("_since"), text("_type"), text("start"), text("end")];

/// A searchset: the patient first.
pub async fn of_patient(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let target = ask.target_of(ResourceType::Patient)?;
    let Given { parameters, .. } = super::given(&ask, super::of_patient, &ACCEPTED).await?;
    let hint = "write a date or a time, such as 2026-11-26 or 2026-11-26T08:00:00Z.";
    // What has a date of care is not stored here: these limit nothing, and are only read.
    for name in ["start", "end"] {
        parameters.value(name, hint, TimeRange::parse)?;
    }
    let since = parameters.value("_since", hint, |text| TimeRange::parse(&text.replace(' ', "+")))?;
    let types = parameters.value(
        "_type",
        "write Patient, Practitioner or both, parted by a comma.",
        types,
    )?;
    // There, and not deleted.
    ask.run(Interaction::Read(target.clone())).await?;
    let mut query = format!("_id={}&_include=Patient:link&_revinclude=Patient:link", target.id);
    if ask
        .caller
        .scopes
        .allow(ResourceType::Practitioner, Permission::Search)
    {
        query.push_str("&_include=Patient:general-practitioner");
    }
    let query = ask.parse_search(Some(ResourceType::Patient), &query)?;
    let links = Links::of(&query);
    let Reply::Page(mut page) = ask.run(Interaction::Search(query)).await? else {
        return Err(error::broken("the engine answered with a reply of another kind").into());
    };
    let wanted = |stored: &Stored| {
        types
            .as_ref()
            .is_none_or(|types| types.contains(&stored.target.kind))
            && since.is_none_or(|since| stored.updated.micros() >= since.low)
    };
    page.matches.retain(wanted);
    page.included.resources.retain(wanted);
    page.total = Some(u64::try_from(page.matches.len() + page.included.resources.len()).unwrap_or(u64::MAX));
    let base = ask.visit.base();
    let mut tree = bundle::tree(&base, &page, &links, damage::has_xml);
    let url = format!("{}/$everything", base.resource(&target));
    tree.insert("link".to_owned(), json!([{ "relation": "self", "url": url }]));
    respond::tree(&tree, ask.visit.answer.get())
}

fn types(text: &str) -> Option<Vec<ResourceType>> {
    text.split(',').map(ResourceType::parse).collect()
}
