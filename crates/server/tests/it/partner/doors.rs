//! What holds at both Medicapp doors alike (`adapters.md` 0, 3.4 and 9.5).

mod bodies;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::harness::{Context, Suite, Test};
use testkit::http::{Client, Response};
use testkit::postgres::Postgres;
use testkit::proxy::Proxy;
use testkit::server::{Backend, Server};
use testkit::tests;
use testkit::wait::wait_for;

use super::medicapp::*;
use super::switches::with_file;
use crate::support::*;

const TESTS: &[Test] = tests![
    n25_who_asks_too_often_is_told_when_to_come_back,
    x14_another_path_or_verb_is_refused_in_the_doors_shape,
    x16_an_unusable_database_is_told_in_the_doors_shape,
    x18_no_answer_of_a_door_is_fhir,
    x20_the_log_names_nobody,
    who_lacks_credential_or_scope_is_refused_before_anything_is_read,
    a_request_id_of_the_sender_is_the_one_that_is_told,
    the_switches_of_the_doors_reach_the_answers,
];

const POSTGRES: &[Test] = tests![x16_a_database_that_is_away_is_503_and_comes_back];

/// Adds all tests of both doors.
pub fn add(suite: Suite) -> Suite {
    suite.both(TESTS).both(bodies::TESTS).postgres(POSTGRES)
}

/// A door: its client, what it takes for a create, where ids stand in its answers.
struct Door {
    name: &'static str,
    client: Client,
    person: fn(Value) -> Value,
    id: &'static str,
    mount: &'static str,
}

fn doors(server: &Server) -> [Door; 2] {
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
    fn made(&self, more: Value) -> String {
        text(&shown(post(&self.client, &(self.person)(more)), 201), self.id)
    }

    fn raw(&self, body: impl Into<Vec<u8>>) -> Response {
        with_json(self.client.post("/patients"), body).send()
    }

    fn raw_put(&self, id: &str, body: impl Into<Vec<u8>>) -> Response {
        with_json(self.client.put(format!("/patients/{id}")), body).send()
    }

    /// A create with one property written by hand behind the others.
    fn with_property(&self, property: &str) -> Vec<u8> {
        let body = (self.person)(json!({})).to_string();
        let open = body.strip_suffix('}').expect("an object");
        format!("{open},{property}}}").into_bytes()
    }
}

fn n25_who_asks_too_often_is_told_when_to_come_back(context: &Context) {
    let server = context.server();
    let arguments = |door: &str| {
        let id = format!("eager-{door}");
        succeeds(
            context,
            &server,
            &[
                "client",
                "add",
                &id,
                "--space",
                "demo",
                "--door",
                door,
                "--scope",
                "partner:administrative",
                "--rate-limit",
                "1/20",
            ],
        );
        issue_key(context, &server, &id)
    };
    for Door { name, mount, .. } in doors(&server) {
        let client = door_with_key(&server, mount, "/patients/pat_nobody", &arguments(name));
        let ask = || get(&client, "pat_nobody");
        let refused = wait_for(Duration::from_secs(30), "a request too many", || {
            let answer = ask();
            (answer.status == 429).then_some(answer)
        });
        let since = Instant::now();
        faulty(&refused, 429, "RATE_LIMIT_EXCEEDED");
        let wait: u64 = refused
            .header("Retry-After")
            .expect("a wait")
            .parse()
            .expect("seconds");
        assert!((1..=2).contains(&wait), "{refused:?}");
        wait_for(Duration::from_secs(10), "the announced time", || {
            (since.elapsed() >= Duration::from_secs(wait)).then_some(())
        });
        faulty(&ask(), 404, "PATIENT_NOT_FOUND");
    }
}

