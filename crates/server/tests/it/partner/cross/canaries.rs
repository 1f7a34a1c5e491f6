//! T38: what is planted in requests comes out nowhere but in the answers to them.

use std::time::Duration;

use serde_json::json;
use testkit::collector::Collector;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::metrics::Metrics;
use testkit::postgres::Postgres;
use testkit::server::Backend;
use testkit::tests;
use testkit::wait::wait_for;

use super::*;

pub const TESTS: &[Test] = tests![t38_planted_values_come_out_nowhere_else];

/// The password in the database URL, where there is one.
const DATABASE_PASSWORD: &str = "Kanarienvogel-Voliere-7";
/// A number with its right key and its other spellings, names, addresses, secrets of other people.
const PLANTED: [&str; 20] = [
    "285057800608441",
    "2850578006084",
    "2 85 05 78 006 084 41",
    "2%2085%2005%2078%20006%20084%2041",
    "Mjg1MDU3ODAwNjA4NDQx",
    "Distelfink",
    "Ottokar",
    "Müllerßon",
    "Жайворонок",
    "+33612345987",
    "06 12 34 59 87",
    "distelfink@exemple.fr",
    "12 allée des Chardonnerets",
    "found beside the aviary",
    "IPP-DISTEL-7",
    "sk_live_distelfinkkey_0123456789abcdef0123",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJEaXN0ZWxmaW5rIn0.c2lnbmF0dXJl",
    "T3R0b2thcjpEaXN0ZWxmaW5r",
    "2 85 05 2A 006 084 82",
    "d1571ef1a7d1571ef1a7d1571ef1a7d1571ef1a7d1571ef1a7d1571ef1a70042",
];
/// Where a sender can put anything. (A request id is the sender's word for the request and is logged; what looks
/// like a number of a person or a key is no request id.)
const HEADERS: [&str; 15] = [
    "traceparent",
    "Authorization",
    "API-key",
    "X-Space",
    "If-Match",
    "If-None-Match",
    "If-None-Exist",
    "Prefer",
    "Accept",
    "Content-Type",
    "User-Agent",
    "Referer",
    "Cookie",
    "X-Forwarded-For",
    "Origin",
];
/// As request ids only these.
const NO_REQUEST_IDS: [&str; 7] = [
    "285057800608441",
    "2850578006084",
    "06-12-34-59-87",
    "285052A00608482",
    "2-85-05-2A-006-084-82",
    PLANTED[15],
    PLANTED[19],
];

/// Sends a value in every place of a request at one door.
fn plant(client: &Client, collection: &str, value: &str) {
    let escaped = percent_encode(value);
    for target in [
        format!("{collection}/{escaped}"),
        format!("{collection}/{escaped}/_history/1"),
        format!("{collection}?name={escaped}&nir={escaped}&externalId={escaped}"),
        format!("{collection}?{escaped}={escaped}"),
        format!("/{escaped}"),
    ] {
        client.get(&target).send();
        client.delete(&target).send();
    }
    for header in HEADERS {
        client.get(format!("{collection}/x")).header(header, value).send();
    }
    if value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        client.request(value, format!("{collection}/x")).send();
    }
    let bearer = format!("Bearer {value}");
    client
        .get(format!("{collection}/x"))
        .without("Authorization")
        .header("Authorization", bearer)
        .send();
    let bodies = [
        json!({ "resourceType": "Patient", "name": [{ "family": value }], "gender": value, "birthDate": value }).to_string(),
        json!({ "resourceType": "Patient", value: value }).to_string(),
        json!({ "resourceType": value, "firstName": value, "lastName": value, "first_name": value, "email": value }).to_string(),
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": [{ "request": { "method": "GET", "url": value } }] })
            .to_string(),
        format!("{{\"lastName\": \"{value}\", "),
        format!("<Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"{value}\"/>"),
        value.to_owned(),
    ];
    let media_types: &[&str] = match collection {
        "/Patient" => &[
            "application/fhir+json",
            "application/fhir+xml",
            "application/json-patch+json",
        ],
        _ => &["application/json"],
    };
    for body in bodies {
        for media_type in media_types {
            let request = client.post(collection).header("Content-Type", media_type);
            request.body(body.clone()).send();
        }
        let target = format!("{collection}/{escaped}");
        for (method, media_type) in [
            ("PUT", "application/json"),
            ("PATCH", "application/json-patch+json"),
        ] {
            let request = client.request(method, &target).header("Content-Type", media_type);
            request.body(body.clone()).send();
        }
    }
}

