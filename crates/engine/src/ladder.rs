//! Find or create by a ladder of rungs: the first that matches and accepts wins, in one atomic step.

use std::sync::Arc;

use fhir::Resource;
use fhir::interaction::{Many, Rung, Verdict};
use fhir::query::Criteria;
use store::{Class, Reader};

use crate::conditional::{self, Match, find};
use crate::create::{created, insert, values};
use crate::error::Error;
use crate::prepare::{BodyId, parse_stored};
use crate::reply::{WriteReply, Written};
use crate::scope::Permission;
use crate::session::Session;

/// Finds by the ladder or creates.
pub(crate) async fn find_or_create(
    session: &Session,
    ladder: Vec<Rung>,
    resource: Resource,
) -> Result<WriteReply, Error> {
    session.allow(resource.kind(), Permission::Create)?;
    let valid = session.validate(resource, BodyId::MeansNothing)?;
    let ladder = Arc::new(ladder);
    let climbing = Arc::clone(&ladder);
    if let Some(reply) = session.space.read(move |reader| climb(reader, &climbing)).await? {
        return Ok(reply);
    }
    let prepared = Arc::new(valid.prepare(&session.keys()));
    let criteria: Vec<&Criteria> = ladder.iter().map(|rung| &rung.criteria).collect();
    let locks = conditional::locks(prepared.resource.kind(), values(&prepared), &criteria);
    let context = session.write_context("find-or-create");
    session
        .space
        .write(locks, move |tx| {
            if let Some(reply) = climb(tx, &ladder)? {
                return Ok(reply);
            }
            let stored = insert(tx, &context, &prepared.new, None)?;
            Ok(created(stored, &prepared))
        })
        .await
}

fn climb(reader: &mut dyn Reader, ladder: &[Rung]) -> Result<Option<WriteReply>, Error> {
    for (number, rung) in ladder.iter().enumerate() {
        let stored = match (find(reader, &rung.criteria, Class::Ordinary)?, rung.many) {
            (Match::None, _) | (Match::Many, Many::Pass) => continue,
            (Match::Many, Many::Refuse) => {
                return Err(Error::ManyMatches {
                    interaction: "find or create",
                });
            }
            (Match::One(stored), _) => stored,
        };
        match (rung.accept)(&parse_stored(&stored)?) {
            Verdict::Pass => {}
            Verdict::Refuse(refusal) => return Err(Error::Rule(refusal.issues)),
            Verdict::Accept => {
                let written = Written::Found;
                return Ok(Some(WriteReply {
                    written,
                    stored,
                    issues: Vec::new(),
                    rung: Some(number),
                }));
            }
        }
    }
    Ok(None)
}
