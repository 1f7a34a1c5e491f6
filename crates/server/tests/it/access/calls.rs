//! A request for each route of the server, about somebody.

use serde_json::{Value, json};
use testkit::http::{Client, Request, Response, percent_encode};

use super::world::{About, SECRET};
use crate::partner::cross::Doors;
use crate::support::*;

/// A request that is still nobody's.
pub struct Call {
    /// The method.
    pub method: &'static str,
    /// The path, from the root on.
    pub target: String,
    /// The type of the body, and the body.
    body: Option<(&'static str, String)>,
}

/// The words of a space at the doors that have some.
#[derive(Clone, Copy)]
pub struct Words {
    /// At the medicapp-cloud door.
    pub trust_space: &'static str,
    /// At the patient-graph door.
    pub brand: &'static str,
}

impl Call {
    /// The request of a client, whatever its door.
    pub fn of<'c>(&self, client: &'c Client) -> Request<'c> {
        let request = client.request_exact(self.method, &self.target);
        match &self.body {
            Some((kind, body)) => request.header("Content-Type", kind).body(body.clone()),
            None => request,
        }
    }

    /// Sends it.
    pub fn send(&self, client: &Client) -> Response {
        self.of(client).send()
    }

    /// The same path, another method.
    pub fn by(&self, method: &'static str) -> Call {
        Call {
            method,
            target: self.target.clone(),
            body: None,
        }
    }
}

/// The client of the door that a path belongs to.
pub fn at<'d>(doors: &'d Doors, pattern: &str) -> &'d Client {
    match pattern.split('/').nth(1) {
        Some("cloud") => &doors.cloud,
        Some("v5") => &doors.connect,
        Some("v1") => &doors.graph,
        Some("api") => &doors.ehealth,
        _ => &doors.fhir,
    }
}

/// What `{type}` stands for in a route of FHIR.
pub const KINDS: [&str; 2] = ["Patient", "Practitioner"];

/// A request for a route, about somebody of a type, in the words of a space. `None`: nobody has said yet how this route
/// is asked.
pub fn call(
    route: (&'static str, &'static str),
    kind: &'static str,
    about: &About,
    words: Words,
) -> Option<Call> {
    let (method, pattern) = route;
    let (target, body) = match ["/fhir", "/health", "/.well-known"]
        .iter()
        .any(|start| pattern.starts_with(start))
    {
        true => fhir(method, pattern, kind, about)?,
        false => partner(method, pattern, about, words)?,
    };
    Some(Call { method, target, body })
}

type Asked = (String, Option<(&'static str, String)>);

fn plain(target: impl Into<String>) -> Option<Asked> {
    Some((target.into(), None))
}

fn sent(kind: &'static str, target: impl Into<String>, body: &Value) -> Option<Asked> {
    Some((target.into(), Some((kind, body.to_string()))))
}

fn form(target: &str, body: String) -> Option<Asked> {
    Some((
        target.to_owned(),
        Some(("application/x-www-form-urlencoded", body)),
    ))
}

const FHIR: &str = "application/fhir+json";

fn fhir(method: &str, pattern: &str, kind: &str, about: &About) -> Option<Asked> {
    let id = about.id_of(kind);
    let by = by_local(&about.number);
    let body = resource(kind, LOCAL, &about.number);
    let named = with(body.clone(), "id", json!(id));
    let source = percent_encode(&format!("{LOCAL}|{}", about.number));
    let active = json!({ "active": true });
    let all = format!("/fhir/{kind}");
    let one = format!("/fhir/{kind}/{id}");
    let published = pattern
        .strip_prefix("/fhir/{type:")
        .and_then(|rest| rest.split_once('}'));
    match (method, pattern) {
        (_, "/health/live" | "/health/ready" | "/fhir/metadata") => plain(pattern),
        ("GET", _) if pattern.ends_with("/.well-known/smart-configuration") => plain(pattern),
        // Before there was a server: the trail itself grows by each of these requests.
        ("GET", "/fhir/AuditEvent") => plain("/fhir/AuditEvent?date=lt2000-01-01"),
        ("POST", "/fhir/AuditEvent/_search") => {
            form("/fhir/AuditEvent/_search", "date=lt2000-01-01".to_owned())
        }
        ("GET", "/fhir/AuditEvent/{id}") => plain("/fhir/AuditEvent/1"),
        ("POST", "/fhir") => sent(FHIR, "/fhir", &transaction(about, kind)),
        ("GET", "/fhir") => plain(format!("/fhir?_type={kind}&_id={id}")),
        ("POST", "/fhir/_search") => form("/fhir/_search", format!("_type={kind}&_id={id}")),
        ("GET", "/fhir/_history") => plain("/fhir/_history"),
        ("GET", "/fhir/{type}") => plain(format!("{all}?{by}&_total=accurate")),
        ("POST", "/fhir/{type}") => sent(FHIR, all, &body),
        ("PUT", "/fhir/{type}") => sent(FHIR, format!("{all}?{by}"), &body),
        ("PATCH", "/fhir/{type}") => sent("application/merge-patch+json", format!("{all}?{by}"), &active),
        ("DELETE", "/fhir/{type}") => plain(format!("{all}?{by}")),
        ("GET", "/fhir/{type}/_history") => plain(format!("{all}/_history")),
        ("POST", "/fhir/{type}/_search") => form(&format!("{all}/_search"), format!("{by}&_id={id}")),
        ("POST", "/fhir/Patient/$match") => sent(FHIR, "/fhir/Patient/$match", &likeness(about)),
        ("GET", "/fhir/Patient/$ihe-pix") => {
            plain(format!("/fhir/Patient/$ihe-pix?sourceIdentifier={source}"))
        }
        ("POST", "/fhir/Patient/$ihe-pix") => {
            let value = format!("{LOCAL}|{}", about.number);
            let parameter = json!([{ "name": "sourceIdentifier", "valueString": value }]);
            let body = json!({ "resourceType": "Parameters", "parameter": parameter });
            sent(FHIR, "/fhir/Patient/$ihe-pix", &body)
        }
        (_, "/fhir/Patient/{id}/$everything") => plain(format!("{one}/$everything")),
        ("POST", "/fhir/{type}/$validate") => sent(FHIR, format!("{all}/$validate"), &body),
        ("POST", "/fhir/{type}/{id}/$validate") => sent(FHIR, format!("{one}/$validate"), &named),
        ("GET", "/fhir/{type}/{id}/$validate") => plain(format!("{one}/$validate")),
        ("GET" | "DELETE", "/fhir/{type}/{id}") => plain(one),
        ("PUT", "/fhir/{type}/{id}") => sent(FHIR, one, &named),
        ("PATCH", "/fhir/{type}/{id}") => sent("application/merge-patch+json", one, &active),
        ("GET", "/fhir/{type}/{id}/_history") => plain(format!("{one}/_history")),
        ("GET", "/fhir/{type}/{id}/_history/{vid}") => plain(format!("{one}/_history/1")),
        _ => match (method, published?.1) {
            ("GET", "") => plain("/fhir/NamingSystem?name=Medicapp"),
            ("POST", "/_search") => form("/fhir/CodeSystem/_search", "name=ehealth".to_owned()),
            ("GET", "/{id}") => plain("/fhir/StructureDefinition/phone-type"),
            _ => None,
        },
    }
}

fn transaction(about: &About, kind: &str) -> Value {
    let entry = |url: String| json!({ "request": { "method": "GET", "url": url } });
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        entry(format!("{kind}?{}", by_local(&about.number))), entry(format!("{kind}/{}", about.id_of(kind))) ] })
}