/// What goes wrong for other people at every door, and what all may see.
fn of_others(doors: &Doors, server: &Server) -> Vec<Response> {
    let mut answers = Vec::new();
    let doors = [
        &doors.fhir,
        &doors.cloud,
        &doors.connect,
        &doors.graph,
        &doors.ehealth,
    ];
    for (client, collection) in
        doors
            .into_iter()
            .zip(["/Patient", "/patients", "/patients", "/patients", "/prepersons"])
    {
        answers.push(client.get(format!("{collection}/somebody-else")).send());
        answers.push(
            client
                .get(format!("{collection}/x"))
                .without("Authorization")
                .send(),
        );
        answers.push(
            client
                .put(collection)
                .header("Content-Type", "application/json")
                .body("{")
                .send(),
        );
        answers.push(client.get("/nowhere/at/all").send());
    }
    answers.push(server.anonymous().get("/fhir/metadata").send().expect(200));
    answers.push(server.anonymous().get("/health/ready").send().expect(200));
    answers
}

fn t38_planted_values_come_out_nowhere_else(context: &Context) {
    let on_postgres = context.backend() == Backend::Postgres;
    let database = on_postgres.then(|| Postgres::shared().fresh_database());
    let collector = Collector::start();
    let mut settings = context
        .settings()
        .environment("RUST_LOG", "trace")
        .argument("--otlp-endpoint")
        .argument(&collector.url())
        .admin();
    if let Some(database) = &database {
        let url = database
            .url()
            .replace("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"));
        settings = settings.database_url(&url);
    }
    let server = settings.start();
    let doors = Doors::of(&server);
    for value in PLANTED {
        plant(&doors.fhir, "/Patient", value);
        plant(&doors.cloud, "/patients", value);
        plant(&doors.connect, "/patients", value);
        plant(&doors.graph, "/patients", value);
        plant(&doors.ehealth, "/prepersons", value);
    }
    for id in NO_REQUEST_IDS {
        let answer = doors.fhir.get("/Patient/x").header("X-Request-Id", id).send();
        assert_ne!(answer.header("X-Request-Id"), Some(id));
    }
    if let Some(database) = &database {
        fail_to_connect(database, &server);
    }
    let admin = server.admin();
    wait_for(Duration::from_secs(60), "the server to be ready", || {
        (admin.get("/health/ready").send().status == 200).then_some(())
    });
    let places = places(&server, &doors, &collector);
    let keys = [
        "fhir",
        "medicapp-cloud",
        "medicapp-connect",
        "patient-graph",
        "ehealth",
    ]
    .map(|door| {
        server
            .credential(door)
            .bearer
            .rsplit_once('_')
            .expect("a key")
            .1
            .to_owned()
    });
    let planted = PLANTED.iter().chain(&NO_REQUEST_IDS).chain([&DATABASE_PASSWORD]);
    for value in planted.map(|value| (*value).to_owned()).chain(keys) {
        let bytes = format!("{:?}", value.as_bytes());
        let escaped = percent_encode(&value);
        let spellings = [
            &value,
            &escaped,
            &value.replace('+', "%2B"),
            bytes.trim_matches(['[', ']']),
        ];
        for (place, text) in &places {
            for spelling in spellings {
                let found = text.lines().find(|line| line.contains(spelling));
                assert!(found.is_none(), "{value} stands in {place}: {found:?}");
            }
        }
    }
}

/// Everything that is not an answer to who has planted something: what it is called, and its text.
fn places(server: &Server, doors: &Doors, collector: &Collector) -> Vec<(&'static str, String)> {
    let mut places: Vec<(&'static str, String)> = Vec::new();
    for answer in of_others(doors, server) {
        places.push(("somebody else's answer", format!("{answer:?}")));
    }
    let metrics = server.admin().get("/metrics").send().expect(200).text();
    assert!(
        Metrics::parse(&metrics).sum("passerelle_refusals_total") > 100.0,
        "{metrics}"
    );
    places.push(("the metrics", metrics));
    let spans: String = collector.posted().into_iter().map(|(_, body)| body).collect();
    assert!(spans.contains("/api/prepersons/{id}"), "{spans}");
    places.push(("the spans", spans));
    let arguments = std::fs::read(format!("/proc/{}/cmdline", server.pid())).expect("a running process");
    places.push((
        "the process list",
        String::from_utf8_lossy(&arguments).into_owned(),
    ));
    let log = server.log();
    // The demo prints its own credentials once; nothing after that may hold one.
    let (_, log) = log.split_once("Ctrl-C stops it").expect("a welcome");
    assert!(
        log.contains("TRACE") && log.contains("/api/prepersons/{id}"),
        "{log}"
    );
    places.push(("the log", log.to_owned()));
    places
}

/// Lets the server fail to connect, so that it has something to say about its database URL.
fn fail_to_connect(database: &testkit::postgres::Database, server: &Server) {
    let all = Postgres::shared();
    let name = database.name();
    all.query(
        "postgres",
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
    );
    let end =
        format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'");
    all.query("postgres", &end);
    let admin = server.admin();
    wait_for(Duration::from_secs(60), "readiness to turn red", || {
        (admin.get("/health/ready").send().status == 503).then_some(())
    });
    assert!(
        server.log().contains("not currently accepting connections"),
        "{}",
        server.log()
    );
    all.query(
        "postgres",
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
    );
}
