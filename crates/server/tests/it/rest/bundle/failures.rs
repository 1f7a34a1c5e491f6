//! The same failure has the same status and code alone, in a batch and in a transaction. A row of [`table`] is a
//! case.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::percent_encode;
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![t27_the_same_failure_is_the_same_alone_in_a_batch_and_in_a_transaction];

/// A request that is refused.
struct Row {
    method: &'static str,
    path: String,
    body: Option<Value>,
    /// Header, part of the entry's request, value.
    condition: Option<(&'static str, &'static str, String)>,
    status: u16,
    code: &'static str,
}

fn row(method: &'static str, path: impl Into<String>, status: u16, code: &'static str) -> Row {
    Row {
        method,
        path: path.into(),
        body: None,
        condition: None,
        status,
        code,
    }
}

impl Row {
    fn with(mut self, body: &Value) -> Row {
        self.body = Some(body.clone());
        self
    }

    fn if_match(mut self, tag: &str) -> Row {
        self.condition = Some(("If-Match", "ifMatch", tag.to_owned()));
        self
    }

    fn if_none_match(mut self, tag: &str) -> Row {
        self.condition = Some(("If-None-Match", "ifNoneMatch", tag.to_owned()));
        self
    }

    fn unless(mut self, criteria: &str) -> Row {
        self.condition = Some(("If-None-Exist", "ifNoneExist", criteria.to_owned()));
        self
    }

    fn alone(&self, fhir: &Client) -> Response {
        let mut request = fhir.request(self.method, format!("/{}", self.path));
        if let Some((header, _, value)) = &self.condition {
            request = request.header(header, value);
        }
        match &self.body {
            Some(body) if self.method == "PATCH" => request
                .header("Content-Type", "application/merge-patch+json")
                .body(body.to_string())
                .send(),
            Some(body) => request.json(body).send(),
            None => request.send(),
        }
    }

    fn entry(&self) -> Value {
        let mut made = entry(self.method, &self.path);
        if let Some(body) = &self.body {
            made["resource"] = match self.method {
                "PATCH" => binary("application/merge-patch+json", &body.to_string()),
                _ => body.clone(),
            };
        }
        match &self.condition {
            Some((_, part, value)) => asking(made, part, value),
            None => made,
        }
    }
}

/// What the rows speak of.
struct There {
    live: String,
    deleted: String,
    many: String,
    owned: Value,
}

impl There {
    fn made(fhir: &Client) -> There {
        let there = There {
            live: unique(),
            deleted: unique(),
            many: unique(),
            owned: json!({ "resourceType": "Patient", "identifier": [{
                "system": "urn:oid:1.2.250.1.213.1.4.8", "value": unique(),
                "type": { "coding": [{ "system": FR_TYPES, "code": "INS-NIR" }] } }] }),
        };
        for own in [&there.live, &there.deleted] {
            let body = with(patient(own), "id", json!(own));
            fhir.put(format!("/Patient/{own}")).json(&body).send().expect(201);
        }
        fhir.delete(format!("/Patient/{}", there.deleted))
            .send()
            .expect(204);
        for body in [patient(&there.many), patient(&there.many), there.owned.clone()] {
            fhir.post("/Patient").json(&body).send().expect(201);
        }
        there
    }
}

