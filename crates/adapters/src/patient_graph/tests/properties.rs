//! The properties of `adapters.md` 5.8 on generated patients. RT2 and RT3 are about updates, of which the door
//! has none; in their place stands that reading changes nothing and that an edit through FHIR shows in its
//! field alone.

use serde_json::{Map, Value, json};

use super::super::{Patient, show};
use super::{Random, TODAY, context, create, created, kept, naming, resource, shown};

const PATIENTS: usize = 2_000;

const WORDS: [&str; 20] = [
    "",
    " ",
    "a",
    " lead",
    "trail ",
    "Ö",
    "e\u{301}",
    "👩\u{200d}👩\u{200d}👧",
    "\u{200f}עברית",
    "Петро",
    "李",
    "tab\there",
    "two\nlines",
    "\"quoted\\\"",
    "a/b c?d#e%f",
    "<b>&amp;",
    "null",
    "+33612345678",
    "{}",
    "O'Brien",
];
const GENDERS: [&str; 14] = [
    "male", "Male", "M", "f", "FEMALE", "woman", "nb", "other", "X", "unknown", "n/a", "🦄", "", "  ",
];
const EMAILS: [&str; 4] = ["a@b", "Ada@Example.org", "ü@bücher.example", "x+y@z.example"];
const DATES: [&str; 4] = ["1988-11-03", "2999-01-01", "0001-01-01", "2000-02-29"];
const METADATA: [&str; 5] = [
    "{}",
    r#"{"a":1.0,"b":18446744073709551617,"c":{"d":[null]}}"#,
    r#"{"n":[1e400,-0,1E-7,0.10]}"#,
    r#"{"__proto__":{"":0},"":"","é":"é"}"#,
    r#"{"text":"{\"a\":\"\\\"}"}"#,
];

/// A body, and what must come back of it.
pub(crate) struct Sent {
    pub(crate) body: String,
    /// `metadata` as text.
    pub(crate) metadata: &'static str,
    /// The other fields.
    pub(crate) fields: Map<String, Value>,
}

