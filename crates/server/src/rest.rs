//! The handlers of the FHIR API — <https://hl7.org/fhir/R4/http.html>. Each is a sentence: build the
//! interaction, run it, answer.

use actix_web::HttpResponse;
use fhir::Interaction;
use fhir::query::history::Scope;

use crate::ask::Ask;
use crate::bundle::Links;
use crate::error::Failure;
use crate::respond::{self, Locate};

type Answer = Result<HttpResponse, Failure>;

/// <https://hl7.org/fhir/R4/http.html#read>
pub async fn read(ask: Ask<'_>) -> Answer {
    let target = ask.target()?;
    let subset = ask.subset(target.kind)?;
    let reply = ask.run(Interaction::Read(target)).await?;
    respond::read(&ask, reply, subset.as_ref())
}

/// <https://hl7.org/fhir/R4/http.html#vread>
pub async fn version_read(ask: Ask<'_>) -> Answer {
    let (target, version) = (ask.target()?, ask.version()?);
    let subset = ask.subset(target.kind)?;
    let reply = ask.run(Interaction::VersionRead(target, version)).await?;
    respond::read(&ask, reply, subset.as_ref())
}

/// <https://hl7.org/fhir/R4/http.html#create>, conditional with `If-None-Exist`
pub async fn create(ask: Ask<'_>) -> Answer {
    ask.no_criteria()?;
    let resource = ask.resource(ask.kind()?).await?;
    let reply = ask.run(ask.creation(resource)?).await?;
    respond::written(&ask, reply, Locate::Always)
}

/// <https://hl7.org/fhir/R4/http.html#update>
pub async fn update(ask: Ask<'_>) -> Answer {
    let target = ask.target_to_write()?;
    let precondition = ask.precondition()?;
    let resource = ask.resource(target.kind).await?;
    let reply = ask
        .run(Interaction::Update {
            target,
            resource,
            precondition,
        })
        .await?;
    respond::written(&ask, reply, Locate::WhenCreated)
}

/// <https://hl7.org/fhir/R4/http.html#cond-update>
pub async fn conditional_update(ask: Ask<'_>) -> Answer {
    let precondition = ask.precondition()?;
    let resource = ask.resource(ask.kind()?).await?;
    let criteria = ask.criteria(&resource)?;
    let reply = ask
        .run(Interaction::ConditionalUpdate {
            criteria,
            resource,
            precondition,
        })
        .await?;
    respond::written(&ask, reply, Locate::Always)
}

/// <https://hl7.org/fhir/R4/http.html#patch>
pub async fn patch(ask: Ask<'_>) -> Answer {
    let interaction = Interaction::Patch {
        target: ask.target()?,
        precondition: ask.precondition()?,
        change: ask.change().await?,
    };
    let reply = ask.run(interaction).await?;
    respond::written(&ask, reply, Locate::WhenCreated)
}

/// <https://hl7.org/fhir/R4/http.html#patch>, of what criteria match
pub async fn conditional_patch(ask: Ask<'_>) -> Answer {
    let interaction = Interaction::ConditionalPatch {
        criteria: ask.bare_criteria(ask.kind()?)?,
        precondition: ask.precondition()?,
        change: ask.change().await?,
    };
    let reply = ask.run(interaction).await?;
    respond::written(&ask, reply, Locate::Always)
}

/// <https://hl7.org/fhir/R4/http.html#delete>
pub async fn delete(ask: Ask<'_>) -> Answer {
    let interaction = Interaction::Delete {
        target: ask.target()?,
        precondition: ask.precondition()?,
    };
    let reply = ask.run(interaction).await?;
    respond::deleted(&ask, reply)
}

/// <https://hl7.org/fhir/R4/http.html#delete>, of what the criteria find
pub async fn conditional_delete(ask: Ask<'_>) -> Answer {
    let interaction = Interaction::ConditionalDelete {
        criteria: ask.bare_criteria(ask.kind()?)?,
        precondition: ask.precondition()?,
    };
    let reply = ask.run(interaction).await?;
    respond::deleted(&ask, reply)
}

/// <https://hl7.org/fhir/R4/http.html#history> of a resource
pub async fn resource_history(ask: Ask<'_>) -> Answer {
    history(&ask, Scope::Resource(ask.target()?)).await
}

/// <https://hl7.org/fhir/R4/http.html#history> of a type
pub async fn type_history(ask: Ask<'_>) -> Answer {
    history(&ask, Scope::Type(ask.kind()?)).await
}

/// <https://hl7.org/fhir/R4/http.html#history> of everything
pub async fn system_history(ask: Ask<'_>) -> Answer {
    history(&ask, Scope::System).await
}

async fn history(ask: &Ask<'_>, scope: Scope) -> Answer {
    let history = ask.history(scope)?;
    let links = Links::of_history(&history);
    let reply = ask.run(Interaction::History(history)).await?;
    respond::history(ask, reply, &links)
}

/// <https://hl7.org/fhir/R4/http.html#search>
pub async fn search(ask: Ask<'_>) -> Answer {
    let query = ask.search(ask.kind()?)?;
    let links = Links::of(&query);
    let reply = ask.run(Interaction::Search(query)).await?;
    respond::searched(&ask, reply, &links)
}

/// <https://hl7.org/fhir/R4/http.html#search>, parameters in the body
pub async fn posted_search(ask: Ask<'_>) -> Answer {
    let query = ask.posted_search(ask.kind()?).await?;
    let links = Links::of(&query);
    let reply = ask.run(Interaction::Search(query)).await?;
    respond::searched(&ask, reply, &links)
}

/// <https://hl7.org/fhir/R4/http.html#search> of several types
pub async fn search_system(ask: Ask<'_>) -> Answer {
    let query = ask.system_search()?;
    let links = Links::of(&query);
    let reply = ask.run(Interaction::Search(query)).await?;
    respond::searched(&ask, reply, &links)
}

/// <https://hl7.org/fhir/R4/http.html#search> of several types, parameters in the body
pub async fn posted_search_system(ask: Ask<'_>) -> Answer {
    let query = ask.posted_system_search().await?;
    let links = Links::of(&query);
    let reply = ask.run(Interaction::Search(query)).await?;
    respond::searched(&ask, reply, &links)
}
