//! A preperson between the registry and the hospital's own system: what each sees of the other's changes.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    e08_a_wrong_pair_of_dates_of_another_source_blocks_no_other_change,
    e18_an_external_id_may_be_used_again,
    e20_any_facility_may_change_and_only_its_own_name_moves,
    e22_who_is_identified_or_merged_is_read_and_no_longer_changed,
    e23_a_deleted_preperson_and_a_person_are_not_found,
    e24_the_documented_form_of_external_ids_is_held_where_the_operator_says_so,
    e27_a_work_phone_is_not_shown_and_outlives_what_is_sent_back,
    e28_a_death_of_another_source_is_shown_as_its_day_or_not_at_all,
];

const BASE: &str = "https://fhir-facade.example/ns";

/// What an EHR makes of a preperson's Patient.
#[track_caller]
fn edit(fhir: &Client, id: &str, change: impl FnOnce(&mut Value)) -> Response {
    let path = format!("/Patient/{id}");
    let mut resource = fhir.get(&path).send().expect(200).json();
    change(&mut resource);
    fhir.put(&path).json(&resource).send().expect(200)
}

fn e08_a_wrong_pair_of_dates_of_another_source_blocks_no_other_change(context: &Context) {
    let (client, fhir) = (door(shared(context)), shared_fhir(context));
    let made = preperson(&client, json!({ "birth_date": "1980-01-01" }));
    edit(&fhir, id(&made), |patient| {
        patient["deceasedDateTime"] = json!("1970-01-01")
    });
    let shown = data(&get(&client, id(&made)), 200);
    assert_eq!(shown["death_date"], "1970-01-01");
    let changed = patch(&client, id(&made), &json!({ "external_id": "new" }));
    assert_eq!(data(&changed, 200)["external_id"], "new");
    let refused = patch(&client, id(&made), &json!({ "birth_date": "1981-01-01" }));
    assert_eq!(violations(&refused), ["$.death_date invalid"]);
    let mended = patch(&client, id(&made), &json!({ "birth_date": "1960-01-01" }));
    assert_eq!(data(&mended, 200)["birth_date"], "1960-01-01");
}

fn e18_an_external_id_may_be_used_again(context: &Context) {
    let client = door(shared(context));
    let body = json!({ "external_id": unique(), "gender": "FEMALE" });
    let [first, second] = [0, 1].map(|_| data(&post(&client, &body), 201));
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["external_id"], second["external_id"]);
    let third = preperson(&client, json!({}));
    let body = json!({ "external_id": first["external_id"] });
    data(&patch(&client, id(&third), &body), 200);
}

fn e20_any_facility_may_change_and_only_its_own_name_moves(context: &Context) {
    let server = context.server();
    let (creator, fhir) = (door(&server), server.client("fhir"));
    let entity = Entity {
        kind: "EMERGENCY",
        ..Entity::default()
    };
    let other = entity.enter(context, &server);
    let made = preperson(&creator, json!({}));
    assert_eq!(made["inserted_by"], "4261eacf-8008-4e62-899f-de1e2f7065f0");
    assert_eq!(made["updated_by"], made["inserted_by"]);
    assert_eq!(data(&get(&other, id(&made)), 200), made);
    let change = json!({ "external_id": "of-the-other", "first_name": "Олег" });
    let changed = data(&patch(&other, id(&made), &change), 200);
    assert_eq!(changed["inserted_by"], made["inserted_by"]);
    assert_eq!(changed["updated_by"], entity.user);
    assert_eq!(changed["external_id"], "of-the-other");
    assert_eq!(data(&get(&creator, id(&made)), 200), changed);
    let resource = fhir
        .get(format!("/Patient/{}", id(&made)))
        .send()
        .expect(200)
        .json();
    let external: Vec<&Value> = resource["identifier"]
        .as_array()
        .expect("identifiers")
        .iter()
        .filter(|held| {
            held["system"]
                .as_str()
                .is_some_and(|system| system.ends_with("preperson-external-id"))
        })
        .collect();
    let system =
        format!("{BASE}/ehealth/legal-entity/7cc91a5d-c02f-41e9-b571-1ea4f2375552/preperson-external-id");
    assert_eq!(external.len(), 1, "{resource}");
    assert_eq!(external[0]["system"], system);
    // An EHR has no user of the registry: a name is made for it, always the same.
    let authors = [0, 1].map(|number| {
        edit(&fhir, id(&made), |patient| {
            patient["multipleBirthInteger"] = json!(number + 1)
        });
        data(&get(&creator, id(&made)), 200)["updated_by"].clone()
    });
    assert_eq!(authors[0], authors[1]);
    assert_ne!(authors[0], changed["updated_by"]);
    assert_eq!(authors[0].as_str().map(str::len), Some(36));
}

fn e22_who_is_identified_or_merged_is_read_and_no_longer_changed(context: &Context) {
    let (client, fhir) = (door(shared(context)), shared_fhir(context));
    let status = format!("{BASE}/StructureDefinition/patient-identification-status");
    let identified = preperson(&client, json!({}));
    edit(&fhir, id(&identified), |patient| {
        let extensions = patient["extension"].as_array_mut().expect("extensions");
        for extension in extensions.iter_mut().filter(|held| held["url"] == status) {
            extension["valueCode"] = json!("identified");
        }
    });
    let (merged, target) = (preperson(&client, json!({})), preperson(&client, json!({})));
    edit(&fhir, id(&merged), |patient| {
        patient["active"] = json!(false);
        let other = json!({ "reference": format!("Patient/{}", id(&target)) });
        patient["link"] = json!([{ "other": other, "type": "replaced-by" }]);
    });
    for (preperson, shown) in [(&identified, "ACTIVE"), (&merged, "INACTIVE")] {
        assert_eq!(data(&get(&client, id(preperson)), 200)["status"], shown);
        let refused = patch(&client, id(preperson), &json!({ "first_name": "Олег" }));
        let said = error(&refused, 422, "request_malformed");
        assert_eq!(said["message"], "Preperson is not active");
    }
    data(
        &patch(&client, id(&target), &json!({ "first_name": "Олег" })),
        200,
    );
}

