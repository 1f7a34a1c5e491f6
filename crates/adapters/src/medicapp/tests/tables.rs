//! Edge cases that are lists of values.

use fhir::interaction::Judgement;
use fhir::query::{Criteria, matcher};
use fhir::{Id, Resource, Timestamp};
use serde_json::{Value, json};

use super::{FRESH_ID, KEPT, TODAY, TRUST_SPACES, World, patient};
use crate::medicapp::nir::{Nir, Rang};
use crate::medicapp::{
    Fault, FutureBirth, KeyConflict, LockedFields, MatchIns, NirSystem, PerPageOver, TemplateFhir, Violation,
    cloud, connect, is_visible,
};
use crate::naming::{INS_NIR, NSS_NIR};

fn request(field: &str, value: Value) -> Vec<u8> {
    let mut body = json!({
        "trustSpaceUuid": "ts_xxxxxxxxxxxx",
        "firstName": "Sophie",
        "lastName": "Bernard",
        "birthDate": "1988-11-03",
        "gender": "F",
    });
    body[field] = value;
    body.to_string().into_bytes()
}

fn create(world: &World, field: &str, value: Value) -> Result<cloud::Create, Fault> {
    cloud::read_create(&request(field, value), &world.rules(), &TRUST_SPACES)
}

fn faulty(fault: &Fault) -> Vec<&str> {
    match fault {
        Fault::Invalid(violations) => violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect(),
        other => panic!("{other:?} is about no field"),
    }
}

#[track_caller]
fn assert_refused(field: &str, value: Value, named: &str) {
    let fault = create(&World::new(), field, value.clone()).expect_err(&value.to_string());
    assert_eq!(faulty(&fault), [named], "{value}");
}

#[track_caller]
fn assert_taken(field: &str, value: Value) {
    let taken = create(&World::new(), field, value.clone());
    assert!(taken.is_ok(), "{value}: {taken:?}");
}

#[test]
fn c05_to_c08_a_nir_is_taken_by_its_form_and_key() {
    for nir in [
        "188110375001686",
        "185052A004123",
        "185052a00412356",
        "285052B03300755",
        "169056912345649",
        "288117505601694",
        "788017505600187",
        "199059940432147",
        "2881175056016",
        "1690569123456",
    ] {
        assert_taken("identificationKey", json!({ "nir": nir, "rang": "01" }));
    }
    for nir in [
        "188110375001687",
        "185052A00412357",
        "185052C004123",
        "18505A2004123",
        "1850524A04123",
        "18811037500168",
        "1881103750016860",
        "1 88 11 037 500 16",
        "1.88.11.03.75.001.6",
        "5881103750016",
        "9881103750016",
        "0881103750016",
        "",
        "é881103750016",
    ] {
        assert_refused(
            "identificationKey",
            json!({ "nir": nir }),
            "identificationKey.nir",
        );
    }
}

#[test]
fn the_published_keys_of_nirs_are_computed() {
    for (body, key) in [
        ("1881103750016", "86"),
        ("2690549588157", "80"),
        ("185052A004123", "56"),
        ("285052B033007", "55"),
        ("1690569123456", "49"),
        ("2881175056016", "94"),
        ("7880175056001", "87"),
        ("1990599404321", "47"),
    ] {
        let nir = Nir::parse(body).expect("a NIR");
        assert_eq!(nir.with_key(), format!("{body}{key}"));
        assert_eq!(Nir::parse(&nir.with_key()).expect("a NIR").body(), body);
    }
}

#[test]
fn c10_a_rang_is_a_string_of_one_or_two_digits_from_01_on() {
    for (text, shown) in [("1", "01"), ("01", "01"), ("9", "09"), ("99", "99")] {
        assert_eq!(Rang::parse(text).expect("a rang").to_string(), shown);
    }
    for rang in [
        json!("00"),
        json!("0"),
        json!("100"),
        json!("A1"),
        json!(1),
        json!(""),
        json!("+1"),
        json!("٣"),
    ] {
        let key = json!({ "nir": "1881103750016", "rang": rang });
        assert_refused("identificationKey", key, "identificationKey.rang");
    }
}

