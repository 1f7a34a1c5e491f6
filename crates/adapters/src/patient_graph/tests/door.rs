use fhir::Resource;
use serde_json::{Value, json};

use super::super::{
    Fault, ListParameters, MAX_METADATA_BYTES, Missing, is_shown_as, read_create, read_list, render,
    show_list, show_safe,
};
use super::{BRANDS, ID, body, context, create, created, kept, message, naming, resource, shown};

const KEYS: [&str; 18] = [
    "id",
    "brand_id",
    "first_name",
    "last_name",
    "date_of_birth",
    "gender",
    "email",
    "phone",
    "external_ids",
    "status",
    "metadata",
    "age_verified_at",
    "ruo_pathway_acknowledged_at",
    "researcher_acknowledgement_id",
    "prescription_status",
    "prescription_consult_completed_at",
    "created_at",
    "updated_at",
];

fn keys(json: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(json).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

fn minimal() -> Resource {
    created(&create(&body("")).unwrap(), &naming())
}

#[test]
fn the_answer_has_all_eighteen_keys_in_the_documents_order_even_for_an_empty_patient() {
    assert_eq!(keys(&shown(&minimal(), &naming())), KEYS);
    assert_eq!(keys(&shown(&resource(json!({})), &naming())), KEYS);
}

#[test]
fn the_safe_answer_has_seven_keys_and_no_personal_data() {
    let body = body(r#""date_of_birth":"1815-12-10","email":"ada@example.org","phone":"555","gender":"F""#);
    let naming = naming();
    let patient = created(&create(&body).unwrap(), &naming);
    let safe = render(&show_safe(&patient, &kept(), &context(&naming, "acme")));
    let wanted = [
        "id",
        "brand_id",
        "external_ids",
        "status",
        "metadata",
        "created_at",
        "updated_at",
    ];
    assert_eq!(keys(&safe), wanted);
    for personal in ["Ada", "Lovelace", "1815", "example.org", "555"] {
        assert!(!safe.contains(personal), "{personal}");
    }
}

#[test]
fn a_list_has_its_page_and_the_total_of_all_pages() {
    let naming = naming();
    let patient = minimal();
    let list = render(&show_list([(&patient, kept())], 41, &context(&naming, "acme")));
    let page = format!(r#"{{"patients":[{}],"total":41}}"#, shown(&patient, &naming));
    assert_eq!(list, page);
    let beyond = render(&show_list([], 41, &context(&naming, "acme")));
    assert_eq!(beyond, r#"{"patients":[],"total":41}"#);
}

#[test]
fn a_list_starts_with_twenty_patients_from_the_first() {
    let wanted = ListParameters {
        brand: "loop health".to_owned(),
        limit: 20,
        offset: 0,
    };
    assert_eq!(read_list("brand_id=loop+health", &BRANDS), Ok(wanted.clone()));
    assert_eq!(read_list("brand_id=loop%20health&x=1", &BRANDS), Ok(wanted));
}

#[test]
fn a_list_takes_limits_from_1_to_100_and_any_offset() {
    let read = |query: &str| {
        let read = read_list(&format!("brand_id=acme&{query}"), &BRANDS).unwrap();
        (read.limit, read.offset)
    };
    assert_eq!(read("limit=1&offset=0"), (1, 0));
    assert_eq!(
        read("limit=100&offset=9223372036854775807"),
        (100, i64::MAX.unsigned_abs())
    );
}

#[test]
fn a_list_refuses_parameters_that_are_missing_doubled_or_out_of_range() {
    let refused = |query: &str| {
        let fault = read_list(query, &BRANDS).unwrap_err();
        assert_eq!(fault.status(), 400, "{query}");
        fault.message()
    };
    assert_eq!(refused(""), "brand_id: is required");
    assert_eq!(
        refused("brand_id="),
        "brand_id: must contain at least 1 character"
    );
    let limit = "limit: must be a whole number from 1 to 100";
    for wrong in [
        "0",
        "101",
        "-1",
        "+1",
        "1.0",
        "",
        "x",
        "%2B5",
        "99999999999999999999",
    ] {
        assert_eq!(refused(&format!("brand_id=acme&limit={wrong}")), limit, "{wrong}");
    }
    let offset = "offset: must be a whole number, 0 or more";
    for wrong in ["-1", "1e3", "", "9223372036854775808"] {
        assert_eq!(
            refused(&format!("brand_id=acme&offset={wrong}")),
            offset,
            "{wrong}"
        );
    }
    assert_eq!(
        refused("brand_id=acme&limit=5&limit=5"),
        "limit: must stand only once"
    );
    assert_eq!(
        refused("limit=0&offset=x"),
        format!("brand_id: is required; {limit}; {offset}")
    );
    assert!(refused("brand_id=acme&limit=%zz").starts_with("query: "));
}

#[test]
fn a_brand_of_another_token_is_forbidden_before_anything_else_is_looked_at() {
    let list = read_list("brand_id=theirs&limit=0", &BRANDS);
    assert_eq!(list, Err(Fault::ForeignBrand));
    let create = create(r#"{"brand_id":"theirs","first_name":""}"#);
    assert_eq!(create, Err(Fault::ForeignBrand));
    assert_eq!(Fault::ForeignBrand.status(), 403);
}

#[test]
fn every_refusal_has_exactly_the_keys_error_and_message() {
    let all = [
        (Fault::Validation(Vec::new()), 400, "validation_error"),
        (Fault::Unauthenticated, 401, "unauthenticated"),
        (Fault::InvalidToken, 401, "invalid_token"),
        (Fault::InsufficientScope, 403, "insufficient_scope"),
        (Fault::ForeignBrand, 403, "insufficient_scope"),
        (Fault::NotFound(Missing::Patient), 404, "not_found"),
        (Fault::NotFound(Missing::Route), 404, "not_found"),
        (Fault::MethodNotAllowed, 405, "method_not_allowed"),
        (Fault::Duplicate, 409, "duplicate_patient"),
        (Fault::Conflict, 409, "conflict"),
        (Fault::PreconditionFailed, 412, "precondition_failed"),
        (
            Fault::PayloadTooLarge { bytes: 2_097_152 },
            413,
            "payload_too_large",
        ),
        (Fault::UnsupportedMediaType, 415, "unsupported_media_type"),
        (Fault::RateLimited, 429, "rate_limited"),
        (Fault::Internal, 500, "internal_error"),
        (Fault::Unavailable, 503, "service_unavailable"),
    ];
    for (fault, status, code) in all {
        assert_eq!(fault.status(), status, "{fault:?}");
        let body: Value = serde_json::from_str(&fault.render()).unwrap();
        assert_eq!(keys(&fault.render()), ["error", "message"], "{fault:?}");
        assert_eq!(body["error"], code);
    }
}

#[test]
fn all_faulty_fields_are_named_at_once() {
    let told =
        message(r#"{"first_name":"","last_name":5,"date_of_birth":null,"email":"","external_ids":{"a":5}}"#);
    let wanted = "brand_id: is required; first_name: must contain at least 1 character; \
                  last_name: must be a string; date_of_birth: must be a string; \
                  email: must be an e-mail address; external_ids.a: must be a string";
    assert_eq!(told, wanted);
}

#[test]
fn texts_hold_255_characters_and_not_256() {
    let long = |count: usize| "é".repeat(count);
    for field in ["gender", "phone"] {
        assert!(create(&body(&format!(r#""{field}":"{}""#, long(255)))).is_ok());
        let told = message(&body(&format!(r#""{field}":"{}""#, long(256))));
        assert_eq!(told, format!("{field}: must contain at most 255 characters"));
    }
    let pair = |key: usize, value: usize| {
        body(&format!(
            r#""external_ids":{{"{}":"{}"}}"#,
            long(key),
            long(value)
        ))
    };
    assert!(create(&pair(255, 255)).is_ok());
    assert!(message(&pair(256, 1)).ends_with("…: must have a key of at most 255 characters"));
    assert!(message(&pair(1, 256)).ends_with("must contain at most 255 characters"));
    let email = |count: usize| body(&format!(r#""email":"{}@b.c""#, "a".repeat(count - 4)));
    assert!(create(&email(254)).is_ok());
    assert_eq!(message(&email(255)), "email: must be an e-mail address");
}

#[test]
fn external_ids_hold_64_entries_and_not_65() {
    let many = |count: usize| {
        let entries: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"v""#)).collect();
        body(&format!(r#""external_ids":{{{}}}"#, entries.join(",")))
    };
    assert!(create(&many(64)).is_ok());
    assert_eq!(message(&many(65)), "external_ids: must have at most 64 entries");
}

#[test]
fn metadata_holds_64_kib_without_the_blanks_between_and_no_more() {
    let sized = |bytes: usize| {
        let text = "x".repeat(bytes - r#"{"a":""}"#.len());
        body(&format!(r#""metadata": {{ "a" : "{text}" }}"#))
    };
    assert!(create(&sized(MAX_METADATA_BYTES)).is_ok());
    let told = message(&sized(MAX_METADATA_BYTES + 1));
    assert_eq!(told, "metadata: must not be larger than 65536 bytes");
}

#[test]
fn metadata_comes_back_in_its_digits_order_and_escapes() {
    let text = r#"{"z":1.0,"a":[1e400,-0,1E+3,0.10,18446744073709551617],"__proto__":{"":null},"é":"\u00e9 \" {","":[[],{}]}"#;
    let spaced = text.replace(":[", " : [ ").replace(",\"", " ,\n\t\"");
    for sent in [text, &spaced] {
        // The key itself may be written with escapes.
        for key in ["metadata", "met\\u0061data"] {
            let read = create(&body(&format!(r#""x":"\"metadata\":{{}}","{key}":{sent} "#))).unwrap();
            let patient = created(&read, &naming());
            let answer = shown(&patient, &naming());
            assert!(answer.contains(&format!(r#""metadata":{text},"age"#)), "{answer}");
        }
    }
}

#[test]
fn metadata_that_pretends_to_be_a_number_stays_an_object() {
    let text = r#"{"a":{"$serde_json::private::Number":"1"},"b":{"$serde_json::private::RawValue":"[]"}}"#;
    let read = create(&body(&format!(r#""metadata":{text}"#))).unwrap();
    assert!(shown(&created(&read, &naming()), &naming()).contains(text));
}

#[test]
fn a_body_nested_ten_thousand_deep_is_refused() {
    let deep = body(&format!(
        r#""metadata":{}{}"#,
        r#"{"a":"#.repeat(10_000),
        "}".repeat(10_000)
    ));
    assert_eq!(message(&deep), "body: must not nest deeper than 64 levels");
}

#[test]
fn a_body_that_is_no_json_object_is_refused_in_the_doors_shape() {
    for wrong in [
        "",
        "  ",
        "[]",
        "5",
        "null",
        "{",
        "{}}",
        "\u{feff}{}",
        r#"{"a":"\ud800"}"#,
    ] {
        assert!(message(wrong).starts_with("body: "), "{wrong}");
    }
    let fault = read_create(b"{\"a\":\"\xff\"}", &BRANDS).unwrap_err();
    assert_eq!(fault.message(), "body: must be UTF-8 without a byte order mark");
}

#[test]
fn e_mail_addresses_are_taken_by_their_form() {
    for right in ["a@b", "a.b+c@example.org", "ü@bücher.example", "o'neil@x-y.z"] {
        assert!(create(&body(&format!(r#""email":"{right}""#))).is_ok(), "{right}");
    }
    for wrong in [
        "", " ", "a", "@b", "a@", "a@b@c", "a b@c", "a@b..c", "a@.b", "a@b.", "a@b\\t",
    ] {
        let told = message(&body(&format!(r#""email":"{wrong}""#)));
        assert_eq!(told, "email: must be an e-mail address", "{wrong}");
    }
}

#[test]
fn birth_dates_are_taken_when_they_stand_on_the_calendar() {
    for right in ["1988-02-29", "0001-01-01", "2999-12-31", "9999-12-31"] {
        assert!(
            create(&body(&format!(r#""date_of_birth":"{right}""#))).is_ok(),
            "{right}"
        );
    }
    let wrong = [
        "1989-02-29",
        "1988-2-3",
        "+1988-02-3",
        "1988",
        "1988-02",
        "0000-01-01",
        "1988-02-03T00:00Z",
    ];
    for wrong in wrong {
        let told = message(&body(&format!(r#""date_of_birth":"{wrong}""#)));
        assert_eq!(
            told, "date_of_birth: must be a date that exists, YYYY-MM-DD",
            "{wrong}"
        );
    }
}

#[test]
fn a_patient_is_known_by_the_id_it_is_shown_with_and_no_other() {
    let naming = naming();
    let context = context(&naming, "acme");
    assert!(is_shown_as(&minimal(), ID, &context));
    let mut moved = minimal();
    moved.set_id(&fhir::Id::parse("other").unwrap());
    assert!(is_shown_as(&moved, ID, &context));
    assert!(!is_shown_as(&moved, "other", &context));
    assert!(is_shown_as(&resource(json!({ "id": "p1" })), "p1", &context));
}

#[test]
fn personal_data_never_reaches_a_log_by_debug() {
    let body = body(r#""email":"ada@example.org","metadata":{"note":"secret"}"#);
    let create = create(&body).unwrap();
    let naming = naming();
    let patient = super::super::show(&created(&create, &naming), &kept(), &context(&naming, "acme"));
    let text = format!("{create:?} {patient:?} {:?}", patient.metadata);
    for personal in ["Ada", "Lovelace", "example.org", "secret"] {
        assert!(!text.contains(personal), "{personal}");
    }
}
