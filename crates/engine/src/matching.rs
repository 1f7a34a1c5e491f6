//! `$match`: who a patient is likely to be (PDQm ITI-119, `patient-identity.md` 3).

use std::collections::HashSet;

use fhir::identity::{Judgement, Traits, judge, settle};
use fhir::interaction::Sought;
use fhir::query::{Clause, Criteria, DatePrefix, DateTest, SearchParam, StringTest, Test, TokenTest};
use fhir::time::TimeRange;
use fhir::{Issue, IssueCode, ResourceType};
use store::{ClassFilter, Reader, Stored};

use crate::error::Error;
use crate::pix::survivor;
use crate::prepare::{BodyId, parse_stored};
use crate::reply::{Matches, Scored};
use crate::scope::Permission;
use crate::session::Session;

/// Candidates that one look may bring.
const MOST_OF_A_LOOK: usize = 100;
/// Candidates of all looks together.
const MOST_CANDIDATES: usize = 512;

/// Everybody it may be, the likeliest first.
pub(crate) async fn run(session: &Session, sought: Sought) -> Result<Matches, Error> {
    session.allow(ResourceType::Patient, Permission::Search)?;
    let valid = session.validate(sought.patient, BodyId::MeansNothing)?;
    let asked = Traits::of(&valid.resource);
    if !asked.is_enough() {
        return Err(Error::Rule(vec![too_little()]));
    }
    let (only_certain, count) = (sought.only_certain, sought.count);
    let found = move |reader: &mut dyn Reader| found(reader, &asked);
    let mut scored = session.space.read(found).await?;
    if only_certain {
        scored.retain(|one| one.judgement.grade == fhir::identity::Grade::Certain);
        // Several of them, and it is not certain which.
        if scored.len() > 1 {
            scored.clear();
        }
    }
    let total = scored.len();
    scored.truncate(count.unwrap_or(usize::MAX));
    Ok(Matches { total, scored })
}

fn found(reader: &mut dyn Reader, asked: &Traits) -> Result<Vec<Scored>, Error> {
    let mut scored: Vec<Scored> = Vec::new();
    for stored in candidates(reader, asked)? {
        let patient = parse_stored(&stored)?;
        let Some(judgement) = judge(asked, &Traits::of(&patient)) else {
            continue;
        };
        // Who was merged answers for the survivor.
        let (stored, _) = survivor(reader, stored)?;
        match scored.iter_mut().find(|known| known.stored.row == stored.row) {
            Some(known) if known.judgement.score < judgement.score => known.judgement = judgement,
            Some(_) => {}
            None => scored.push(Scored { stored, judgement }),
        }
    }
    let mut judgements: Vec<Judgement> = scored.iter().map(|one| one.judgement).collect();
    settle(&mut judgements);
    for (one, judgement) in scored.iter_mut().zip(judgements) {
        one.judgement = judgement;
    }
    scored.sort_by(|one, other| {
        let by_score = other.judgement.score.total_cmp(&one.judgement.score);
        by_score.then(one.stored.row.cmp(&other.stored.row))
    });
    Ok(scored)
}

/// All who share something with the one that is asked for, each once: every look is by an index.
fn candidates(reader: &mut dyn Reader, asked: &Traits) -> Result<Vec<Stored>, Error> {
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    for clauses in looks(asked) {
        if all.len() >= MOST_CANDIDATES {
            break;
        }
        let criteria = Criteria {
            kind: ResourceType::Patient,
            clauses,
        };
        for stored in reader.matches(&criteria, ClassFilter::Any, MOST_OF_A_LOOK)? {
            if seen.insert(stored.row) {
                all.push(stored);
            }
        }
    }
    all.truncate(MOST_CANDIDATES);
    Ok(all)
}

/// What is looked for, the most telling first.
fn looks(asked: &Traits) -> Vec<Vec<Clause>> {
    let mut looks: Vec<Vec<Clause>> = Vec::new();
    for identifier in asked.identifiers() {
        looks.push(vec![token(
            SearchParam::Identifier,
            TokenTest::SystemCode {
                system: identifier.system.clone(),
                code: identifier.value.clone(),
            },
        )]);
    }
    let families: Vec<&str> = asked.families().iter().map(String::as_str).collect();
    let givens = asked.usual_givens();
    let born: Vec<Clause> = dates(asked.birth_date()).into_iter().map(birth_date).collect();
    for born in &born {
        for family in &families {
            looks.push(vec![born.clone(), name(SearchParam::Family, family)]);
        }
        for given in &givens {
            looks.push(vec![born.clone(), name(SearchParam::Given, given)]);
        }
        // Family and given in each other's place.
        for family in &families {
            looks.push(vec![born.clone(), name(SearchParam::Given, family)]);
        }
    }
    for family in &families {
        for given in &givens {
            looks.push(vec![
                name(SearchParam::Family, family),
                name(SearchParam::Given, given),
            ]);
        }
    }
    let (emails, _) = asked.points();
    for email in emails {
        looks.push(vec![token(SearchParam::Email, TokenTest::Code(email.clone()))]);
    }
    // Slips in both names.
    looks.extend(born.into_iter().take(1).map(|born| vec![born]));
    looks
}

/// The date, and what it is when day and month are exchanged.
fn dates(date: Option<&str>) -> Vec<String> {
    let Some(date) = date else { return Vec::new() };
    let mut dates = vec![date.to_owned()];
    if let [year, month, day] = date.splitn(3, '-').collect::<Vec<_>>().as_slice()
        && month != day
    {
        dates.push(format!("{year}-{day}-{month}"));
    }
    dates.retain(|date| TimeRange::parse(date).is_some());
    dates
}

fn birth_date(date: String) -> Clause {
    // `dates` has kept those only that are dates.
    let range = TimeRange::parse(&date).unwrap_or(TimeRange { low: 0, high: 0 });
    Clause {
        param: SearchParam::Birthdate,
        test: Test::Date(vec![DateTest {
            prefix: DatePrefix::Equal,
            low: range.low,
            high: range.high,
        }]),
    }
}

fn name(param: SearchParam, folded: &str) -> Clause {
    Clause {
        param,
        test: Test::String(vec![StringTest::StartsWith(folded.to_owned())]),
    }
}

fn token(param: SearchParam, test: TokenTest) -> Clause {
    Clause {
        param,
        test: Test::Token(vec![test]),
    }
}

fn too_little() -> Issue {
    Issue::error(
        IssueCode::BusinessRule,
        "This says too little of anybody to look for. Send an identifier, or at least two of family name, given name, birth \
         date, phone number and e-mail address.",
    )
    .at("Patient")
}
