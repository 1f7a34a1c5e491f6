//! Whatever the CapabilityStatement claims is tried. A claim that nobody knows how to try fails the test.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response, percent_encode};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    everything_that_the_statement_claims_is_so,
    what_patches_are_taken_is_told_where_one_is_refused,
];

const MERGE_PATCH: &str = "application/merge-patch+json";
const MOTHERS_NAME: &str = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";

/// A server with one of each type that every parameter finds.
struct Tried<'a> {
    fhir: &'a Client,
    /// The ids of what is there.
    patient: String,
    practitioner: String,
}

fn person(kind: &str, number: &str) -> Value {
    json!({
        "resourceType": kind,
        "meta": { "profile": ["urn:claimed"], "source": "urn:claimed:source",
            "tag": [{ "system": "urn:t", "code": "tagged" }], "security": [{ "system": "urn:s", "code": "secret" }] },
        "identifier": [{ "system": LOCAL, "value": number }],
        "active": true,
        "name": [{ "family": "Claimé", "given": ["Gaëlle"] }],
        "telecom": [{ "system": "phone", "value": "+33100000001" }, { "system": "email", "value": "g@claim.example" }],
        "gender": "female",
        "address": [{ "use": "work", "line": ["1 rue A"], "city": "Paris", "state": "IDF", "postalCode": "75001", "country": "FR" }]
    })
}

fn made(fhir: &Client) -> Tried<'_> {
    let speaks = json!({ "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr" }] });
    let create = |body: &Value| {
        let path = format!("/{}", body["resourceType"].as_str().unwrap());
        fhir.post(path).json(body).send().expect(201).id()
    };
    let doctor = with(person("Practitioner", "d"), "communication", json!([speaks]));
    let practitioner = create(&doctor);
    let other = create(&patient("other"));
    let mut body = person("Patient", "p");
    body["birthDate"] = json!("1980-02-29");
    body["deceasedDateTime"] = json!("2020-01-01");
    body["communication"] = json!([{ "language": speaks }]);
    body["generalPractitioner"] = json!([{ "reference": format!("Practitioner/{practitioner}") }]);
    body["managingOrganization"] = json!({ "reference": "Organization/o1" });
    body["link"] = json!([{ "type": "seealso", "other": { "reference": format!("Patient/{other}") } }]);
    body["extension"] = json!([{ "url": MOTHERS_NAME, "valueString": "Kervella" }]);
    let patient = create(&body);
    // Somebody leads to everybody who can be led to.
    let behind = json!([{ "type": "seealso", "other": { "reference": format!("Patient/{patient}") } }]);
    create(&with(person("Patient", "behind"), "link", behind));
    Tried {
        fhir,
        patient,
        practitioner,
    }
}