/// Somebody who looks like all that are made here.
fn likeness(about: &About) -> Value {
    json!({
        "resourceType": "Patient", "birthDate": "1988-11-03", "gender": "female",
        "identifier": [{ "system": LOCAL, "value": about.number }],
        "name": [{ "family": SECRET, "given": [SECRET] }]
    })
}

fn partner(method: &str, pattern: &str, about: &About, words: Words) -> Option<Asked> {
    const JSON: &str = "application/json";
    let About {
        fhir,
        medicapp,
        registry,
        number,
        ..
    } = about;
    let Words { trust_space, brand } = words;
    let email = json!({ "email": "b@example.org" });
    match (method, pattern) {
        ("POST", "/cloud/partner/v5/patients") => {
            let body = json!({
                "trustSpaceUuid": trust_space, "externalId": number, "firstName": "Sophie", "lastName": number,
                "birthDate": "1988-11-03", "gender": "F"
            });
            sent(JSON, pattern, &body)
        }
        ("GET", "/cloud/partner/v5/patients") => plain(format!(
            "{pattern}?trustSpaceUuid={trust_space}&externalId={number}"
        )),
        ("GET", "/cloud/partner/v5/patients/{id}") => plain(format!("/cloud/partner/v5/patients/{medicapp}")),
        ("PUT", "/cloud/partner/v5/patients/{id}") => {
            sent(JSON, format!("/cloud/partner/v5/patients/{medicapp}"), &email)
        }
        ("POST", "/v5/patients") => {
            let body = json!({
                "firstName": "Sophie", "lastName": number, "birthDate": "1988-11-03", "externalId": number
            });
            sent(JSON, pattern, &body)
        }
        ("GET", "/v5/patients") => plain(pattern),
        ("GET" | "DELETE", "/v5/patients/{id}") => plain(format!("/v5/patients/{medicapp}")),
        ("PUT", "/v5/patients/{id}") => sent(JSON, format!("/v5/patients/{medicapp}"), &email),
        ("POST", "/api/prepersons") => {
            let body = json!({ "external_id": format!("new-{number}"), "gender": "MALE" });
            sent(JSON, pattern, &body)
        }
        ("GET", "/api/prepersons/{id}") => plain(format!("/api/prepersons/{registry}")),
        ("PATCH", "/api/prepersons/{id}") => {
            let body = json!({ "gender": "FEMALE" });
            sent(JSON, format!("/api/prepersons/{registry}"), &body)
        }
        ("POST", "/v1/patients") => {
            let ids = json!({ "shop": number });
            let body = json!({ "brand_id": brand, "first_name": "A", "last_name": "B", "external_ids": ids });
            sent(JSON, pattern, &body)
        }
        ("GET", "/v1/patients") => plain(format!("{pattern}?brand_id={brand}")),
        ("GET", "/v1/patients/{id}") => plain(format!("/v1/patients/{fhir}")),
        ("GET", "/v1/patients/{id}/safe") => plain(format!("/v1/patients/{fhir}/safe")),
        _ => None,
    }
}
