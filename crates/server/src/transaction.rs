//! Batch and transaction — <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! An entry is read as the request would be that it stands for, by the same functions, so that it is refused as
//! that would be.

mod answer;
mod entry;
#[cfg(test)]
mod four_ways;
mod patch;

use actix_web::{HttpResponse, web};
use engine::transaction::{Draft, Failures, Lookup, Step};
use engine::{LogLevel, Refusal, Session};
use fhir::bundle::{Bundle, Entry, Method, Mode, at_entry, references};
use fhir::{Interaction, Issue};

use self::answer::Answered;
use self::entry::{Asked, Shape, Told, What};
use crate::ask::Ask;
use crate::base::Base;
use crate::error::{self, Failure};

/// As many entries of a transaction are checked where they are; more on the blocking pool.
const CHECK_INLINE: usize = 32;

/// What the audit trail calls an entry of a batch that cannot be read.
const BATCH_ENTRY: &str = "transaction";

/// `POST [base]`
pub async fn process(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let Bundle { mode, entries } = ask.bundle().await?;
    let base = ask.visit.base();
    let answered = match mode {
        Mode::Batch => batch(&ask, &base, entries).await,
        Mode::Transaction => transaction(&ask, &base, entries).await?,
    };
    answer::bundle(&ask, &base, mode, answered)
}

/// Each entry by itself, in the order of their methods.
async fn batch(ask: &Ask<'_>, base: &Base, entries: Vec<Entry>) -> Vec<Answered> {
    let mut turns: Vec<(u8, usize, Entry)> = entries
        .into_iter()
        .enumerate()
        .map(|(position, entry)| (turn(&entry), position, entry))
        .collect();
    turns.sort_by_key(|(turn, position, _)| (*turn, *position));
    let mut answered = Vec::with_capacity(turns.len());
    for (_, position, entry) in turns {
        let answer = match alone(ask, base, entry).await {
            Ok(answered) => answered,
            Err(failure) => {
                if failure.refusal.log == LogLevel::Error {
                    let internal = failure.refusal.internal.as_deref();
                    tracing::error!(
                        request_id = ask.visit.request_id,
                        internal,
                        "an entry of a batch failed"
                    );
                }
                Answered::Refused(Box::new(told_in_bundle(failure, position)))
            }
        };
        answered.push((position, answer));
    }
    in_order(answered)
}

async fn alone(ask: &Ask<'_>, base: &Base, entry: Entry) -> Result<Answered, Failure> {
    let asked = asked(ask, base, entry.request).inspect_err(|failure| {
        // No interaction began that could have its row.
        let auth = &ask.visit.app.auth;
        auth.record_request(&ask.caller, BATCH_ENTRY, (None, None), Some(&failure.refusal));
    })?;
    let shape = asked.shape;
    match asked.what {
        What::Tell(told) => {
            record_told(ask, &told);
            Ok(Answered::Told(Box::new(told), Box::new(shape)))
        }
        What::Run(interaction) => {
            let reply = ask.session().run(interaction).await;
            let reply = reply.map_err(|error| shape.failure(error))?;
            Ok(Answered::Done(Box::new(reply), Box::new(shape)))
        }
    }
}

/// The audit row of what the server tells of itself. The statement is told to anybody, and has none when it is asked for
/// alone.
fn record_told(ask: &Ask<'_>, told: &Told) {
    if let Some(kind) = told.audited() {
        let auth = &ask.visit.app.auth;
        auth.record_request(&ask.caller, told.name(), (Some(kind), told.id()), None);
    }
}

fn asked(
    ask: &Ask<'_>,
    base: &Base,
    request: Result<fhir::bundle::Request, Vec<Issue>>,
) -> Result<Asked, Failure> {
    let request = request.map_err(|issues| Failure::from(error::of_issues(issues)))?;
    entry::asked(ask, base, request)
}

/// An entry without a readable request has no turn.
fn turn(entry: &Entry) -> u8 {
    entry.request.as_ref().map_or(0, |request| match request.method {
        Method::Post if entry::is_search(&request.url) => Method::Get.turn(),
        method => method.turn(),
    })
}

