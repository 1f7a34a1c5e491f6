//! Nothing that is said of a person, and no secret, stands in a log (`adapters.md` 6, `access.md` 5).

use std::time::Duration;

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::wait::wait_for;

use super::*;

pub const TESTS: &[Test] = tests![x20_no_log_holds_anything_of_a_person_or_a_secret];

/// In texts that no door changes: a name, a name in another script, two of the registry, addresses, notes.
const CANARIES: [&str; 16] = [
    "Grünspecht",
    "Zinnober",
    "Горобець",
    "Синиця",
    "1790203750444",
    "179020375044457",
    "1 79 02 03 750 444",
    "1790203750444-01",
    "+33699887766",
    "0699887766",
    "+380509998877",
    "specht@example.org",
    "EXT-SPECHT",
    "IPP-SPECHT",
    "rue du Pivert",
    "tattoo of a woodpecker",
];

/// A session of every door: what works, what is refused, what is asked for in paths and queries.
pub fn session(doors: &Doors) {
    let key = |nir: &str| json!({ "nir": nir, "rang": "01" });
    let made = doors.cloud_post(json!({
        "firstName": "Zinnober", "lastName": "Grünspecht", "email": "specht@example.org", "phone": "+33699887766",
        "externalId": "EXT-SPECHT", "identificationKey": key("1790203750444")
    }));
    let medicapp_id = made.expect(201).json()["patientUuid"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (fhir_id, patients) = (doors.fhir_id(&medicapp_id), format!("/patients/{medicapp_id}"));
    for nir in ["179020375044457", "1 79 02 03 750 444", "179020375044499"] {
        doors.cloud_post(json!({ "identificationKey": key(nir), "lastName": "Grünspecht" }));
    }
    for query in [
        "nir=1790203750444&rang=01",
        "nir=179020375044457&rang=01",
        "externalId=EXT-SPECHT",
        "nir=1%2079%2002%2003%20750%20444",
    ] {
        doors
            .cloud
            .get(format!("/patients?trustSpaceUuid={TRUST_SPACE}&{query}"))
            .send();
    }
    doors.cloud.get("/patients/Gr%C3%BCnspecht").send().expect(404);
    send(
        &doors.cloud,
        "PUT",
        &patients,
        &json!({ "firstName": "Zinnober", "lastName": "X" }),
    )
    .expect(400);
    send(&doors.cloud, "PUT", &patients, &json!({ "phone": "0699887766" })).expect(400);
    let more = json!({ "externalId": "IPP-SPECHT", "address": { "street": "rue du Pivert" } });
    send(&doors.connect, "PUT", &patients, &more).expect(200);
    doors
        .connect_post(json!({ "externalId": "IPP-SPECHT", "lastName": "Grünspecht" }))
        .expect(409);
    doors
        .connect_post(json!({ "birthDate": "Zinnober", "gender": "Grünspecht" }))
        .expect(400);
    doors
        .connect
        .get("/patients/specht@example.org")
        .send()
        .expect(404);
    doors
        .connect
        .get("/patients?created_after=Gr%C3%BCnspecht&page=Zinnober")
        .send()
        .expect(400);
    let body = json!({
        "first_name": "Zinnober", "last_name": "Grünspecht", "email": "specht@example.org", "phone": "0699887766",
        "external_ids": { "Zinnober": "EXT-SPECHT" }, "metadata": { "note": "tattoo of a woodpecker" }
    });
    doors.graph_post(body.clone());
    doors.graph_post(body).expect(409);
    doors
        .graph_post(json!({ "first_name": 1, "date_of_birth": "Grünspecht" }))
        .expect(400);
    doors.graph.get("/patients/Gr%C3%BCnspecht").send().expect(404);
    let contact = json!({ "first_name": "Синиця", "last_name": "Горобець", "phones": [
        { "type": "MOBILE", "number": "+380509998877" }
    ] });
    let registry = ehealth::preperson(
        &doors.ehealth,
        json!({
            "first_name": "Синиця", "last_name": "Горобець", "external_id": "EXT-SPECHT",
            "note": "tattoo of a woodpecker", "emergency_contact": contact
        }),
    );
    let prepersons = ehealth::id(&registry);
    ehealth::patch(&doors.ehealth, prepersons, &json!({ "first_name": "Горобець" }));
    ehealth::patch(
        &doors.ehealth,
        prepersons,
        &json!({ "birth_date": "Синиця", "Горобець": 1 }),
    );
    ehealth::get(&doors.ehealth, "Zinnober");
    doors.unidentify(&fhir_id);
    for query in [
        "name=Gr%C3%BCnspecht",
        "telecom=specht@example.org",
        "phone=%2B33699887766",
        "Zinnober=1",
    ] {
        doors.fhir.get(format!("/Patient?{query}")).send();
    }
    let nir_rang = by(&format!("{BASE}/medicapp/nir-rang"), "1790203750444-01");
    doors.fhir.get(format!("/Patient?{nir_rang}")).send().expect(200);
    doors.fhir.get("/Patient/Birkenzeisig").send().expect(404);
    doors
        .fhir
        .post("/Patient")
        .json(&json!({ "resourceType": "Patient", "gender": "Grünspecht" }))
        .send()
        .expect(422);
    doors
        .fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json")
        .body("{\"Zinnober\":")
        .send();
    doors.connect.delete(&patients).send().expect(200);
}

fn x20_no_log_holds_anything_of_a_person_or_a_secret(context: &Context) {
    let server = context.settings().environment("RUST_LOG", "trace").start();
    let doors = Doors::of(&server);
    session(&doors);
    let mut secrets: Vec<String> = [
        "fhir",
        "sas",
        "medicapp-cloud",
        "medicapp-connect",
        "patient-graph",
        "ehealth",
    ]
    .map(|door| server.credential(door).bearer.clone())
    .to_vec();
    let api_key = server.credential("ehealth").entry["api_key"]
        .as_str()
        .expect("an API-key");
    secrets.push(api_key.to_owned());
    // Wrong ones are secrets of somebody, too.
    let wrong = [
        "sk_test_00000000_abcdefabcdefabcdef",
        "sk_live_woodpecker_0123456789abcdef",
    ];
    for token in wrong {
        secrets.push(token.to_owned());
        for (client, path) in [
            (&doors.cloud, "/patients/x"),
            (&doors.ehealth, "/prepersons/x"),
            (&doors.fhir, "/Patient/x"),
        ] {
            let request = client
                .get(path)
                .header("Authorization", format!("Bearer {token}"));
            request.send().expect(401);
        }
    }
    let wrong_api_key = "feedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedface";
    secrets.push(wrong_api_key.to_owned());
    let request = doors
        .ehealth
        .get("/prepersons/x")
        .header("API-key", wrong_api_key);
    request.send().expect(401);
    let log = server.log();
    // The demo prints its own credentials once; nothing after that may hold one.
    let (_, after) = log.split_once("Ctrl-C stops it").expect("a welcome");
    assert!(
        after.contains("TRACE") && after.contains("/v5/patients/{id}"),
        "{after}"
    );
    for canary in CANARIES.into_iter().chain(["Birkenzeisig"]) {
        let escaped = percent_encode(canary);
        for spelling in [canary, &escaped, &canary.replace('+', "%2B")] {
            let line = after.lines().find(|line| line.contains(spelling));
            assert!(line.is_none(), "{spelling} stands in {line:?}");
        }
        // As Debug prints texts and bytes.
        let bytes = format!("{:?}", canary.as_bytes());
        let bytes = bytes.trim_matches(['[', ']']);
        assert!(!after.contains(bytes), "{canary} stands there as bytes");
    }
    for secret in &secrets {
        let (_, end) = secret.rsplit_once('_').unwrap_or(("", secret));
        let line = after.lines().find(|line| line.contains(end));
        assert!(line.is_none(), "a secret stands in {line:?}");
    }
    // Nor in the audit, which is kept longer than any log. It holds the ids that were asked for: none of these here.
    let last = doors
        .ehealth
        .get("/prepersons/x")
        .without("API-key")
        .send()
        .expect(401);
    let last = last.header("X-Request-Id").expect("a request id").to_owned();
    let audit = wait_for(Duration::from_secs(10), "the last denial in the audit", || {
        let rows = match server.postgres_database() {
            Some(database) => database.query("SELECT a::text FROM audit a"),
            None => execute(&server, "SELECT * FROM audit"),
        };
        rows.contains(&last).then_some(rows)
    });
    assert!(audit.contains("demo-medicapp-cloud"), "{audit}");
    for canary in CANARIES {
        assert!(!audit.contains(canary), "{canary} stands in the audit");
    }
}