#[test]
fn c13_an_empty_key_is_none_and_another_kind_is_refused() {
    for key in [
        json!({}),
        json!(null),
        json!({ "nir": null, "rang": null }),
        json!({ "other": 1 }),
    ] {
        assert_taken("identificationKey", key);
    }
    for key in [json!([]), json!("1881103750016"), json!(1), json!(false)] {
        assert_refused("identificationKey", key, "identificationKey");
    }
}

#[test]
fn c22_the_clouds_gender_is_exactly_m_f_or_u() {
    for gender in [
        json!("O"),
        json!("m"),
        json!(""),
        json!("X"),
        json!(null),
        json!("male"),
        json!(1),
    ] {
        assert_refused("gender", gender, "gender");
    }
    for gender in ["M", "F", "U"] {
        assert_taken("gender", json!(gender));
    }
}

#[test]
fn c23_a_date_of_birth_is_full_exists_and_is_not_after_today() {
    for date in [
        "1988-02-30",
        "1988-2-3",
        "03/11/1988",
        "1988-11",
        "1988",
        "1988-11-03T00:00:00Z",
        "1988-11-03 ",
        "2026-11-22",
        "1900-02-29",
        "0000-01-01",
        "+988-11-03",
        "19881103",
        "",
    ] {
        assert_refused("birthDate", json!(date), "birthDate");
    }
    for date in ["2000-02-29", TODAY, "1900-01-01"] {
        assert_taken("birthDate", json!(date));
    }
    let mut world = World::new();
    world.switches.future_birth = FutureBirth::Take;
    assert!(create(&world, "birthDate", json!("2026-11-22")).is_ok());
}

#[test]
fn c24_a_phone_is_e164_as_sent() {
    for phone in [
        "0612345678",
        "+33 612345678",
        "+033612345678",
        "+1234567890123456",
        "+",
        "+1",
        "+٣٣٦",
        "",
    ] {
        assert_refused("phone", json!(phone), "phone");
    }
    for phone in ["+33612345678", "+123456789012345", "+12"] {
        assert_taken("phone", json!(phone));
    }
}

#[test]
fn n28_an_email_has_one_at_sign_between_two_texts_and_254_characters_at_most() {
    let long = |length: usize| format!("{}@x.fr", "a".repeat(length - 5));
    for email in [
        long(255).as_str(),
        "a@b@c",
        "a",
        "",
        "@b",
        "a@",
        "a b@c",
        "a@b\u{a0}c",
    ] {
        assert_refused("email", json!(email), "email");
    }
    for email in [long(254).as_str(), "jürgen@bücher.example", "a+tag@b.fr"] {
        assert_taken("email", json!(email));
    }
}

#[test]
fn x04_names_and_external_ids_hold_255_characters_and_are_not_blank() {
    for field in ["firstName", "lastName", "externalId"] {
        assert_taken(field, json!("é".repeat(255)));
        assert_refused(field, json!("é".repeat(256)), field);
        for blank in ["", " ", "\t\n"] {
            assert_refused(field, json!(blank), field);
        }
        for number in [json!(4821), json!(true), json!(["x"]), json!({})] {
            assert_refused(field, number, field);
        }
    }
    for text in ["👩‍⚕️", "E\u{301}", "\u{200f}שרה", "Іван", "李", "a\tb", " lead"] {
        assert_taken("firstName", json!(text));
    }
}

#[test]
fn x05_to_x07_what_parsers_read_differently_is_no_json_here() {
    let world = World::new();
    for body in [
        &b"{\"firstName\":\"Sophie\",\"firstName\":\"X\"}"[..],
        b"{\"firstName\":\"\\u0000\"}",
        b"{\"firstName\":\"\\ud800\"}",
        b"[]",
        b"null",
        b"",
        b"{\"firstName\":\"Sophie\"",
    ] {
        for fault in [
            cloud::read_create(body, &world.rules(), &TRUST_SPACES).expect_err("no JSON"),
            connect::read_create(body, &world.rules()).expect_err("no JSON"),
            cloud::read_update(body).expect_err("no JSON"),
            connect::read_update(body).expect_err("no JSON"),
        ] {
            assert_eq!((fault.status(), fault.code()), (400, "INVALID_JSON"));
        }
    }
}

