//! A hospital's system that knows nothing of partners does not cut them off (`adapters.md` 5.3 R2).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    x02_a_put_without_what_the_doors_gave_keeps_every_partner,
    x02_a_transaction_keeps_every_partner_too,
    x02_an_identical_repeat_of_such_a_put_makes_no_version,
    x03_an_external_id_of_another_patient_is_refused,
    x03_an_id_that_the_server_gives_cannot_be_changed_or_invented,
];

/// One patient that every partner knows: its FHIR id and its Medicapp id.
fn known_to_all(doors: &Doors, mark: &str) -> (String, String) {
    let made = doors.cloud_post(json!({
        "externalId": format!("E-{mark}"), "identificationKey": { "nir": nir(mark), "rang": "01" },
        "email": format!("{mark}@example.org")
    }));
    let medicapp_id = made.expect(201).json()["patientUuid"]
        .as_str()
        .expect("an id")
        .to_owned();
    let fhir_id = doors.fhir_id(&medicapp_id);
    send(
        &doors.connect,
        "PUT",
        &format!("/patients/{medicapp_id}"),
        &json!({ "externalId": format!("I-{mark}") }),
    )
    .expect(200);
    // The graph and the registry know those that carry their marks: as a migration would write them.
    doors.edit(&fhir_id, |patient| {
        let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
        identifiers.push(json!({
            "use": "secondary", "system": format!("{BASE}/patient-graph/brand/{BRAND}/external-id/shop"),
            "value": format!("S-{mark}")
        }));
        patient["extension"]
            .as_array_mut()
            .expect("an overlay")
            .push(json!({
                "url": extension("metadata"), "valueString": "{\"a\":1.0}"
            }));
    });
    doors.unidentify(&fhir_id);
    (fhir_id, medicapp_id)
}

/// A NIR of 13 digits for each mark.
fn nir(mark: &str) -> String {
    let digits: String = mark.chars().filter(char::is_ascii_digit).collect();
    format!("18811037{:0>5}", digits)
}

/// What an EHR that knows no partner sends.
fn plain(fhir_id: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": fhir_id,
        "identifier": [{ "system": LOCAL, "value": fhir_id }],
        "name": [{ "use": "official", "family": "Neuf", "given": ["Zoé"] }],
        "gender": "female", "birthDate": "1988-11-03"
    })
}

