//! PUT /patients/{id}: a merge after RFC 7396 of the fields that are the partner's.

use fhir::{Identifier, Resource};
use serde_json::{Value, json};

use super::address::{self, Address, Change};
use crate::gender::Words;
use crate::json;
use crate::medicapp::fields::{self, Faults};
use crate::medicapp::person::set_primitive;
use crate::medicapp::telecom::Point;
use crate::medicapp::{Context, Fault, identity, names, person};
use crate::tree::Object;

/// The body of a PUT, not yet compared with anything.
#[derive(Clone, PartialEq)]
pub struct Update(Object);

// It is a person: its content never reaches a log by `{:?}`.
impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Update({} properties)", self.0.len())
    }
}

/// Reads the body of a PUT. What its fields are worth is said by [`apply`]: what equals the stored is taken
/// whatever its form.
///
/// # Errors
/// What is no JSON object.
pub fn read_update(body: &[u8]) -> Result<Update, Fault> {
    Ok(Update(json::object(body)?))
}

/// What really changes.
#[derive(Default)]
struct Changes {
    first_name: Option<String>,
    last_name: Option<String>,
    birth_date: Option<String>,
    gender: Option<Option<&'static str>>,
    points: Vec<(Point, Option<String>)>,
    external_id: Option<Option<String>>,
    address: Option<Change>,
}

/// The patient after the merge; equal to `stored` when nothing changes. Pure: may run again on a newer
/// version.
///
/// # Errors
/// All faulty fields.
pub fn apply(update: &Update, stored: &Resource, context: &Context<'_>) -> Result<Resource, Fault> {
    let mut faults = Faults::default();
    let changes = check(update, stored.tree(), context, &mut faults);
    if let Some(violations) = faults.into_list() {
        return Err(Fault::Invalid(violations));
    }
    let mut changed = stored.clone();
    let tree = changed.tree_mut();
    let today = context.rules.today;
    if let Some(new) = &changes.first_name {
        names::set_first_name(tree, today, new);
    }
    if let Some(new) = &changes.last_name {
        names::set_last_name(tree, today, new);
    }
    if let Some(new) = &changes.birth_date {
        set_primitive(tree, "birthDate", Some(new));
    }
    if let Some(new) = changes.gender {
        set_primitive(tree, "gender", new);
    }
    for (point, new) in &changes.points {
        point.set(tree, context, new.as_deref());
    }
    if let Some(new) = &changes.external_id {
        identity::set_external_id(tree, context, new.as_deref());
    }
    if let Some(change) = &changes.address {
        address::set(tree, context, change);
    }
    if changed != *stored {
        tidy(changed.tree_mut(), context);
    }
    Ok(changed)
}

/// The identifiers that the merge gives the patient, and what it means that another patient owns one.
pub fn claims(update: &Update, stored: &Resource, context: &Context<'_>) -> Vec<(Identifier, Fault)> {
    let changes = check(update, stored.tree(), context, &mut Faults::default());
    let system = context.external_id_system();
    let claim = |value| (Identifier { system, value }, Fault::ExternalIdConflict);
    changes.external_id.flatten().map(claim).into_iter().collect()
}

fn check(update: &Update, stored: &Object, context: &Context<'_>, faults: &mut Faults) -> Changes {
    let mut changes = Changes::default();
    let rules = &context.rules;
    let today = rules.today;
    // `null` for a required field is refused even where the stored one is unknown.
    let required = |field: &str, shown: Option<&str>| {
        let sent = update.0.get(field)?;
        (sent.is_null() || *sent != json!(shown)).then_some(sent)
    };
    let optional = |field: &str, shown: Value| update.0.get(field).filter(|sent| **sent != shown);
    if let Some(sent) = required("firstName", names::first_name(stored, today)) {
        changes.first_name = faults.take("firstName", fields::name(sent)).map(str::to_owned);
    }
    if let Some(sent) = required("lastName", names::last_name(stored, today)) {
        changes.last_name = faults.take("lastName", fields::name(sent)).map(str::to_owned);
    }
    if let Some(sent) = required("birthDate", person::birth_date(stored)) {
        let new = faults.take("birthDate", fields::birth_date(sent, rules));
        changes.birth_date = new.map(str::to_owned);
    }
    if let Some(sent) = optional("gender", json!(person::gender(stored, Words::MedicappConnect))) {
        changes.gender = faults.take("gender", fields::connect_gender(sent));
    }
    for point in Point::ALL {
        if let Some(sent) = optional(point.field(), json!(point.shown(stored, context))) {
            let checked = match point {
                Point::Email => fields::email(sent),
                Point::Phone => fields::phone(sent),
            };
            let new = faults.take(point.field(), checked);
            changes
                .points
                .extend(new.map(|new| (point, new.map(str::to_owned))));
        }
    }
    if let Some(sent) = optional("externalId", json!(identity::external_id(stored, context))) {
        let new = faults.take("externalId", fields::external_id(sent));
        changes.external_id = new.map(|new| new.map(str::to_owned));
    }
    changes.address = check_address(update, stored, context, faults);
    changes
}

fn check_address(
    update: &Update,
    stored: &Object,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<Change> {
    let shown = address::shown(stored, context);
    match (update.0.get(address::FIELD)?, shown) {
        (Value::Null, shown) => shown.map(|_| Change::Drop),
        (Value::Object(sent), shown) => {
            let old = shown.unwrap_or_else(Address::default);
            let new = old.merged(sent, faults);
            (new != old).then_some(Change::Parts(new))
        }
        _ => {
            faults.add(address::FIELD, address::NO_OBJECT);
            None
        }
    }
}

/// Drops what was kept of fields and no longer holds.
fn tidy(patient: &mut Object, context: &Context<'_>) {
    let today = context.rules.today;
    for point in Point::ALL {
        let now = json!(point.projected(patient, today));
        identity::tidy_field(patient, context, point.field(), &now);
    }
    let now = json!(address::projected(patient, today));
    identity::tidy_field(patient, context, address::FIELD, &now);
}
