//! Attempts at the partners' doors.

use serde_json::{Value, json};
use testkit::harness::Context;
use testkit::http::Response;

use super::super::compare::comparable;
use super::super::world::{OTHER_BRAND, OTHER_TRUST_SPACE, SECRET, World, number};
use crate::partner::cross::{BRAND, Doors, TRUST_SPACE, by, send};

/// An attempt by an external id, and its name. It is told whose number, and one of its own.
type Try = (&'static str, fn(&Doors, &str, &str) -> Response);

fn cloud(doors: &Doors, more: Value) -> Response {
    let mut body = json!({
        "trustSpaceUuid": OTHER_TRUST_SPACE, "firstName": "Ada", "birthDate": "1988-11-03", "gender": "F"
    });
    crate::partner::ehealth::merge(&mut body, &more);
    send(&doors.cloud, "POST", "/patients", &body)
}

#[rustfmt::skip]
const TRIES: &[Try] = &[
    ("cloud finds by external id", |doors, n, _| {
        doors.cloud.get(format!("/patients?trustSpaceUuid={OTHER_TRUST_SPACE}&externalId={n}")).send()
    }),
    ("cloud finds in the other's words", |doors, n, _| {
        doors.cloud.get(format!("/patients?trustSpaceUuid={TRUST_SPACE}&externalId={n}")).send()
    }),
    ("cloud creates by an external id", |doors, n, own| cloud(doors, json!({ "externalId": n, "lastName": own }))),
    ("cloud creates a homonym", |doors, n, _| cloud(doors, json!({ "lastName": n }))),
    ("cloud creates with an e-mail", |doors, n, own| {
        cloud(doors, json!({ "lastName": own, "email": format!("{n}@example.org") }))
    }),
    ("connect creates by an external id", |doors, n, own| {
        let body = json!({ "firstName": "Ada", "lastName": own, "birthDate": "1988-11-03", "externalId": n });
        send(&doors.connect, "POST", "/patients", &body)
    }),
    ("connect lists", |doors, _, _| doors.connect.get("/patients?per_page=100").send()),
    ("connect lists as FHIR", |doors, _, _| doors.connect.get("/patients?template=FHIR&per_page=100").send()),
    ("connect lists by time", |doors, _, _| doors.connect.get("/patients?updated_since=2020-01-01T00:00:00Z").send()),
    ("patient-graph creates by an external id", |doors, n, own| {
        let body = json!({ "brand_id": OTHER_BRAND, "first_name": "A", "last_name": own, "external_ids": { "shop": n } });
        send(&doors.graph, "POST", "/patients", &body)
    }),
    ("patient-graph creates with an e-mail", |doors, n, own| {
        let email = format!("{n}@example.org");
        let body = json!({ "brand_id": OTHER_BRAND, "first_name": "A", "last_name": own, "email": email });
        send(&doors.graph, "POST", "/patients", &body)
    }),
    ("patient-graph creates in the other's brand", |doors, n, own| {
        let body = json!({ "brand_id": BRAND, "first_name": "A", "last_name": own, "external_ids": { "shop": n } });
        send(&doors.graph, "POST", "/patients", &body)
    }),
    ("patient-graph lists", |doors, _, _| doors.graph.get(format!("/patients?brand_id={OTHER_BRAND}&limit=100")).send()),
    ("patient-graph lists the other's brand", |doors, _, _| doors.graph.get(format!("/patients?brand_id={BRAND}")).send()),
    ("eHealth creates by an external id", |doors, n, _| {
        send(&doors.ehealth, "POST", "/prepersons", &json!({ "external_id": n, "gender": "MALE" }))
    }),
    ("FHIR counts all", |doors, _, _| doors.fhir.get("/Patient?_summary=count").send()),
];

/// Puts somebody of this number in at every door of the demo's space.
#[track_caller]
fn plant(doors: &Doors, n: &str) {
    let names =
        json!({ "firstName": "Ada", "lastName": n, "externalId": n, "email": format!("{n}@example.org") });
    doors.cloud_post(names.clone()).expect(201);
    doors.connect_post(names).expect(201);
    let more = json!({
        "first_name": SECRET, "last_name": n, "external_ids": { "shop": n }, "email": format!("{n}@example.net")
    });
    doors.graph_post(more).expect(201);
    let body = json!({ "external_id": n, "gender": "MALE", "first_name": "Кетцалькоатль" });
    send(&doors.ehealth, "POST", "/prepersons", &body).expect(201);
}

pub fn x10_t22_no_partners_door_shows_anything_of_another_space(context: &Context) {
    let world = World::new(context);
    for (name, attempt) in TRIES {
        let (n, nobody) = (number(), number());
        plant(&world.own, &n);
        let all = || {
            world
                .own
                .fhir
                .get("/_history?_count=1000")
                .send()
                .expect(200)
                .json()
        };
        let before = all();
        let run = |n: &str| {
            let own = number();
            let answer = attempt(&world.other, n, &own);
            (comparable(&answer, &[(n, "(n)"), (&own, "(own)")]), answer)
        };
        let (expected, _) = run(&nobody);
        let (told, answer) = run(&n);
        assert_eq!(told, expected, "{name}: of another space, and of nobody");
        let text = answer.text();
        assert!(
            !text.contains(SECRET) && !text.contains("Кетцалькоатль") && answer.status < 500,
            "{name}: {answer:?}"
        );
        let after = all();
        assert_eq!(
            (&after["total"], &after["entry"]),
            (&before["total"], &before["entry"]),
            "{name} changed something in another space"
        );
    }
    eprintln!("{}: {} attempts", context.name(), TRIES.len());
}

pub fn t22_the_words_of_another_space_are_no_words(context: &Context) {
    let world = World::new(context);
    let (own, other) = (&world.own, &world.other);
    let made = own
        .cloud_post(json!({ "externalId": number() }))
        .expect(201)
        .json();
    let medicapp_id = made["patientUuid"].as_str().expect("an id");
    // Words of one length, so that no Content-Length tells them apart.
    let create = |word: &str| {
        let body = json!({
            "trustSpaceUuid": word, "firstName": "A", "lastName": "B", "birthDate": "1980-01-01", "gender": "F"
        });
        comparable(
            &send(&other.cloud, "POST", "/patients", &body).expect(404),
            &[(word, "(word)")],
        )
    };
    assert_eq!(create(TRUST_SPACE), create("ts_nowhere00001"));
    let list = |word: &str| {
        let answer = other.graph.get(format!("/patients?brand_id={word}")).send();
        comparable(&answer.expect(403), &[(word, "(word)")])
    };
    assert_eq!(list(BRAND), list("demo-brink"));
    let by = by(
        &format!("{}/medicapp/patient-id", crate::partner::cross::BASE),
        medicapp_id,
    );
    let bundle = other.fhir.get(format!("/Patient?{by}&_total=accurate")).send();
    assert_eq!(bundle.expect(200).json()["total"], 0);
}
