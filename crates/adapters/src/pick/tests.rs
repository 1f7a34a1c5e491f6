use serde_json::{Value, json};

use super::{address, email, name, phone};
use crate::tree::Object;

const TODAY: &str = "2026-11-21";

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

#[test]
fn the_current_name_of_the_first_listed_use_is_shown() {
    let resource = object(json!({"name": [
        {"use": "old", "family": "A"},
        {"use": "nickname", "family": "B"},
        {"family": "C"},
        {"use": "official", "family": "D", "period": {"end": "2026-11-20"}},
        {"use": "usual", "family": "E", "period": {"end": "2026-11"}},
    ]}));
    assert_eq!(
        name(&resource, &["official", "usual", "", "temp"], TODAY),
        Some(4)
    );
    assert_eq!(name(&resource, &["temp", ""], TODAY), Some(2));
    assert_eq!(
        name(
            &object(json!({"name": [{"use": "maiden"}]})),
            &["official"],
            TODAY
        ),
        None
    );
    assert_eq!(name(&object(json!({})), &["official"], TODAY), None);
}

#[test]
fn the_best_ranked_current_telecom_is_shown() {
    let resource = object(json!({"telecom": [
        {"system": "phone", "use": "home", "rank": 1, "value": "1"},
        {"system": "sms", "value": "2"},
        {"system": "phone", "use": "mobile", "value": "3"},
        {"system": "email", "value": "4"},
        {"system": "email", "rank": 2, "value": "5"},
        {"system": "email", "rank": 1, "use": "old", "value": "6"},
    ]}));
    assert_eq!(phone(&resource, TODAY), Some(2));
    assert_eq!(email(&resource, TODAY), Some(4));
    let without = object(json!({"telecom": [{"system": "phone", "use": "work"}, {"system": "sms"}]}));
    assert_eq!(phone(&without, TODAY), Some(1));
    assert_eq!(email(&without, TODAY), None);
}

#[test]
fn a_home_address_comes_first_and_an_old_one_never() {
    let resource = object(json!({"address": [{"use": "old"}, {"use": "work"}, {}, {"use": "home"}]}));
    assert_eq!(address(&resource, TODAY), Some(3));
    assert_eq!(
        address(&object(json!({"address": [{"use": "work"}, {}]})), TODAY),
        Some(1)
    );
    assert_eq!(
        address(&object(json!({"address": [{"use": "old"}]})), TODAY),
        None
    );
}
