//! What takes part in a schedule, and how its answer reads.

use engine::transaction::Step;
use engine::{Error, Reply, Session, Written};
use fhir::interaction::{Edit, Precondition};
use fhir::query::Criteria;
use fhir::query::parse::{self, Handling, NameCase};
use fhir::{Id, Identifier, Interaction, Resource, ResourceType, Target, VersionId};
use serde_json::{Value, json};
use store::Stored;

/// The type of all resources here.
pub const KIND: ResourceType = ResourceType::Patient;
/// The system of identifiers that have one owner.
pub const KEYED: &str = "urn:example:key";
/// The system of those that anybody may carry. Values that begin with `local` are of this one.
pub const LOCAL: &str = "urn:example:local";

/// One interaction. Identifiers are values parted by spaces.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Put(&'static str, Body, Guard),
    /// By an identifier.
    PutBy(&'static str, Body),
    Post(Body),
    /// If-None-Exist, a query string.
    PostUnless(&'static str, Body),
    Delete(&'static str, Guard),
    /// By an identifier.
    DeleteBy(&'static str),
    Read(&'static str),
    /// A query string.
    Search(&'static str),
    /// Adds an identifier to a resource.
    Add(&'static str, &'static str),
    /// Patches one into the match of a query string.
    PatchBy(&'static str, &'static str),
    /// A transaction of these.
    All(&'static [Operation]),
}

/// Family name and identifiers.
#[derive(Clone, Copy, Debug)]
pub struct Body(pub &'static str, pub &'static str);

/// If-Match or If-None-Match.
#[derive(Clone, Copy, Debug)]
pub enum Guard {
    Nothing,
    Version(u64),
    Absent,
}

impl Operation {
    /// Runs it; the answer in words.
    pub async fn run(self, session: Session) -> String {
        if let Operation::All(operations) = self {
            return transact(&session, operations).await;
        }
        let interaction = self.interaction(&session);
        answer(&session.run(interaction).await)
    }

    /// Whether it only reads.
    pub fn reads(self) -> bool {
        matches!(self, Operation::Read(_) | Operation::Search(_))
    }

    fn interaction(self, session: &Session) -> Interaction {
        match self {
            Operation::Put(id, body, guard) => Interaction::Update {
                target: target(id),
                resource: body.resource(Some(id)),
                precondition: guard.precondition(),
            },
            Operation::PutBy(value, body) => Interaction::ConditionalUpdate {
                criteria: criteria(session, &format!("identifier={}|{value}", system_of(value))),
                resource: body.resource(None),
                precondition: Precondition::None,
            },
            Operation::Post(body) => Interaction::Create(body.resource(None)),
            Operation::PostUnless(query, body) => Interaction::ConditionalCreate {
                criteria: criteria(session, query),
                resource: body.resource(None),
            },
            Operation::Delete(id, guard) => Interaction::Delete {
                target: target(id),
                precondition: guard.precondition(),
            },
            Operation::DeleteBy(value) => Interaction::ConditionalDelete {
                criteria: criteria(session, &format!("identifier={}|{value}", system_of(value))),
                precondition: Precondition::None,
            },
            Operation::Read(id) => Interaction::Read(target(id)),
            Operation::Search(query) => {
                let pairs = parse::pairs(query).unwrap();
                Interaction::Search(parse::search(KIND, &pairs, Handling::Strict, session.now()).unwrap())
            }
            Operation::Add(id, value) => Interaction::Edit {
                target: target(id),
                edit: adding(value),
                precondition: Precondition::None,
            },
            Operation::PatchBy(query, value) => Interaction::ConditionalPatch {
                criteria: criteria(session, query),
                change: adding(value),
                precondition: Precondition::None,
            },
            Operation::All(_) => unreachable!("a transaction holds no transaction"),
        }
    }

    /// Every identifier that it could give a resource.
    pub fn values(self) -> Vec<&'static str> {
        match self {
            Operation::Put(_, body, _)
            | Operation::PutBy(_, body)
            | Operation::Post(body)
            | Operation::PostUnless(_, body) => body.1.split_whitespace().collect(),
            Operation::Add(_, value) | Operation::PatchBy(_, value) => vec![value],
            Operation::All(operations) => operations.iter().flat_map(|one| one.values()).collect(),
            Operation::Delete(..) | Operation::DeleteBy(_) | Operation::Read(_) | Operation::Search(_) => {
                Vec::new()
            }
        }
    }
}

/// Adds an identifier to a resource.
fn adding(value: &'static str) -> Edit {
    Box::new(move |resource| {
        let mut resource = resource.clone();
        let list = resource.tree_mut().get_mut("identifier");
        let list = list.and_then(Value::as_array_mut).unwrap();
        list.push(json!({ "system": system_of(value), "value": value }));
        Ok(resource)
    })
}

/// Runs a transaction; the answers of its entries, or why it was refused.
async fn transact(session: &Session, operations: &'static [Operation]) -> String {
    let step = |(position, operation): (usize, &Operation)| Step {
        position,
        full_url: None,
        interaction: operation.interaction(session),
        references: Vec::new(),
    };
    let draft = session.draft(operations.iter().enumerate().map(step).collect());
    let replies = match draft {
        Ok(draft) => session.transact(draft).await,
        Err(failures) => Err(failures),
    };
    match replies {
        Ok(replies) => {
            let answers = replies.into_iter().map(|reply| answer(&Ok(reply)));
            answers.collect::<Vec<_>>().join(", ")
        }
        Err(failures) => {
            let first = failures.0.into_iter().next().unwrap();
            answer(&Err(first.error))
        }
    }
}

impl Body {
    fn resource(self, id: Option<&str>) -> Resource {
        let identifiers: Vec<Value> = self
            .1
            .split_whitespace()
            .map(|value| json!({ "system": system_of(value), "value": value }))
            .collect();
        let mut tree = json!({ "resourceType": "Patient", "name": [{ "family": self.0 }] });
        let tree = tree.as_object_mut().unwrap();
        if !identifiers.is_empty() {
            tree.insert("identifier".to_owned(), Value::Array(identifiers));
        }
        if let Some(id) = id {
            tree.insert("id".to_owned(), json!(id));
        }
        Resource::from_guarded(KIND, std::mem::take(tree))
    }
}

impl Guard {
    fn precondition(self) -> Precondition {
        match self {
            Guard::Nothing => Precondition::None,
            Guard::Version(number) => Precondition::Versions(vec![VersionId::new(number).unwrap()]),
            Guard::Absent => Precondition::Absent,
        }
    }
}

pub fn target(id: &str) -> Target {
    Target {
        kind: KIND,
        id: Id::parse(id).unwrap(),
    }
}

pub fn identifier(value: &str) -> Identifier {
    Identifier {
        system: system_of(value).to_owned(),
        value: value.to_owned(),
    }
}

pub fn system_of(value: &str) -> &'static str {
    if value.starts_with("local") { LOCAL } else { KEYED }
}

fn criteria(session: &Session, query: &str) -> Criteria {
    parse::criteria(KIND, query, NameCase::Exact, session.now()).unwrap()
}

fn answer(result: &Result<Reply, Error>) -> String {
    match result {
        Ok(Reply::Resource(stored)) => format!("read {} {}", family_of(stored), stored.version),
        Ok(Reply::Written(reply)) => {
            let word = match reply.written {
                Written::Created => "created",
                Written::Updated => "updated",
                Written::Unchanged => "unchanged",
                Written::Found => "found",
            };
            format!("{word} {}", reply.stored.version)
        }
        Ok(Reply::Deleted(Some(stored))) => format!("deleted {}", stored.version),
        Ok(Reply::Deleted(None)) => "nothing to delete".to_owned(),
        Ok(Reply::Page(page)) => {
            let found: Vec<String> = page.matches.iter().map(family_of).collect();
            format!("found [{}]", found.join(" "))
        }
        Ok(
            Reply::List(_)
            | Reply::Records(_)
            | Reply::History(_)
            | Reply::Issues(_)
            | Reply::CrossReferenced(_)
            | Reply::Matches(_)
            | Reply::AuditEvent(_)
            | Reply::AuditPage(_),
        ) => "no operation of these schedules".to_owned(),
        Err(error) => format!("{} {}", error.refusal().status, error.code().as_str()),
    }
}

/// The family name of a stored resource.
pub fn family_of(stored: &Stored) -> String {
    let body: Value = serde_json::from_str(&stored.body).unwrap();
    let family = body.pointer("/name/0/family").and_then(Value::as_str);
    family.unwrap().to_owned()
}

/// The values of the identifiers of a stored resource.
pub fn values_of(stored: &Stored) -> Vec<String> {
    let body: Value = serde_json::from_str(&stored.body).unwrap();
    let list = body.get("identifier").and_then(Value::as_array);
    let values = list.into_iter().flatten().map(|held| held.get("value"));
    values
        .map(|value| value.and_then(Value::as_str).unwrap().to_owned())
        .collect()
}
