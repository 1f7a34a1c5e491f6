//! The door of the Ukrainian eHealth registry: prepersons, that is, people nobody has identified yet
//! (`POST /api/prepersons`, `GET` and `PATCH /api/prepersons/{id}`; `adapters.md` 2).
//!
//! [`create`], [`read`] and [`update`] make the registry's checks in the registry's order, from the scope on;
//! the first that fails is the [`Fault`]. API key and token are the server's to check. [`envelope`] writes the
//! answers, [`Fault::render`] the refusals.

use fhir::{Id, Identifier, Resource};
use serde_json::Value;

use crate::json;
use crate::naming::Naming;
use crate::tree::Object;

mod contact;
mod date;
mod edit;
pub mod envelope;
mod error;
mod from_fhir;
mod names;
mod schema;
mod to_fhir;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use error::{Fault, Rule, Violation};
pub use from_fhir::{Kept, preperson_id, show};
pub use schema::{MAX_NAME, MAX_NOTE, MAX_VIOLATIONS};
pub use to_fhir::{to_fhir, to_fhir_with};
use wire::{Fields, Preperson, Status};

pub(crate) const IDENTIFICATION_STATUS: &str = "patient-identification-status";
pub(crate) const UNIDENTIFIED: &str = "unidentified";
const IDENTIFIED: &str = "identified";
const NOTE: &str = "preperson-note";
/// Which name is shown: by `use`, `""` being a name without one.
const NAME_ORDER: &[&str] = &["temp", "usual", "official", ""];

/// What the token says of who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// UUID of the user.
    pub user: String,
    /// UUID of the legal entity.
    pub legal_entity: String,
    /// Its type: `OUTPATIENT`, `EMERGENCY`, `PHARMACY`, …
    pub legal_entity_type: String,
    /// Its status: `ACTIVE`, `SUSPENDED`, `CLOSED`, …
    pub legal_entity_status: String,
    /// The scopes: `preperson:read`, …
    pub scopes: Vec<String>,
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `POST /api/prepersons`
    Create,
    /// `GET /api/prepersons/{id}`
    Read,
    /// `PATCH /api/prepersons/{id}`
    Update,
}

/// What surrounds a request.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Names of systems and extensions.
    pub naming: &'a Naming,
    /// `YYYY-MM-DD`, in the time zone of the deployment (UTC unless told otherwise).
    pub today: &'a str,
    /// Who is calling.
    pub caller: &'a Caller,
    /// What a deployment may choose.
    pub switches: &'a Switches,
}

/// What a deployment may choose where the registry's documents contradict themselves (`adapters.md` 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// What a `note` in a PATCH does.
    pub patch_note: PatchNote,
    /// Whether a date of death ends a preperson.
    pub death_deactivates: DeathDeactivates,
    /// Whether external ids have the documented form.
    pub external_id_pattern: Pattern,
    /// Which letters names may have.
    pub strict_names: Names,
    /// Whether a suspended legal entity may write.
    pub suspended_legal_entity: SuspendedLegalEntity,
    /// How a place in a list is written.
    pub array_path: ArrayPath,
    /// Whether a 404 has a text.
    pub not_found_message: NotFoundMessage,
}

/// `ehealth.patch_note`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchNote {
    /// The stored note may be sent again; another is refused.
    #[default]
    SameOr422,
    /// It is changed.
    Allow,
    /// It is checked and passed over.
    Ignore,
}

/// `ehealth.death_deactivates`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeathDeactivates {
    /// The status stays.
    #[default]
    No,
    /// The status becomes `INACTIVE`, for good.
    Yes,
}

/// `ehealth.external_id_pattern`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pattern {
    /// Any text.
    #[default]
    Free,
    /// Three groups of digits.
    Enforced,
}

/// `ehealth.strict_names`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Any letters.
    #[default]
    Any,
    /// Ukrainian letters, apostrophe, hyphen, space.
    Ukrainian,
}

/// `ehealth.allow_suspended_le`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SuspendedLegalEntity {
    /// Only `ACTIVE` ones may write.
    #[default]
    Refuse,
    /// `SUSPENDED` ones may, too.
    Allow,
}

