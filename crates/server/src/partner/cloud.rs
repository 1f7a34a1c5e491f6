//! Medicapp cloud partner v5 under `/cloud/partner/v5`: create or find, read, update (`adapters.md` 3.1).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use adapters::medicapp::cloud::{self as dialect, View};
use adapters::medicapp::{Context, Fault, Space};
use engine::{Reply, Session, Written};
use fhir::interaction::Interaction;
use store::Stored;

use super::medicapp::{Counter, answer, kept};
use super::{check_json, resource_of, search};
use crate::ask::Ask;
use crate::error::{self, Failure};

/// So many matches of a key are looked at: a key has one owner, but an INS may stand in a few.
const MATCHES: u32 = 32;

/// `POST /cloud/partner/v5/patients`
pub async fn create(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    check_json(ask.visit.headers())?;
    let body = ask.body().await?;
    let counter = Counter::of(&ask);
    let rules = counter.rules();
    let create = dialect::read_create(&body, &rules, &trust_spaces(&counter))
        .map_err(|fault| counter.refuse(&fault))?;
    let session = session(&counter, create.trust_space())?;
    let wanted = dialect::find_or_create(&create, &session.fresh_patient_id(), &rules);
    let reply = match session.run(Interaction::FindOrCreate(wanted)).await {
        Ok(Reply::Written(reply)) => reply,
        Ok(_) => return Err(error::broken("a create has no reply of a write").into()),
        Err(engine::Error::Rule(issues)) => return Err(counter.refuse(&Fault::from_issues(&issues))),
        Err(error) => return Err(counter.refused_create(error)),
    };
    let context = create.context(rules);
    let patient = resource_of(&reply.stored)?;
    let kept = kept(&reply.stored, &[]);
    let (status, keys) = match reply.written {
        Written::Created => (
            StatusCode::CREATED,
            dialect::show_created(&patient, &kept, &context, reply.remark),
        ),
        _ => (
            ask.visit.app.settings.partner.medicapp_find_status,
            dialect::show_found(&patient, &kept, &context, reply.remark),
        ),
    };
    Ok(answer(status, &reply.stored, &keys))
}

/// `GET /cloud/partner/v5/patients?trustSpaceUuid=…`: one patient by a key.
pub async fn find(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let counter = Counter::of(&ask);
    let rules = counter.rules();
    let wanted = dialect::read_find(ask.visit.request.query_string(), &trust_spaces(&counter))
        .map_err(|fault| counter.refuse(&fault))?;
    let context = wanted.context(rules);
    let Space::Trust(word) = context.space else {
        return Err(error::broken("a trust space has no name").into());
    };
    let session = session(&counter, word)?;
    let not_found = || counter.refuse(&Fault::PatientNotFound(None));
    let criteria = wanted.criteria(&rules).ok_or_else(not_found)?;
    let stored = search(&session, criteria, MATCHES).await?;
    let patients = stored.iter().map(resource_of).collect::<Result<Vec<_>, _>>()?;
    let position = dialect::find(&wanted, &patients.iter().collect::<Vec<_>>(), &rules)
        .map_err(|fault| counter.refuse(&fault))?;
    let stored = stored.get(position).ok_or_else(not_found)?;
    Ok(answer(StatusCode::OK, stored, &shown(stored, &context)?))
}

/// `GET /cloud/partner/v5/patients/{patientUuid}`
pub async fn read(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let counter = Counter::of(&ask);
    let (word, _, stored) = find_by_id(&counter).await?;
    let context = counter.rules().within(Space::Trust(&word));
    Ok(answer(StatusCode::OK, &stored, &shown(&stored, &context)?))
}

/// `PUT /cloud/partner/v5/patients/{patientUuid}`
pub async fn update(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    check_json(ask.visit.headers())?;
    let body = ask.body().await?;
    let counter = Counter::of(&ask);
    let update = dialect::read_update(&body).map_err(|fault| counter.refuse(&fault))?;
    let (word, session, stored) = find_by_id(&counter).await?;
    let stored = counter
        .edit(
            &session,
            stored,
            (|name| Space::Trust(name), &word),
            move |patient, context| dialect::apply(&update, patient, context),
        )
        .await?;
    let context = counter.rules().within(Space::Trust(&word));
    let keys = dialect::show_found(&resource_of(&stored)?, &kept(&stored, &[]), &context, None);
    Ok(answer(StatusCode::OK, &stored, &keys))
}

fn trust_spaces<'a>(counter: &'a Counter<'_>) -> Vec<&'a str> {
    counter.desk.words.iter().map(|(word, _)| word.as_str()).collect()
}

fn session(counter: &Counter<'_>, word: &str) -> Result<Session, Failure> {
    let session = counter.desk.session(counter.ask, word);
    session.ok_or_else(|| counter.refuse(&Fault::TrustSpaceNotFound(word.to_owned())))
}

/// The patient of the id in the path, in whichever trust space of the caller it is.
async fn find_by_id(counter: &Counter<'_>) -> Result<(String, Session, Stored), Failure> {
    let id = counter.ask.segment("id");
    for (word, space) in &counter.desk.words {
        let session = session(counter, word)?;
        if let Some(stored) = counter.find(&session, id).await? {
            // Several words may mean this space: the patient says which it is of.
            let of_space = counter.desk.words.iter().filter(|(_, other)| other == space);
            let words: Vec<&str> = of_space.map(|(word, _)| word.as_str()).collect();
            let own = dialect::trust_space(&resource_of(&stored)?, &words, &counter.desk.naming);
            return Ok((own.unwrap_or(word).to_owned(), session, stored));
        }
    }
    Err(counter.refuse(&Fault::PatientNotFound(Some(id.to_owned()))))
}

fn shown(stored: &Stored, context: &Context<'_>) -> Result<View, Failure> {
    Ok(dialect::show(&resource_of(stored)?, &kept(stored, &[]), context))
}