fn e23_a_deleted_preperson_and_a_person_are_not_found(context: &Context) {
    let (client, fhir) = (door(shared(context)), shared_fhir(context));
    let person = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    error(&get(&client, &person.id()), 404, "not_found");
    let made = preperson(&client, json!({}));
    fhir.delete(format!("/Patient/{}", id(&made))).send().expect(204);
    error(&get(&client, id(&made)), 404, "not_found");
    let refused = patch(&client, id(&made), &json!({ "first_name": "Олег" }));
    error(&refused, 404, "not_found");
    fhir.get(format!("/Patient/{}", id(&made))).send().expect(410);
}

fn e24_the_documented_form_of_external_ids_is_held_where_the_operator_says_so(context: &Context) {
    let text = "[ehealth]\nexternal-id-pattern = true\nstrict-names = true\narray-path = 'bracket'\n";
    let server = crate::partner::switches::with_file(context, text);
    let client = door(&server);
    let create = |more: Value| {
        let mut body = json!({ "external_id": "12345678.1234567890.42", "gender": "MALE" });
        merge(&mut body, &more);
        post(&client, &body)
    };
    data(&create(json!({})), 201);
    let refused = create(json!({ "external_id": "#1234-FDS-ab" }));
    assert_eq!(violations(&refused), ["$.external_id format"]);
    data(&create(json!({ "first_name": "Ґалаґан" })), 201);
    assert_eq!(
        violations(&create(json!({ "first_name": "Ёлка" }))),
        ["$.first_name format"]
    );
    let contact = json!({ "first_name": "А", "last_name": "Б", "phones": [
        { "type": "MOBILE", "number": "0503410870" }
    ] });
    assert_eq!(
        violations(&create(json!({ "emergency_contact": contact }))),
        ["$.emergency_contact.phones[0].number format"]
    );
}

fn e27_a_work_phone_is_not_shown_and_outlives_what_is_sent_back(context: &Context) {
    let (client, fhir) = (door(shared(context)), shared_fhir(context));
    let contact = json!({ "first_name": "Олена", "last_name": "Коваль", "phones": [
        { "type": "MOBILE", "number": "+380503410870" }
    ] });
    let made = preperson(&client, json!({ "emergency_contact": contact }));
    edit(&fhir, id(&made), |patient| {
        let telecom = patient["contact"][0]["telecom"].as_array_mut().expect("telecom");
        telecom.push(json!({ "system": "phone", "value": "+380442000000", "use": "work" }));
        let extra = json!({ "relationship": [{ "text": "neighbour" }], "name": { "family": "Мельник" } });
        patient["contact"].as_array_mut().expect("contacts").push(extra);
    });
    let before = fhir
        .get(format!("/Patient/{}", id(&made)))
        .send()
        .expect(200)
        .text();
    let shown = data(&get(&client, id(&made)), 200);
    assert_eq!(shown["emergency_contact"], made["emergency_contact"]);
    let again = json!({ "emergency_contact": shown["emergency_contact"] });
    data(&patch(&client, id(&made), &again), 200);
    let path = format!("/Patient/{}", id(&made));
    assert_eq!(fhir.get(&path).send().expect(200).text(), before);
    // A phone more is one more: the work phone stays where it is.
    let mut more = shown["emergency_contact"].clone();
    let phones = more["phones"].as_array_mut().expect("phones");
    phones.push(json!({ "type": "LAND_LINE", "number": "+380442000001" }));
    data(
        &patch(&client, id(&made), &json!({ "emergency_contact": more })),
        200,
    );
    let after = fhir.get(&path).send().expect(200);
    assert!(
        after.text().contains("+380442000000") && after.text().contains("Мельник"),
        "{after:?}"
    );
}

fn e28_a_death_of_another_source_is_shown_as_its_day_or_not_at_all(context: &Context) {
    let (client, fhir) = (door(shared(context)), shared_fhir(context));
    for (name, value, shown) in [
        (
            "deceasedDateTime",
            json!("2018-11-11T23:30:00-05:00"),
            json!("2018-11-11"),
        ),
        ("deceasedBoolean", json!(true), Value::Null),
        ("deceasedBoolean", json!(false), Value::Null),
        ("deceasedDateTime", json!("2018-11"), Value::Null),
    ] {
        let made = preperson(&client, json!({ "birth_date": "1980-01-01" }));
        edit(&fhir, id(&made), |patient| patient[name] = value.clone());
        assert_eq!(
            data(&get(&client, id(&made)), 200)["death_date"],
            shown,
            "{value}"
        );
        // What is not about the death leaves it as it is; a day of death takes its place.
        data(&patch(&client, id(&made), &json!({ "first_name": "Олег" })), 200);
        let path = format!("/Patient/{}", id(&made));
        assert_eq!(fhir.get(&path).send().expect(200).json()[name], value);
        data(
            &patch(&client, id(&made), &json!({ "death_date": "2019-01-01" })),
            200,
        );
        let patient = fhir.get(&path).send().expect(200).json();
        assert_eq!(patient["deceasedDateTime"], "2019-01-01");
        assert!(patient.get("deceasedBoolean").is_none(), "{patient}");
    }
}
