//! What EHR systems do beside the core: a search of three parameters, histories, a transaction.

use serde_json::json;
use testkit::http::percent_encode;
use testkit::samples::{LOCAL_SYSTEM, Patient};

use crate::requests::Writer;

/// General practitioners stored before the patients, who share them.
pub const PRACTITIONERS: u64 = 200;
/// Entries of a transaction.
pub const ENTRIES: u64 = 20;
/// Entries of a page.
const PAGE: u64 = 20;

/// The id of a patient's general practitioner.
pub fn practitioner_of(number: u64) -> String {
    format!("gp-{}", number % PRACTITIONERS)
}

impl Writer<'_> {
    /// `PUT Practitioner/gp-…`, an ordinary one.
    pub fn put_practitioner(&mut self, number: u64) {
        let id = practitioner_of(number);
        let body = json!({
            "resourceType": "Practitioner",
            "id": id,
            "active": true,
            "name": [{ "family": format!("Praticien {number}"), "given": ["Camille"] }],
        });
        self.send_json("PUT", &["/Practitioner/", &id], &body.to_string());
        self.proof = id;
    }

    /// `GET Patient` by family name, given name and a span of birth dates, the youngest first, with the practitioners.
    pub fn search_by_three(&mut self, number: u64) {
        let patient = Patient::new(number);
        let family = percent_encode(&patient.family);
        let given = percent_encode(&patient.given[0]);
        let year = &patient.birth_date[..4];
        self.fhir_line(
            "GET",
            &[
                "/Patient?family=",
                &family,
                "&given=",
                &given,
                "&birthdate=ge",
                year,
                "&_sort=-birthdate,given&_count=20&_include=Patient:general-practitioner",
            ],
        );
        self.append("\r\n");
        self.proof.clone_from(&patient.local_id);
    }

    /// `GET Patient/_history`, the newest page.
    pub fn history_page(&mut self) {
        self.fhir_line("GET", &["/Patient/_history?_count=", &PAGE.to_string()]);
        self.append("\r\n");
        "\"type\":\"history\"".clone_into(&mut self.proof);
    }

    /// `GET Practitioner/id/_history`.
    pub fn history_of(&mut self, id: &str) {
        self.fhir_line("GET", &["/Practitioner/", id, "/_history"]);
        self.append("\r\n");
        id.clone_into(&mut self.proof);
    }

    /// A transaction of conditional PUTs of these patients.
    pub fn post_transaction(&mut self, numbers: &[u64]) {
        self.start_body(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
        for (position, number) in numbers.iter().enumerate() {
            self.append_to_body(if position == 0 {
                r#"{"resource":"#
            } else {
                r#",{"resource":"#
            });
            let patient = self.render_patient(*number);
            self.append_to_body(&format!(
                r#","request":{{"method":"PUT","url":"Patient?identifier={LOCAL_SYSTEM}|{}"}}}}"#,
                patient.local_id
            ));
        }
        self.append_to_body("]}");
        self.send_body("POST", &[""]);
        "\"type\":\"transaction-response\"".clone_into(&mut self.proof);
    }
}
