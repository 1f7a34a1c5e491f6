use fhir::Resource;
use fhir::interaction::Judgement;
use fhir::query::matcher::matches;
use serde_json::json;

use super::super::{Create, Fault, Switches, criteria, find_or_create, is_duplicate, lock_values};
use super::{body, context, create, created, kept, naming, resource};
use crate::tree::push;

fn patient(others: &str) -> Create {
    create(&body(others)).unwrap()
}

fn stored(others: &str) -> Resource {
    created(&patient(others), &naming())
}

/// Whether the store would find the candidate and the verdict would refuse the newcomer.
fn is_refused(newcomer: &Create, candidate: &Resource, switches: Switches) -> bool {
    let naming = naming();
    let context = context(&naming, "acme");
    let id = fhir::Id::parse("1").unwrap();
    let is_found = |criteria| matches(criteria, candidate, &id, kept().updated);
    let is_found = criteria(newcomer, &context, &switches).iter().any(is_found);
    let is_duplicate = is_duplicate(newcomer, candidate, &context, &switches);
    assert!(is_found || !is_duplicate, "a duplicate that no search finds");
    is_found && is_duplicate
}

fn default(newcomer: &str, candidate: &Resource) -> bool {
    is_refused(&patient(newcomer), candidate, Switches::default())
}

