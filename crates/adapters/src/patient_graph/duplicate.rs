//! When a patient to be created is one that the brand has (`adapters.md` 4.3): a pair of `external_ids` is
//! equal, or the e-mail address is. Never name and birth date.

use fhir::interaction::{FindOrCreate, Judgement, Refusal};
use fhir::query::param::fold_token;
use fhir::query::{Clause, Criteria, IndexParam, SearchParam, Test, TokenTest};
use fhir::{Id, Identifier, Issue, IssueCode, Resource, ResourceType};

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
        all.push(by_email(email));
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

/// The whole POST: a duplicate is refused (its code means [`super::Fault::Duplicate`]), anybody else is created under
/// this id.
pub fn find_or_create(create: &Create, id: Id, context: &Context<'_>, switches: &Switches) -> FindOrCreate {
    let resource = super::to_fhir(create, &id, context);
    let (searches, alone) = (
        criteria(create, context, switches),
        lock_values(create, context, switches),
    );
    let (create, switches) = (create.clone(), *switches);
    let (naming, today) = (context.naming.clone(), context.today.to_owned());
    let judge = move |found: &[Resource]| {
        let context = Context {
            naming: &naming,
            today: &today,
            brand: create.brand(),
        };
        let is_there = |candidate| is_duplicate(&create, candidate, &context, &switches);
        if found.iter().any(is_there) {
            Judgement::Refuse(refusal())
        } else {
            Judgement::Create { remark: None }
        }
    };
    FindOrCreate {
        searches,
        judge: Box::new(judge),
        alone,
        resource,
        id: Some(id),
    }
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

/// Patients with this e-mail address. The index folds more than ASCII; the verdict is stricter.
fn by_email(email: &str) -> Criteria {
    let folded = fold_token(IndexParam::Email, email);
    Criteria {
        kind: ResourceType::Patient,
        clauses: vec![Clause {
            param: SearchParam::Email,
            test: Test::Token(vec![TokenTest::Code(folded)]),
        }],
    }
}

fn is_of_brand(tree: &Object, brand: &str, context: &Context<'_>) -> bool {
    let prefix = context.naming.brand_external_ids(brand);
    identifier(tree, &context.naming.patient_graph_id()).is_some()
        || objects(tree, "identifier")
            .any(|identifier| text(identifier, "system").is_some_and(|system| system.starts_with(&prefix)))
}
