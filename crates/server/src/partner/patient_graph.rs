//! patient-graph v1 under `/v1`: create, by id, the safe projection (`adapters.md` 4).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use adapters::patient_graph::{self as dialect, Context, Fault, Kept, Missing, Switches, Violation};
use engine::{Caller, Refusal, Reply, Session};
use fhir::interaction::{Interaction, Listing, Replaced};
use fhir::query::{Criteria, Query, Total};
use fhir::{Id, Identifier, Issue, IssueCode, Resource, ResourceType, Target};
use store::Stored;

use super::{Desk, answer, check_json, failure, listed, resource_of, today};
use crate::ask::Ask;
use crate::error::{self, Failure};

/// The scopes that a deployment demands of every client of this door (`patient-graph.required-scopes`).
///
/// # Errors
/// 403 naming all that are missing.
pub fn admit(caller: &Caller, required: &[String]) -> Result<(), Refusal> {
    let missing: Vec<&str> = required
        .iter()
        .map(String::as_str)
        .filter(|scope| !caller.scopes.has(scope))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "This client lacks the scope {}. Ask the operator to grant it.",
        missing.join(" and ")
    );
    Err(Refusal::new(403, Issue::error(IssueCode::Forbidden, text)))
}

/// `POST /v1/patients`
pub async fn create(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    check_json(ask.visit.headers())?;
    let body = ask.body().await?;
    let desk = Desk::of(&ask);
    let brands: Vec<&str> = desk.words.iter().map(|(word, _)| word.as_str()).collect();
    let create = dialect::read_create(&body, &brands).map_err(refuse)?;
    let session = desk
        .session(&ask, create.brand())
        .ok_or_else(|| refuse(Fault::ForeignBrand))?;
    let today = today(&session);
    let context = Context {
        naming: &desk.naming,
        today: &today,
        brand: create.brand(),
    };
    let id = session.fresh_id();
    let wanted = dialect::find_or_create(&create, id, &context, switches(&ask));
    let Reply::Written(reply) = session.run(Interaction::FindOrCreate(wanted)).await? else {
        return Err(error::broken("a create has no reply of a write").into());
    };
    let stored = reply.stored;
    let patient = dialect::show(&resource_of(&stored)?, &kept(&stored), &context);
    Ok(answer(StatusCode::CREATED, &stored, dialect::render(&patient)))
}

/// `GET /v1/patients`: in the order in which the patients were created.
pub async fn list(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(&ask);
    let brands: Vec<&str> = desk.words.iter().map(|(word, _)| word.as_str()).collect();
    let wanted = dialect::read_list(ask.visit.request.query_string(), &brands).map_err(refuse)?;
    let session = desk
        .session(&ask, &wanted.brand)
        .ok_or_else(|| refuse(Fault::ForeignBrand))?;
    let listing = Listing {
        kind: ResourceType::Patient,
        created_after: None,
        modified_after: None,
        replaced: Replaced::Shown,
        offset: wanted.offset,
        count: wanted.limit,
    };
    let Reply::List(page) = session.run(Interaction::List(listing)).await? else {
        return Err(error::broken("a list has no page").into());
    };
    let mut patients = Vec::with_capacity(page.resources.len());
    for stored in &page.resources {
        patients.push((resource_of(stored)?, kept(stored)));
    }
    let today = today(&session);
    let context = Context {
        naming: &desk.naming,
        today: &today,
        brand: &wanted.brand,
    };
    let shown = patients.iter().map(|(resource, kept)| (resource, *kept));
    let list = dialect::show_list(shown, page.total, &context);
    Ok(listed(dialect::render(&list)))
}

/// `GET /v1/patients/{id}`, where the deployment offers it
pub async fn read(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    if !switches(&ask).get_by_id {
        return Err(refuse(Fault::NotFound(Missing::Route)));
    }
    shown(ask, |resource, kept, context| {
        dialect::render(&dialect::show(resource, kept, context))
    })
    .await
}

