//! When a patient to be created is one that the brand has (`adapters.md` 4.3): a pair of `external_ids` is
//! equal, or the e-mail address is. Never name and birth date.

use fhir::interaction::{Many, Refusal, Rung, Verdict};
use fhir::query::param::fold_token;
use fhir::query::{Clause, Criteria, IndexParam, SearchParam, Test, TokenTest};
use fhir::{Identifier, Issue, IssueCode, Resource, ResourceType};

use super::read::is_blank;
use super::{Context, Create, Switches, from_fhir};
use crate::tree::{Object, identifier, objects, text};

/// What to look for: every Patient that one of these finds goes before [`is_duplicate`]. None: nothing can
/// be a duplicate.
pub fn criteria(create: &Create, context: &Context<'_>, switches: &Switches) -> Vec<Criteria> {
    let mut all: Vec<Criteria> = identifiers(create, context)
        .map(|identifier| Criteria::by_identifier(ResourceType::Patient, &identifier))
        .collect();
    if let Some(email) = email(create, switches) {
        all.push(by_email(email, None));
    }
    all
}

/// Whether a live Patient of the space means that the one to be created is refused with
/// [`super::Fault::Duplicate`]. One that another took the place of counts no more; nor does one that neither
/// this door nor the brand has an id for.
pub fn is_duplicate(
    create: &Create,
    candidate: &Resource,
    context: &Context<'_>,
    switches: &Switches,
) -> bool {
    let tree = candidate.tree();
    if from_fhir::is_merged(tree) || !is_of_brand(tree, create.brand(), context) {
        return false;
    }
    let held = |wanted: Identifier| {
        objects(tree, "identifier").any(|identifier| {
            text(identifier, "system") == Some(&wanted.system)
                && text(identifier, "value") == Some(&wanted.value)
        })
    };
    if identifiers(create, context).any(held) {
        return true;
    }
    match (email(create, switches), from_fhir::email(tree, context)) {
        (Some(wanted), Some(shown)) => wanted.eq_ignore_ascii_case(shown),
        _ => false,
    }
}

/// What two requests must not do at the same time: texts to lock, sorted. They need no more than being the
/// same for the same brand and pair, or e-mail address.
pub fn lock_values(create: &Create, context: &Context<'_>, switches: &Switches) -> Vec<String> {
    let pairs = identifiers(create, context).map(|pair| format!("{}|{}", pair.system, pair.value));
    let email = email(create, switches).map(|email| {
        let email = email.to_ascii_lowercase();
        format!("{}|{}|{email}", context.naming.brand(), create.brand())
    });
    let mut values: Vec<String> = pairs.chain(email).collect();
    // Sorted: two requests with the same two values would otherwise deadlock.
    values.sort_unstable();
    values
}

/// The same as rungs that find nothing but refusals. A rung sees a single match, so that several Patients with
/// one e-mail address are a duplicate as soon as this door made them, and none while only FHIR clients did,
/// even if one of these holds an external id of the brand: there [`is_duplicate`] on every match knows better.
/// Both `duplicate` and `multiple-matches` mean [`super::Fault::Duplicate`].
pub fn ladder(create: &Create, context: &Context<'_>, switches: &Switches) -> Vec<Rung> {
    let mut searches: Vec<(Criteria, Many)> = identifiers(create, context)
        .map(|identifier| {
            let criteria = Criteria::by_identifier(ResourceType::Patient, &identifier);
            (criteria, Many::Refuse)
        })
        .collect();
    if let Some(email) = email(create, switches) {
        let system = context.naming.patient_graph_id();
        searches.push((by_email(email, Some(system)), Many::Refuse));
        searches.push((by_email(email, None), Many::Pass));
    }
    let rungs = searches.into_iter().map(|(criteria, many)| {
        let (create, switches) = (create.clone(), *switches);
        let (naming, today, brand) = (
            context.naming.clone(),
            context.today.to_owned(),
            create.brand().to_owned(),
        );
        Rung {
            criteria,
            many,
            accept: Box::new(move |candidate| {
                let context = Context {
                    naming: &naming,
                    today: &today,
                    brand: &brand,
                };
                match is_duplicate(&create, candidate, &context, &switches) {
                    true => Verdict::Refuse(refusal()),
                    false => Verdict::Pass,
                }
            }),
        }
    });
    rungs.collect()
}

fn refusal() -> Refusal {
    Refusal {
        issues: vec![Issue::error(IssueCode::Duplicate, "Duplicate patient")],
    }
}

/// The external ids that FHIR holds as identifiers; an empty value is no id of anybody.
fn identifiers<'a>(create: &'a Create, context: &Context<'a>) -> impl Iterator<Item = Identifier> + use<'a> {
    let (naming, brand) = (context.naming, create.brand());
    let pairs = create.external_ids.iter();
    let pairs = pairs.filter(|(_, value)| !is_blank(value));
    pairs.map(move |(key, value)| Identifier {
        system: naming.brand_external_id(brand, key),
        value: value.clone(),
    })
}

fn email<'a>(create: &'a Create, switches: &Switches) -> Option<&'a str> {
    create.email.as_deref().filter(|_| switches.duplicate_email)
}

/// Patients with this e-mail address, and with an identifier of this system if one is named.
fn by_email(email: &str, system: Option<String>) -> Criteria {
    let clause = |param, test| Clause {
        param,
        test: Test::Token(vec![test]),
    };
    // The index folds more than ASCII; the verdict is stricter.
    let folded = fold_token(IndexParam::Email, email);
    let mut clauses = vec![clause(SearchParam::Email, TokenTest::Code(folded))];
    clauses.extend(system.map(|system| clause(SearchParam::Identifier, TokenTest::System(system))));
    Criteria {
        kind: ResourceType::Patient,
        clauses,
    }
}

fn is_of_brand(tree: &Object, brand: &str, context: &Context<'_>) -> bool {
    let prefix = context.naming.brand_external_ids(brand);
    identifier(tree, &context.naming.patient_graph_id()).is_some()
        || objects(tree, "identifier")
            .any(|identifier| text(identifier, "system").is_some_and(|system| system.starts_with(&prefix)))
}
