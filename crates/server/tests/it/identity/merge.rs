//! The feed (PIXm ITI-104): add, revise, resolve duplicate, remove.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::race;
use testkit::tests;

use super::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    p41_a_feed_adds_revises_and_removes_by_identifier_in_json_and_xml,
    who_is_replaced_gets_a_survivor_that_is_linked_back,
    a_replayed_merge_makes_no_version,
    links_of_others_follow_to_the_survivor,
    a_chain_of_merges_ends_at_the_last_survivor,
    a_merge_with_nobody_with_itself_or_in_a_circle_is_refused_and_nothing_is_written,
    a_merge_is_one_however_it_is_written,
    in_a_transaction_a_merge_is_whole_in_either_order,
    who_may_only_create_changes_nobody_by_a_merge,
    two_merges_against_each_other_leave_one_survivor,
    a_survivor_that_is_changed_meanwhile_keeps_the_change_and_the_link,
];

fn id(response: &Response) -> String {
    id_of(response.location())
}

fn read(fhir: &Client, id: &str) -> Value {
    fhir.get(format!("/Patient/{id}")).send().expect(200).json()
}

fn links(patient: &Value) -> Vec<(String, String)> {
    let list = patient["link"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|link| (text(&link["type"]), text(&link["other"]["reference"])))
        .collect()
}

fn two(kind: &str, id: &str) -> (String, String) {
    (kind.to_owned(), format!("Patient/{id}"))
}

fn version(patient: &Value) -> &str {
    patient["meta"]["versionId"].as_str().unwrap_or_default()
}

fn p41_a_feed_adds_revises_and_removes_by_identifier_in_json_and_xml(context: &Context) {
    let (_server, fhir) = apart(context);
    let added = feed(&fhir, RED, "IHERED-994", &example("alissa-red")).expect(201);
    let revised = feed(&fhir, RED, "IHERED-994", &example("alice")).expect(200);
    assert_eq!(id(&added), id(&revised));
    let xml = format!(
        "<Patient xmlns=\"http://hl7.org/fhir\"><identifier><system value=\"{RED}\"/><value value=\"IHERED-m94\"/></identifier>\
         <active value=\"true\"/><name><family value=\"Mohr\"/><given value=\"Maiden\"/></name></Patient>"
    );
    let by = percent_encode(&format!("{RED}|IHERED-m94"));
    let target = format!("/Patient?identifier={by}");
    fhir.put(&target).xml(&xml).send().expect(201);
    let again = fhir.put(&target).xml(&xml).send().expect(200);
    assert_eq!(again.version(), 1);
    fhir.delete(&target).send().expect(204);
    assert_eq!(found(&fhir, "Patient", (RED, "IHERED-m94")), Vec::<String>::new());
    fhir.delete(&target).send().expect(204);
}

/// Alissa and her maiden record, and their ids.
fn alissa_and_maiden(fhir: &Client) -> (String, String) {
    let survivor = id(&feed(fhir, RED, "IHERED-994", &example("alissa-red")).expect(201));
    let subsumed = id(&feed(fhir, RED, "IHERED-m94", &example("maiden-red")).expect(201));
    (survivor, subsumed)
}

