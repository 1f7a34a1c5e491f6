//! The registry's documented example, byte for byte.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    e01_the_documented_change_is_answered_as_documented,
    e01_what_becomes_of_a_note_is_the_operators_choice,
];

/// A file of a documented example.
fn seed(name: &str) -> Vec<u8> {
    let folder = crate::fixtures("seeds/004-update-preperson");
    std::fs::read(format!("{folder}/{name}")).expect("a file of the example")
}

fn e01_the_documented_change_is_answered_as_documented(context: &Context) {
    let server = shared(context);
    let client = door(server);
    let request: Value = serde_json::from_slice(&seed("request.json")).expect("JSON");
    let mut expected: Value = serde_json::from_slice(&seed("expected.json")).expect("JSON");
    let made = preperson(&client, json!({ "note": request["note"] }));
    let answer = client
        .patch(format!("/prepersons/{}", id(&made)))
        .header("Content-Type", "application/json")
        .body(seed("request.json"))
        .send();
    let body = meta(&answer, 200);
    let data = &body["data"];
    // The example's answer is a general one: ids, times and authors are its own, and so is the external id.
    assert_eq!(data["id"], made["id"]);
    assert_eq!(data["external_id"], request["external_id"]);
    assert_eq!(data["inserted_at"], made["inserted_at"]);
    assert_eq!(data["inserted_by"], made["inserted_by"]);
    for time in ["inserted_at", "updated_at"] {
        let text = data[time].as_str().expect("a time");
        assert_eq!((text.len(), text.ends_with('Z')), (20, true), "{text}");
    }
    assert_eq!(data["updated_by"], "4261eacf-8008-4e62-899f-de1e2f7065f0");
    for own in [
        "/meta/url",
        "/meta/request_id",
        "/data/id",
        "/data/external_id",
        "/data/inserted_at",
        "/data/inserted_by",
        "/data/updated_at",
        "/data/updated_by",
    ] {
        let value = body.pointer(own).expect(own).clone();
        *expected.pointer_mut(own).expect(own) = value;
    }
    assert_eq!(answer.text(), expected.to_string());
    let read = get(&client, id(&made));
    assert_eq!(read.json()["data"].to_string(), data.to_string());
    // The same again is no change.
    let again = client.patch(format!("/prepersons/{}", id(&made)));
    let again = again.header("Content-Type", "application/json");
    let again = again.body(seed("request.json")).send().expect(200);
    assert_eq!(again.version(), answer.version());
    let other = patch(&client, id(&made), &json!({ "note": "Tall." }));
    assert_eq!(violations(&other), ["$.note invalid"]);
}

fn e01_what_becomes_of_a_note_is_the_operators_choice(context: &Context) {
    for (word, kept) in [("allow", "Tall."), ("ignore", "Short.")] {
        let text = format!("[ehealth]\npatch-note = '{word}'\ndeath-deactivates = true\n");
        let server = crate::partner::switches::with_file(context, &text);
        let client = door(&server);
        let made = preperson(&client, json!({ "note": "Short." }));
        let changed = patch(
            &client,
            id(&made),
            &json!({ "note": "Tall.", "first_name": "Олег" }),
        );
        assert_eq!(data(&changed, 200)["note"], kept, "{word}");
        // E09: where a death ends a preperson, it ends it for good.
        let died = patch(&client, id(&made), &json!({ "death_date": "2018-11-11" }));
        assert_eq!(data(&died, 200)["status"], "INACTIVE");
        let refused = patch(&client, id(&made), &json!({ "first_name": "Ігор" }));
        let said = error(&refused, 422, "request_malformed");
        assert_eq!(said["message"], "Preperson is not active");
    }
}