#[test]
fn one_answer_names_all_faulty_fields() {
    let world = World::new();
    let body =
        json!({ "gender": "O", "phone": 1, "email": "", "identificationKey": { "nir": "1", "rang": "0" } });
    let fault =
        cloud::read_create(body.to_string().as_bytes(), &world.rules(), &TRUST_SPACES).expect_err("faulty");
    assert_eq!(
        faulty(&fault),
        [
            "trustSpaceUuid",
            "firstName",
            "lastName",
            "birthDate",
            "gender",
            "email",
            "phone",
            "identificationKey.nir",
            "identificationKey.rang",
        ]
    );
    let message = fault.message();
    assert!(
        message.contains("lastName is required; birthDate is required"),
        "{message}"
    );
}

#[test]
fn c31_a_foreign_trust_space_is_answered_like_an_unknown_one() {
    let world = World::new();
    for name in ["ts_foreign", "ts_unknown"] {
        let fault = create(&world, "trustSpaceUuid", json!(name)).expect_err("not ours");
        assert_eq!((fault.status(), fault.code()), (404, "TRUST_SPACE_NOT_FOUND"));
        assert_eq!(fault.message(), format!("Trust space {name} not found"));
    }
    for name in [
        json!(null),
        json!(""),
        json!("a/b"),
        json!("é"),
        json!("x".repeat(65)),
        json!(1),
    ] {
        assert_refused("trustSpaceUuid", name, "trustSpaceUuid");
    }
}

fn keyed(value: Value) -> Resource {
    patient(json!({
        "resourceType": "Patient",
        "identifier": value,
        "name": [{ "family": "BERNARD", "given": ["sophie"] }],
        "birthDate": "1988-11-03",
    }))
}

fn matches(criteria: &Criteria, patient: &Resource) -> bool {
    matcher::matches(criteria, patient, &Id::parse("1").expect("an id"), KEPT.updated)
}

fn found(patient: &Resource, create: &cloud::Create, world: &World) -> Vec<bool> {
    cloud::criteria(create, &world.rules())
        .iter()
        .map(|criteria| matches(criteria, patient))
        .collect()
}

#[test]
fn the_criteria_of_a_create_find_every_candidate_that_is_judged() {
    let world = World::new();
    let base = world.naming.base();
    let mut body: Value = serde_json::from_slice(&request("externalId", json!("EMP-1"))).expect("JSON");
    body["identificationKey"] = json!({ "nir": "1881103750016", "rang": "1" });
    let create =
        cloud::read_create(body.to_string().as_bytes(), &world.rules(), &TRUST_SPACES).expect("valid");
    let own = json!([{ "system": format!("{base}/medicapp/nir-rang"), "value": "1881103750016-01" }]);
    assert_eq!(found(&keyed(own), &create, &world), [true, false, true]);
    let ins = json!([{ "system": INS_NIR, "value": "188110375001686" }]);
    assert_eq!(found(&keyed(ins), &create, &world), [true, false, true]);
    let system = world.naming.trust_space_external_id("ts_xxxxxxxxxxxx");
    let external = json!([{ "system": system, "value": "EMP-1" }]);
    assert_eq!(found(&keyed(external), &create, &world), [false, true, true]);
    let other = json!([{ "system": world.naming.trust_space_external_id("ts_other"), "value": "EMP-1" }]);
    assert_eq!(found(&keyed(other), &create, &world), [false, false, true]);
}