#[test]
fn an_equal_pair_of_external_ids_is_a_duplicate_whatever_else_differs() {
    let candidate = stored(r#""external_ids":{"crm":"1","shop":"A-7"}"#);
    assert!(default(
        r#""external_ids":{"other":"x","shop":"A-7"}"#,
        &candidate
    ));
    assert!(default(
        r#""external_ids":{"shop":"A-7"},"email":"a@b.c""#,
        &candidate
    ));
}

#[test]
fn two_pairs_of_two_patients_are_a_duplicate_of_each() {
    let newcomer = r#""external_ids":{"crm":"1","shop":"A-7"}"#;
    assert!(default(newcomer, &stored(r#""external_ids":{"crm":"1"}"#)));
    assert!(default(newcomer, &stored(r#""external_ids":{"shop":"A-7"}"#)));
}

#[test]
fn an_equal_value_under_another_key_or_in_another_case_is_none() {
    let candidate = stored(r#""external_ids":{"shop":"A-7"}"#);
    assert!(!default(r#""external_ids":{"crm":"A-7"}"#, &candidate));
    assert!(!default(r#""external_ids":{"shop":"a-7"}"#, &candidate));
    assert!(!default(r#""external_ids":{"Shop":"A-7"}"#, &candidate));
}

#[test]
fn an_equal_pair_of_another_brand_is_none() {
    let theirs = create(
        r#"{"brand_id":"loop health","first_name":"A","last_name":"B","external_ids":{"shop":"A-7"}}"#,
    );
    let candidate = created(&theirs.unwrap(), &naming());
    assert!(!default(r#""external_ids":{"shop":"A-7"}"#, &candidate));
}

#[test]
fn an_e_mail_address_in_another_case_is_a_duplicate() {
    let candidate = stored(r#""email":"Ada.Lovelace@Example.org""#);
    assert!(default(r#""email":"ADA.LOVELACE@example.ORG""#, &candidate));
    assert!(!default(r#""email":"ada@example.org""#, &candidate));
}

#[test]
fn letters_beyond_ascii_keep_their_case_in_an_e_mail_address() {
    let candidate = stored(r#""email":"é@example.org""#);
    assert!(default(r#""email":"é@EXAMPLE.org""#, &candidate));
    assert!(!default(r#""email":"É@example.org""#, &candidate));
    assert!(!default(r#""email":"e@example.org""#, &candidate));
}

#[test]
fn an_e_mail_address_makes_no_duplicate_once_switched_off() {
    let newcomer = patient(r#""email":"a@b.c","external_ids":{"shop":"1"}"#);
    let switches = Switches {
        duplicate_email: false,
        ..Switches::default()
    };
    assert!(!is_refused(&newcomer, &stored(r#""email":"a@b.c""#), switches));
    assert!(is_refused(
        &newcomer,
        &stored(r#""external_ids":{"shop":"1"}"#),
        switches
    ));
}

#[test]
fn neither_external_ids_nor_e_mail_address_is_never_a_duplicate() {
    let newcomer = patient(r#""date_of_birth":"1988-11-03","phone":"+33612345678""#);
    let naming = naming();
    let context = context(&naming, "acme");
    assert!(criteria(&newcomer, &context, &Switches::default()).is_empty());
    assert!(lock_values(&newcomer, &context, &Switches::default()).is_empty());
    let same = created(&newcomer, &naming);
    assert!(!is_duplicate(&newcomer, &same, &context, &Switches::default()));
}

#[test]
fn empty_values_of_external_ids_are_no_duplicate() {
    let candidate = stored(r#""external_ids":{"shop":""}"#);
    assert!(!default(r#""external_ids":{"shop":""}"#, &candidate));
}

#[test]
fn what_only_fhir_clients_wrote_is_no_duplicate_by_its_e_mail_address() {
    let candidate = resource(json!({ "telecom": [{ "system": "email", "value": "a@b.c" }] }));
    assert!(!default(r#""email":"a@b.c""#, &candidate));
}

#[test]
fn what_a_fhir_client_gave_an_external_id_of_the_brand_is_one() {
    let system = naming().brand_external_id("acme", "shop");
    let candidate = resource(json!({
        "identifier": [{ "system": system, "value": "A-7" }],
        "telecom": [{ "system": "email", "value": "A@b.c" }],
    }));
    assert!(default(r#""external_ids":{"shop":"A-7"}"#, &candidate));
    assert!(default(r#""email":"a@b.c""#, &candidate));
}

#[test]
fn a_patient_that_another_replaced_is_none() {
    let mut candidate = stored(r#""email":"a@b.c","external_ids":{"shop":"A-7"}"#);
    let link = json!({ "other": { "reference": "Patient/2" }, "type": "replaced-by" });
    push(candidate.tree_mut(), "link", link);
    assert!(!default(
        r#""email":"a@b.c","external_ids":{"shop":"A-7"}"#,
        &candidate
    ));
}

#[test]
fn one_duplicate_among_many_candidates_refuses() {
    let naming = naming();
    let newcomer = patient(r#""email":"a@b.c","external_ids":{"shop":"A-7","crm":"1"}"#);
    let id = fhir::Id::parse("new").expect("an id");
    let wanted = find_or_create(&newcomer, id, &context(&naming, "acme"), &Switches::default());
    assert_eq!(wanted.searches.len(), 3);
    let twin = stored(r#""email":"A@B.C""#);
    let stranger = stored(r#""email":"x@b.c""#);
    let candidates = [stranger.clone(), twin, stranger.clone()];
    assert!(matches!((wanted.judge)(&candidates), Judgement::Refuse(_)));
    assert_eq!((wanted.judge)(&[stranger]), Judgement::Create { remark: None });
}

#[test]
fn requests_that_could_be_each_others_duplicate_lock_the_same_text() {
    let naming = naming();
    let locks = |others: &str| {
        let context = context(&naming, "acme");
        lock_values(&patient(others), &context, &Switches::default())
    };
    let first = locks(r#""email":"A@b.c","external_ids":{"shop":"1","crm":"2"}"#);
    assert_eq!(first.len(), 3);
    assert!(first.is_sorted());
    assert!(first.contains(&locks(r#""email":"a@B.C""#)[0]));
    assert!(first.contains(&locks(r#""external_ids":{"crm":"2"}"#)[0]));
    assert_eq!(locks(r#""phone":"1""#), Vec::<String>::new());
}

#[test]
fn a_duplicate_is_told_nothing_of_the_other_patient() {
    let body = r#"{"error":"duplicate_patient","message":"Duplicate patient"}"#;
    assert_eq!(Fault::Duplicate.render(), body);
    assert_eq!(Fault::Duplicate.status(), 409);
}
