//! What holds at both Medicapp doors alike (`adapters.md` 0, 3.4 and 9.5).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::server::Server;
use testkit::tests;

use super::wire::*;
use crate::partner::switches::with_file;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    who_lacks_credential_or_scope_is_refused_before_anything_is_read,
    a_request_id_of_the_sender_is_the_one_that_is_told,
    the_switches_of_the_doors_reach_the_answers,
];

/// A door: its client, what it takes for a create, where ids stand in its answers.
pub struct Door {
    pub name: &'static str,
    pub client: Client,
    pub person: fn(Value) -> Value,
    id: &'static str,
    mount: &'static str,
}

pub fn doors(server: &Server) -> [Door; 2] {
    [
        Door {
            name: "medicapp-cloud",
            client: server.client("medicapp-cloud"),
            person: cloud_person,
            id: "patientUuid",
            mount: CLOUD,
        },
        Door {
            name: "medicapp-connect",
            client: server.client("medicapp-connect"),
            person: connect_person,
            id: "id",
            mount: CONNECT,
        },
    ]
}

impl Door {
    pub fn made(&self, more: Value) -> String {
        text(&shown(post(&self.client, &(self.person)(more)), 201), self.id)
    }

    pub fn raw(&self, body: impl Into<Vec<u8>>) -> Response {
        with_json(self.client.post("/patients"), body).send()
    }

    pub fn raw_put(&self, id: &str, body: impl Into<Vec<u8>>) -> Response {
        with_json(self.client.put(format!("/patients/{id}")), body).send()
    }

    /// A create with one property written by hand behind the others.
    pub fn with_property(&self, property: &str) -> Vec<u8> {
        let body = (self.person)(json!({})).to_string();
        let open = body.strip_suffix('}').expect("an object");
        format!("{open},{property}}}").into_bytes()
    }
}

/// Asks everything of a door once; what each answer came to.
fn everything(door: &Door, id: &str) -> Vec<Response> {
    let path = format!("/patients/{id}");
    let body = (door.person)(json!({ "externalId": unique() })).to_string();
    let query = format!("/patients?trustSpaceUuid={TRUST_SPACE}&externalId=x");
    let mut requests = vec![
        with_json(door.client.post("/patients"), body),
        door.client.get(&query),
        door.client.get(&path),
        with_json(
            door.client.put(&path),
            json!({ "email": format!("{}@example.org", unique()) }).to_string(),
        ),
    ];
    if door.name == "medicapp-connect" {
        requests.push(door.client.delete(&path));
    }
    requests.into_iter().map(|request| request.send()).collect()
}

fn who_lacks_credential_or_scope_is_refused_before_anything_is_read(context: &Context) {
    let server = shared(context);
    let keyless = client(
        context,
        server,
        "keyless",
        &[
            "--space",
            "demo",
            "--door",
            "medicapp-cloud",
            "--door",
            "medicapp-connect",
            "--scope",
            "system/Patient.cruds",
        ],
    );
    door_with_key(server, CONNECT, "/patients/pat_nobody", &keyless);
    for door in doors(server) {
        let id = door.made(json!({}));
        let with = |bearer: Option<&str>| {
            let client = server.anonymous().with_prefix(door.mount);
            let client = match bearer {
                Some(bearer) => client.with_bearer(bearer),
                None => client,
            };
            Door {
                client,
                ..door_named(server, door.name)
            }
        };
        // A key of another door is none here.
        let fhir = &server.credential("fhir").bearer;
        for (credential, status, code) in [
            (None, 401, "UNAUTHORIZED"),
            (Some("sk_test_000000000000_0000"), 401, "UNAUTHORIZED"),
            (Some(keyless.as_str()), 403, "FORBIDDEN"),
        ] {
            let other = with(credential);
            let unread = [other.raw("{"), other.client.post("/patients").body("x").send()];
            for refused in everything(&other, &id).into_iter().chain(unread) {
                faulty(&refused, status, code);
                assert_eq!(
                    refused.header("WWW-Authenticate"),
                    (status == 401).then_some("Bearer")
                );
            }
        }
        let foreign = get(&with(Some(fhir)).client, &id);
        assert!(matches!(foreign.status, 401 | 403), "{foreign:?}");
        faulty(
            &foreign,
            foreign.status,
            if foreign.status == 401 {
                "UNAUTHORIZED"
            } else {
                "FORBIDDEN"
            },
        );
        // There is no route: nobody is asked who he is.
        faulty(&with(None).client.get("/nothing").send(), 404, "NOT_FOUND");
        faulty(
            &with(None).client.request("PATCH", "/patients").send(),
            405,
            "METHOD_NOT_ALLOWED",
        );
        shown(get(&door.client, &id), 200);
    }
}

fn door_named(server: &Server, name: &str) -> Door {
    let mut doors = doors(server).into_iter();
    doors.find(|door| door.name == name).expect("a door")
}

fn a_request_id_of_the_sender_is_the_one_that_is_told(context: &Context) {
    for door in doors(shared(context)) {
        for (sent, is_taken) in [("trace-1.2_3", true), ("a b", false), ("x\"y", false)] {
            let request = door
                .client
                .get("/patients/pat_nobody")
                .header("X-Request-Id", sent);
            let answer = request.send();
            faulty(&answer, 404, "PATIENT_NOT_FOUND");
            let told = answer.header("X-Request-Id").expect("an id");
            assert_eq!(told == sent, is_taken, "{told}");
            assert!(is_taken || is_request_id(told), "{told}");
        }
    }
}

fn the_switches_of_the_doors_reach_the_answers(context: &Context) {
    let server = with_file(
        context,
        "[medicapp]\nfind-status = 201\ncloud-get-full = false\nstrict-key-conflict = true\n\
         locked-fields = 'ignore'\nreject-future-birth = false\nper-page-over = 'reject'\ntemplate-fhir = false\n",
    );
    let [cloud, connect] = doors(&server);
    let key = |nir: &str| json!({ "nir": nir, "rang": "01" });
    let body = cloud_person(json!({ "externalId": "x", "identificationKey": key("1881103750016") }));
    shown(post(&cloud.client, &body), 201);
    let found = shown(post(&cloud.client, &body), 201);
    assert_eq!(found["created"], false);
    let id = text(&found, "patientUuid");
    assert_eq!(keys(&shown(get(&cloud.client, &id), 200)).len(), 5);
    let other = and(body, json!({ "identificationKey": key("2690549588157") }));
    faulty(&post(&cloud.client, &other), 409, "IDENTIFICATION_KEY_CONFLICT");
    shown(put(&cloud.client, &id, &json!({ "lastName": "Autre" })), 200);
    connect.made(json!({ "birthDate": "2199-01-01" }));
    let list = |query: &str| connect.client.get(format!("/patients?{query}")).send();
    assert!(faulty(&list("per_page=101"), 400, "VALIDATION_ERROR").contains("per_page"));
    assert!(faulty(&list("template=FHIR"), 400, "VALIDATION_ERROR").contains("template"));
}