fn x02_a_put_without_what_the_doors_gave_keeps_every_partner(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let mark = unique();
    let (fhir_id, medicapp_id) = known_to_all(&doors, &mark);
    let path = format!("/Patient/{fhir_id}");
    doors.fhir.put(&path).json(&plain(&fhir_id)).send().expect(200);
    // By uuid and by each of its keys at the cloud's door.
    let key = format!("nir={}&rang=01", nir(&mark));
    let external = format!("externalId=E-{mark}");
    for target in [
        format!("/patients/{medicapp_id}"),
        format!("/patients?trustSpaceUuid={TRUST_SPACE}&{key}"),
        format!("/patients?trustSpaceUuid={TRUST_SPACE}&{external}"),
    ] {
        let shown = doors.cloud.get(&target).send().expect(200).json();
        assert_eq!(shown["patientUuid"], json!(medicapp_id), "{target}");
        assert_eq!(shown["externalId"], json!(format!("E-{mark}")));
        assert_eq!(
            shown["identificationKey"],
            json!({ "nir": nir(&mark), "rang": "01" }),
            "the spelling is kept"
        );
        // What the EHR sent is what is there now.
        assert_eq!(
            (&shown["lastName"], &shown["email"]),
            (&json!("Neuf"), &Value::Null)
        );
    }
    let again = doors.cloud_post(json!({ "identificationKey": { "nir": nir(&mark), "rang": "1" } }));
    assert_eq!(again.expect(200).json()["patientUuid"], json!(medicapp_id));
    let shown = doors
        .connect
        .get(format!("/patients/{medicapp_id}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(
        (&shown["externalId"], &shown["lastName"]),
        (&json!(format!("I-{mark}")), &json!("Neuf"))
    );
    let shown = doors
        .graph
        .get(format!("/patients/{fhir_id}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(shown["external_ids"], json!({ "shop": format!("S-{mark}") }));
    assert_eq!(shown["metadata"].to_string(), "{\"a\":1.0}");
    let taken = doors.graph_post(json!({ "external_ids": { "shop": format!("S-{mark}") } }));
    assert_eq!(taken.expect(409).json()["error"], "duplicate_patient");
    let shown = ehealth::data(&ehealth::get(&doors.ehealth, &fhir_id), 200);
    assert_eq!(shown["last_name"], "Neuf");
    ehealth::data(
        &ehealth::patch(&doors.ehealth, &fhir_id, &json!({ "gender": "MALE" })),
        200,
    );
    // The EHR's own elements are replaced, as FHIR says.
    let patient = doors.patient(&fhir_id).expect(200).json();
    assert!(patient.get("telecom").is_none(), "{patient}");
    assert_eq!(identifier_of(&patient, LOCAL).as_deref(), Some(fhir_id.as_str()));
    doors.edit(&fhir_id, |patient| {
        let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
        identifiers.retain(|held| held["system"] != LOCAL);
    });
    assert_eq!(identifier_of(&doors.patient(&fhir_id).json(), LOCAL), None);
}

fn x02_a_transaction_keeps_every_partner_too(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let marks = [unique(), unique()];
    let [one, two] = marks.clone().map(|mark| known_to_all(&doors, &mark));
    // One by id, one by a number that it gets first.
    doors
        .fhir
        .put(format!("/Patient/{}", two.0))
        .json(&plain(&two.0))
        .send()
        .expect(200);
    let mut renamed = plain(&two.0);
    renamed["name"][0]["given"] = json!(["Zélie"]);
    let entry =
        |url: String, body: Value| json!({ "resource": body, "request": { "method": "PUT", "url": url } });
    let entries = [
        entry(format!("Patient/{}", one.0), plain(&one.0)),
        entry(format!("Patient?{}", by_local(&two.0)), renamed),
        json!({ "resource": patient(&unique()), "request": { "method": "POST", "url": "Patient" } }),
    ];
    let sent = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    let versions = || {
        let answered = doors.fhir.post("").json(&sent).send().expect(200).json();
        [0, 1].map(|number| answered["entry"][number]["response"]["etag"].clone())
    };
    let first = versions();
    for ((_, medicapp_id), mark) in [&one, &two].into_iter().zip(&marks) {
        let shown = doors
            .cloud
            .get(format!("/patients/{medicapp_id}"))
            .send()
            .expect(200)
            .json();
        assert_eq!(shown["externalId"], json!(format!("E-{mark}")));
        assert_eq!(shown["lastName"], json!("Neuf"));
    }
    // A patient that a transaction creates has its id at the doors, and a repeat makes no version.
    assert_eq!(versions(), first);
    let created = doors.fhir.post("").json(&sent).send().expect(200).json();
    let id = created["entry"][2]["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let given = execute(
        &server,
        &format!("SELECT medicapp_id FROM resource WHERE id = '{id}'"),
    );
    doors.cloud.get(format!("/patients/{given}")).send().expect(200);
}

fn x02_an_identical_repeat_of_such_a_put_makes_no_version(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let (fhir_id, _) = known_to_all(&doors, &unique());
    let path = format!("/Patient/{fhir_id}");
    let first = doors.fhir.put(&path).json(&plain(&fhir_id)).send().expect(200);
    let again = doors.fhir.put(&path).json(&plain(&fhir_id)).send().expect(200);
    assert_eq!(again.version(), first.version());
    let target = format!("/Patient?{}", by(LOCAL, &fhir_id));
    let by_key = doors.fhir.put(&target).json(&plain(&fhir_id)).send().expect(200);
    assert_eq!(by_key.version(), first.version());
    // Who is born at the graph's or the registry's door has more to keep.
    let graph = doors
        .graph_post(json!({ "external_ids": { "a": "1" }, "gender": "Woman", "phone": "" }))
        .expect(201)
        .json();
    let registry = ehealth::preperson(
        &doors.ehealth,
        json!({ "second_name": "Іванович", "note": "Tall." }),
    );
    for born in [&graph, &registry] {
        let fhir_id = ehealth::id(born);
        let (path, body) = (format!("/Patient/{fhir_id}"), plain(fhir_id));
        let first = doors.fhir.put(&path).json(&body).send().expect(200);
        assert_eq!(first.version(), 2);
        assert_eq!(doors.fhir.put(&path).json(&body).send().expect(200).version(), 2);
    }
    let target = format!("/patients/{}", ehealth::id(&graph));
    let shown = doors.graph.get(&target).send().expect(200).json();
    assert_eq!(shown["external_ids"], json!({ "a": "1" }));
    // Words that still mean what FHIR says, and what FHIR cannot hold, are the partner's as before.
    assert_eq!((&shown["gender"], &shown["phone"]), (&json!("Woman"), &json!("")));
    assert_eq!(
        (&shown["last_name"], &shown["id"]),
        (&json!("Neuf"), &graph["id"])
    );
    // The note is the hospital's to remove; that nobody knows who it is, is not.
    let shown = ehealth::data(&ehealth::get(&doors.ehealth, ehealth::id(&registry)), 200);
    assert_eq!(
        (&shown["note"], &shown["last_name"]),
        (&Value::Null, &json!("Neuf"))
    );
    assert_eq!(shown["external_id"], registry["external_id"]);
}

fn x03_an_external_id_of_another_patient_is_refused(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let marks = [unique(), unique()];
    let [(first, _), (second, _)] = [0, 1].map(|place: usize| known_to_all(&doors, &marks[place]));
    let of_first = doors.patient(&first).expect(200).json();
    let systems = [
        format!("{BASE}/medicapp/trust-space/{TRUST_SPACE}/external-id"),
        format!("{BASE}/medicapp/space/demo/external-id"),
        format!("{BASE}/medicapp/nir-rang"),
    ];
    for system in &systems {
        let value = identifier_of(&of_first, system).expect(system);
        let mut body = doors.patient(&second).expect(200).json();
        let identifiers = body["identifier"].as_array_mut().expect("identifiers");
        for held in identifiers.iter_mut().filter(|held| held["system"] == **system) {
            held["value"] = json!(value);
        }
        let before = doors.patient(&second).expect(200).text();
        let answer = doors.fhir.put(format!("/Patient/{second}")).json(&body).send();
        refused(answer, 409, "duplicate");
        let new = json!({ "resourceType": "Patient", "identifier": [{ "system": system, "value": value }] });
        refused(doors.fhir.post("/Patient").json(&new).send(), 409, "duplicate");
        assert_eq!(doors.patient(&second).expect(200).text(), before);
    }
}

fn x03_an_id_that_the_server_gives_cannot_be_changed_or_invented(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let cloud = doors.cloud_post(json!({})).expect(201).json()["patientUuid"].clone();
    let cloud = doors.fhir_id(cloud.as_str().expect("an id"));
    let graph = doors.graph_post(json!({})).expect(201).json();
    let registry = ehealth::preperson(&doors.ehealth, json!({}));
    let plain = doors.fhir_post(&patient(&unique()));
    let systems = [
        "medicapp/patient-id",
        "patient-graph/patient-id",
        "ehealth/preperson-id",
    ];
    let owners = [cloud.as_str(), ehealth::id(&graph), ehealth::id(&registry)];
    for (system, owner) in systems.into_iter().zip(owners) {
        let system = format!("{BASE}/{system}");
        let changed = |patient: &mut Value| {
            let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
            let place = identifiers
                .iter()
                .position(|held| held["system"] == system)
                .expect("its id");
            identifiers[place]["value"] = json!("1b4e28ba-2fa1-41d2-883f-0016d3cca427");
            place
        };
        let invented = |patient: &mut Value| {
            let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
            identifiers.push(json!({ "system": system, "value": "1b4e28ba-2fa1-41d2-883f-0016d3cca427" }));
            identifiers.len() - 1
        };
        type Change<'c> = &'c dyn Fn(&mut Value) -> usize;
        let cases: [(&str, Change<'_>); 3] = [(owner, &changed), (owner, &invented), (&plain, &invented)];
        for (id, change) in cases {
            let before = doors.patient(id).expect(200);
            let mut body = before.json();
            let place = change(&mut body);
            let answer = doors.fhir.put(format!("/Patient/{id}")).json(&body).send();
            let answer = refused(answer, 422, "business-rule");
            points_at(&answer, &format!("Patient.identifier[{place}]"));
            assert!(answer.text().contains(&system), "{answer:?}");
            assert_eq!(doors.patient(id).expect(200).text(), before.text());
        }
        // Sent back as it was given, or left out, it stays.
        doors.edit(owner, |patient| patient["active"] = json!(false));
        doors.edit(owner, |patient| {
            let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
            identifiers.retain(|held| held["system"] != system);
            if identifiers.is_empty() {
                patient.as_object_mut().expect("an object").remove("identifier");
            }
        });
        let kept = identifier_of(&doors.patient(owner).expect(200).json(), &system);
        assert!(kept.is_some(), "{system}");
    }
    // The id that is only in the index may be written down by who knows it, and by nobody else.
    let medicapp_id = doors.medicapp_id(&plain);
    let system = format!("{BASE}/medicapp/patient-id");
    doors.edit(&plain, |patient| {
        let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
        identifiers.push(json!({ "system": system, "value": medicapp_id }));
    });
    assert_eq!(doors.medicapp_id(&plain), medicapp_id);
}