/// `GET /v1/patients/{id}/safe`
pub async fn read_safe(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    shown(ask, |resource, kept, context| {
        dialect::render(&dialect::show_safe(resource, kept, context))
    })
    .await
}

fn switches<'a>(ask: &Ask<'a>) -> &'a Switches {
    &ask.visit.app.settings.partner.patient_graph
}

async fn shown(
    ask: Ask<'_>,
    show: impl Fn(&Resource, &Kept, &Context<'_>) -> String,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(&ask);
    let wanted = ask.segment("id");
    for (brand, _) in &desk.words {
        let Some(session) = desk.session(&ask, brand) else {
            continue;
        };
        let today = today(&session);
        let context = Context {
            naming: &desk.naming,
            today: &today,
            brand,
        };
        let Some(stored) = find(&session, &context, wanted).await? else {
            continue;
        };
        let resource = resource_of(&stored)?;
        if !dialect::is_shown_as(&resource, wanted, &context) {
            continue;
        }
        return Ok(answer(
            StatusCode::OK,
            &stored,
            show(&resource, &kept(&stored), &context),
        ));
    }
    Err(refuse(Fault::NotFound(Missing::Patient)))
}

/// The patient of this door's id, which is the resource's own id or stands in an identifier.
async fn find(session: &Session, context: &Context<'_>, wanted: &str) -> Result<Option<Stored>, Failure> {
    let kind = ResourceType::Patient;
    if let Some(id) = Id::parse(wanted) {
        match session.run(Interaction::Read(Target { kind, id })).await {
            Ok(Reply::Resource(stored)) => return Ok(Some(stored)),
            Ok(_) => return Err(error::broken("a read has no resource").into()),
            Err(engine::Error::NotFound(_) | engine::Error::Gone { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let identifier = Identifier {
        system: context.naming.patient_graph_id(),
        value: wanted.to_owned(),
    };
    let query = Query {
        count: 1,
        total: Total::None,
        ..Query::of(Criteria::by_identifier(kind, &identifier))
    };
    match session.run(Interaction::Search(query)).await? {
        Reply::Page(page) => Ok(page.matches.into_iter().next()),
        _ => Err(error::broken("a search has no page").into()),
    }
}

fn kept(stored: &Stored) -> Kept {
    Kept {
        created: stored.created,
        updated: stored.updated,
    }
}

fn refuse(fault: Fault) -> Failure {
    let code = match &fault {
        Fault::Validation(_) => IssueCode::Invalid,
        Fault::ForeignBrand => IssueCode::Forbidden,
        _ => IssueCode::NotFound,
    };
    failure(fault.status(), code, fault.render())
}

/// What the engine, the gate or the router refused, in the door's words.
pub fn fault_of(refusal: &Refusal, had_credential: bool) -> Fault {
    let code = refusal.code();
    match refusal.status {
        _ if matches!(code, IssueCode::Duplicate | IssueCode::MultipleMatches) => Fault::Duplicate,
        401 if had_credential => Fault::InvalidToken,
        401 => Fault::Unauthenticated,
        403 => Fault::InsufficientScope,
        404 | 410 => Fault::NotFound(Missing::Route),
        405 => Fault::MethodNotAllowed,
        409 => Fault::Conflict,
        412 => Fault::PreconditionFailed,
        413 => Fault::PayloadTooLarge {
            bytes: fhir::limits::MAX_BODY_BYTES,
        },
        415 => Fault::UnsupportedMediaType,
        429 => Fault::RateLimited,
        400 | 408 | 422 => Fault::Validation(
            refusal
                .issues
                .iter()
                .filter(|issue| issue.is_error())
                .map(|issue| Violation::new("body", issue.text.clone()))
                .collect(),
        ),
        503 | 507 => Fault::Unavailable,
        _ => Fault::Internal,
    }
}