/// `ehealth.array_path`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArrayPath {
    /// `$.emergency_contact.phones.[0]`
    #[default]
    Dotted,
    /// `$.emergency_contact.phones[0]`
    Bracket,
}

/// `ehealth.404_message`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotFoundMessage {
    /// `Preperson not found`
    #[default]
    Stated,
    /// None.
    None,
}

impl Caller {
    /// Checks 3 and 4: the scope, and for writing the status of the legal entity. Legal entities that are
    /// neither `OUTPATIENT` nor `EMERGENCY` have no scope for prepersons, whatever their token says.
    ///
    /// # Errors
    /// [`Fault::Scope`], [`Fault::LegalEntityNotActive`].
    pub fn may(&self, action: Action, switches: &Switches) -> Result<(), Fault> {
        let missing = match action {
            Action::Create | Action::Update => "preperson:write",
            Action::Read => "preperson:read",
        };
        let is_granted = matches!(self.legal_entity_type.as_str(), "OUTPATIENT" | "EMERGENCY")
            && self.scopes.iter().any(|scope| scope == missing);
        if !is_granted {
            return Err(Fault::Scope { missing });
        }
        let is_open = match self.legal_entity_status.as_str() {
            "ACTIVE" => true,
            "SUSPENDED" => switches.suspended_legal_entity == SuspendedLegalEntity::Allow,
            _ => false,
        };
        if action != Action::Read && !is_open {
            return Err(Fault::LegalEntityNotActive);
        }
        Ok(())
    }
}

impl Context<'_> {
    /// The refusal of an id that means no preperson, as the deployment words it.
    pub fn not_found(&self) -> Fault {
        match self.switches.not_found_message {
            NotFoundMessage::Stated => Fault::NotFound,
            NotFoundMessage::None => Fault::NotFoundBare,
        }
    }
}

/// A body that is JSON.
#[derive(Clone, PartialEq)]
pub struct Body(Value);

impl Body {
    /// Reads a body. To be done after [`Caller::may`].
    ///
    /// # Errors
    /// [`Fault::NotJson`] for what is no JSON, nothing at all, a key that stands twice, a control character,
    /// or more than [`json::MAX_DEPTH`] levels.
    pub fn read(bytes: &[u8]) -> Result<Body, Fault> {
        match json::object(bytes) {
            Ok(object) => Ok(Body(Value::Object(object))),
            // It has been read once: what is left to learn is which type it is.
            Err(json::Fault::NotAnObject) => serde_json::from_slice(bytes)
                .map(Body)
                .map_err(|_| Fault::NotJson),
            Err(_) => Err(Fault::NotJson),
        }
    }

    fn object(&self) -> Result<&Object, Fault> {
        self.0.as_object().ok_or_else(|| {
            let rule = Rule::Cast {
                expected: "object",
                actual: schema::type_of(&self.0),
            };
            Fault::Invalid(vec![Violation {
                entry: "$".to_owned(),
                rule,
            }])
        })
    }
}

/// The body of a POST that keeps all rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Create(Fields);

impl Create {
    /// What it says.
    pub fn fields(&self) -> &Fields {
        &self.0
    }
}

/// The body of a PATCH that keeps all rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Update(Fields);

impl Update {
    /// What it says.
    pub fn fields(&self) -> &Fields {
        &self.0
    }
}

/// The id in a path as the registry writes it, in lower case.
///
/// # Errors
/// [`Fault::NotFound`] for what is no UUID.
pub fn parse_id(text: &str) -> Result<String, Fault> {
    let hyphens = [8, 13, 18, 23];
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(position, byte)| {
            if hyphens.contains(&position) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    if is_uuid {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Fault::NotFound)
    }
}

/// By what a preperson is found, beside the Patient of that id. `id` is from [`parse_id`].
pub fn lookup(id: &str, naming: &Naming) -> Identifier {
    Identifier {
        system: naming.preperson_id(),
        value: id.to_owned(),
    }
}

/// The Patient that a POST creates. `id` is a fresh random UUID.
///
/// # Errors
/// The first check that fails: scope, legal entity, schema, date of birth.
pub fn create(body: &Body, id: &Id, context: &Context<'_>) -> Result<Resource, Fault> {
    context.caller.may(Action::Create, context.switches)?;
    Ok(to_fhir(&read_create(body, context)?, id, context))
}

