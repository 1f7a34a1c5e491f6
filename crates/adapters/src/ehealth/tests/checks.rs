//! What no fixture shows.

use fhir::{Resource, ResourceType, Timestamp};
use serde_json::{Value, json};

use super::super::envelope::{Request, ok};
use super::super::{Body, Fault, Kept, MAX_VIOLATIONS, lookup, parse_id, read, read_create, update};
use super::{PREPERSON, World};

fn preperson() -> Resource {
    let tree = json!({
        "id": PREPERSON,
        "extension": [{
            "url": "https://fhir-facade.example/ns/StructureDefinition/patient-identification-status",
            "valueCode": "unidentified",
        }],
    });
    let Value::Object(tree) = tree else {
        panic!("an object");
    };
    Resource::from_guarded(ResourceType::Patient, tree)
}

#[test]
fn what_the_server_itself_refuses_has_the_registrys_texts() {
    let request = Request {
        url: "https://example.com/api/prepersons",
        id: "r#1",
        idempotency_key: None,
    };
    let json_rule = json!([{ "entry_type": "request", "rules": [{ "rule": "json" }] }]);
    let size_rule = json!([{ "entry_type": "request", "rules": [{ "rule": "size" }] }]);
    let header = json!([{ "entry_type": "header", "entry": "Content-Type" }]);
    let no_bearer = "Authorization header is not set or doesn't contain Bearer token";
    let unverified = "Access denied. Party is not verified";
    let no_service = "Legal entity does not have appropriate healthcare services";
    let broken = "Malformed request. Probably, you have sent corrupted JSON.";
    let none = Value::Null;
    for (fault, status, kind, message, invalid) in [
        (
            Fault::ApiKeyMissing,
            401,
            "access_denied",
            Some("API-KEY header required"),
            &none,
        ),
        (
            Fault::ApiKeyInvalid,
            401,
            "access_denied",
            Some("Invalid api key"),
            &none,
        ),
        (Fault::TokenMissing, 401, "access_denied", Some(no_bearer), &none),
        (
            Fault::TokenInvalid,
            401,
            "access_denied",
            Some("Invalid access token"),
            &none,
        ),
        (Fault::PartyNotVerified, 403, "forbidden", Some(unverified), &none),
        (
            Fault::NoHealthcareService,
            409,
            "request_conflict",
            Some(no_service),
            &none,
        ),
        (Fault::NoRoute, 404, "not_found", None, &none),
        (Fault::NotJson, 400, "request_malformed", Some(broken), &json_rule),
        (
            Fault::TooLarge,
            413,
            "request_too_large",
            Some("Request body is too large."),
            &size_rule,
        ),
        (
            Fault::MediaType,
            415,
            "content_type_invalid",
            Some("Invalid Content-Type header. Send the body as application/json."),
            &header,
        ),
        (Fault::TooManyRequests, 429, "request_limit_reached", None, &none),
        (Fault::Internal, 500, "internal_error", None, &none),
        (Fault::Unavailable, 503, "internal_error", None, &none),
    ] {
        let shown: Value = serde_json::from_str(&fault.render(&request)).unwrap();
        assert_eq!(fault.status(), status);
        assert_eq!(shown["meta"]["code"], status);
        assert_eq!(shown["meta"]["type"], "object");
        assert_eq!(shown["meta"]["request_id"], "r#1");
        assert_eq!(shown["error"]["type"], kind);
        assert_eq!(shown["error"].get("message").and_then(Value::as_str), message);
        assert_eq!(shown["error"].get("invalid").unwrap_or(&Value::Null), invalid);
    }
}

#[test]
fn an_answer_has_the_keys_of_the_documents_example_in_their_order() {
    let world = World::new();
    let at = Timestamp::from_micros(0);
    let kept = Kept {
        created: at,
        created_by: "a",
        updated: at,
        updated_by: "b",
    };
    let shown = read(PREPERSON, Some((&preperson(), &kept)), &world.context()).unwrap();
    let request = Request {
        url: "https://example.com/resource",
        id: "r#1",
        idempotency_key: None,
    };
    let text = ok(&request, &shown);
    assert_eq!(
        text,
        format!(
            "{{\"meta\":{{\"code\":200,\"url\":\"https://example.com/resource\",\"type\":\"object\",\
             \"request_id\":\"r#1\"}},\"data\":{{\"id\":\"{PREPERSON}\",\"external_id\":null,\
             \"first_name\":null,\"last_name\":null,\"second_name\":null,\"gender\":null,\
             \"birth_date\":null,\"emergency_contact\":null,\"note\":null,\"status\":\"ACTIVE\",\
             \"death_date\":null,\"inserted_at\":\"1970-01-01T00:00:00Z\",\"inserted_by\":\"a\",\
             \"updated_at\":\"1970-01-01T00:00:00Z\",\"updated_by\":\"b\"}}}}"
        )
    );
}

#[test]
fn an_id_is_looked_up_in_lower_case() {
    let world = World::new();
    let id = parse_id(&PREPERSON.to_uppercase()).unwrap();
    let found_by = lookup(&id, &world.naming);
    assert_eq!(found_by.value, PREPERSON);
    assert_eq!(
        found_by.system,
        "https://fhir-facade.example/ns/ehealth/preperson-id"
    );
    for text in [
        "",
        "x",
        "7c3da506804d45508993bf17f9ee0402",
        "{7c3da506-804d-4550-8993-bf17f9ee0402}",
    ] {
        assert_eq!(parse_id(text), Err(Fault::NotFound), "{text}");
    }
}

