//! POST /patients: the body to a checked [`Create`], to a Patient, and to what may already be that patient.

use fhir::interaction::{FindOrCreate, Judgement};
use fhir::limits::MAX_INDEXED_CHARS;
use fhir::query::param::fold_string;
use fhir::query::{Clause, Criteria, DatePrefix, DateTest, SearchParam, StringTest, Test, TokenTest};
use fhir::time::TimeRange;
use fhir::{Identifier, Resource, ResourceType};

use super::judge::{Verdict, Warning, judge};
use crate::gender::Words;
use crate::json;
use crate::medicapp::fields::{self, Faults};
use crate::medicapp::nir::{Key, Rang};
use crate::medicapp::person::{Person, field};
use crate::medicapp::{Context, Fault, MatchIns, Rules, Space, identity};
use crate::naming::INS_NIR;

/// A checked create.
#[derive(Clone, PartialEq, Eq)]
pub struct Create {
    trust_space: String,
    pub(super) person: Person,
    pub(super) key: Option<Key>,
}

// It is a person: its content never reaches a log by `{:?}`.
impl std::fmt::Debug for Create {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Create({})", self.trust_space)
    }
}

impl Create {
    /// The trust space it names, one of the caller's.
    pub fn trust_space(&self) -> &str {
        &self.trust_space
    }

    /// The context of the rest of the request.
    pub fn context<'a>(&'a self, rules: Rules<'a>) -> Context<'a> {
        rules.within(Space::Trust(&self.trust_space))
    }

    /// Under which name and date of birth it must be alone while it is found or created: see
    /// [`super::judge::match_key`].
    pub fn match_key(&self) -> String {
        let person = &self.person;
        super::judge::match_key(&person.last_name, &person.first_name, &person.birth_date)
    }
}

/// Reads the body of a POST. `trust_spaces` are those of the caller's key.
///
/// # Errors
/// First what is no JSON, then a trust space that is not the caller's, then all faulty fields.
pub fn read_create(body: &[u8], rules: &Rules<'_>, trust_spaces: &[&str]) -> Result<Create, Fault> {
    let body = json::object(body)?;
    let mut faults = Faults::default();
    let space = fields::trust_space(field(&body, "trustSpaceUuid"));
    let trust_space = faults.take("trustSpaceUuid", space);
    if let Some(name) = trust_space
        && !trust_spaces.contains(&name)
    {
        return Err(Fault::TrustSpaceNotFound(name.to_owned()));
    }
    let person = Person::read(&body, Words::MedicappCloud, rules, &mut faults);
    let key = Key::read(field(&body, "identificationKey"), &mut faults);
    match (faults.into_list(), trust_space, person) {
        (None, Some(trust_space), Some(person)) => Ok(Create {
            trust_space: trust_space.to_owned(),
            person,
            key,
        }),
        (violations, ..) => Err(Fault::Invalid(violations.unwrap_or_default())),
    }
}

/// The new Patient. `patient_id` is fresh: `pat_` and 16 characters of base32.
pub fn to_fhir(create: &Create, patient_id: &str, rules: &Rules<'_>) -> Resource {
    to_fhir_with(create, Some(patient_id), rules)
}

/// As [`to_fhir`], for a patient that may have no Medicapp id yet.
pub fn to_fhir_with(create: &Create, patient_id: Option<&str>, rules: &Rules<'_>) -> Resource {
    let context = create.context(*rules);
    create.person.to_fhir(patient_id, &context, |patient| {
        if let Some(key) = &create.key {
            identity::set_key(patient, &context, Some(key));
        }
    })
}

/// What may find the patient, in the order of the steps: NIR and rank, externalId, name and date of birth. All
/// matches of all of them are what [`judge`] judges.
pub fn criteria(create: &Create, rules: &Rules<'_>) -> Vec<Criteria> {
    let context = create.context(*rules);
    let external_id = create.person.external_id.as_deref();
    let by_external_id = external_id.map(|value| by_external_id(value, &context));
    by_key(create.key.as_ref(), rules)
        .into_iter()
        .chain(by_external_id)
        .chain(std::iter::once(by_name(&create.person)))
        .collect()
}

/// The whole POST: who may be the patient, the judge, and whom to create otherwise. A judge's remark is the warning.
pub fn find_or_create(create: &Create, patient_id: &str, rules: &Rules<'_>) -> FindOrCreate {
    let resource = to_fhir(create, patient_id, rules);
    let (searches, alone) = (criteria(create, rules), vec![create.match_key()]);
    let (create, naming, today) = (create.clone(), rules.naming.clone(), rules.today.to_owned());
    let switches = rules.switches;
    let judge = move |found: &[Resource]| {
        let rules = Rules {
            naming: &naming,
            today: &today,
            switches,
        };
        match judge(&create, &found.iter().collect::<Vec<_>>(), &rules) {
            Verdict::Found { position, warning } => Judgement::Found {
                position,
                remark: warning.map(Warning::text),
            },
            Verdict::Create { warning } => Judgement::Create {
                remark: warning.map(Warning::text),
            },
            Verdict::Refuse(fault) => Judgement::Refuse(fault.refusal()),
        }
    };
    FindOrCreate {
        searches,
        judge: Box::new(judge),
        alone,
        resource,
        id: None,
    }
}

/// The criteria of a NIR with its rank; a qualified INS counts as rank 01.
pub(super) fn by_key(key: Option<&Key>, rules: &Rules<'_>) -> Option<Criteria> {
    let key = key?;
    let mut tests = vec![TokenTest::SystemCode {
        system: rules.naming.nir_rang(),
        code: key.composite()?,
    }];
    if rules.switches.match_ins == MatchIns::On && key.rang == Some(Rang::INSURED) {
        tests.extend(
            [key.nir.with_key(), key.nir.body().to_owned()].map(|code| TokenTest::SystemCode {
                system: INS_NIR.to_owned(),
                code,
            }),
        );
    }
    Some(Criteria {
        kind: ResourceType::Patient,
        clauses: vec![Clause {
            param: SearchParam::Identifier,
            test: Test::Token(tests),
        }],
    })
}

/// The criteria of an external id of the space.
pub(super) fn by_external_id(value: &str, context: &Context<'_>) -> Criteria {
    let identifier = Identifier {
        system: context.external_id_system(),
        value: value.to_owned(),
    };
    Criteria::by_identifier(ResourceType::Patient, &identifier)
}

/// The criteria of name and date of birth: all that [`judge`] could call the same, and more.
fn by_name(person: &Person) -> Criteria {
    let starts = |param: SearchParam, text: &str| {
        let folded: String = fold_string(text).chars().take(MAX_INDEXED_CHARS).collect();
        // Nothing is left of a name of mere accents: the date alone then has to find it.
        (!folded.is_empty()).then(|| Clause {
            param,
            test: Test::String(vec![StringTest::StartsWith(folded)]),
        })
    };
    let day = TimeRange::parse(&person.birth_date).map(|range| Clause {
        param: SearchParam::Birthdate,
        test: Test::Date(vec![DateTest {
            prefix: DatePrefix::Equal,
            low: range.low,
            high: range.high,
        }]),
    });
    let clauses = [
        starts(SearchParam::Family, &person.last_name),
        starts(SearchParam::Given, &person.first_name),
        day,
    ];
    Criteria {
        kind: ResourceType::Patient,
        clauses: clauses.into_iter().flatten().collect(),
    }
}