/// What a GET answers. `found` is what the store has under the id of the path, if anything.
///
/// # Errors
/// The first check that fails: scope, id.
pub fn read(
    path_id: &str,
    found: Option<(&Resource, &Kept<'_>)>,
    context: &Context<'_>,
) -> Result<Preperson, Fault> {
    context.caller.may(Action::Read, context.switches)?;
    let id = parse_id(path_id).map_err(|_| context.not_found())?;
    found
        .and_then(|(resource, kept)| show(resource, kept, context))
        .filter(|preperson| preperson.id == id)
        .ok_or_else(|| context.not_found())
}

/// The Patient after a PATCH; equal to the stored one when there is nothing to write. `found` is what the store
/// has under the id of the path, if anything.
///
/// # Errors
/// The first check that fails: scope, legal entity, id, status, schema, dates.
pub fn update(
    path_id: &str,
    body: &Body,
    found: Option<&Resource>,
    context: &Context<'_>,
) -> Result<Resource, Fault> {
    context.caller.may(Action::Update, context.switches)?;
    let id = parse_id(path_id).map_err(|_| context.not_found())?;
    let stored = found.ok_or_else(|| context.not_found())?;
    if preperson_id(stored, context.naming) != Some(id) {
        return Err(context.not_found());
    }
    apply(&read_update(body, stored, context)?, stored, context)
}

/// Checks 7 and 8a: the schema, then the date of birth.
///
/// # Errors
/// [`Fault::Invalid`] with all broken rules of the first check that fails.
pub fn read_create(body: &Body, context: &Context<'_>) -> Result<Create, Fault> {
    let fields = schema::create(body, context.switches)?;
    check_dates(fields.birth_date.as_deref(), None, context)?;
    Ok(Create(fields))
}

/// Checks 5 to 8: that it is a preperson, its status, the schema, and the dates as they would become.
///
/// # Errors
/// The first check that fails.
pub fn read_update(body: &Body, stored: &Resource, context: &Context<'_>) -> Result<Update, Fault> {
    let shown = from_fhir::project(stored, context).ok_or_else(|| context.not_found())?;
    let is_identified = from_fhir::identification_status(stored.tree(), context.naming) == Some(IDENTIFIED);
    if shown.status == Status::Inactive || is_identified {
        return Err(Fault::NotActive);
    }
    let as_read = match serde_json::to_value(&shown) {
        Ok(Value::Object(as_read)) => as_read,
        _ => return Err(Fault::Internal),
    };
    let fields = schema::update(body, &as_read, context.switches)?;
    // A pair of dates that came in through FHIR does not stand in the way of another change.
    if fields.birth_date.is_some() || fields.death_date.is_some() {
        let birth = fields.birth_date.as_deref().or(shown.birth_date.as_deref());
        let death = fields.death_date.as_deref().or(shown.death_date.as_deref());
        check_dates(birth, death, context)?;
    }
    Ok(Update(fields))
}

/// Writes the change into the stored Patient.
///
/// # Errors
/// [`Fault::NotFound`] for a Patient that is no preperson.
pub fn apply(update: &Update, stored: &Resource, context: &Context<'_>) -> Result<Resource, Fault> {
    let shown = from_fhir::project(stored, context).ok_or_else(|| context.not_found())?;
    Ok(edit::apply(update, stored, &shown, context))
}

/// Checks 8a to 8c.
fn check_dates(birth: Option<&str>, death: Option<&str>, context: &Context<'_>) -> Result<(), Fault> {
    let mut violations = Vec::new();
    let mut add = |entry: &str, description: &'static str| {
        violations.push(Violation {
            entry: entry.to_owned(),
            rule: Rule::Invalid { description },
        });
    };
    if birth.is_some_and(|birth| birth > context.today) {
        add("$.birth_date", "Birth date can't be in the future");
    }
    if death.is_some_and(|death| death > context.today) {
        add("$.death_date", "Death date can not be in future");
    }
    if birth.zip(death).is_some_and(|(birth, death)| death < birth) {
        add(
            "$.death_date",
            "Death date should equal or greater than birth_date",
        );
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Fault::Invalid(violations))
    }
}