#[test]
fn a_flood_of_faults_is_answered_with_the_first_hundred() {
    let world = World::new();
    let phones: Vec<u8> = vec![1; 50_000];
    let body = json!({
        "emergency_contact": { "first_name": "A", "last_name": "B", "phones": phones },
        "x": 1,
    });
    let body = Body::read(body.to_string().as_bytes()).unwrap();
    let Err(Fault::Invalid(violations)) = read_create(&body, &world.context()) else {
        panic!("refused");
    };
    assert_eq!(violations.len(), MAX_VIOLATIONS);
}

#[test]
fn neither_faults_nor_persons_print() {
    let world = World::new();
    let body = Body::read(br#"{"Petrenko":"+380503410870","birth_date":"Petrenko"}"#).unwrap();
    let fault = update(PREPERSON, &body, Some(&preperson()), &world.context()).unwrap_err();
    let printed = format!("{fault:?}");
    assert!(!printed.contains("Petrenko"), "{printed}");
    assert!(printed.contains("$.birth_date"), "{printed}");
    let body = Body::read(br##"{"external_id":"#1","gender":"MALE","last_name":"Petrenko"}"##).unwrap();
    let create = read_create(&body, &world.context()).unwrap();
    assert!(!format!("{create:?}").contains("Petrenko"));
}

#[test]
fn a_faulty_date_is_not_repeated_at_length() {
    let world = World::new();
    let body = json!({ "external_id": "#1", "gender": "MALE", "birth_date": "9".repeat(100_000) });
    let body = Body::read(body.to_string().as_bytes()).unwrap();
    let fault = read_create(&body, &world.context()).unwrap_err();
    let request = Request {
        url: "u",
        id: "r",
        idempotency_key: None,
    };
    assert!(fault.render(&request).len() < 1_000);
}

#[test]
fn what_is_no_strict_json_is_corrupted_json() {
    let deep = format!("{{\"note\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        &b""[..],
        b"  ",
        b"{",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"{\"note\":\"\xff\"}",
        br#"{"note":"\u0000"}"#,
        br#"{"note":"\ud800"}"#,
        br#"{"note":"\u0007"}"#,
        br#"[{"a":1,"a":1}]"#,
        deep.as_bytes(),
    ] {
        let read = Body::read(body).map(|_| ());
        let start = String::from_utf8_lossy(&body[..body.len().min(20)]);
        assert_eq!(read, Err(Fault::NotJson), "{start}");
    }
}

#[test]
fn a_body_of_another_type_is_named_by_its_type() {
    let world = World::new();
    for (body, actual) in [
        ("null", "null"),
        ("true", "boolean"),
        ("12", "integer"),
        ("1.5", "number"),
        ("\"x\"", "string"),
        ("[]", "array"),
    ] {
        let body = Body::read(body.as_bytes()).unwrap();
        let Err(Fault::Invalid(violations)) = read_create(&body, &world.context()) else {
            panic!("{actual} is refused");
        };
        let [violation] = violations.as_slice() else {
            panic!("one violation");
        };
        assert_eq!(violation.entry, "$");
        let description = format!("type mismatch. Expected object but got {actual}");
        assert_eq!(violation.rule.description(), description);
    }
}

#[test]
fn only_days_that_exist_are_dates() {
    let world = World::new();
    for (day, description) in [
        ("2000-02-29", None),
        ("1900-02-28", None),
        (
            "1900-02-29",
            Some("expected \"1900-02-29\" to be an existing date"),
        ),
        (
            "2023-04-31",
            Some("expected \"2023-04-31\" to be an existing date"),
        ),
        (
            "0000-01-01",
            Some("expected \"0000-01-01\" to be an existing date"),
        ),
        (
            "2023-00-01",
            Some("expected \"2023-00-01\" to be a valid ISO 8601 date"),
        ),
        (
            "2023-01-32",
            Some("expected \"2023-01-32\" to be a valid ISO 8601 date"),
        ),
        (
            "+023-01-01",
            Some("expected \"+023-01-01\" to be a valid ISO 8601 date"),
        ),
        (
            "2023-01-01T00:00:00Z",
            Some("expected \"2023-01-01T00:00:00Z\" to be a valid ISO 8601 date"),
        ),
        ("", Some("expected \"\" to be a valid ISO 8601 date")),
    ] {
        let body = json!({ "external_id": "#1", "gender": "MALE", "birth_date": day });
        let body = Body::read(body.to_string().as_bytes()).unwrap();
        let found = match read_create(&body, &world.context()) {
            Err(Fault::Invalid(violations)) => violations.first().map(|first| first.rule.description()),
            _ => None,
        };
        assert_eq!(found.as_deref(), description, "{day}");
    }
}

#[test]
fn two_edits_of_different_fields_survive_each_other() {
    let world = World::new();
    let change = |body: &str, stored: &Resource| {
        let body = Body::read(body.as_bytes()).unwrap();
        update(PREPERSON, &body, Some(stored), &world.context()).unwrap()
    };
    let (name, born) = (r#"{"last_name":"Коваль"}"#, r#"{"birth_date":"1980-01-01"}"#);
    let one = change(born, &change(name, &preperson()));
    let other = change(name, &change(born, &preperson()));
    assert_eq!(one.get("name"), other.get("name"));
    assert_eq!(one.get("birthDate"), other.get("birthDate"));
    assert_eq!(one.get("birthDate"), Some(&json!("1980-01-01")));
}
