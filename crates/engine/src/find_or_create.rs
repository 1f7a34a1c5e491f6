//! Find one among the matches of several searches, or create: judged and done in one atomic step.

use std::collections::HashSet;
use std::sync::Arc;

use fhir::Resource;
use fhir::interaction::{FindOrCreate, Judge, Judgement};
use fhir::query::Criteria;
use store::{Class, ClassFilter, Reader, Stored};

use crate::conditional;
use crate::create::{created, insert, values};
use crate::error::Error;
use crate::prepare::{BodyId, parse_stored};
use crate::reply::{Body, WriteReply, Written};
use crate::scope::Permission;
use crate::session::{FIND_OR_CREATE, Session};

/// So many matches of one search are judged. They are those of an identifier or of a name and date of birth.
pub const CANDIDATES: usize = 256;

/// Finds or creates.
pub(crate) async fn find_or_create(session: &Session, wanted: FindOrCreate) -> Result<WriteReply, Error> {
    let FindOrCreate {
        searches,
        judge,
        alone,
        resource,
        id,
    } = wanted;
    session.allow(resource.kind(), Permission::Create)?;
    let valid = session.validate(resource, BodyId::MeansNothing)?;
    let looking = Arc::new((searches, judge));
    let early = Arc::clone(&looking);
    // Who is found is so without a lock: it is as if the read had come last.
    if let Found::One(reply) = session
        .space
        .read(move |reader| look(reader, &early.0, &early.1))
        .await?
    {
        return Ok(*reply);
    }
    let prepared = Arc::new(valid.prepare(&session.keys()));
    let mut locks = conditional::locks(prepared.resource.kind(), values(&prepared), &[]);
    // What the searches look for beside identifiers, the caller has named.
    locks
        .values
        .extend(looking.0.iter().filter_map(Criteria::lock_values).flatten());
    locks.values.extend(alone);
    let context = session.write_context(FIND_OR_CREATE);
    session
        .write(locks, move |tx| {
            let remark = match look(tx, &looking.0, &looking.1)? {
                Found::One(reply) => return Ok(*reply),
                Found::Nobody(remark) => remark,
            };
            let stored = insert(tx, &context, &prepared.new, id.as_ref())?;
            Ok(WriteReply {
                remark,
                ..created(stored, &prepared)
            })
        })
        .await
}

/// What the searches came to.
enum Found {
    One(Box<WriteReply>),
    Nobody(Option<&'static str>),
}

fn look(reader: &mut dyn Reader, searches: &[Criteria], judge: &Judge) -> Result<Found, Error> {
    let (stored, resources) = candidates(reader, searches)?;
    match judge(&resources) {
        Judgement::Create { remark } => Ok(Found::Nobody(remark)),
        Judgement::Refuse(refusal) => Err(Error::Rule(refusal.issues)),
        Judgement::Found { position, remark } => match stored.into_iter().nth(position) {
            Some(stored) => Ok(Found::One(Box::new(WriteReply {
                body: Body::Shown,
                written: Written::Found,
                stored,
                issues: Vec::new(),
                remark,
            }))),
            None => Err(Error::Store(store::StoreError::Internal(
                "a judge named a candidate that is none".to_owned(),
            ))),
        },
    }
}

/// The matches of all searches, each once.
fn candidates(reader: &mut dyn Reader, searches: &[Criteria]) -> Result<(Vec<Stored>, Vec<Resource>), Error> {
    let mut seen = HashSet::new();
    let (mut all, mut resources) = (Vec::new(), Vec::new());
    for criteria in searches {
        for stored in reader.matches(criteria, ClassFilter::Only(Class::Ordinary), CANDIDATES)? {
            if seen.insert(stored.row) {
                resources.push(parse_stored(&stored)?);
                all.push(stored);
            }
        }
    }
    Ok((all, resources))
}
