//! The requests, put together from templates: a generator that spends its time on JSON measures itself.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use testkit::http::percent_encode;
use testkit::samples::{Account, INTERNAL_SYSTEM, LOCAL_SYSTEM, NATIONAL_SYSTEM, Patient};

use crate::doors::DoorAccess;
use crate::ehr::practitioner_of;
use crate::target::ServerAccess;

/// Private-use characters that mark the places of a template.
const SLOTS: [&str; 11] = [
    "\u{e000}", "\u{e001}", "\u{e002}", "\u{e003}", "\u{e004}", "\u{e005}", "\u{e006}", "\u{e007}",
    "\u{e008}", "\u{e009}", "\u{e00a}",
];

/// JSON text with places to fill.
#[derive(Debug)]
struct Template {
    /// Text, and the slot that follows it.
    pieces: Vec<(Vec<u8>, usize)>,
    end: Vec<u8>,
}

impl Template {
    fn new(text: &str) -> Template {
        let mut pieces = Vec::new();
        let mut rest = text;
        let slot_of = |letter: char| SLOTS.iter().position(|slot| slot.starts_with(letter));
        while let Some(found) = rest.find(|letter| slot_of(letter).is_some()) {
            let (before, from_slot) = rest.split_at(found);
            let letter = from_slot.chars().next().expect("a slot was found here");
            let slot = slot_of(letter).expect("a slot was found here");
            pieces.push((before.as_bytes().to_vec(), slot));
            rest = &from_slot[letter.len_utf8()..];
        }
        Template {
            pieces,
            end: rest.as_bytes().to_vec(),
        }
    }

    /// Fills the places; `values` must need no escaping in JSON, which invented names do not.
    fn render(&self, values: &[&str], output: &mut Vec<u8>) {
        for (text, slot) in &self.pieces {
            output.extend_from_slice(text);
            output.extend_from_slice(values[*slot].as_bytes());
        }
        output.extend_from_slice(&self.end);
    }
}

/// What all threads of a run share.
#[derive(Debug)]
pub struct Plan {
    /// The server.
    pub access: ServerAccess,
    /// The seed of everything random.
    pub seed: u64,
    /// Stored accounts: number and id. The first half may be changed, the rest never is.
    pub accounts: Vec<(u64, Box<str>)>,
    /// Numbers of the stored patients.
    pub patients: Vec<u64>,
    /// How to come in at the partner doors; known of a demo only.
    pub doors: Option<DoorAccess>,
    next_account: AtomicU64,
    next_patient: AtomicU64,
    next_change: AtomicU64,
    fixed_headers: Vec<u8>,
    account: Template,
    patient: Template,
}

/// Which body a PUT of an account carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// The one it was stored with.
    Original,
    /// One with an e-mail address nobody has sent before.
    Changed,
}

/// The sample, and who cares for the patient.
fn with_practitioner(patient: &Patient) -> Value {
    let mut resource = patient.json();
    resource["generalPractitioner"] = json!([{ "reference": format!("Practitioner/{}", SLOTS[10]) }]);
    resource
}

impl Plan {
    /// Nothing stored yet; people are invented from `first` on.
    pub fn new(access: ServerAccess, first: u64, seed: u64) -> Plan {
        let account = Account {
            national_id: SLOTS[0].to_owned(),
            technical_id: SLOTS[1].to_owned(),
            family: SLOTS[2].to_owned(),
            given: SLOTS[3].to_owned(),
            email: SLOTS[4].to_owned(),
            active: true,
        };
        let patient = Patient {
            local_id: SLOTS[0].to_owned(),
            nir: String::new(),
            family: SLOTS[1].to_owned(),
            given: vec![SLOTS[2].to_owned()],
            gender: SLOTS[3],
            birth_date: SLOTS[4].to_owned(),
            phone: SLOTS[5].to_owned(),
            line: SLOTS[6].to_owned(),
            postcode: SLOTS[7],
            town: SLOTS[8],
            contact: SLOTS[9].to_owned(),
        };
        let credential = match access.bearer.as_str() {
            "" => String::new(),
            bearer => format!("Authorization: Bearer {bearer}\r\n"),
        };
        let fixed = format!(
            "Host: {}\r\n{credential}Accept: application/fhir+json\r\n",
            access.address
        );
        Plan {
            access,
            seed,
            accounts: Vec::new(),
            patients: Vec::new(),
            doors: None,
            next_account: AtomicU64::new(first),
            next_patient: AtomicU64::new(first),
            next_change: AtomicU64::new(0),
            fixed_headers: fixed.into_bytes(),
            account: Template::new(&account.json().to_string()),
            patient: Template::new(&with_practitioner(&patient).to_string()),
        }
    }