fn who_is_replaced_gets_a_survivor_that_is_linked_back(context: &Context) {
    let (_server, fhir) = apart(context);
    let (survivor, subsumed) = alissa_and_maiden(&fhir);
    let merged = feed(&fhir, RED, "IHERED-m94", &example("maiden-red-resolved")).expect(200);
    assert_eq!((id(&merged), merged.version()), (subsumed.clone(), 2));
    let now = read(&fhir, &survivor);
    assert_eq!(links(&now), [two("replaces", &subsumed)]);
    assert_eq!(version(&now), "2");
    assert_eq!(read(&fhir, &subsumed)["active"], false);
    // It answers for the survivor.
    let by = percent_encode(&format!("{RED}|IHERED-m94"));
    let pix = fhir
        .get(format!("/Patient/$ihe-pix?sourceIdentifier={by}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(pix["parameter"][0]["valueIdentifier"]["value"], "IHERED-994");
    let reference = pix["parameter"][1]["valueReference"]["reference"]
        .as_str()
        .unwrap();
    assert!(reference.ends_with(&format!("/Patient/{survivor}")), "{pix}");
}

fn a_replayed_merge_makes_no_version(context: &Context) {
    let (_server, fhir) = apart(context);
    let (survivor, _) = alissa_and_maiden(&fhir);
    for _ in 0..3 {
        let merged = feed(&fhir, RED, "IHERED-m94", &example("maiden-red-resolved")).expect(200);
        assert_eq!(merged.version(), 2);
        assert_eq!(version(&read(&fhir, &survivor)), "2");
    }
}

fn links_of_others_follow_to_the_survivor(context: &Context) {
    let (_server, fhir) = apart(context);
    let (survivor, subsumed) = alissa_and_maiden(&fhir);
    let linked = |kind: &str| {
        let link = json!([{ "other": { "reference": format!("Patient/{subsumed}"), "display": "M" }, "type": kind }]);
        id(&fhir
            .post("/Patient")
            .json(&with(patient(&unique()), "link", link))
            .send()
            .expect(201))
    };
    let (sees, refers, replaces) = (linked("seealso"), linked("refer"), linked("replaces"));
    feed(&fhir, RED, "IHERED-m94", &example("maiden-red-resolved")).expect(200);
    assert_eq!(links(&read(&fhir, &sees)), [two("seealso", &survivor)]);
    assert_eq!(read(&fhir, &sees)["link"][0]["other"]["display"], "M");
    assert_eq!(links(&read(&fhir, &refers)), [two("refer", &survivor)]);
    // Whom somebody replaced stays whom it replaced.
    assert_eq!(links(&read(&fhir, &replaces)), [two("replaces", &subsumed)]);
}

fn merge_into(fhir: &Client, subsumed: &str, survivor: &str) -> Response {
    let mut body = read(fhir, subsumed);
    body["active"] = json!(false);
    body["link"] =
        json!([{ "other": { "reference": format!("Patient/{survivor}") }, "type": "replaced-by" }]);
    fhir.put(format!("/Patient/{subsumed}")).json(&body).send()
}

fn somebody(fhir: &Client) -> String {
    id(&fhir.post("/Patient").json(&patient(&unique())).send().expect(201))
}

fn a_chain_of_merges_ends_at_the_last_survivor(context: &Context) {
    let (_server, fhir) = apart(context);
    let [first, second, third, fourth] = [(); 4].map(|()| somebody(&fhir));
    merge_into(&fhir, &first, &second).expect(200);
    merge_into(&fhir, &second, &third).expect(200);
    // Who was replaced by the second is replaced by the third now.
    assert_eq!(links(&read(&fhir, &first)), [two("replaced-by", &third)]);
    let so_far = [two("replaces", &second), two("replaces", &first)];
    assert_eq!(links(&read(&fhir, &third)), so_far);
    // Whoever is merged into one that was replaced goes to who is there.
    merge_into(&fhir, &fourth, &second).expect(200);
    assert_eq!(
        links(&read(&fhir, &third)),
        [so_far.as_slice(), &[two("replaces", &fourth)]].concat()
    );
}

fn a_merge_with_nobody_with_itself_or_in_a_circle_is_refused_and_nothing_is_written(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, RED, "IHERED-m94", &example("maiden-red")).expect(201);
    let alone = feed(&fhir, RED, "IHERED-m94", &example("maiden-red-resolved"));
    points_at(&refused(alone, 422, "business-rule"), "Patient.link[0].other");
    let (a, b) = (somebody(&fhir), somebody(&fhir));
    refused(merge_into(&fhir, &a, &a), 422, "business-rule");
    merge_into(&fhir, &a, &b).expect(200);
    refused(merge_into(&fhir, &b, &a), 422, "business-rule");
    assert_eq!(version(&read(&fhir, &a)), "2");
    assert_eq!(links(&read(&fhir, &b)), [two("replaces", &a)]);
    // Whom only a reference names may come later.
    merge_into(&fhir, &b, "not-here-yet").expect(200);
}

fn a_merge_is_one_however_it_is_written(context: &Context) {
    let (_server, fhir) = apart(context);
    let survivor = somebody(&fhir);
    let link = json!({ "other": { "reference": format!("Patient/{survivor}") }, "type": "replaced-by" });
    // A patch.
    let patched = somebody(&fhir);
    let patch = json!([
        { "op": "add", "path": "/link", "value": [link] }, { "op": "add", "path": "/active", "value": false }
    ]);
    fhir.patch(format!("/Patient/{patched}"))
        .body(patch.to_string())
        .header("Content-Type", "application/json-patch+json")
        .send()
        .expect(200);
    // A creation.
    let created = id(&fhir
        .post("/Patient")
        .json(&with(patient(&unique()), "link", json!([link])))
        .send()
        .expect(201));
    // An entry of a transaction.
    let inside = somebody(&fhir);
    let body = with(
        with(patient(&unique()), "link", json!([link])),
        "id",
        json!(inside),
    );
    let bundle = json!({
        "resourceType": "Bundle", "type": "transaction",
        "entry": [{ "resource": body, "request": { "method": "PUT", "url": format!("Patient/{inside}") } }]
    });
    fhir.post("/").json(&bundle).send().expect(200);
    assert_eq!(
        links(&read(&fhir, &survivor)),
        [
            two("replaces", &patched),
            two("replaces", &created),
            two("replaces", &inside)
        ]
    );
}

fn in_a_transaction_a_merge_is_whole_in_either_order(context: &Context) {
    let (_server, fhir) = apart(context);
    for order in [[0, 1], [1, 0]] {
        let (survivor, subsumed) = (somebody(&fhir), somebody(&fhir));
        let entry = |id: &str, body: Value| json!({ "resource": with(body, "id", json!(id)), "request": { "method": "PUT", "url": format!("Patient/{id}") } });
        let link =
            json!([{ "other": { "reference": format!("Patient/{survivor}") }, "type": "replaced-by" }]);
        let entries = [
            entry(
                &survivor,
                with(patient(&unique()), "birthDate", json!("1958-01-30")),
            ),
            entry(&subsumed, with(patient(&unique()), "link", link)),
        ];
        let bundle = json!({
            "resourceType": "Bundle", "type": "transaction", "entry": order.map(|position: usize| entries[position].clone())
        });
        let answer = fhir.post("/").json(&bundle).send().expect(200).json();
        let now = read(&fhir, &survivor);
        assert_eq!(
            (links(&now), &now["birthDate"]),
            (vec![two("replaces", &subsumed)], &json!("1958-01-30"))
        );
        // It is answered as it is at the end.
        let position = order.iter().position(|of| *of == 0).unwrap();
        let told = &answer["entry"][position];
        assert_eq!(told["response"]["etag"], format!("W/\"{}\"", version(&now)));
        assert_eq!(told["resource"], now);
    }
}

fn who_may_only_create_changes_nobody_by_a_merge(context: &Context) {
    let (server, fhir) = apart(context);
    let survivor = somebody(&fhir);
    let key = crate::access::client_key(context, &server, "creator", &["demo"], &["system/Patient.cr"]);
    let creator = fhir_with_key(&server, &key);
    let link = json!([{ "other": { "reference": format!("Patient/{survivor}") }, "type": "replaced-by" }]);
    let number = unique();
    let body = with(patient(&number), "link", link);
    refused(creator.post("/Patient").json(&body).send(), 403, "forbidden");
    let bundle = json!({
        "resourceType": "Bundle", "type": "transaction",
        "entry": [{ "resource": body, "request": { "method": "POST", "url": "Patient" } }]
    });
    refused(creator.post("/").json(&bundle).send(), 403, "forbidden");
    assert_eq!(version(&read(&fhir, &survivor)), "1");
    assert_eq!(count_local(&fhir, &number), 0);
    creator
        .post("/Patient")
        .json(&patient(&number))
        .send()
        .expect(201);
}

fn two_merges_against_each_other_leave_one_survivor(context: &Context) {
    let (_server, fhir) = apart(context);
    for _ in 0..8 {
        let pair = [somebody(&fhir), somebody(&fhir)];
        let bodies = [0, 1].map(|own: usize| {
            let mut body = read(&fhir, &pair[own]);
            body["active"] = json!(false);
            let other = format!("Patient/{}", pair[1 - own]);
            body["link"] = json!([{ "other": { "reference": other }, "type": "replaced-by" }]);
            body
        });
        let mut statuses = race(2, |number| {
            fhir.put(format!("/Patient/{}", pair[number]))
                .json(&bodies[number])
                .send()
                .status
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422]);
        let kinds: Vec<String> = pair
            .iter()
            .flat_map(|id| links(&read(&fhir, id)))
            .map(|(kind, _)| kind)
            .collect();
        assert!(
            kinds.contains(&"replaces".to_owned()) && kinds.contains(&"replaced-by".to_owned()),
            "{kinds:?}"
        );
        assert_eq!(kinds.len(), 2);
    }
}

fn a_survivor_that_is_changed_meanwhile_keeps_the_change_and_the_link(context: &Context) {
    let (_server, fhir) = apart(context);
    for _ in 0..8 {
        let (survivor, subsumed) = (somebody(&fhir), somebody(&fhir));
        let patch = json!([{ "op": "add", "path": "/birthDate", "value": "1958-01-30" }]);
        let statuses = race(2, |number| {
            if number == 0 {
                return merge_into(&fhir, &subsumed, &survivor).status;
            }
            let sent = fhir.patch(format!("/Patient/{survivor}")).body(patch.to_string());
            sent.header("Content-Type", "application/json-patch+json")
                .send()
                .status
        });
        assert_eq!(statuses, [200, 200]);
        let now = read(&fhir, &survivor);
        assert_eq!(now["birthDate"], "1958-01-30");
        assert_eq!(links(&now), [two("replaces", &subsumed)]);
        assert_eq!(version(&now), "3");
    }
}