#[test]
fn c17_names_are_compared_without_case_accents_and_blanks() {
    let key = |last, first| cloud::match_key(last, first, "1988-11-03");
    assert_eq!(key("BÉRNARD", "SOPHIE "), key("Be\u{301}rnard", "Sophie"));
    assert_eq!(key("De  La Tour", "Jean"), key("de la tour", "JEAN"));
    assert_ne!(key("Bernard", "Sophie"), key("Sophie", "Bernard"));
    assert_ne!(key("a", "b c"), key("a b", "c"));
    let world = World::new();
    let create = create(&world, "lastName", json!("Be\u{301}rnard")).expect("valid");
    assert_eq!(create.match_key(), key("BERNARD", "sophie"));
}

#[test]
fn the_judge_of_a_post_says_what_the_table_does() {
    let mut world = World::new();
    let base = world.naming.base().to_owned();
    let holder = keyed(json!([
        { "system": world.naming.trust_space_external_id("ts_xxxxxxxxxxxx"), "value": "EMP-1" },
        { "system": format!("{base}/medicapp/nir-rang"), "value": "2690549588157-01" },
    ]));
    let mut body: Value = serde_json::from_slice(&request("externalId", json!("EMP-1"))).expect("JSON");
    body["identificationKey"] = json!({ "nir": "1881103750016", "rang": "1" });
    let body = body.to_string();
    let stranger = patient(json!({ "resourceType": "Patient" }));
    let candidates = [stranger.clone(), holder];
    for (switch, expected) in [
        (
            KeyConflict::Warn,
            Judgement::Found {
                position: 1,
                remark: Some(cloud::Warning::KeyDiffers.text()),
            },
        ),
        (
            KeyConflict::Refuse,
            Judgement::Refuse(Fault::IdentificationKeyConflict.refusal()),
        ),
    ] {
        world.switches.key_conflict = switch;
        let create = cloud::read_create(body.as_bytes(), &world.rules(), &TRUST_SPACES).expect("valid");
        let wanted = cloud::find_or_create(&create, "pat_1", &world.rules());
        assert_eq!(wanted.searches.len(), 3);
        assert_eq!(wanted.alone, [create.match_key()]);
        assert_eq!((wanted.judge)(&candidates), expected);
    }
    let create = create(&world, "externalId", Value::Null).expect("valid");
    let wanted = cloud::find_or_create(&create, "pat_1", &world.rules());
    assert_eq!(
        wanted.searches.len(),
        1,
        "without keys name and date are the only step"
    );
    assert_eq!((wanted.judge)(&[stranger]), Judgement::Create { remark: None });
}

#[test]
fn c33_an_ins_counts_only_where_the_switch_says_so() {
    let mut world = World::new();
    let ins = keyed(json!([{
        "type": { "coding": [{ "code": "INS-NIR" }] },
        "system": INS_NIR,
        "value": "188110375001686",
    }]));
    let key = json!({ "nir": "1881103750016", "rang": "01" });
    let create = create(&world, "identificationKey", key).expect("valid");
    let verdict = cloud::judge(&create, &[&ins], &world.rules());
    assert_eq!(
        verdict,
        cloud::Verdict::Found {
            position: 0,
            warning: None
        }
    );
    world.switches.match_ins = MatchIns::Off;
    let verdict = cloud::judge(&create, &[&ins], &world.rules());
    assert_eq!(
        verdict,
        cloud::Verdict::Found {
            position: 0,
            warning: Some(cloud::Warning::MatchedByName)
        }
    );
}

#[test]
fn the_nir_is_written_under_the_system_that_the_switch_names_and_never_as_ins() {
    let mut world = World::new();
    for (switch, system) in [(NirSystem::Nss, NSS_NIR), (NirSystem::Ins, INS_NIR)] {
        world.switches.nir_system = switch;
        let key = json!({ "nir": "1881103750016", "rang": "01" });
        let create = create(&world, "identificationKey", key).expect("valid");
        let made = cloud::to_fhir(&create, FRESH_ID, &world.rules());
        let nir = &made.list("identifier")[2];
        assert_eq!(nir["system"], system);
        assert_eq!(nir["value"], "188110375001686");
        assert_eq!(nir["type"]["coding"][0]["code"], "NH");
        let context = create.context(world.rules());
        let shown = cloud::show_created(&made, &KEPT, &context, None);
        assert_eq!(shown.identification_key.expect("a key").nir, "1881103750016");
    }
}