fn table(there: &There) -> Vec<Row> {
    let There {
        live,
        deleted,
        many,
        owned,
    } = there;
    let live_url = format!("Patient/{live}");
    let live_body = with(patient(live), "id", json!(live));
    let many_criteria = by_local(many);
    let free = unique();
    let by_free = format!("Patient?{}", by_local(&free));
    let bad = |name: &str, value: Value| json!({ "resourceType": "Patient", name: value });
    let subsetted = with(
        live_body.clone(),
        "meta",
        json!({ "tag": [{ "code": "SUBSETTED" }] }),
    );
    let account = json!({ "resourceType": "Practitioner", "meta": { "source": INTRN }, "active": true });
    let mut rows = vec![
        row("GET", "Patient/never-there", 404, "not-found"),
        row("GET", format!("Patient/{deleted}"), 410, "deleted"),
        row("GET", format!("{live_url}/_history/9"), 404, "not-found"),
        row("GET", format!("{live_url}/_history/x"), 404, "not-found"),
        row("GET", format!("Patient/{deleted}/_history/2"), 410, "deleted"),
        row("GET", "Organization/1", 404, "not-supported"),
        row("GET", "patient/1", 404, "not-supported"),
        row("GET", "Patient/$nothing", 404, "not-supported"),
        row("POST", "Patient/$nothing", 404, "not-supported"),
        row("GET", "Patient/a_b", 404, "not-found"),
        row("GET", "Patient?birthdate=soon", 400, "value"),
        row("GET", "Patient?name:sounds=x", 400, "not-supported"),
        row("GET", "Patient?_cursor=nonsense", 400, "value"),
        row("POST", "Patient", 400, "structure"),
        row("POST", "Organization", 404, "not-supported").with(&json!({ "resourceType": "Organization" })),
        row("POST", "Patient", 400, "structure").with(&json!({ "resourceType": "Practitioner" })),
        row("POST", "Patient", 400, "structure").with(&bad("nickname", json!("x"))),
        row("POST", "Patient", 400, "structure").with(&bad("name", json!([{ "family": "" }]))),
        row("POST", "Patient", 400, "structure").with(&bad("name", json!([]))),
        row("POST", "Patient", 400, "value").with(&bad("birthDate", json!("2020-02-31"))),
        row("POST", "Patient", 400, "required")
            .with(&bad("link", json!([{ "other": { "reference": "Patient/1" } }]))),
        row("POST", "Patient", 422, "code-invalid").with(&bad("gender", json!("x"))),
        row("POST", "Patient", 422, "invariant").with(&bad("contact", json!([{ "gender": "male" }]))),
        row("POST", "Practitioner", 422, "required").with(&account),
        row("POST", "Patient", 409, "duplicate").with(owned),
        row("POST", "Patient", 412, "multiple-matches")
            .with(&patient(many))
            .unless(&many_criteria),
        row("POST", "Patient", 400, "not-supported")
            .with(&patient(many))
            .unless("identifer=x"),
        row("POST", "Patient", 400, "not-supported")
            .with(&patient(many))
            .unless("name:sounds=x"),
        row("POST", "Patient", 400, "invalid")
            .with(&patient(many))
            .unless("Practitioner?identifier=x"),
        row("POST", "Patient?identifier=x", 400, "invalid").with(&patient(many)),
        row("PUT", &*live_url, 400, "structure"),
        row("PUT", &*live_url, 400, "invalid").with(&patient(live)),
        row("PUT", &*live_url, 400, "invalid").with(&with(patient(live), "id", json!("another"))),
        row("PUT", "Patient/a_b", 400, "value").with(&live_body),
        row("PUT", &*live_url, 422, "business-rule").with(&subsetted),
        row("PUT", &*live_url, 409, "duplicate").with(&with(owned.clone(), "id", json!(live))),
        row("PUT", &*live_url, 412, "conflict")
            .with(&live_body)
            .if_match("W/\"9\""),
        row("PUT", &*live_url, 412, "conflict")
            .with(&live_body)
            .if_match("nonsense"),
        row("PUT", &*live_url, 412, "conflict")
            .with(&live_body)
            .if_none_match("*"),
        row("PUT", &*live_url, 400, "not-supported")
            .with(&live_body)
            .if_none_match("W/\"1\""),
        row("PUT", "Patient/never-there", 412, "conflict")
            .with(&with(patient(live), "id", json!("never-there")))
            .if_match("W/\"1\""),
        row("PUT", "Patient", 400, "invalid").with(&patient(live)),
        row("PUT", format!("Patient?{many_criteria}"), 412, "multiple-matches").with(&patient(many)),
        row("PUT", "Patient?identifier=", 400, "invalid").with(&patient(many)),
        row("PUT", "Patient?identifer=x", 400, "not-supported").with(&patient(many)),
        row("PUT", &*by_free, 409, "conflict").with(&live_body),
        row("PUT", &*by_free, 412, "conflict")
            .with(&patient(&free))
            .if_match("W/\"1\""),
        row("PUT", format!("Patient?{}", by_local(live)), 400, "invalid").with(&with(
            patient(live),
            "id",
            json!("another"),
        )),
        row("DELETE", &*live_url, 412, "conflict").if_match("W/\"9\""),
        row("DELETE", "Organization/1", 404, "not-supported"),
        row("DELETE", "Patient/a_b", 404, "not-found"),
        row("DELETE", "Patient", 400, "invalid"),
        row("DELETE", "Organization?active=true", 404, "not-supported"),
        row(
            "DELETE",
            format!("Patient?{many_criteria}"),
            412,
            "multiple-matches",
        ),
        row("DELETE", "Patient?identifer=x", 400, "not-supported"),
        row("DELETE", format!("Patient?{}", by_local(live)), 412, "conflict").if_match("W/\"9\""),
        row("DELETE", &*by_free, 412, "conflict").if_match("W/\"1\""),
        row("GET", "Patient/never-there/_history", 404, "not-found"),
        row("GET", format!("{live_url}/_history?_since=soon"), 400, "value"),
        row("GET", "Organization/_history", 404, "not-supported"),
        row("GET", "_history?_cursor=nonsense", 400, "value"),
        row("POST", "Patient/_search?birthdate=soon", 400, "value"),
        row("POST", "_search?_type=Organization", 400, "not-supported"),
    ];
    rows.extend(patches(there, &by_free));
    let odd = percent_encode("urn:oid:1.2.250.1.213.1.4.8|");
    rows.push(
        row(
            "PUT",
            format!("Patient?_id=x&identifier={odd}&nonsense=1"),
            400,
            "not-supported",
        )
        .with(owned),
    );
    rows
}