    /// The number of an account nobody has sent.
    pub fn new_account(&self) -> u64 {
        self.next_account.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of a patient nobody has sent.
    pub fn new_patient(&self) -> u64 {
        self.next_patient.fetch_add(1, Ordering::Relaxed)
    }
}

/// Writes requests into buffers it keeps.
#[derive(Debug)]
pub struct Writer<'a> {
    plan: &'a Plan,
    /// The last request, whole.
    pub request: Vec<u8>,
    /// Its body.
    body: Vec<u8>,
    /// A text that the answer to the last request must hold; empty when none is known.
    pub proof: String,
}

impl<'a> Writer<'a> {
    /// Empty buffers.
    pub fn new(plan: &'a Plan) -> Writer<'a> {
        Writer {
            plan,
            request: Vec::with_capacity(4096),
            body: Vec::with_capacity(4096),
            proof: String::new(),
        }
    }

    /// `PUT Practitioner?identifier=` the technical identifier.
    pub fn put_account(&mut self, number: u64, body: Body) {
        let mut account = Account::new(number);
        if body == Body::Changed {
            let change = self.plan.next_change.fetch_add(1, Ordering::Relaxed);
            account.email = format!("c{change}.{}", account.email);
        }
        let Account {
            national_id,
            technical_id,
            family,
            given,
            email,
            ..
        } = &account;
        self.body.clear();
        self.plan
            .account
            .render(&[national_id, technical_id, family, given, email], &mut self.body);
        self.line(
            "PUT",
            &["/Practitioner?identifier=", INTERNAL_SYSTEM, "|", technical_id],
        );
        self.finish_with_body();
        self.proof.clone_from(&account.technical_id);
    }

    /// `POST Patient` with `If-None-Exist` on the local number.
    pub fn post_patient(&mut self, number: u64) {
        self.body.clear();
        let patient = self.render_patient(number);
        self.line("POST", &["/Patient"]);
        self.push(&[
            "If-None-Exist: identifier=",
            LOCAL_SYSTEM,
            "|",
            &patient.local_id,
            "\r\n",
        ]);
        self.finish_with_body();
        self.proof.clone_from(&patient.local_id);
    }

    /// Appends the resource of a patient to the body.
    pub fn render_patient(&mut self, number: u64) -> Patient {
        let patient = Patient::new(number);
        self.plan.patient.render(
            &[
                &patient.local_id,
                &patient.family,
                &patient.given[0],
                patient.gender,
                &patient.birth_date,
                &patient.phone,
                &patient.line,
                patient.postcode,
                patient.town,
                &patient.contact,
                &practitioner_of(number),
            ],
            &mut self.body,
        );
        patient
    }

    /// Begins a body with text.
    pub fn start_body(&mut self, text: &str) {
        self.body.clear();
        self.append_to_body(text);
    }

    /// Appends text to the body.
    pub fn append_to_body(&mut self, text: &str) {
        self.body.extend_from_slice(text.as_bytes());
    }

    /// `method target` of the FHIR door with this body.
    pub fn send_json(&mut self, method: &str, target: &[&str], body: &str) {
        self.line(method, target);
        self.start_body(body);
        self.finish_with_body();
    }

    /// The same with the body that was put together last.
    pub fn send_body(&mut self, method: &str, target: &[&str]) {
        self.line(method, target);
        self.finish_with_body();
    }

    /// `GET Practitioner/id`.
    pub fn read_account(&mut self, id: &str) {
        self.line("GET", &["/Practitioner/", id]);
        self.push(&["\r\n"]);
        self.proof.clear();
        self.proof.push_str(id);
    }

    /// `GET Practitioner?identifier=` the national identifier.
    pub fn find_account(&mut self, number: u64) {
        let account = Account::new(number);
        self.line(
            "GET",
            &[
                "/Practitioner?identifier=",
                NATIONAL_SYSTEM,
                "|",
                &account.national_id,
            ],
        );
        self.push(&["\r\n"]);
        self.proof.clone_from(&account.technical_id);
    }

    /// `GET Patient?identifier=` the local number.
    pub fn find_patient(&mut self, number: u64) {
        let patient = Patient::new(number);
        self.line(
            "GET",
            &["/Patient?identifier=", LOCAL_SYSTEM, "|", &patient.local_id],
        );
        self.push(&["\r\n"]);
        self.proof.clone_from(&patient.local_id);
    }

    /// `GET Patient?family=…&birthdate=…`.
    pub fn find_by_demographics(&mut self, number: u64) {
        let patient = Patient::new(number);
        let family = percent_encode(&patient.family);
        self.line(
            "GET",
            &["/Patient?family=", &family, "&birthdate=", &patient.birth_date],
        );
        self.push(&["\r\n"]);
        self.proof.clone_from(&patient.local_id);
    }

    /// The first lines of a request to a partner door, `credential` included.
    pub fn partner_line(&mut self, method: &str, target: &str, credential: &str) {
        self.request.clear();
        let host = self.plan.access.address.to_string();
        self.push(&[
            method,
            " ",
            target,
            " HTTP/1.1\r\nHost: ",
            &host,
            "\r\n",
            credential,
        ]);
    }

    /// The first lines of a request to the FHIR door.
    pub fn fhir_line(&mut self, method: &str, target: &[&str]) {
        self.line(method, target);
    }

    /// Appends text to the request.
    pub fn append(&mut self, text: &str) {
        self.push(&[text]);
    }

    fn line(&mut self, method: &str, target: &[&str]) {
        self.request.clear();
        self.push(&[method, " ", &self.plan.access.path]);
        self.push(target);
        self.push(&[" HTTP/1.1\r\n"]);
        self.request.extend_from_slice(&self.plan.fixed_headers);
    }

    fn finish_with_body(&mut self) {
        let length = self.body.len().to_string();
        self.push(&[
            "Content-Type: application/fhir+json\r\nContent-Length: ",
            &length,
            "\r\n\r\n",
        ]);
        self.request.extend_from_slice(&self.body);
    }

    fn push(&mut self, texts: &[&str]) {
        for text in texts {
            self.request.extend_from_slice(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Body, Plan, Writer};
    use crate::target::ServerAccess;

    fn plan() -> Plan {
        let access = ServerAccess {
            address: "127.0.0.1:80".parse().unwrap(),
            path: "/fhir".to_owned(),
            bearer: "sk".to_owned(),
            pid: None,
        };
        Plan::new(access, 5, 1)
    }

    fn parts(request: &[u8]) -> (String, serde_json::Value) {
        let text = String::from_utf8(request.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("\r\nContent-Length: {}", body.len())),
            "{head}"
        );
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn a_rendered_account_is_the_sample_itself() {
        let plan = plan();
        let mut writer = Writer::new(&plan);
        let account = testkit::samples::Account::new(7);
        writer.put_account(7, Body::Original);
        let (head, body) = parts(&writer.request);
        assert_eq!(body, account.json());
        assert!(head.starts_with(&format!(
            "PUT /fhir/Practitioner?{} HTTP/1.1\r\n",
            account.technical_criterion()
        )));
        assert!(head.contains("\r\nAuthorization: Bearer sk\r\n"));
        writer.put_account(7, Body::Changed);
        let (_, first) = parts(&writer.request);
        writer.put_account(7, Body::Changed);
        assert_ne!(parts(&writer.request).1, first);
        assert_ne!(first, account.json());
    }

    #[test]
    fn a_rendered_patient_carries_its_number_and_criterion() {
        let plan = plan();
        let mut writer = Writer::new(&plan);
        for number in 0..200 {
            let patient = testkit::samples::Patient::new(number);
            writer.post_patient(number);
            let (head, body) = parts(&writer.request);
            assert!(head.contains(&format!("\r\nIf-None-Exist: {}\r\n", patient.local_criterion())));
            assert_eq!(body["name"][0]["family"], patient.family.as_str());
            assert_eq!(body["birthDate"], patient.birth_date.as_str());
        }
        assert_eq!(
            (plan.new_patient(), plan.new_patient(), plan.new_account()),
            (5, 6, 5)
        );
    }

    #[test]
    fn writing_a_request_is_cheap() {
        let plan = plan();
        let mut writer = Writer::new(&plan);
        let start = Instant::now();
        for number in 0..2000 {
            writer.put_account(number, Body::Changed);
        }
        // Without optimisation and on a busy machine; with it, it is about 3 µs.
        assert!(start.elapsed().as_micros() / 2000 < 1000);
    }
}