impl Tried<'_> {
    fn id(&self, kind: &str) -> &str {
        if kind == "Patient" {
            &self.patient
        } else {
            &self.practitioner
        }
    }

    /// A value of a search parameter that finds what is there, and one that finds nothing.
    fn values(&self, kind: &str, name: &str) -> Option<(String, &'static str)> {
        let doctor = format!("Practitioner/{}", self.practitioner);
        let (found, nothing): (&str, &str) = match name {
            "_id" => (self.id(kind), "nobody"),
            "_lastUpdated" => ("gt2020", "lt2020"),
            "_profile" => ("urn:claimed", "urn:other"),
            "_source" => ("urn:claimed:source", "urn:other"),
            "_tag" => ("urn:t|tagged", "urn:t|x"),
            "_security" => ("secret", "x"),
            "active" => ("true", "false"),
            "address" => ("1 rue", "2 rue"),
            "address-city" => ("paris", "lyon"),
            "address-country" => ("fr", "de"),
            "address-postalcode" => ("75001", "75002"),
            "address-state" => ("idf", "bre"),
            "address-use" => ("work", "billing"),
            "birthdate" => ("1980-02-29", "1981"),
            "death-date" => ("2020", "2021"),
            "deceased" => ("true", "false"),
            "email" => ("g@claim.example", "h@claim.example"),
            "family" => ("claime", "autre"),
            "gender" => ("female", "male"),
            "general-practitioner" => (&doctor, "Practitioner/nobody"),
            "given" => ("gaelle", "autre"),
            "identifier" if kind == "Patient" => ("p", "nobody"),
            "identifier" => ("d", "nobody"),
            "language" | "communication" => ("fr", "de"),
            "link" => ("Patient/", "Patient/nobody"),
            "name" => ("claime", "autre"),
            "organization" => ("Organization/o1", "Organization/o2"),
            "phone" | "telecom" => ("+33100000001", "+33100000009"),
            "mothersMaidenName" => ("kerv", "autre"),
            _ => return None,
        };
        let found = match name {
            "link" => self.now("Patient")["link"][0]["other"]["reference"]
                .as_str()?
                .to_owned(),
            _ => found.to_owned(),
        };
        Some((found, nothing))
    }

    fn now(&self, kind: &str) -> Value {
        self.get(&format!("/{kind}/{}", self.id(kind))).json()
    }

    #[track_caller]
    fn get(&self, path: &str) -> Response {
        self.fhir.get(path).send().expect(200)
    }

    /// What a search finds, strictly.
    #[track_caller]
    fn search(&self, query: &str) -> Value {
        let request = self.fhir.get(query).header("Prefer", "handling=strict");
        request.send().expect(200).json()
    }

    fn search_parameter(&self, path: &str, kind: &str, claim: &Value) {
        let name = text(claim, "name");
        let values = self.values(kind, name);
        let (found, nothing) = values.unwrap_or_else(|| panic!("how is {name} of {kind} tried?"));
        let ask = |value: &str| {
            let (separator, value) = (if path.contains('?') { '&' } else { '?' }, percent_encode(value));
            ids(&self.search(&format!("{path}{separator}{name}={value}&_count=1000")))
        };
        let own = self.id(kind).to_owned();
        assert!(ask(&found).contains(&own), "{path} {name}={found}");
        assert!(!ask(nothing).contains(&own), "{path} {name}={nothing}");
    }

    fn stored_interaction(&self, kind: &str, code: &str) {
        let id = self.id(kind);
        let path = format!("/{kind}/{id}");
        match code {
            "read" => drop(self.get(&path)),
            "vread" => assert_eq!(self.get(&format!("{path}/_history/1")).version(), 1),
            "update" => {
                let mut body = self.now(kind);
                let turned = body["active"] == json!(false);
                body["active"] = json!(turned);
                let before = self.get(&path).version();
                let after = self.fhir.put(&path).json(&body).send().expect(200).version();
                assert_eq!(after, before + 1, "{kind}");
                self.patched(&path, MERGE_PATCH, "{\"active\":true}").expect(200);
            }
            "patch" => drop(self.patched(&path, MERGE_PATCH, "{\"active\":true}").expect(200)),
            "delete" => {
                let gone = self.create(kind, &unique());
                self.fhir.delete(format!("/{kind}/{gone}")).send().expect(204);
                self.fhir.get(format!("/{kind}/{gone}")).send().expect(410);
            }
            "history-instance" => assert_eq!(self.get(&format!("{path}/_history")).json()["type"], "history"),
            "history-type" => assert_eq!(self.get(&format!("/{kind}/_history")).json()["type"], "history"),
            "create" => drop(self.create(kind, &unique())),
            "search-type" => assert_eq!(ids(&self.search(&format!("/{kind}?_id={id}"))), [id]),
            other => panic!("how is {other} of {kind} tried?"),
        }
    }

    fn create(&self, kind: &str, number: &str) -> String {
        let body = resource(kind, LOCAL, number);
        self.fhir
            .post(format!("/{kind}"))
            .json(&body)
            .send()
            .expect(201)
            .id()
    }

    fn patched(&self, path: &str, kind: &str, body: &str) -> Response {
        self.fhir
            .patch(path)
            .header("Content-Type", kind)
            .body(body)
            .send()
    }

    /// A claim about a stored type that is no list of interactions or parameters.
    fn stored_claim(&self, kind: &str, name: &str, claim: &Value) {
        let number = unique();
        let body = resource(kind, LOCAL, &number);
        let by = by_local(&number);
        let path = format!("/{kind}/{}", self.id(kind));
        match (name, claim) {
            ("type" | "documentation", _) => {}
            ("profile", claim) => {
                assert_eq!(
                    claim,
                    &json!(format!("http://hl7.org/fhir/StructureDefinition/{kind}"))
                );
            }
            ("supportedProfile", Value::Array(profiles)) => {
                for profile in profiles {
                    let body = with(body.clone(), "meta", json!({ "profile": [profile] }));
                    // It is enforced: each wants more of an official name, or of an RPPS number, than this.
                    let body = with(
                        body,
                        "name",
                        json!([{ "use": "official", "text": "Camille Ordinaire" }]),
                    );
                    let rpps = json!([{ "system": "https://rpps.esante.gouv.fr", "value": number }]);
                    let body = with(body, "identifier", rpps);
                    let answer = self.fhir.post(format!("/{kind}")).json(&body).send();
                    assert_eq!(answer.status, 422, "{profile}: {answer:?}");
                }
            }
            ("versioning", Value::String(policy)) if policy == "versioned-update" => {
                let late = self
                    .fhir
                    .put(&path)
                    .json(&self.now(kind))
                    .header("If-Match", "W/\"999\"");
                late.send().expect(412);
            }
            ("readHistory", Value::Bool(true)) => {
                self.patched(&path, MERGE_PATCH, "{\"active\":false}").expect(200);
                let last = self
                    .patched(&path, MERGE_PATCH, "{\"active\":true}")
                    .expect(200)
                    .version();
                let old = self.get(&format!("{path}/_history/{}", last - 1)).json();
                assert_eq!(old["active"], false);
            }
            ("updateCreate", Value::Bool(true)) => {
                let own = with(body, "id", json!(number));
                self.fhir
                    .put(format!("/{kind}/{number}"))
                    .json(&own)
                    .send()
                    .expect(201);
            }
            ("conditionalCreate", Value::Bool(true)) => {
                for status in [201, 200] {
                    let create = self.fhir.post(format!("/{kind}")).header("If-None-Exist", &by);
                    create.json(&body).send().expect(status);
                }
            }
            ("conditionalUpdate", Value::Bool(true)) => {
                for status in [201, 200] {
                    self.fhir
                        .put(format!("/{kind}?{by}"))
                        .json(&body)
                        .send()
                        .expect(status);
                }
            }
            ("conditionalRead", Value::String(how)) if how == "full-support" => {
                let answer = self.get(&path);
                for (name, header) in [("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")] {
                    let value = answer.header(header).unwrap();
                    self.fhir.get(&path).header(name, value).send().expect(304);
                }
            }
            ("conditionalDelete", Value::String(how)) if how == "single" => {
                self.create(kind, &number);
                self.fhir.delete(format!("/{kind}?{by}")).send().expect(204);
                let several = [self.create(kind, &number), self.create(kind, &number)];
                self.fhir.delete(format!("/{kind}?{by}")).send().expect(412);
                assert_eq!(found(self.fhir, kind, (LOCAL, &number)), several);
            }
            ("referencePolicy", claim) => {
                assert_eq!(claim, &json!(["literal", "logical"]));
                let logical = json!({ "identifier": { "system": LOCAL, "value": "x" } });
                let literal = json!({ "reference": "https://elsewhere.example/fhir/Practitioner/1" });
                let body = with(patient(&number), "generalPractitioner", json!([logical, literal]));
                let stored = self.fhir.post("/Patient").json(&body).send().expect(201).json();
                assert_eq!(stored["generalPractitioner"], json!([logical, literal]));
            }
            ("searchInclude", Value::Array(all)) => self.included(kind, "_include", all),
            ("searchRevInclude", Value::Array(all)) => self.included(kind, "_revinclude", all),
            ("operation", Value::Array(all)) => {
                all.iter().for_each(|operation| self.operation(kind, operation))
            }
            (name, claim) => panic!("how is {name} {claim} of {kind} tried?"),
        }
    }

    fn included(&self, kind: &str, parameter: &str, all: &[Value]) {
        for value in all {
            let value = value.as_str().unwrap();
            let bundle = self.search(&format!("/{kind}?_id={}&{parameter}={value}", self.id(kind)));
            let beside = bundle["entry"].as_array().unwrap().iter();
            let beside = beside
                .filter(|entry| entry["search"]["mode"] == "include")
                .count();
            assert!(beside > 0, "{parameter}={value} of {kind}: {bundle}");
        }
    }

    /// A valid call of each operation, by its name.
    fn operation(&self, kind: &str, claim: &Value) {
        let name = text(claim, "name");
        let own = format!("/{kind}/{}", self.id(kind));
        let answer = match name {
            "validate" => self
                .fhir
                .post(format!("/{kind}/$validate"))
                .json(&resource(kind, LOCAL, "x"))
                .send(),
            "match" => {
                let parameter = json!({ "name": "resource", "resource": person("Patient", "p") });
                let body = json!({ "resourceType": "Parameters", "parameter": [parameter] });
                self.fhir.post("/Patient/$match").json(&body).send()
            }
            "ihe-pix" => {
                let source = percent_encode(&format!("{LOCAL}|p"));
                self.fhir
                    .get(format!("/Patient/$ihe-pix?sourceIdentifier={source}"))
                    .send()
            }
            "everything" => self.fhir.get(format!("{own}/$everything")).send(),
            other => panic!("how is ${other} tried?"),
        };
        answer.expect(200);
        assert!(text(claim, "definition").contains("://"), "{claim}");
    }

    /// A type that the server publishes of itself.
    fn published(&self, kind: &str, claims: &Value) {
        let all = self.get(&format!("/{kind}")).json();
        let first = all["entry"][0]["resource"].clone();
        let path = format!("/{kind}/{}", text(&first, "id"));
        for (name, claim) in claims.as_object().unwrap() {
            match (name.as_str(), claim) {
                ("type" | "documentation", _) => {}
                ("interaction", claim) => {
                    assert_eq!(claim, &json!([{ "code": "read" }, { "code": "search-type" }]));
                    assert_eq!(self.get(&path).json(), first);
                }
                ("versioning", claim) if claim == "no-version" => {
                    self.fhir.get(format!("{path}/_history/1")).send().expect(404);
                }
                ("conditionalRead", claim) if claim == "not-match" => {
                    let tag = self.get(&path).header("etag").unwrap().to_owned();
                    self.fhir
                        .get(&path)
                        .header("If-None-Match", tag)
                        .send()
                        .expect(304);
                }
                ("searchParam", Value::Array(params)) => {
                    for param in params {
                        let own = match text(param, "name") {
                            "_id" => &first["id"],
                            "value" | "url" if kind == "NamingSystem" => &first["uniqueId"][0]["value"],
                            known @ ("name" | "url" | "code") => &first[known],
                            other => panic!("how is {other} of {kind} tried?"),
                        };
                        let own = percent_encode(own.as_str().unwrap());
                        let name = text(param, "name");
                        let found = ids(&self.search(&format!("/{kind}?{name}={own}")));
                        assert!(found.iter().any(|id| first["id"] == **id), "{kind}?{name}={own}");
                        assert_eq!(self.search(&format!("/{kind}?{name}=no-such"))["total"], 0);
                    }
                }
                (name, claim) => panic!("how is {name} {claim} of {kind} tried?"),
            }
        }
    }

    /// The audit trail: what was done a moment ago is there within a second.
    fn audit_trail(&self, claims: &Value) {
        let about = format!("/AuditEvent?entity=Patient/{}", self.patient);
        let first = testkit::wait::wait_for(std::time::Duration::from_secs(10), "an AuditEvent", || {
            self.get(&about).json().pointer("/entry/0/resource").cloned()
        });
        let own = text(&first, "id");
        let path = format!("/AuditEvent/{own}");
        for (name, claim) in claims.as_object().unwrap() {
            match (name.as_str(), claim) {
                ("type" | "documentation", _) => {}
                ("profile", claim) => assert!(text(claims, "profile").ends_with("/AuditEvent"), "{claim}"),
                ("interaction", claim) => {
                    assert_eq!(claim, &json!([{ "code": "read" }, { "code": "search-type" }]));
                    assert_eq!(self.get(&path).json(), first);
                    let posted = self.fhir.post("/AuditEvent/_search").form(&format!("_id={own}"));
                    assert_eq!(ids(&posted.send().expect(200).json()), [own]);
                }
                ("versioning", claim) if claim == "no-version" => {
                    self.fhir.get(format!("{path}/_history/1")).send().expect(404);
                }
                ("conditionalRead", claim) if claim == "not-match" => {
                    let tag = self.get(&path).header("etag").unwrap().to_owned();
                    let request = self.fhir.get(&path).header("If-None-Match", tag);
                    request.send().expect(304);
                }
                ("searchParam", Value::Array(params)) => {
                    for param in params {
                        let patient = format!("Patient/{}", self.patient);
                        let (found, nothing) = match text(param, "name") {
                            "_id" => (own, "999999999"),
                            "agent" => ("demo-fhir", "nobody"),
                            "date" => ("ge2020", "lt2020"),
                            "entity" => (patient.as_str(), "Patient/nobody"),
                            other => panic!("how is {other} of AuditEvent tried?"),
                        };
                        let search = |value: &str| {
                            let name = text(param, "name");
                            ids(&self.search(&format!("/AuditEvent?{name}={value}&_count=1000")))
                        };
                        assert!(search(found).contains(&own.to_owned()), "{param}");
                        assert!(search(nothing).is_empty(), "{param}");
                        let url = percent_encode(text(param, "definition"));
                        let known = self.search(&format!("/SearchParameter?url={url}"));
                        assert_eq!(known["total"], 1, "{param} has no definition");
                    }
                }
                (name, claim) => panic!("how is {name} {claim} of AuditEvent tried?"),
            }
        }
    }

    /// An interaction with the whole system.
    fn system_interaction(&self, code: &str) {
        let bundle = |kind: &str| json!({ "resourceType": "Bundle", "type": kind });
        match code {
            "transaction" | "batch" => {
                let answer = self.fhir.post("").json(&bundle(code)).send().expect(200).json();
                assert_eq!(answer["type"], format!("{code}-response"));
            }
            "search-system" => assert_eq!(self.get("?_type=Patient").json()["type"], "searchset"),
            "history-system" => assert_eq!(self.get("/_history").json()["type"], "history"),
            other => panic!("how is {other} tried?"),
        }
    }

    fn rest(&self, rest: &Value) {
        for (name, claim) in rest.as_object().unwrap() {
            match (name.as_str(), claim) {
                ("mode" | "documentation", _) => {}
                ("security", claim) => {
                    assert_eq!(claim["cors"], false);
                    let answer = self
                        .fhir
                        .get("/Patient")
                        .header("Origin", "https://a.example")
                        .send();
                    assert!(answer.header("access-control-allow-origin").is_none());
                }
                ("resource", Value::Array(all)) => all.iter().for_each(|claims| self.resource(claims)),
                ("interaction", Value::Array(all)) => {
                    all.iter()
                        .for_each(|claim| self.system_interaction(text(claim, "code")));
                }
                ("searchParam", Value::Array(all)) => {
                    for param in all {
                        for kind in ["Patient", "Practitioner"] {
                            self.search_parameter("?_type=Patient,Practitioner", kind, param);
                        }
                    }
                }
                (name, claim) => panic!("how is {name} {claim} tried?"),
            }
        }
    }

    fn resource(&self, claims: &Value) {
        let kind = text(claims, "type");
        if kind == "AuditEvent" {
            return self.audit_trail(claims);
        }
        if !["Patient", "Practitioner"].contains(&kind) {
            return self.published(kind, claims);
        }
        for (name, claim) in claims.as_object().unwrap() {
            match (name.as_str(), claim) {
                ("interaction", Value::Array(all)) => {
                    all.iter()
                        .for_each(|claim| self.stored_interaction(kind, text(claim, "code")));
                }
                ("searchParam", Value::Array(all)) => {
                    all.iter()
                        .for_each(|claim| self.search_parameter(&format!("/{kind}"), kind, claim));
                }
                (name, claim) => self.stored_claim(kind, name, claim),
            }
        }
    }

    fn patch_format(&self, format: &str) {
        let parts = json!([{ "name": "type", "valueCode": "replace" }, { "name": "path", "valueString": "Patient.active" },
            { "name": "value", "valueBoolean": true }]);
        let parameters =
            json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": parts }] });
        let body = match format {
            "application/json-patch+json" => r#"[{"op":"replace","path":"/active","value":true}]"#.to_owned(),
            MERGE_PATCH => "{\"active\":true}".to_owned(),
            "application/fhir+json" => parameters.to_string(),
            "application/fhir+xml" => fhir::codec::encode_xml(parameters.as_object().unwrap()).unwrap(),
            other => panic!("how is a patch as {other} tried?"),
        };
        self.patched(&format!("/Patient/{}", self.patient), format, &body)
            .expect(200);
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn everything_that_the_statement_claims_is_so(context: &Context) {
    let (server, fhir) = context.fhir();
    let tried = made(&fhir);
    let statement = tried.get("/metadata").json();
    for (name, claim) in statement.as_object().unwrap() {
        match (name.as_str(), claim) {
            (
                "resourceType" | "name" | "title" | "description" | "status" | "date" | "kind" | "software",
                _,
            ) => {}
            ("implementation", claim) => assert_eq!(claim["url"], format!("{}/fhir", server.base())),
            ("fhirVersion", claim) => {
                assert_eq!(claim, "4.0.1");
                let accept = |version: &str| format!("application/fhir+json; fhirVersion={version}");
                let ask = |version| {
                    fhir.get("/Patient")
                        .header("Accept", accept(version))
                        .send()
                        .status
                };
                assert_eq!((ask("4.0"), ask("5.0")), (200, 406));
            }
            ("format", Value::Array(all)) => {
                for format in all {
                    let format = format.as_str().unwrap();
                    let query = format!("/Patient?_format={}", percent_encode(format));
                    let answer = tried.get(&query);
                    let sent = answer.header("content-type").unwrap();
                    let (_, kind) = format.rsplit_once('+').unwrap_or(("", format));
                    assert_eq!(sent, format!("application/fhir+{kind}; charset=utf-8"));
                }
            }
            ("patchFormat", Value::Array(all)) => {
                all.iter()
                    .for_each(|format| tried.patch_format(format.as_str().unwrap()));
            }
            ("rest", Value::Array(all)) => all.iter().for_each(|rest| tried.rest(rest)),
            (name, claim) => panic!("how is {name} {claim} tried?"),
        }
    }
}

fn what_patches_are_taken_is_told_where_one_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let statement = fhir.get("/metadata").send().expect(200).json();
    let formats = statement["patchFormat"].as_array().unwrap().iter();
    let told: Vec<&str> = formats.map(|format| format.as_str().unwrap()).collect();
    let told = told.join(", ");
    let patch = |path: &str| {
        fhir.patch(path)
            .header("Content-Type", "text/csv")
            .body("x")
            .send()
    };
    let with_it = [
        patch("/Patient/1").expect(415),
        patch("/Patient?active=true").expect(415),
        fhir.request("OPTIONS", "/Patient/1").send().expect(405),
        fhir.request("OPTIONS", "/Patient").send().expect(405),
        fhir.post("/Patient/1").send().expect(405),
    ];
    for answer in with_it {
        assert_eq!(answer.header("accept-patch"), Some(told.as_str()), "{answer:?}");
    }
    let without = [
        fhir.request("OPTIONS", "/Patient/1/_history").send().expect(405),
        fhir.post("/Patient")
            .header("Content-Type", "text/csv")
            .body("x")
            .send()
            .expect(415),
        fhir.patch("/CodeSystem/adapter").send().expect(405),
        fhir.get("/Patient/never-there").send().expect(404),
    ];
    for answer in without {
        assert_eq!(answer.header("accept-patch"), None, "{answer:?}");
    }
}