fn x14_another_path_or_verb_is_refused_in_the_doors_shape(context: &Context) {
    for door in doors(shared(context)) {
        let id = door.made(json!({}));
        for path in [
            "",
            "/",
            "/patients/",
            &format!("/patients/{id}/"),
            &format!("/patients/{id}/records"),
            &format!("/patients/{id}/protocol-status"),
            "/Patients",
            "//patients",
            "/questionnaires",
            "/patients/a/b/c",
        ] {
            faulty(&door.client.get(path).send(), 404, "NOT_FOUND");
            faulty(&with_json(door.client.post(path), "{}").send(), 404, "NOT_FOUND");
        }
        for verb in ["PUT", "DELETE"] {
            let refused = door.client.request(verb, "/patients").send();
            faulty(&refused, 405, "METHOD_NOT_ALLOWED");
            assert_eq!(refused.header("Allow"), Some("POST, GET, HEAD"));
        }
        for verb in ["PATCH", "OPTIONS", "TRACE", "PURGE"] {
            for path in ["/patients".to_owned(), format!("/patients/{id}")] {
                let refused = door.client.request(verb, path).send();
                faulty(&refused, 405, "METHOD_NOT_ALLOWED");
                let allow = refused.header("Allow").expect("Allow");
                assert!(allow.contains("GET") && !allow.contains(verb), "{allow}");
            }
        }
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

fn x16_an_unusable_database_is_told_in_the_doors_shape(context: &Context) {
    let server = context.server();
    let made: Vec<(Door, String)> = doors(&server)
        .into_iter()
        .map(|door| {
            let id = door.made(json!({}));
            (door, id)
        })
        .collect();
    execute(&server, "ALTER TABLE resource RENAME TO away");
    for (door, id) in &made {
        for answer in everything(door, id) {
            let code = match answer.status {
                503 => "SERVICE_UNAVAILABLE",
                _ => "INTERNAL_ERROR",
            };
            faulty(&answer, if answer.status == 503 { 503 } else { 500 }, code);
            assert!(!answer.text().contains("resource"), "{answer:?}");
        }
    }
    execute(&server, "ALTER TABLE away RENAME TO resource");
    for (door, id) in &made {
        shown(get(&door.client, id), 200);
    }
}

fn x16_a_database_that_is_away_is_503_and_comes_back(context: &Context) {
    assert_eq!(context.backend(), Backend::Postgres);
    let database = Postgres::shared().fresh_database();
    let proxy = Proxy::before_postgres();
    let settings = context.settings();
    let server = settings
        .database_url(&database.url_through(proxy.folder()))
        .start();
    let made: Vec<(Door, String)> = doors(&server)
        .into_iter()
        .map(|door| {
            let id = door.made(json!({}));
            (door, id)
        })
        .collect();
    proxy.go_away();
    for (door, id) in &made {
        for answer in everything(door, id) {
            faulty(&answer, 503, "SERVICE_UNAVAILABLE");
        }
    }
    proxy.come_back();
    for (door, id) in &made {
        wait_for(Duration::from_secs(30), "the database", || {
            (get(&door.client, id).status == 200).then_some(())
        });
    }
}

fn x18_no_answer_of_a_door_is_fhir(context: &Context) {
    for door in doors(shared(context)) {
        let id = door.made(json!({}));
        let mut answers = everything(&door, &id);
        answers.push(door.raw("{"));
        answers.push(door.client.get("/nothing").send());
        answers.push(door.client.request("PATCH", "/patients").send());
        for answer in answers {
            assert!(
                !answer.text().contains("resourceType") && !answer.text().contains("OperationOutcome"),
                "{answer:?}"
            );
        }
        // Nor does a wish for it change that.
        let wish = door
            .client
            .get(format!("/patients/{id}?_format=xml&_elements=id"));
        let answer = wish.header("Accept", "application/fhir+json").send();
        assert!(
            matches!(answer.status, 200 | 404) && answer.text().starts_with('{'),
            "{answer:?}"
        );
    }
}

fn x20_the_log_names_nobody(context: &Context) {
    let server = context.server();
    let words = [
        "Zwyndrecht",
        "zwyn@example.org",
        "33699887766",
        "IPP-ZWYN",
        "2880175999999",
        "1977-07-07",
    ];
    let more = json!({
        "lastName": words[0], "email": words[1], "phone": format!("+{}", words[2]), "externalId": words[3],
        "birthDate": words[5]
    });
    for door in doors(&server) {
        let key = json!({ "identificationKey": { "nir": words[4], "rang": "01" } });
        let body = (door.person)(and(more.clone(), key));
        let id = text(&shown(post(&door.client, &body), 201), door.id);
        post(&door.client, &body);
        post(
            &door.client,
            &and(
                body.clone(),
                json!({ "birthDate": "77-07-07", "gender": "Zwyndrecht" }),
            ),
        );
        put(
            &door.client,
            &id,
            &and(body.clone(), json!({ "lastName": "Zwyndrecht-2", "phone": "x" })),
        );
        door.raw(body.to_string().replace('}', ""));
        let query = format!(
            "trustSpaceUuid={TRUST_SPACE}&externalId=IPP-ZWYN&nir=2880175999999&created_after=1977-07-07"
        );
        door.client.get(format!("/patients?{query}")).send();
        door.client.get("/patients/Zwyndrecht").send();
        door.client.get("/Zwyndrecht").send();
    }
    let log = server.log();
    assert!(log.contains("/v5/patients/{id}"), "{log}");
    for word in words {
        assert!(!log.contains(word), "{word} is in the log");
    }
}

fn who_lacks_credential_or_scope_is_refused_before_anything_is_read(context: &Context) {
    let (server, keyless) = (shared(context), &neighbours(context).keyless);
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
