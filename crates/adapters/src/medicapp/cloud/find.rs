//! GET /patients?trustSpaceUuid=…&(nir=…&rang=… | externalId=…): one patient by a key.

use fhir::Resource;
use fhir::query::Criteria;

use super::create::{by_external_id, by_key};
use crate::medicapp::fields::{self, Checked, Faults};
use crate::medicapp::nir::Key;
use crate::medicapp::parameters::Parameters;
use crate::medicapp::{Context, Fault, Rules, Space, identity, is_live};
use serde_json::{Value, json};

/// A checked search.
#[derive(Clone, PartialEq, Eq)]
pub struct Find {
    trust_space: String,
    by: By,
}

#[derive(Clone, PartialEq, Eq)]
enum By {
    Key(Key),
    ExternalId(String),
}

// It names a person: its content never reaches a log by `{:?}`.
impl std::fmt::Debug for Find {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Find({})", self.trust_space)
    }
}

impl Find {
    /// The context of the rest of the request.
    pub fn context<'a>(&'a self, rules: Rules<'a>) -> Context<'a> {
        rules.within(Space::Trust(&self.trust_space))
    }

    /// What finds the patient.
    pub fn criteria(&self, rules: &Rules<'_>) -> Option<Criteria> {
        match &self.by {
            By::Key(key) => by_key(Some(key), rules),
            By::ExternalId(value) => Some(by_external_id(value, &self.context(*rules))),
        }
    }
}

/// Reads the query string.
///
/// # Errors
/// A trust space that is not the caller's; faulty parameters; neither or both keys complete.
pub fn read_find(query: &str, trust_spaces: &[&str]) -> Result<Find, Fault> {
    let parameters = Parameters::new(query);
    let mut faults = Faults::default();
    let mut value = |name: &str| -> Value { json!(faults.take(name, parameters.get(name)).flatten()) };
    let [space, nir, rang, external_id] = ["trustSpaceUuid", "nir", "rang", "externalId"].map(&mut value);
    let space = faults.take("trustSpaceUuid", fields::trust_space(&space));
    if let Some(name) = space
        && !trust_spaces.contains(&name)
    {
        return Err(Fault::TrustSpaceNotFound(name.to_owned()));
    }
    let external_id = faults
        .take("externalId", fields::external_id(&external_id))
        .flatten();
    let part = |value| -> Checked<Option<&str>> { fields::optional(value) };
    let by = match (external_id, &nir, &rang) {
        (Some(_), Value::String(_), Value::String(_)) => {
            faults.add("externalId", "must not be given together with nir and rang");
            None
        }
        (Some(value), ..) => Some(By::ExternalId(value.to_owned())),
        (None, Value::String(_), Value::String(_)) => {
            Key::of_parts(("nir", part(&nir)), ("rang", part(&rang)), &mut faults).map(By::Key)
        }
        _ => {
            faults.add("nir", "and rang, or externalId, are required");
            None
        }
    };
    match (faults.into_list(), space, by) {
        (None, Some(space), Some(by)) => Ok(Find {
            trust_space: space.to_owned(),
            by,
        }),
        (violations, ..) => Err(Fault::Invalid(violations.unwrap_or_default())),
    }
}

/// The position of the one that is meant among those that [`Find::criteria`] found.
///
/// # Errors
/// [`Fault::PatientNotFound`].
pub fn find(find: &Find, candidates: &[&Resource], rules: &Rules<'_>) -> Result<usize, Fault> {
    let context = find.context(*rules);
    let is_meant = |patient: &&Resource| {
        let tree = patient.tree();
        is_live(tree)
            && match &find.by {
                By::Key(key) => identity::projected_key(tree, rules).is_some_and(|held| !held.differs(key)),
                By::ExternalId(value) => identity::external_id(tree, &context) == Some(value),
            }
    };
    candidates
        .iter()
        .position(is_meant)
        .ok_or(Fault::PatientNotFound(None))
}
