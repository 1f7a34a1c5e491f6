//! Gender through every door (`adapters.md` 5.6).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    g04_a_gender_is_told_in_the_words_of_each_door,
    g04_a_word_for_a_gender_gives_way_to_the_hospitals_code,
    an_equal_gender_is_no_change_at_doors_that_have_no_word_for_it,
];

/// As it came in, and what FHIR, cloud, connect, registry and graph say.
type Row = (&'static str, Value, [Value; 5]);

fn table() -> Vec<Row> {
    let row =
        |door, sent: Value, code: Value, cloud: Value, connect: Value, registry: Value, graph: Value| {
            (door, sent, [code, cloud, connect, registry, graph])
        };
    let mut rows: Vec<Row> = Vec::new();
    for (door, male, female) in [
        ("cloud", "M", "F"),
        ("connect", "M", "F"),
        ("ehealth", "MALE", "FEMALE"),
    ] {
        for (word, code, letter, upper) in [(male, "male", "M", "MALE"), (female, "female", "F", "FEMALE")] {
            let (code, letter) = (json!(code), json!(letter));
            rows.push(row(
                door,
                json!(word),
                code.clone(),
                letter.clone(),
                letter,
                json!(upper),
                code,
            ));
        }
    }
    let null = || Value::Null;
    rows.push(row(
        "connect",
        json!("O"),
        json!("other"),
        json!("U"),
        json!("O"),
        null(),
        json!("other"),
    ));
    rows.push(row(
        "cloud",
        json!("U"),
        json!("unknown"),
        json!("U"),
        null(),
        null(),
        json!("unknown"),
    ));
    rows.push(row("connect", null(), null(), null(), null(), null(), null()));
    for word in ["Male", "m", "MALE", "man"] {
        rows.push(row(
            "graph",
            json!(word),
            json!("male"),
            json!("M"),
            json!("M"),
            json!("MALE"),
            json!(word),
        ));
    }
    for word in ["f", "woman", "Female"] {
        let code = json!("female");
        rows.push(row(
            "graph",
            json!(word),
            code,
            json!("F"),
            json!("F"),
            json!("FEMALE"),
            json!(word),
        ));
    }
    for word in ["non-binary", "nb", "x", "other", "diverse"] {
        rows.push(row(
            "graph",
            json!(word),
            json!("other"),
            json!("U"),
            json!("O"),
            null(),
            json!(word),
        ));
    }
    for word in ["unknown", "", "n/a", "prefer not to say", "🦄"] {
        rows.push(row(
            "graph",
            json!(word),
            json!("unknown"),
            json!("U"),
            null(),
            null(),
            json!(word),
        ));
    }
    rows
}

/// Makes a patient of this gender at a door; its FHIR id.
fn born(doors: &Doors, door: &str, gender: &Value) -> String {
    let more = match gender {
        Value::Null => json!({}),
        gender => json!({ "gender": gender }),
    };
    let id = |answer: Response, name: &str| {
        answer.expect(201).json()[name]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    match door {
        "cloud" => doors.fhir_id(&id(doors.cloud_post(more), "patientUuid")),
        "connect" => doors.fhir_id(&id(doors.connect_post(more), "id")),
        "graph" => id(doors.graph_post(more), "id"),
        _ => ehealth::id(&ehealth::preperson(&doors.ehealth, more)).to_owned(),
    }
}

fn genders(doors: &Doors, fhir_id: &str, medicapp_id: &str) -> [Value; 5] {
    let read = |client: &Client, target: String| client.get(&target).send().expect(200).json();
    let [cloud, connect, graph, registry] = doors
        .calls(fhir_id, medicapp_id)
        .map(|(client, _, target)| read(client, target));
    [
        doors.patient(fhir_id).expect(200).json()["gender"].clone(),
        cloud["gender"].clone(),
        connect["gender"].clone(),
        registry["data"]["gender"].clone(),
        graph["gender"].clone(),
    ]
}

fn g04_a_gender_is_told_in_the_words_of_each_door(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    for (door, sent, expected) in table() {
        let fhir_id = born(&doors, door, &sent);
        let medicapp_id = doors.medicapp_id(&fhir_id);
        if door != "ehealth" {
            // The registry shows only whom nobody knows.
            doors.unidentify(&fhir_id);
        }
        assert_eq!(genders(&doors, &fhir_id, &medicapp_id), expected, "{door} {sent}");
    }
}

fn g04_a_word_for_a_gender_gives_way_to_the_hospitals_code(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let fhir_id = born(&doors, "graph", &json!("Woman"));
    let graph = || {
        let answer = doors.graph.get(format!("/patients/{fhir_id}")).send();
        answer.expect(200).json()["gender"].clone()
    };
    doors.edit(&fhir_id, |patient| {
        patient["maritalStatus"] = json!({ "text": "single" })
    });
    assert_eq!(graph(), "Woman");
    doors.edit(&fhir_id, |patient| patient["gender"] = json!("male"));
    assert_eq!(graph(), "male");
}

fn an_equal_gender_is_no_change_at_doors_that_have_no_word_for_it(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = doors.connect_post(json!({ "gender": "O" })).expect(201).json();
    let target = format!("/patients/{}", made["id"].as_str().expect("an id"));
    let same = send(&doors.cloud, "PUT", &target, &json!({ "gender": "U" })).expect(200);
    assert_eq!(same.version(), 1);
    send(&doors.cloud, "PUT", &target, &json!({ "gender": "M" })).expect(400);
    let made = doors.cloud_post(json!({ "gender": "U" })).expect(201).json();
    let target = format!("/patients/{}", made["patientUuid"].as_str().expect("an id"));
    let same = send(&doors.connect, "PUT", &target, &json!({ "gender": null })).expect(200);
    assert_eq!((same.version(), &same.json()["gender"]), (1, &Value::Null));
    let cloud = doors.cloud.get(&target).send().expect(200).json();
    assert_eq!(cloud["gender"], "U");
}
