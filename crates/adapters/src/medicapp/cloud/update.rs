//! PUT /patients/{patientUuid}: e-mail, telephone, externalId and identificationKey change; the civil identity
//! is locked.

use fhir::{Identifier, Resource};
use serde_json::{Value, json};

use crate::gender::Words;
use crate::json;
use crate::medicapp::fields::{self, Checked, Faults};
use crate::medicapp::nir::Key;
use crate::medicapp::telecom::Point;
use crate::medicapp::{Context, Fault, LockedFields, Space, identity, names, person};
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

/// The patient after the update; equal to `stored` when nothing changes. Pure: may run again on a newer
/// version.
///
/// # Errors
/// All faulty fields; else all locked fields that differ.
pub fn apply(update: &Update, stored: &Resource, context: &Context<'_>) -> Result<Resource, Fault> {
    let mut faults = Faults::default();
    let checked = check(update, stored.tree(), context, &mut faults);
    if let Some(violations) = faults.into_list() {
        return Err(Fault::Invalid(violations));
    }
    if let Some(violations) = locked(update, stored.tree(), context).into_list() {
        return Err(Fault::Locked(violations));
    }
    let mut changed = stored.clone();
    let tree = changed.tree_mut();
    for (point, new) in &checked.points {
        point.set(tree, context, new.as_deref());
    }
    if let Some(new) = &checked.external_id {
        identity::set_external_id(tree, context, new.as_deref());
    }
    if let Some(new) = &checked.key {
        identity::set_key(tree, context, new.as_ref());
    }
    if changed == *stored {
        return Ok(changed);
    }
    tidy(changed.tree_mut(), context);
    Ok(changed)
}

/// The identifiers that the update gives the patient, and what it means that another patient owns one.
pub fn claims(update: &Update, stored: &Resource, context: &Context<'_>) -> Vec<(Identifier, Fault)> {
    let checked = check(update, stored.tree(), context, &mut Faults::default());
    let external = checked.external_id.flatten().map(|value| {
        let system = context.external_id_system();
        (Identifier { system, value }, Fault::ExternalIdConflict)
    });
    let key = checked
        .key
        .flatten()
        .and_then(|key| key.composite())
        .map(|value| {
            let system = context.rules.naming.nir_rang();
            (Identifier { system, value }, Fault::IdentificationKeyConflict)
        });
    external.into_iter().chain(key).collect()
}

/// What really changes.
#[derive(Default)]
struct Changes {
    points: Vec<(Point, Option<String>)>,
    external_id: Option<Option<String>>,
    key: Option<Option<Key>>,
}

fn check(update: &Update, stored: &Object, context: &Context<'_>, faults: &mut Faults) -> Changes {
    let mut changes = Changes::default();
    let differing = |field: &str, shown: Value| update.0.get(field).filter(|sent| **sent != shown);
    for point in Point::ALL {
        let shown = json!(point.shown(stored, context));
        if let Some(sent) = differing(point.field(), shown) {
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
    if let Some(sent) = differing("externalId", json!(identity::external_id(stored, context))) {
        let new = faults.take("externalId", fields::external_id(sent));
        changes.external_id = new.map(|new| new.map(str::to_owned));
    }
    let shown = identity::key(stored, context);
    if let Some(sent) = differing("identificationKey", json!(shown)) {
        let key = Key::read(sent, faults);
        let same = match (&key, &shown) {
            (Some(key), Some(shown)) => *shown == identity::IdentificationKey::of(key),
            (None, None) => true,
            _ => false,
        };
        changes.key = (!same).then_some(key);
    }
    for field in LOCKED {
        if let Some(sent) = update.0.get(field) {
            let checked: Checked<_> = fields::optional(sent);
            let _ = faults.take(field, checked);
        }
    }
    changes
}

/// The civil identity, and the space.
const LOCKED: [&str; 5] = ["firstName", "lastName", "birthDate", "gender", "trustSpaceUuid"];

fn locked(update: &Update, stored: &Object, context: &Context<'_>) -> Faults {
    let mut faults = Faults::default();
    let refuses_equal = match context.rules.switches.locked_fields {
        LockedFields::Ignore => return faults,
        LockedFields::RefuseDifferent => false,
        LockedFields::RefuseAlways => true,
    };
    let today = context.rules.today;
    let (Space::Trust(space) | Space::Connect(space)) = context.space;
    let shown = [
        names::first_name(stored, today),
        names::last_name(stored, today),
        person::birth_date(stored),
        person::gender(stored, Words::MedicappCloud),
        Some(space),
    ];
    for (field, shown) in LOCKED.into_iter().zip(shown) {
        let sent = update.0.get(field);
        if sent.is_some_and(|sent| refuses_equal || *sent != json!(shown)) {
            faults.add(field, "is locked and cannot be changed");
        }
    }
    faults
}

fn tidy(patient: &mut Object, context: &Context<'_>) {
    for point in Point::ALL {
        let now = json!(point.projected(patient, context.rules.today));
        identity::tidy_field(patient, context, point.field(), &now);
    }
    identity::tidy(patient, context);
}