/// All entries or none. Whatever is wrong with any entry is told at once.
async fn transaction(ask: &Ask<'_>, base: &Base, entries: Vec<Entry>) -> Result<Vec<Answered>, Failure> {
    let (mut steps, mut shapes, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let mut answered = Vec::new();
    for (position, entry) in entries.into_iter().enumerate() {
        let full_url = entry.full_url;
        let read = asked(ask, base, entry.request).and_then(|asked| {
            let references = match &asked.what {
                What::Run(interaction) => lookups(ask, interaction)?,
                What::Tell(_) => Vec::new(),
            };
            Ok((asked, references))
        });
        match read {
            Ok((Asked { what, shape }, references)) => match what {
                What::Tell(told) => {
                    answered.push((position, Answered::Told(Box::new(told), Box::new(shape))));
                }
                What::Run(interaction) => {
                    steps.push(Step {
                        position,
                        full_url,
                        interaction,
                        references,
                    });
                    shapes.push((position, shape));
                }
            },
            Err(failure) => failures.push((Some(position), failure)),
        }
    }
    let draft = match drafted(ask.session(), steps).await? {
        Ok(draft) if failures.is_empty() => draft,
        Ok(_) => return Err(all_of(failures)),
        Err(found) => {
            failures.extend(told(found, &shapes));
            return Err(all_of(failures));
        }
    };
    let replies = ask.session().transact(draft).await;
    let replies = replies.map_err(|found| all_of(told(found, &shapes)))?;
    for (_, answer) in &answered {
        if let Answered::Told(told, _) = answer {
            record_told(ask, told);
        }
    }
    let done = replies.into_iter().zip(shapes);
    answered.extend(done.map(|(reply, (position, shape))| {
        let answer = Answered::Done(Box::new(reply), Box::new(shape));
        (position, answer)
    }));
    Ok(in_order(answered))
}

fn in_order(mut answered: Vec<(usize, Answered)>) -> Vec<Answered> {
    answered.sort_by_key(|(position, _)| *position);
    answered.into_iter().map(|(_, answer)| answer).collect()
}

/// Checks the entries, on the blocking pool when they are many: each of them takes its time, and criteria without an
/// identifier are compared with every other entry.
async fn drafted(session: Session, steps: Vec<Step>) -> Result<Result<Draft, Failures>, Failure> {
    if steps.len() <= CHECK_INLINE {
        return Ok(session.draft(steps));
    }
    let checked = web::block(move || session.draft(steps)).await;
    checked.map_err(|lost| error::broken(&lost.to_string()).into())
}

/// The conditional references of the resource that an entry brings.
fn lookups(ask: &Ask<'_>, interaction: &Interaction) -> Result<Vec<Lookup>, Failure> {
    let resource = match interaction {
        Interaction::Create(resource)
        | Interaction::ConditionalCreate { resource, .. }
        | Interaction::Update { resource, .. }
        | Interaction::ConditionalUpdate { resource, .. } => resource,
        _ => return Ok(Vec::new()),
    };
    let found = references::conditional(resource, ask.session().now())?;
    let lookup = |mut found: references::Conditional| {
        ask.visit.app.auth.rewrite_criteria(&mut found.criteria);
        Lookup {
            text: found.text,
            place: found.place,
            criteria: found.criteria,
        }
    };
    Ok(found.into_iter().map(lookup).collect())
}

fn told(found: Failures, shapes: &[(usize, Shape)]) -> Vec<(Option<usize>, Failure)> {
    let each = found.0.into_iter();
    each.map(|failed| {
        let shape = shapes.iter().find(|(known, _)| Some(*known) == failed.position);
        let failure = match shape {
            Some((_, shape)) => shape.failure(failed.error),
            None => Failure::from(failed.error),
        };
        (failed.position, failure)
    })
    .collect()
}

/// One refusal of all: every issue at its place in the Bundle, and the gravest status.
fn all_of(mut failures: Vec<(Option<usize>, Failure)>) -> Failure {
    failures.sort_by_key(|(position, _)| *position);
    let only = failures.len() == 1;
    let mut all: Option<Failure> = None;
    for (position, failure) in failures {
        let mut failure = match position {
            Some(position) => told_in_bundle(failure, position),
            None => failure,
        };
        all = Some(match all.take() {
            None => failure,
            Some(mut first) => {
                if gravity(&failure.refusal) > gravity(&first.refusal) {
                    std::mem::swap(&mut first, &mut failure);
                    // The issues stay in the order of the entries.
                    std::mem::swap(&mut first.refusal.issues, &mut failure.refusal.issues);
                }
                first.refusal.issues.append(&mut failure.refusal.issues);
                first
            }
        });
    }
    let mut all = all.unwrap_or_else(|| error::broken("a transaction failed without a reason").into());
    if !only {
        // Whose Location it is could not be told.
        all.refusal.location = None;
    }
    all
}

/// Of several statuses: a failure of the server, then what may not be done, then what is malformed, then the first.
fn gravity(refusal: &Refusal) -> u8 {
    match refusal.status {
        500.. => 3,
        401 | 403 => 2,
        400 => 1,
        _ => 0,
    }
}

fn told_in_bundle(mut failure: Failure, position: usize) -> Failure {
    let issues = std::mem::take(&mut failure.refusal.issues);
    failure.refusal.issues = issues
        .into_iter()
        .map(|issue| at_entry(issue, position))
        .collect();
    failure
}
