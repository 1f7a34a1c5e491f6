//! Medicapp connect v5 under `/v5`: create, list, read, merge, erase the patients of the key's space
//! (`adapters.md` 3.2).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use adapters::medicapp::connect::{self as dialect, Listing as Listed, Template, View};
use adapters::medicapp::{Context, Fault, Space};
use engine::{Reply, Session};
use fhir::interaction::{Interaction, Listing, Replaced};
use fhir::{Canonical, ResourceType};
use serde_json::value::RawValue;
use store::{ListPage, Stored};

use super::medicapp::{Counter, answer, kept, records_of, text};
use super::{check_json, listed, resource_of, session_in};
use crate::ask::Ask;
use crate::error::{self, Failure};

/// `POST /v5/patients`
pub async fn create(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    check_json(ask.visit.headers())?;
    let body = ask.body().await?;
    let counter = Counter::of(&ask);
    let (session, space) = own_space(&ask);
    let rules = counter.rules();
    let context = rules.within(Space::Connect(&space));
    let create = dialect::read_create(&body, &rules).map_err(|fault| counter.refuse(&fault))?;
    let patient = dialect::to_fhir(&create, &session.fresh_patient_id(), &context);
    let stored = match session.run(Interaction::Create(patient)).await {
        Ok(Reply::Written(reply)) => reply.stored,
        Ok(_) => return Err(error::broken("a create has no reply of a write").into()),
        Err(error) => return Err(counter.refused_create(error)),
    };
    let patient = dialect::show(
        &resource_of(&stored)?,
        &kept(&stored, &[]),
        &context,
        View::Answer,
    );
    Ok(answer(StatusCode::CREATED, &stored, &patient))
}

/// `GET /v5/patients`
pub async fn list(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let counter = Counter::of(&ask);
    let (session, space) = own_space(&ask);
    let rules = counter.rules();
    let page = dialect::read_page(ask.visit.request.query_string(), &rules)
        .map_err(|fault| counter.refuse(&fault))?;
    let listing = Listing {
        kind: ResourceType::Patient,
        created_after: page.created_after,
        modified_after: page.modified_after,
        replaced: Replaced::Hidden,
        // A page that cannot be counted lies behind every list.
        offset: page.offset().unwrap_or(u64::MAX),
        count: u32::try_from(page.per_page).unwrap_or(u32::MAX),
    };
    let Reply::List(found) = session.run(Interaction::List(listing)).await? else {
        return Err(error::broken("a list has no page").into());
    };
    let pagination = page.pagination(found.total);
    let body = match page.template {
        Template::Native => text(&Listed {
            data: items(&found, &rules.within(Space::Connect(&space)))?,
            pagination,
        }),
        Template::Fhir => text(&Listed {
            data: patients(&found, &rules.within(Space::Connect(&space)))?,
            pagination,
        }),
    };
    Ok(listed(body))
}

/// The page as FHIR Patients: their text, so that numbers stay as they were written.
fn patients(found: &ListPage, context: &Context<'_>) -> Result<Vec<Box<RawValue>>, Failure> {
    let patient = |stored: &Stored| {
        let shown = dialect::show_fhir(&resource_of(stored)?, context);
        let text = Canonical::of(&shown).body(&stored.target.id, stored.version, stored.updated);
        RawValue::from_string(text).map_err(|_| error::broken("a patient is no JSON").into())
    };
    found.resources.iter().map(patient).collect()
}

fn items(found: &ListPage, context: &Context<'_>) -> Result<Vec<dialect::Patient>, Failure> {
    let item = |stored: &Stored| {
        let records = records_of(found.records.iter().filter(|record| record.row == stored.row));
        let patient = resource_of(stored)?;
        Ok(dialect::show(
            &patient,
            &kept(stored, &records),
            context,
            View::Item,
        ))
    };
    found.resources.iter().map(item).collect()
}

/// `GET /v5/patients/{id}`
pub async fn read(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let counter = Counter::of(&ask);
    let (session, space) = own_space(&ask);
    let stored = find(&counter, &session).await?;
    shown(&counter, &session, &space, &stored, View::One).await
}

/// `PUT /v5/patients/{id}`
pub async fn update(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    check_json(ask.visit.headers())?;
    let body = ask.body().await?;
    let counter = Counter::of(&ask);
    let update = dialect::read_update(&body).map_err(|fault| counter.refuse(&fault))?;
    let (session, space) = own_space(&ask);
    let found = find(&counter, &session).await?;
    let stored = counter
        .edit(
            &session,
            found,
            (|name| Space::Connect(name), &space),
            move |patient, context| dialect::apply(&update, patient, context),
        )
        .await?;
    shown(&counter, &session, &space, &stored, View::Answer).await
}

/// `DELETE /v5/patients/{id}`: an erasure (`access.md` 4).
pub async fn erase(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let counter = Counter::of(&ask);
    let (session, _) = own_space(&ask);
    let stored = find(&counter, &session).await?;
    let id = ask.segment("id");
    match session.run(Interaction::Erase(stored.target)).await {
        Ok(Reply::Deleted(Some(_))) => Ok(listed(text(&dialect::deleted(id)))),
        // Somebody else was faster.
        Ok(_) => Err(counter.refuse(&Fault::PatientNotFound(Some(id.to_owned())))),
        Err(error) => Err(counter.refused(error, id, None)),
    }
}

/// The handle on the key's space, and its name.
fn own_space(ask: &Ask<'_>) -> (Session, String) {
    let name = ask.visit.app.auth.space_name(&ask.caller);
    (session_in(ask, ask.caller.space), name.unwrap_or_default())
}

async fn find(counter: &Counter<'_>, session: &Session) -> Result<Stored, Failure> {
    let id = counter.ask.segment("id");
    let found = counter.find(session, id).await?;
    found.ok_or_else(|| counter.refuse(&Fault::PatientNotFound(Some(id.to_owned()))))
}

/// The answer about one patient, with what is known of its records.
async fn shown(
    counter: &Counter<'_>,
    session: &Session,
    space: &str,
    stored: &Stored,
    view: View,
) -> Result<HttpResponse, Failure> {
    let records = match session.run(Interaction::Records(stored.target.clone())).await {
        Ok(Reply::Records(records)) => records_of(records.iter()),
        Ok(_) => return Err(error::broken("a look at records has none").into()),
        Err(error) => return Err(counter.refused(error, counter.ask.segment("id"), None)),
    };
    let context = counter.rules().within(Space::Connect(space));
    let patient = dialect::show(&resource_of(stored)?, &kept(stored, &records), &context, view);
    Ok(answer(StatusCode::OK, stored, &patient))
}
