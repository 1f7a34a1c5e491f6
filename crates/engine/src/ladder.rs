//! Find or create by a ladder of rungs: the first that holds wins, in one atomic step.

use std::sync::Arc;

use fhir::interaction::{Looked, Many, Rung, Verdict};
use fhir::query::Criteria;
use fhir::{Id, Resource};
use store::{Class, ClassFilter, Reader, Stored};

use crate::conditional;
use crate::create::{created, insert, values};
use crate::error::Error;
use crate::prepare::{BodyId, parse_stored};
use crate::reply::{WriteReply, Written};
use crate::scope::Permission;
use crate::session::Session;

/// So many matches of a rung are judged.
const CANDIDATES: usize = 32;

/// Finds by the ladder or creates.
pub(crate) async fn find_or_create(
    session: &Session,
    ladder: Vec<Rung>,
    resource: Resource,
    id: Option<Id>,
) -> Result<WriteReply, Error> {
    session.allow(resource.kind(), Permission::Create)?;
    let valid = session.validate(resource, BodyId::MeansNothing)?;
    let ladder = Arc::new(ladder);
    let climbing = Arc::clone(&ladder);
    let early = session.space.read(move |reader| climb(reader, &climbing)).await?;
    if let Climb::Held(reply) = early {
        return Ok(reply);
    }
    let prepared = Arc::new(valid.prepare(&session.keys()));
    let criteria: Vec<&Criteria> = ladder.iter().map(|rung| &rung.criteria).collect();
    let locks = conditional::locks(prepared.resource.kind(), values(&prepared), &criteria);
    let context = session.write_context("find-or-create");
    session
        .space
        .write(locks, move |tx| {
            let looked = match climb(tx, &ladder)? {
                Climb::Held(reply) => return Ok(reply),
                Climb::Over(looked) => looked,
            };
            let stored = insert(tx, &context, &prepared.new, id.as_ref())?;
            Ok(WriteReply {
                ladder: looked,
                ..created(stored, &prepared)
            })
        })
        .await
}

/// Where climbing ended.
enum Climb {
    /// A rung held.
    Held(WriteReply),
    /// None did; what each came to.
    Over(Vec<Looked>),
}

fn climb(reader: &mut dyn Reader, ladder: &[Rung]) -> Result<Climb, Error> {
    let mut ladder_so_far = Vec::with_capacity(ladder.len());
    for rung in ladder {
        let (looked, oldest) = look(reader, rung)?;
        ladder_so_far.push(looked);
        let held = match (looked.accepted, rung.many) {
            (0, _) => None,
            (1, _) | (_, Many::Oldest) => oldest,
            (_, Many::Pass) => None,
            (_, Many::Refuse) => {
                return Err(Error::ManyMatches {
                    interaction: "find or create",
                });
            }
        };
        if let Some(stored) = held {
            return Ok(Climb::Held(WriteReply {
                written: Written::Found,
                stored,
                issues: Vec::new(),
                ladder: ladder_so_far,
            }));
        }
    }
    Ok(Climb::Over(ladder_so_far))
}

/// Judges the candidates of a rung; the oldest accepted one comes with the counts.
fn look(reader: &mut dyn Reader, rung: &Rung) -> Result<(Looked, Option<Stored>), Error> {
    let mut looked = Looked::default();
    let mut oldest = None;
    for stored in reader.matches(&rung.criteria, ClassFilter::Only(Class::Ordinary), CANDIDATES)? {
        match (rung.accept)(&parse_stored(&stored)?) {
            Verdict::Pass => {}
            Verdict::Near => looked.near += 1,
            Verdict::Refuse(refusal) => return Err(Error::Rule(refusal.issues)),
            Verdict::Accept => {
                looked.accepted += 1;
                oldest.get_or_insert(stored);
            }
        }
    }
    Ok((looked, oldest))
}
