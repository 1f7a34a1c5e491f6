//! A record that comes again: whom it means when it carries no key, and what then takes the place of what is stored.

use fhir::canonical::{self, Digest};
use fhir::limits::MAX_INDEXED_CHARS;
use fhir::query::param::{fold_string, fold_token};
use fhir::query::{
    Clause, Criteria, DatePrefix, DateTest, IndexParam, SearchParam, StringTest, Test, TokenTest,
};
use fhir::time::TimeRange;
use fhir::{Resource, ResourceType};
use serde_json::Value;

use crate::naming::Naming;
use crate::sticky::given_systems;
use crate::tree::{Object, objects, retain, text};

/// Identifiers that are looked for: more would find no fewer.
const MAX_IDENTIFIERS: usize = 3;

/// By what a Patient without a key is known when it comes again: by all that it says, ids that a server gave aside.
#[derive(Clone)]
pub struct Likeness {
    digest: Digest,
    id: Option<String>,
    naming: Naming,
}

impl Likeness {
    /// That of a Patient.
    pub fn of(patient: &Resource, naming: &Naming) -> Likeness {
        Likeness {
            digest: content(patient, naming),
            id: patient.body_id().map(str::to_owned),
            naming: naming.clone(),
        }
    }

    /// What the content has for a name: equal contents have equal ones, and it tells nothing of them.
    pub fn name(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a match of [`Likeness::criteria`] is the Patient: it says the same, or has its Patient.id.
    pub fn is(&self, stored: &Resource) -> bool {
        let has_its_id = self.id.is_some() && self.id.as_deref() == stored.body_id();
        has_its_id || content(stored, &self.naming) == self.digest
    }

    /// What every Patient of equal content matches: names, date of birth, identifiers, and what else there is when
    /// those are few.
    pub fn criteria(patient: &Resource) -> Criteria {
        let tree = patient.tree();
        let mut clauses: Vec<Clause> = identifiers(tree).take(MAX_IDENTIFIERS).collect();
        let names = || objects(tree, "name");
        let family = names().find_map(|name| text(name, "family"));
        let given = names().find_map(|name| name.get("given")?.as_array()?.iter().find_map(Value::as_str));
        clauses.extend(family.and_then(|family| starts(SearchParam::Family, family)));
        clauses.extend(given.and_then(|given| starts(SearchParam::Given, given)));
        clauses.extend(text(tree, "birthDate").and_then(born));
        if clauses.len() < 2 {
            let telecom = objects(tree, "telecom").find_map(|point| text(point, "value"));
            let telecom =
                telecom.map(|value| (SearchParam::Telecom, fold_token(IndexParam::OtherTelecom, value)));
            let gender = text(tree, "gender").map(|code| (SearchParam::Gender, code.to_owned()));
            let more = telecom.into_iter().chain(gender);
            clauses.extend(more.map(|(param, code)| token(param, TokenTest::Code(code))));
        }
        Criteria {
            kind: ResourceType::Patient,
            clauses,
        }
    }
}

/// The digest of what a Patient says without the ids that a server gave.
fn content(patient: &Resource, naming: &Naming) -> Digest {
    let given = given_systems(naming);
    let is_given = |system: &str| given.iter().any(|known| known == system);
    if !objects(patient.tree(), "identifier").any(|held| text(held, "system").is_some_and(is_given)) {
        return canonical::digest(patient);
    }
    let mut patient = patient.clone();
    retain(patient.tree_mut(), "identifier", |held| {
        !held.get("system").and_then(Value::as_str).is_some_and(is_given)
    });
    canonical::digest(&patient)
}

fn identifiers(tree: &Object) -> impl Iterator<Item = Clause> {
    objects(tree, "identifier").filter_map(|held| {
        let test = TokenTest::SystemCode {
            system: text(held, "system")?.to_owned(),
            code: text(held, "value")?.to_owned(),
        };
        Some(token(SearchParam::Identifier, test))
    })
}

fn token(param: SearchParam, test: TokenTest) -> Clause {
    Clause {
        param,
        test: Test::Token(vec![test]),
    }
}

/// Nothing is left of a name of mere accents: it is then not looked for.
fn starts(param: SearchParam, name: &str) -> Option<Clause> {
    let folded: String = fold_string(name).chars().take(MAX_INDEXED_CHARS).collect();
    (!folded.is_empty()).then(|| Clause {
        param,
        test: Test::String(vec![StringTest::StartsWith(folded)]),
    })
}

fn born(date: &str) -> Option<Clause> {
    let range = TimeRange::parse(date)?;
    let test = DateTest {
        prefix: DatePrefix::Equal,
        low: range.low,
        high: range.high,
    };
    Some(Clause {
        param: SearchParam::Birthdate,
        test: Test::Date(vec![test]),
    })
}

/// The Patient that takes the place of `stored`: the imported one, but with the ids that the server gave, those of the
/// record's own aside. `allocated`: the Medicapp id that stands beside the resource.
pub fn replacement(
    stored: &Resource,
    allocated: Option<&str>,
    imported: &Resource,
    naming: &Naming,
) -> Resource {
    let mut patient = imported.clone();
    let (old, new) = (stored.tree(), patient.tree_mut());
    match old.get("id") {
        Some(id) => new.insert("id".to_owned(), id.clone()),
        None => new.shift_remove("id"),
    };
    for system in given_systems(naming) {
        let held = values(old, &system);
        let is_beside = system == naming.medicapp_patient_id() && allocated.is_some();
        if held.is_empty() && !is_beside {
            continue;
        }
        if !held.is_empty() && held == values(new, &system) {
            continue;
        }
        retain(new, "identifier", |item| {
            item.get("system").and_then(Value::as_str) != Some(&system)
        });
        put_back(old, new, &system);
    }
    patient
}

fn values<'t>(tree: &'t Object, system: &str) -> Vec<&'t str> {
    objects(tree, "identifier")
        .filter(|held| text(held, "system") == Some(system))
        .filter_map(|held| text(held, "value"))
        .collect()
}

/// Puts the identifiers of a system back into their places.
fn put_back(old: &Object, new: &mut Object, system: &str) {
    let list = old.get("identifier").and_then(Value::as_array);
    for (position, item) in list.into_iter().flatten().enumerate() {
        if item.get("system").and_then(Value::as_str) != Some(system) {
            continue;
        }
        match new.get_mut("identifier").and_then(Value::as_array_mut) {
            Some(list) => list.insert(position.min(list.len()), item.clone()),
            None => {
                new.insert("identifier".to_owned(), Value::Array(vec![item.clone()]));
            }
        }
    }
}