pub(crate) fn sent(random: &mut Random) -> Sent {
    let mut fields = Map::new();
    fields.insert("brand_id".to_owned(), json!("acme"));
    for name in ["first_name", "last_name"] {
        let word = format!("{}{}", random.pick(&WORDS), random.pick(&["x", "ß", "Ж"]));
        fields.insert(name.to_owned(), json!(word));
    }
    let optional: [(&str, &[&str]); 4] = [
        ("date_of_birth", &DATES),
        ("gender", &GENDERS),
        ("email", &EMAILS),
        ("phone", &WORDS),
    ];
    for (name, choices) in optional {
        if !random.is_one_in(4) {
            fields.insert(name.to_owned(), json!(random.pick(choices)));
        }
    }
    if !random.is_one_in(3) {
        let mut map = Map::new();
        for _ in 0..random.below(4) {
            let key = random.pick(&WORDS);
            if !key.is_empty() {
                map.insert(key.to_owned(), json!(random.pick(&WORDS)));
            }
        }
        fields.insert("external_ids".to_owned(), Value::Object(map));
    }
    let metadata = random.pick(&METADATA);
    let text = serde_json::to_string(&fields).unwrap();
    let body = format!(r#"{},"metadata":{metadata}}}"#, text.strip_suffix('}').unwrap());
    Sent {
        body,
        metadata,
        fields,
    }
}

fn answer(patient: &Patient) -> Value {
    serde_json::from_str(&super::super::render(patient)).unwrap()
}

#[test]
fn what_is_sent_comes_back_as_sent_and_the_patient_is_valid_fhir() {
    const SEED: u64 = 0x5254_315f_7067_0001;
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    let naming = naming();
    for round in 0..PATIENTS {
        let sent = sent(&mut random);
        let create = create(&sent.body).unwrap_or_else(|fault| panic!("{round} {}: {fault:?}", sent.body));
        let patient = created(&create, &naming);
        let issues = fhir::validate::validate(&patient);
        assert!(issues.is_empty(), "{round} {}: {issues:?}", sent.body);
        let text = shown(&patient, &naming);
        assert!(
            text.contains(&format!(r#""metadata":{},"age"#, sent.metadata)),
            "{round} {text}"
        );
        let answer: Value = serde_json::from_str(&text).unwrap();
        for (name, value) in &sent.fields {
            assert_eq!(
                serde_json::to_string(&answer[name]).unwrap(),
                serde_json::to_string(value).unwrap(),
                "{round} {name} of {}",
                sent.body
            );
        }
        for absent in ["date_of_birth", "gender", "email", "phone"] {
            assert!(
                sent.fields.contains_key(absent) || answer[absent].is_null(),
                "{round} {absent}"
            );
        }
    }
}

#[test]
fn a_patient_that_is_read_and_sent_again_is_the_same_patient() {
    const SEED: u64 = 0x5254_325f_7067_0002;
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    let naming = naming();
    for round in 0..PATIENTS {
        let first = created(&create(&sent(&mut random).body).unwrap(), &naming);
        let mut again: Value = serde_json::from_str(&shown(&first, &naming)).unwrap();
        // A request has no nulls. The metadata's own digits are the subject of the property above.
        again
            .as_object_mut()
            .unwrap()
            .retain(|name, value| !value.is_null() && name != "metadata");
        let text = shown(&first, &naming);
        let (_, rest) = text.split_once("\"metadata\":").unwrap();
        let (metadata, _) = rest.split_once(",\"age_verified").unwrap();
        let body = again.to_string();
        let body = format!(r#"{},"metadata":{metadata}}}"#, body.strip_suffix('}').unwrap());
        let second = created(&create(&body).unwrap(), &naming);
        let (first, second) = (first.into_tree(), second.into_tree());
        assert_eq!(
            serde_json::to_string(&first).unwrap(),
            serde_json::to_string(&second).unwrap(),
            "{round}"
        );
    }
}

/// An edit through FHIR, and the fields of the answer that it may change.
type Edit = (&'static str, Value, &'static [&'static str]);

fn edits() -> [Edit; 9] {
    let extension = json!([]);
    [
        ("gender", json!("other"), &["gender"]),
        ("birthDate", json!("1980-05"), &["date_of_birth"]),
        ("active", json!(false), &["status"]),
        (
            "name",
            json!([{ "use": "official", "family": "New" }]),
            &["first_name", "last_name"],
        ),
        (
            "telecom",
            json!([{ "system": "phone", "value": "1" }, { "system": "email", "value": "n@n.n" }]),
            &["phone", "email"],
        ),
        ("maritalStatus", json!({ "text": "married" }), &[]),
        ("multipleBirthInteger", json!(2), &[]),
        ("photo", json!([{ "url": "https://example.org/p" }]), &[]),
        // With the extensions go the overlays.
        (
            "extension",
            extension,
            &["metadata", "gender", "phone", "external_ids"],
        ),
    ]
}

#[test]
fn an_edit_through_fhir_shows_in_its_field_alone() {
    const SEED: u64 = 0x5254_335f_7067_0003;
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    let naming = naming();
    let edits = edits();
    for round in 0..PATIENTS {
        let patient = created(&create(&sent(&mut random).body).unwrap(), &naming);
        let before = answer(&show(&patient, &kept(), &context(&naming, "acme")));
        let (element, value, fields) = &edits[round % edits.len()];
        let mut edited = patient.clone();
        edited.tree_mut().insert((*element).to_owned(), value.clone());
        if value.as_array().is_some_and(Vec::is_empty) {
            edited.tree_mut().shift_remove(*element);
        }
        let after = answer(&show(&edited, &kept(), &context(&naming, "acme")));
        for (name, value) in before.as_object().unwrap() {
            if !fields.contains(&name.as_str()) {
                assert_eq!(value, &after[name], "{round} {element} changed {name}");
            }
        }
        match *element {
            "gender" => {
                let meant = before["gender"].as_str().is_some_and(|gender| {
                    crate::gender::Words::PatientGraph.to_fhir(gender) == Some("other")
                });
                let wanted = if meant {
                    before["gender"].clone()
                } else {
                    json!("other")
                };
                assert_eq!(after["gender"], wanted, "{round}");
            }
            "birthDate" => assert!(after["date_of_birth"].is_null(), "{round}"),
            "active" => assert_eq!(after["status"], "inactive", "{round}"),
            "name" => assert_eq!(
                (&after["first_name"], &after["last_name"]),
                (&json!(""), &json!("New"))
            ),
            "telecom" => assert_eq!((&after["phone"], &after["email"]), (&json!("1"), &json!("n@n.n"))),
            _ => {}
        }
    }
}

#[test]
fn a_patient_of_a_fhir_client_is_shown_as_far_as_it_can_be() {
    const SEED: u64 = 0x5254_345f_7067_0004;
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    let naming = naming();
    for round in 0..PATIENTS {
        let patient = resource(foreign(&mut random));
        let stored = patient.clone();
        let answer = answer(&show(&patient, &kept(), &context(&naming, "acme")));
        assert!(patient == stored, "{round}: reading changed it");
        assert_eq!(answer.as_object().unwrap().len(), 18, "{round}");
        for text in [
            "id",
            "brand_id",
            "first_name",
            "last_name",
            "status",
            "created_at",
            "updated_at",
        ] {
            assert!(answer[text].is_string(), "{round} {text}");
        }
        let ids = answer["external_ids"].as_object().unwrap();
        assert!(ids.values().all(Value::is_string), "{round}");
        assert!(answer["metadata"].is_object(), "{round}");
        let date = &answer["date_of_birth"];
        assert!(
            date.is_null() || date.as_str().unwrap().len() == TODAY.len(),
            "{round}"
        );
        for text in [
            "gender",
            "email",
            "phone",
            "age_verified_at",
            "prescription_status",
        ] {
            assert!(
                answer[text].is_null() || answer[text].is_string(),
                "{round} {text}"
            );
        }
    }
}

/// A Patient as FHIR clients write them: elements may be missing, doubled, old, or of our own names misused.
fn foreign(random: &mut Random) -> Value {
    let naming = naming();
    let mut tree = json!({ "resourceType": "Patient", "id": "p" });
    let overlay = |field: &str, raw: &str, seen: &str| {
        json!({ "url": naming.extension("partner-representation"), "extension": [
            { "url": "adapter", "valueCode": "patient-graph" }, { "url": "field", "valueString": field },
            { "url": "raw", "valueString": raw }, { "url": "seen", "valueString": seen } ] })
    };
    let raw = random.pick(&["5", "\"\"", "{}", "{\"a\":1}", "{\"a\":\"\"}", "null", "broken"]);
    let words = random.pick(&WORDS);
    let choices = [
        (
            "name",
            json!([{ "use": random.pick(&["usual", "official", "old", "nickname"]), "given": ["A", "B"] }]),
        ),
        (
            "name",
            json!([{ "text": "Only Text" }, { "family": "F", "period": { "end": "2020" } }]),
        ),
        (
            "telecom",
            json!([{ "system": random.pick(&["phone", "sms", "email", "fax"]), "value": "v" }]),
        ),
        (
            "gender",
            json!(random.pick(&["male", "female", "other", "unknown"])),
        ),
        (
            "birthDate",
            json!(random.pick(&["1980", "1980-05", "1980-05-01"])),
        ),
        ("active", json!(random.is_one_in(2))),
        (
            "link",
            json!([{ "other": { "reference": "Patient/2" }, "type": random.pick(&["replaced-by", "seealso"]) }]),
        ),
        (
            "identifier",
            json!([
                { "system": naming.brand_external_id("acme", words), "value": "1" },
                { "system": format!("{}%zz", naming.brand_external_ids("acme")), "value": "2" },
                { "system": naming.brand_external_id("acme", words), "value": "3" },
                { "system": naming.brand_external_id("theirs", words), "value": "4" },
            ]),
        ),
        (
            "extension",
            json!([
                overlay("phone", raw, random.pick(&["null", "\"v\"", "broken"])),
                overlay("gender", raw, random.pick(&["null", "\"male\"", "broken"])),
                overlay("external_ids", raw, random.pick(&["{}", "broken"])),
                { "url": naming.extension("metadata"), "valueString": raw },
                { "url": naming.extension("age-verified-at"), "valueDateTime": random.pick(&[
                    "2024", "2024-05-06", "2024-05-06T07:08:09+02:00", "broken" ]) },
                { "url": naming.extension("prescription-status"), "valueString": "any" },
            ]),
        ),
    ];
    for (element, value) in choices {
        if !random.is_one_in(3) {
            tree[element] = value;
        }
    }
    tree
}