fn patches(there: &There, by_free: &str) -> Vec<Row> {
    let url = format!("Patient/{}", there.live);
    let many_criteria = by_local(&there.many);
    let patch = |url: &str, status, code, body: Value| row("PATCH", url, status, code).with(&body);
    let active = || json!({ "active": true });
    vec![
        patch("Patient/never-there", 404, "not-found", active()),
        patch(&format!("Patient/{}", there.deleted), 410, "deleted", active()),
        patch("Patient/a_b", 404, "not-found", active()),
        patch("Organization/1", 404, "not-supported", active()),
        patch("Patient", 400, "invalid", active()),
        patch("Patient?identifer=x", 400, "not-supported", active()),
        patch(by_free, 404, "not-found", active()),
        patch(
            &format!("Patient?{many_criteria}"),
            412,
            "multiple-matches",
            active(),
        ),
        patch(&url, 412, "conflict", active()).if_match("W/\"9\""),
        patch(&url, 400, "structure", json!([1])),
        patch(&url, 400, "structure", json!({ "nickname": "x" })),
        patch(&url, 400, "value", json!({ "birthDate": "2020-02-31" })),
        patch(&url, 422, "business-rule", json!({ "id": "another" })),
        patch(&url, 422, "code-invalid", json!({ "gender": "x" })),
        patch(
            &url,
            409,
            "duplicate",
            json!({ "identifier": there.owned["identifier"] }),
        ),
    ]
}

fn t27_the_same_failure_is_the_same_alone_in_a_batch_and_in_a_transaction(context: &Context) {
    let fhir = shared_fhir(context);
    let there = There::made(&fhir);
    let mut wrong = Vec::new();
    for row in table(&there) {
        let about = format!("{} {} {:?} {:?}", row.method, row.path, row.body, row.condition);
        let codes = |response: &Response| -> Vec<String> {
            response.issues().into_iter().map(|issue| issue.code).collect()
        };
        let alone = row.alone(&fhir);
        if alone.status != row.status || !codes(&alone).iter().any(|code| code == row.code) {
            wrong.push(format!("alone: {about}: {} {:?}", alone.status, codes(&alone)));
        }
        let batch = answers(send(&fhir, "batch", &[row.entry()])).remove(0);
        let issues = batch["response"]["outcome"]["issue"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let told: Vec<String> = issues
            .iter()
            .map(|issue| issue["code"].as_str().unwrap().to_owned())
            .collect();
        if statuses(std::slice::from_ref(&batch)) != [alone.status] || told != codes(&alone) {
            wrong.push(format!(
                "batch: {about}: {batch}, alone {} {:?}",
                alone.status,
                codes(&alone)
            ));
        }
        let whole = transact(&fhir, &[row.entry()]);
        if whole.status != alone.status || codes(&whole) != codes(&alone) {
            wrong.push(format!(
                "transaction: {about}: {} {:?}, alone {} {:?}",
                whole.status,
                codes(&whole),
                alone.status,
                codes(&alone)
            ));
        }
        let place = |issue: &Value| {
            issue["expression"][0]
                .as_str()
                .is_some_and(|place| place.starts_with("Bundle.entry[0]"))
        };
        if !issues.iter().all(place)
            || whole.issues().iter().any(|issue| {
                issue
                    .expression
                    .iter()
                    .any(|place| !place.starts_with("Bundle.entry[0]"))
            })
        {
            wrong.push(format!("places: {about}: {batch}"));
        }
        if alone.header("location") != whole.header("location") {
            wrong.push(format!("location: {about}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