#[test]
fn c26_locked_fields_are_passed_over_where_the_switch_says_so() {
    let mut world = World::new();
    let stored = keyed(json!([{ "system": "s", "value": "v" }]));
    let update = cloud::read_update(br#"{"lastName":"Martin","email":"a@b.fr"}"#).expect("JSON");
    let fault = cloud::apply(&update, &stored, &world.cloud()).expect_err("locked");
    assert_eq!((fault.status(), fault.code()), (400, "FIELD_LOCKED"));
    world.switches.locked_fields = LockedFields::Ignore;
    let changed = cloud::apply(&update, &stored, &world.cloud()).expect("taken");
    assert_eq!(changed.list("name"), stored.list("name"));
    assert_eq!(changed.list("telecom")[0]["value"], "a@b.fr");
}

#[test]
fn c26_an_equal_locked_field_is_refused_where_the_switch_says_so() {
    let mut world = World::new();
    let stored = keyed(json!([{ "system": "s", "value": "v" }]));
    let update = cloud::read_update(br#"{"lastName":"BERNARD"}"#).expect("JSON");
    cloud::apply(&update, &stored, &world.cloud()).expect("taken");
    world.switches.locked_fields = LockedFields::RefuseAlways;
    let fault = cloud::apply(&update, &stored, &world.cloud()).expect_err("locked");
    assert_eq!((fault.status(), fault.code()), (400, "FIELD_LOCKED"));
}

#[test]
fn c28_a_put_says_which_identifiers_it_claims() {
    let world = World::new();
    let stored = keyed(json!([{ "system": "s", "value": "v" }]));
    let body = br#"{"externalId":"EMP-9","identificationKey":{"nir":"188110375001686","rang":"2"}}"#;
    let update = cloud::read_update(body).expect("JSON");
    let claims: Vec<(String, u16)> = cloud::claims(&update, &stored, &world.cloud())
        .into_iter()
        .map(|(identifier, fault)| (identifier.value, fault.status()))
        .collect();
    assert_eq!(
        claims,
        [("EMP-9".to_owned(), 409), ("1881103750016-02".to_owned(), 409)]
    );
    let update = connect::read_update(br#"{"externalId":"IPP-9"}"#).expect("JSON");
    let claims = connect::claims(&update, &stored, &world.connect());
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].0.system, world.naming.space_external_id("main"));
    assert_eq!(
        Fault::of_owned(&claims[0].0.system, &world.naming),
        Fault::ExternalIdConflict
    );
    assert_eq!(
        Fault::of_owned(&world.naming.nir_rang(), &world.naming),
        Fault::IdentificationKeyConflict
    );
}

#[test]
fn a_cloud_search_needs_one_complete_key() {
    let world = World::new();
    let find = |query: &str| cloud::read_find(query, &TRUST_SPACES);
    for query in [
        "trustSpaceUuid=ts_other",
        "trustSpaceUuid=ts_other&nir=1881103750016",
        "trustSpaceUuid=ts_other&rang=01",
        "trustSpaceUuid=ts_other&nir=1881103750016&rang=01&externalId=E",
        "trustSpaceUuid=ts_other&externalId=",
        "trustSpaceUuid=ts_other&externalId=%FF",
        "externalId=E",
        "",
    ] {
        assert_eq!(
            find(query).expect_err(query).code(),
            "VALIDATION_ERROR",
            "{query}"
        );
    }
    assert_eq!(
        find("trustSpaceUuid=no&externalId=E")
            .expect_err("foreign")
            .status(),
        404
    );
    let holder = keyed(json!([
        { "system": world.naming.trust_space_external_id("ts_other"), "value": "É 1" },
        { "system": world.naming.nir_rang(), "value": "1881103750016-01" },
    ]));
    for query in [
        "trustSpaceUuid=ts_other&externalId=%C3%89+1",
        "nir=188110375001686&trustSpaceUuid=ts_xxxxxxxxxxxx&rang=1&unknown=x",
        "externalId=x&trustSpaceUuid=ts_other&externalId=%C3%89%201",
    ] {
        let search = find(query).expect(query);
        let criteria = search.criteria(&world.rules()).expect("criteria");
        assert!(matches(&criteria, &holder), "{query}");
        assert_eq!(cloud::find(&search, &[&holder], &world.rules()), Ok(0), "{query}");
        let none = cloud::find(&search, &[], &world.rules());
        assert_eq!(none, Err(Fault::PatientNotFound(None)));
    }
}

fn page(query: &str) -> Result<connect::Page, Fault> {
    connect::read_page(query, &World::new().rules())
}

#[test]
fn n16_pages_are_whole_numbers_from_1_on_and_sizes_are_lowered_to_100() {
    for query in [
        "page=0",
        "page=-1",
        "page=abc",
        "page=",
        "page=1.5",
        "page=+1",
        "per_page=0",
        "per_page=x",
    ] {
        let fault = page(query).expect_err(query);
        assert_eq!(
            faulty(&fault),
            [query.split('=').next().expect("a name")],
            "{query}"
        );
    }
    let of = |query: &str| {
        let page = page(query).expect(query);
        (page.page, page.per_page, page.offset())
    };
    assert_eq!(of(""), (1, 20, Some(0)));
    assert_eq!(of("page=3&per_page=50&x=y"), (3, 50, Some(100)));
    assert_eq!(of("per_page=101"), (1, 100, Some(0)));
    assert_eq!(of("per_page=100"), (1, 100, Some(0)));
    assert_eq!(of("page=9223372036854775807"), (i64::MAX as u64, 20, None));
    assert_eq!(of("page=99999999999999999999999"), (u64::MAX, 20, None));
    assert_eq!(of("page=2&page=4"), (4, 20, Some(60)));
    let mut world = World::new();
    world.switches.per_page_over = PerPageOver::Refuse;
    let fault = connect::read_page("per_page=101", &world.rules()).expect_err("over");
    assert_eq!(faulty(&fault), ["per_page"]);
}

#[test]
fn n17_the_last_page_may_be_short_and_no_patient_is_no_page() {
    let page = page("").expect("a page");
    for (total, pages) in [(847, 43), (0, 0), (40, 2), (1, 1), (20, 1), (21, 2)] {
        let pagination = page.pagination(total);
        assert_eq!((pagination.total, pagination.total_pages), (total, pages));
    }
    let listing = connect::Listing {
        data: Vec::<u8>::new(),
        pagination: page.pagination(847),
    };
    assert_eq!(
        serde_json::to_string(&listing).expect("JSON"),
        r#"{"data":[],"pagination":{"page":1,"perPage":20,"total":847,"totalPages":43}}"#
    );
}

#[test]
fn n19_points_in_time_are_dates_or_date_times_with_or_without_offset() {
    let start = 1_705_276_800_000_000; // 2024-01-15T00:00:00Z
    let hour = 3_600_000_000;
    for (text, micros) in [
        ("2024-01-15", start),
        ("2024-01-15T09:30:00Z", start + hour * 19 / 2),
        ("2024-01-15T09:30:00", start + hour * 19 / 2),
        ("2024-01-15T09:30:00+01:00", start + hour * 17 / 2),
        ("2024-01-15T09:30:00%2B01:00", start + hour * 17 / 2),
        ("2024-01-15T09%3A30%3A00.000001-01:00", start + hour * 21 / 2 + 1),
    ] {
        for name in ["created_after", "modified_after"] {
            let page = page(&format!("{name}={text}")).expect(text);
            let point = if name == "created_after" {
                page.created_after
            } else {
                page.modified_after
            };
            assert_eq!(point, Some(Timestamp::from_micros(micros)), "{text}");
        }
    }
    for text in [
        "2024-13-01",
        "2024-01",
        "2024",
        "",
        "yesterday",
        "2024-01-15T25:00:00Z",
        "1705276800",
    ] {
        let fault = page(&format!("created_after={text}&modified_after={text}")).expect_err(text);
        assert_eq!(faulty(&fault), ["created_after", "modified_after"], "{text}");
    }
}

#[test]
fn n21_the_template_is_exactly_fhir() {
    assert_eq!(page("").expect("a page").template, connect::Template::Native);
    assert_eq!(
        page("template=FHIR").expect("a page").template,
        connect::Template::Fhir
    );
    for template in ["fhir", "XML", ""] {
        assert_eq!(
            faulty(&page(&format!("template={template}")).expect_err("unknown")),
            ["template"]
        );
    }
    let mut world = World::new();
    world.switches.template_fhir = TemplateFhir::Refused;
    assert!(connect::read_page("template=FHIR", &world.rules()).is_err());
}

#[test]
fn n22_and_n23_the_answers_to_delete_and_to_a_foreign_id_are_the_documented_ones() {
    assert_eq!(
        serde_json::to_string(&connect::deleted("pat_d4e5f6a7")).expect("JSON"),
        r#"{"deleted":true,"id":"pat_d4e5f6a7"}"#
    );
    assert_eq!(
        Fault::PatientNotFound(Some("pat_d4e5f6a7".to_owned())).render("req_abc123def456"),
        concat!(
            r#"{"error":{"code":"PATIENT_NOT_FOUND","status":404,"#,
            r#""message":"Patient pat_d4e5f6a7 not found in your space","requestId":"req_abc123def456"}}"#
        )
    );
}

#[test]
fn every_fault_has_its_status_and_a_message() {
    let rows = [
        (Fault::Unauthorized, 401, "UNAUTHORIZED"),
        (Fault::Forbidden, 403, "FORBIDDEN"),
        (Fault::NotFound, 404, "NOT_FOUND"),
        (Fault::PatientNotFound(None), 404, "PATIENT_NOT_FOUND"),
        (Fault::MethodNotAllowed, 405, "METHOD_NOT_ALLOWED"),
        (Fault::ExternalIdConflict, 409, "EXTERNAL_ID_CONFLICT"),
        (
            Fault::IdentificationKeyConflict,
            409,
            "IDENTIFICATION_KEY_CONFLICT",
        ),
        (Fault::VersionConflict, 409, "VERSION_CONFLICT"),
        (Fault::PreconditionFailed, 412, "PRECONDITION_FAILED"),
        (Fault::PayloadTooLarge, 413, "PAYLOAD_TOO_LARGE"),
        (Fault::UnsupportedMediaType, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (Fault::RateLimited, 429, "RATE_LIMIT_EXCEEDED"),
        (Fault::Internal, 500, "INTERNAL_ERROR"),
        (Fault::Unavailable, 503, "SERVICE_UNAVAILABLE"),
    ];
    for (fault, status, code) in rows {
        assert_eq!((fault.status(), fault.code()), (status, code));
        let body: Value = serde_json::from_str(&fault.render("req_1")).expect("JSON");
        let keys: Vec<&String> = body["error"].as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["code", "status", "message", "requestId"]);
        assert_eq!(body["error"]["status"], json!(status));
    }
    let long = Fault::PatientNotFound(Some("é".repeat(5_000)));
    assert!(long.message().chars().count() < 200, "an echo is bounded");
}

#[test]
fn n29_a_replaced_patient_is_not_shown_and_an_inactive_one_is() {
    let replaced = json!({
        "resourceType": "Patient",
        "active": false,
        "link": [{ "other": { "reference": "Patient/1" }, "type": "replaced-by" }],
    });
    assert!(!is_visible(&patient(replaced)));
    let survivor = json!({
        "resourceType": "Patient",
        "link": [{ "other": { "reference": "Patient/1" }, "type": "replaces" }],
    });
    assert!(is_visible(&patient(survivor)));
    assert!(is_visible(&patient(
        json!({ "resourceType": "Patient", "active": false })
    )));
}

#[test]
fn nothing_of_a_person_is_printed() {
    let world = World::new();
    let key = json!({ "nir": "1881103750016", "rang": "01" });
    let create = create(&world, "identificationKey", key).expect("valid");
    let update = connect::read_update(&request("phone", json!("+33612345678"))).expect("JSON");
    let find = cloud::read_find("trustSpaceUuid=ts_other&externalId=Sophie", &TRUST_SPACES).expect("valid");
    let fault = connect::read_create(&request("email", json!("Sophie")), &world.rules()).expect_err("faulty");
    let printed = format!("{create:?} {update:?} {find:?} {fault:?} {}", fault.message());
    for secret in ["Sophie", "Bernard", "1988", "1881103750016", "+336"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let violation = Violation {
        field: "email".to_owned(),
        problem: "is required".to_owned(),
    };
    assert_eq!(violation.to_string(), "email is required");
}

#[test]
fn every_identifier_system_of_the_doors_is_published_as_the_code_names_it() {
    let naming = World::new().naming;
    let of_space = |system: String| system.replace("%7B", "{").replace("%7D", "}");
    for (file, system) in [
        (
            include_str!("../../../../../profiles/naming-systems/medicapp-patient-id.json"),
            naming.medicapp_patient_id(),
        ),
        (
            include_str!("../../../../../profiles/naming-systems/medicapp-nir-rang.json"),
            naming.nir_rang(),
        ),
        (
            include_str!("../../../../../profiles/naming-systems/medicapp-trust-space-external-id.json"),
            of_space(naming.trust_space_external_id("{trust-space}")),
        ),
        (
            include_str!("../../../../../profiles/naming-systems/medicapp-space-external-id.json"),
            of_space(naming.space_external_id("{space}")),
        ),
        (
            include_str!("../../../../../profiles/naming-systems/medicapp-trust-space.json"),
            naming.trust_space(),
        ),
        (
            include_str!("../../../../../profiles/naming-systems/medicapp-space.json"),
            naming.medicapp_space(),
        ),
    ] {
        let published: Value = serde_json::from_str(file).expect("JSON");
        assert_eq!(published["resourceType"], "NamingSystem");
        assert_eq!(published["uniqueId"][0]["value"], json!(system));
    }
}

#[test]
fn n21_the_fhir_form_of_the_list_holds_nothing_that_other_doors_know() {
    let world = World::new();
    let naming = &world.naming;
    let rules = world.rules();
    let context = rules.within(crate::medicapp::Space::Connect("clinic"));
    let overlay = |adapter: &str| {
        json!({
            "url": naming.extension("partner-representation"),
            "extension": [{ "url": "adapter", "valueCode": adapter }, { "url": "raw", "valueString": "\"1881103750016\"" }],
        })
    };
    let full = patient(json!({
        "resourceType": "Patient",
        "extension": [overlay("medicapp-cloud"), overlay("medicapp-connect"), { "url": "urn:x", "valueString": "y" }],
        "identifier": [
            { "system": naming.medicapp_patient_id(), "value": "pat_1" },
            { "system": naming.nir_rang(), "value": "1881103750016-01" },
            { "system": "urn:oid:1.2.250.1.213.1.4.13", "value": "188110375001686" },
            { "system": INS_NIR, "value": "188110375001686" },
            { "system": naming.space_external_id("clinic"), "value": "IPP-1" },
            { "system": naming.space_external_id("other"), "value": "IPP-2" },
            { "system": "urn:ehr", "value": "7" },
        ],
        "birthDate": "1988-11-03",
    }));
    let shown = connect::show_fhir(&full, &context);
    let expected = patient(json!({
        "resourceType": "Patient",
        "extension": [overlay("medicapp-connect"), { "url": "urn:x", "valueString": "y" }],
        "identifier": [
            { "system": naming.medicapp_patient_id(), "value": "pat_1" },
            { "system": naming.space_external_id("clinic"), "value": "IPP-1" },
            { "system": "urn:ehr", "value": "7" },
        ],
        "birthDate": "1988-11-03",
    }));
    assert!(shown == expected);
}
