//! Records of one dialect as records of another, through FHIR: what a partner has as Patients, Patients as a
//! partner would see them, and the ledger of what became of each field (`adapters.md` 5.8).
//!
//! The doors' own functions do the mapping; here stands only what a door is never sent: the shapes that it
//! answers with. Their ids, the date of death, the status and the dated extensions belong to the server at the
//! door, and are what a record that moves must not lose.

use std::fmt;

use fhir::codec::{Format, decode};
use fhir::{Identifier, Issue, Resource, ResourceType};

use crate::naming::Naming;
use crate::tree::{objects, text};
use crate::{medicapp, patient_graph};

mod again;
mod bundle;
mod ehealth;
mod export;
mod fates;
mod graph;
mod key;
mod ledger;
mod probe;
mod problem;
mod record;
mod shown;
mod spaces;

#[cfg(test)]
mod tests;

pub use again::{Likeness, replacement};
pub use bundle::{Entry, entry, list_key};
pub use export::with_medicapp_id;
pub use key::{field_of, idempotency_key, is_given, is_known_by_key};
pub use ledger::{Counts, Ledger, MAX_PATHS};
pub use problem::Problem;

/// Whose form a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A FHIR R4 Patient.
    Fhir,
    /// [`medicapp::cloud`]
    MedicappCloud,
    /// [`medicapp::connect`]
    MedicappConnect,
    /// [`patient_graph`]
    PatientGraph,
    /// [`crate::ehealth`]
    Ehealth,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 5] = [
        Dialect::Fhir,
        Dialect::MedicappCloud,
        Dialect::MedicappConnect,
        Dialect::PatientGraph,
        Dialect::Ehealth,
    ];

    /// The name, which is that of the door.
    pub const fn as_str(self) -> &'static str {
        match self {
            Dialect::Fhir => "fhir",
            Dialect::MedicappCloud => "medicapp-cloud",
            Dialect::MedicappConnect => "medicapp-connect",
            Dialect::PatientGraph => "patient-graph",
            Dialect::Ehealth => "ehealth",
        }
    }

    /// The dialect of a name.
    pub fn parse(name: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a record does not say of itself.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The names of identifier systems and extensions.
    pub naming: &'a Naming,
    /// `YYYY-MM-DD`: decides which names and telecoms are current, and which dates lie ahead.
    pub today: &'a str,
    /// The trust space of cloud records that name none; the space of connect records.
    pub space: Option<&'a str>,
    /// How whoever reads a problem gives [`Options::space`].
    pub space_flag: &'a str,
    /// The brand of patient-graph records that name none.
    pub brand: Option<&'a str>,
    /// The legal entity whose external ids the eHealth records carry.
    pub legal_entity: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn rules(&self) -> medicapp::Rules<'a> {
        medicapp::Rules {
            naming: self.naming,
            today: self.today,
            switches: medicapp::Switches::default(),
        }
    }

    fn graph<'b>(&'b self, brand: &'b str) -> patient_graph::Context<'b> {
        patient_graph::Context {
            naming: self.naming,
            today: self.today,
            brand,
        }
    }
}

/// A record in its new form.
#[derive(Clone, Debug)]
pub struct Translated<T> {
    /// The record.
    pub content: T,
    /// What became of its fields.
    pub ledger: Ledger,
}

/// A Patient that is to be stored.
#[derive(Clone, Debug)]
pub struct Import {
    /// The Patient.
    pub patient: Resource,
    /// By what it is known when it comes again; `None` when it carries no id.
    pub key: Option<Identifier>,
}

/// A record as a valid Patient. A record without an id gives a Patient without one: none is made up.
///
/// # Errors
/// All that is wrong with the record, as far as it could be read.
pub fn to_fhir(
    dialect: Dialect,
    record: &[u8],
    options: &Options<'_>,
) -> Result<Translated<Resource>, Vec<Problem>> {
    let translated = mapped(dialect, record, options)?;
    refuse_errors(fhir::validate::validate(&translated.content))?;
    Ok(translated)
}

/// A record as a Patient, not validated.
fn mapped(
    dialect: Dialect,
    record: &[u8],
    options: &Options<'_>,
) -> Result<Translated<Resource>, Vec<Problem>> {
    match dialect {
        Dialect::Fhir => decoded(record),
        Dialect::MedicappCloud => spaces::cloud(record, options),
        Dialect::MedicappConnect => spaces::connect(record, options),
        Dialect::PatientGraph => graph::read(record, options),
        Dialect::Ehealth => ehealth::read(record, options),
    }
}

/// A Patient as the door of this dialect would show it, on one line. A text that the form always has and
/// nobody has allocated (an id, the time of creation) is empty.
///
/// # Errors
/// Why the door would not show it, or what is to be said besides.
pub fn from_fhir(
    dialect: Dialect,
    patient: &Resource,
    options: &Options<'_>,
) -> Result<Translated<String>, Vec<Problem>> {
    let text = shown::render(dialect, patient, options)?;
    let ledger = fates::of_patient(dialect, patient, &text, options);
    Ok(Translated {
        content: text,
        ledger,
    })
}

/// A record of one dialect in another, on one line.
///
/// # Errors
/// As [`to_fhir`] and [`from_fhir`].
pub fn translate(
    from: Dialect,
    to: Dialect,
    record: &[u8],
    options: &Options<'_>,
) -> Result<Translated<String>, Vec<Problem>> {
    let Translated { content, ledger } = to_fhir(from, record, options)?;
    if from == Dialect::Fhir {
        return from_fhir(to, &content, options);
    }
    let text = shown::render(to, &content, options)?;
    let ledger = match to {
        Dialect::Fhir => ledger,
        // Not what FHIR held on the way, but what arrives of the record.
        _ => fates::of_record(from, to, record, (&content, &text), options),
    };
    Ok(Translated {
        content: text,
        ledger,
    })
}

/// A record as it is to be stored: the Patient, and what makes a second import of it find the first.
///
/// # Errors
/// As [`to_fhir`].
pub fn import(
    dialect: Dialect,
    record: &[u8],
    options: &Options<'_>,
) -> Result<Translated<Import>, Vec<Problem>> {
    let Translated { content, ledger } = to_fhir(dialect, record, options)?;
    refuse_excerpt(&content)?;
    let key = idempotency_key(&content, options.naming);
    let import = Import {
        patient: content,
        key,
    };
    Ok(Translated {
        content: import,
        ledger,
    })
}

/// Stored, what a server cut down would pass for the whole.
fn refuse_excerpt(patient: &Resource) -> Result<(), Vec<Problem>> {
    let mut tags = patient.meta().into_iter().flat_map(|meta| objects(meta, "tag"));
    if tags.any(|tag| text(tag, "code") == Some("SUBSETTED")) {
        let remedy =
            "says SUBSETTED: this is an excerpt; read the whole resource (without _summary or _elements)";
        return Err(vec![Problem::new("Patient.meta.tag", remedy)]);
    }
    Ok(())
}

fn decoded(record: &[u8]) -> Result<Translated<Resource>, Vec<Problem>> {
    let validate = |tree| fhir::validate::validate(&Resource::from_guarded(ResourceType::Patient, tree));
    let patient = decode(record, Format::Json, ResourceType::Patient)
        .map_err(|malformed| problem::of_issues(malformed.all_issues(validate)))?;
    Ok(Translated {
        content: patient,
        ledger: Ledger::default(),
    })
}

fn refuse_errors(issues: Vec<Issue>) -> Result<(), Vec<Problem>> {
    match problem::of_issues(issues) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(problems),
    }
}
