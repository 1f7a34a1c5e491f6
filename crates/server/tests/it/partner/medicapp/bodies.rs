//! Bodies that are no bodies, and texts that are hard to keep.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::both::doors;
use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    n26_a_body_is_json_in_utf_8_and_nothing_else,
    x04_what_no_text_can_hold_is_refused,
    x05_a_key_that_stands_twice_is_refused,
    x07_a_number_is_no_text,
];

fn n26_a_body_is_json_in_utf_8_and_nothing_else(context: &Context) {
    for door in doors(shared(context)) {
        let body = || (door.person)(json!({})).to_string();
        let typed = |kind: &str| {
            door.client
                .post("/patients")
                .header("Content-Type", kind)
                .body(body())
                .send()
        };
        for taken in [
            "application/json",
            "application/json; charset=UTF-8",
            "Application/JSON;charset=\"utf-8\";x=y",
            "application/problem+json",
        ] {
            shown(typed(taken), 201);
        }
        for kind in [
            "application/json; charset=iso-8859-1",
            "application/x-www-form-urlencoded",
            "text/plain",
            "application/fhir+xml",
            "application/jsonx",
            "",
        ] {
            faulty(&typed(kind), 415, "UNSUPPORTED_MEDIA_TYPE");
        }
        faulty(
            &door.client.post("/patients").body(body()).send(),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        );
        faulty(
            &door.raw([b"\xef\xbb\xbf", body().as_bytes()].concat()),
            400,
            "INVALID_JSON",
        );
        faulty(
            &door.raw(body().replace("Jean", "\u{e9}").into_bytes()[..20].to_vec()),
            400,
            "INVALID_JSON",
        );
        for broken in [
            &b""[..],
            b" ",
            b"{",
            b"[]",
            b"null",
            b"\"x\"",
            b"{\"firstName\":\"\xe9\"}",
            b"{} {}",
        ] {
            faulty(&door.raw(broken), 400, "INVALID_JSON");
        }
        let large = vec![b' '; (2 << 20) + 1];
        faulty(&door.raw(large.clone()), 413, "PAYLOAD_TOO_LARGE");
        let id = door.made(json!({}));
        faulty(&door.raw_put(&id, large), 413, "PAYLOAD_TOO_LARGE");
        let form = door.client.put(format!("/patients/{id}")).form("phone=1").send();
        faulty(&form, 415, "UNSUPPORTED_MEDIA_TYPE");
        // What an answer is wished to be does not matter here.
        let picky = door
            .client
            .get(format!("/patients/{id}"))
            .header("Accept", "image/png");
        shown(picky.send(), 200);
    }
}

fn x04_what_no_text_can_hold_is_refused(context: &Context) {
    for door in doors(shared(context)) {
        for (property, code) in [
            (
                format!("\"externalId\":\"{}\"", "x".repeat(256)),
                "VALIDATION_ERROR",
            ),
            (
                format!("\"email\":\"{}@example.org\"", "x".repeat(250)),
                "VALIDATION_ERROR",
            ),
            ("\"externalId\":\"\\u0000\"".to_owned(), "INVALID_JSON"),
            ("\"externalId\":\"a\\u0001b\"".to_owned(), "INVALID_JSON"),
            ("\"externalId\":\"\\ud800\"".to_owned(), "INVALID_JSON"),
            ("\"externalId\":\"\\udc00\\ud800\"".to_owned(), "INVALID_JSON"),
            ("\"unknown\":\"\\u0000\"".to_owned(), "INVALID_JSON"),
            ("\"un\\u0000known\":1".to_owned(), "INVALID_JSON"),
            ("\"externalId\":\" \"".to_owned(), "VALIDATION_ERROR"),
        ] {
            faulty(&door.raw(door.with_property(&property)), 400, code);
        }
        for name in ["x".repeat(256), " ".to_owned(), "\t\n".to_owned(), String::new()] {
            let refused = post(&door.client, &(door.person)(json!({ "firstName": name })));
            assert!(faulty(&refused, 400, "VALIDATION_ERROR").contains("firstName"));
        }
    }
}

fn x05_a_key_that_stands_twice_is_refused(context: &Context) {
    for door in doors(shared(context)) {
        for property in [
            "\"firstName\":\"X\"",
            "\"\\u0066irstName\":\"X\"",
            "\"unknown\":{\"a\":1,\"a\":1}",
            "\"unknown\":[{\"a\":1,\"b\":{},\"a\":2}]",
        ] {
            faulty(&door.raw(door.with_property(property)), 400, "INVALID_JSON");
        }
        let id = door.made(json!({}));
        let twice = "{\"email\":\"a@example.org\",\"email\":\"b@example.org\"}";
        faulty(&door.raw_put(&id, twice), 400, "INVALID_JSON");
        assert_eq!(shown(get(&door.client, &id), 200)["email"], json!(null));
    }
}

fn x07_a_number_is_no_text(context: &Context) {
    for door in doors(shared(context)) {
        for (field, values) in [
            ("externalId", ["4821", "true", "[]", "{}"]),
            ("email", ["1", "false", "[\"a@example.org\"]", "{}"]),
            ("phone", ["33612345678", "1e400", "[]", "{}"]),
        ] {
            for value in values {
                let body = door.with_property(&format!("\"{field}\":{value}"));
                let message = faulty(&door.raw(body), 400, "VALIDATION_ERROR");
                assert!(message.contains(field), "{value}: {message}");
            }
        }
        let id = door.made(json!({}));
        let refused = door.raw_put(&id, "{\"externalId\":4821}");
        assert!(faulty(&refused, 400, "VALIDATION_ERROR").contains("externalId"));
    }
}
