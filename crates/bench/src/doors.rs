//! The partner doors: one creation through each, and the list of the connect door.

use testkit::http::percent_encode;
use testkit::samples::Patient;
use testkit::server::Server;

use crate::requests::Writer;

/// The base of the server's own identifier systems in a demo.
const NAMING_BASE: &str = "https://fhir-facade.example/ns";
/// Patients on a page of the list.
const PER_PAGE: u64 = 20;

/// A door of partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `POST /cloud/partner/v5/patients`: a person with NIR and external id
    Cloud,
    /// `POST /v5/patients`
    Connect,
    /// `POST /v1/patients`
    Graph,
    /// `POST /api/prepersons`
    Preperson,
}

impl Door {
    /// All of them.
    pub const ALL: [Door; 4] = [Door::Cloud, Door::Connect, Door::Graph, Door::Preperson];
}

/// How to come in at each of them.
#[derive(Clone, Debug)]
pub struct DoorAccess {
    cloud: String,
    trust_space: String,
    connect: String,
    space: String,
    graph: String,
    brand: String,
    ehealth: String,
    legal_entity: String,
}

impl DoorAccess {
    /// What a demo wrote into its demo.json.
    pub fn of(server: &Server) -> DoorAccess {
        let bearer = |door: &str| format!("Authorization: Bearer {}\r\n", server.credential(door).bearer);
        let field = |door: &str, name: &str| {
            let entry = &server.credential(door).entry;
            entry[name].as_str().unwrap_or_default().to_owned()
        };
        DoorAccess {
            cloud: bearer("medicapp-cloud"),
            trust_space: field("medicapp-cloud", "trustSpaceUuid"),
            connect: bearer("medicapp-connect"),
            space: "demo".to_owned(),
            graph: bearer("patient-graph"),
            brand: field("patient-graph", "brand_id"),
            ehealth: format!(
                "{}API-key: {}\r\n",
                bearer("ehealth"),
                field("ehealth", "api_key")
            ),
            legal_entity: "7cc91a5d-c02f-41e9-b571-1ea4f2375552".to_owned(),
        }
    }

    /// The credential lines of a request.
    fn credential(&self, door: Door) -> &str {
        match door {
            Door::Cloud => &self.cloud,
            Door::Connect => &self.connect,
            Door::Graph => &self.graph,
            Door::Preperson => &self.ehealth,
        }
    }

    /// The FHIR system of the external ids that a creation carries.
    fn external_id_system(&self, door: Door) -> String {
        match door {
            Door::Cloud => format!(
                "{NAMING_BASE}/medicapp/trust-space/{}/external-id",
                self.trust_space
            ),
            Door::Connect => format!("{NAMING_BASE}/medicapp/space/{}/external-id", self.space),
            Door::Graph => format!(
                "{NAMING_BASE}/patient-graph/brand/{}/external-id/bench",
                self.brand
            ),
            Door::Preperson => {
                format!(
                    "{NAMING_BASE}/ehealth/legal-entity/{}/preperson-external-id",
                    self.legal_entity
                )
            }
        }
    }

    fn body(&self, door: Door, number: u64) -> String {
        let patient = Patient::new(number);
        let Patient {
            family,
            given,
            birth_date,
            phone,
            nir,
            ..
        } = &patient;
        let (first, is_female) = (&given[0], patient.gender == "female");
        let external = external_id(number);
        let medicapp_gender = if is_female { "F" } else { "M" };
        match door {
            Door::Cloud => format!(
                r#"{{"trustSpaceUuid":"{}","firstName":"{first}","lastName":"{family}","birthDate":"{birth_date}","gender":"{medicapp_gender}","phone":"{phone}","externalId":"{external}","identificationKey":{{"nir":"{}","rang":"01"}}}}"#,
                self.trust_space,
                &nir[..13]
            ),
            Door::Connect => format!(
                r#"{{"firstName":"{first}","lastName":"{family}","birthDate":"{birth_date}","gender":"{medicapp_gender}","email":"{external}@example.org","phone":"{phone}","externalId":"{external}"}}"#
            ),
            Door::Graph => format!(
                r#"{{"brand_id":"{}","first_name":"{first}","last_name":"{family}","date_of_birth":"{birth_date}","gender":"{}","email":"{external}@example.org","phone":"{phone}","external_ids":{{"bench":"{external}"}},"metadata":{{"source":"bench"}}}}"#,
                self.brand, patient.gender
            ),
            Door::Preperson => format!(
                r#"{{"external_id":"{external}","first_name":"{first}","last_name":"{family}","gender":"{}","birth_date":"{birth_date}","emergency_contact":{{"first_name":"{first}","last_name":"{family}","phones":[{{"type":"MOBILE","number":"+380503410870"}}]}},"note":"unconscious, about 40 years old"}}"#,
                if is_female { "FEMALE" } else { "MALE" }
            ),
        }
    }
}

fn external_id(number: u64) -> String {
    format!("B{number:010}")
}

fn path(door: Door) -> &'static str {
    match door {
        Door::Cloud => "/cloud/partner/v5/patients",
        Door::Connect => "/v5/patients",
        Door::Graph => "/v1/patients",
        Door::Preperson => "/api/prepersons",
    }
}

impl Writer<'_> {
    /// A creation of somebody through a door.
    pub fn post_through(&mut self, doors: &DoorAccess, door: Door, number: u64) {
        let body = doors.body(door, number);
        self.partner_line("POST", path(door), doors.credential(door));
        let length = body.len();
        self.append(&format!(
            "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        self.proof = external_id(number);
    }

    /// `GET Patient?identifier=` the external id of a creation, at the FHIR door.
    pub fn find_of_door(&mut self, doors: &DoorAccess, door: Door, number: u64) {
        let system = percent_encode(&doors.external_id_system(door));
        let external = external_id(number);
        self.fhir_line("GET", &["/Patient?identifier=", &system, "|", &external]);
        self.append("\r\n");
        self.proof = external;
    }

    /// A page of the connect door's list.
    pub fn list_page(&mut self, doors: &DoorAccess, page: u64) {
        let target = format!("{}?page={page}&per_page={PER_PAGE}", path(Door::Connect));
        self.partner_line("GET", &target, doors.credential(Door::Connect));
        self.append("\r\n");
        self.proof = format!("\"page\":{page},\"perPage\":{PER_PAGE}");
    }
}

/// The page that lies far behind: the thousandth, or the last where fewer are stored.
pub fn deep_page(stored: u64) -> u64 {
    (stored / PER_PAGE).clamp(1, 1_000)
}

#[cfg(test)]
mod tests {
    use super::{Door, DoorAccess, deep_page};

    #[test]
    fn every_body_is_json_and_carries_its_external_id() {
        let access = DoorAccess {
            cloud: String::new(),
            trust_space: "ts".to_owned(),
            connect: String::new(),
            space: "demo".to_owned(),
            graph: String::new(),
            brand: "brand".to_owned(),
            ehealth: String::new(),
            legal_entity: "le".to_owned(),
        };
        for door in Door::ALL {
            for number in 0..200 {
                let body = access.body(door, number);
                let tree: serde_json::Value = serde_json::from_str(&body).expect("JSON");
                assert!(
                    tree.is_object() && body.contains(&super::external_id(number)),
                    "{body}"
                );
            }
        }
        assert_eq!(
            (deep_page(100_000), deep_page(1_000), deep_page(5)),
            (1_000, 50, 1)
        );
    }
}
