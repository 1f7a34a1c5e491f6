//! What the doors do across each other (`adapters.md` 5 to 8): all five bound to one space, as in the demo.

mod canaries;
mod erasure;
mod failures;
mod gender;
mod keys;
mod log;
mod matrix;
mod outbound;
mod quiet;
mod refusals;
mod rich;
mod scrub;
mod seed;
mod spaces;
mod sticky;
mod together;

use serde_json::{Value, json};
use testkit::harness::Suite;
use testkit::http::{Client, Response, percent_encode};
use testkit::server::Server;

use super::ehealth;
use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(canaries::TESTS)
        .both(erasure::TESTS)
        .both(failures::TESTS)
        .both(gender::TESTS)
        .both(keys::TESTS)
        .both(log::TESTS)
        .both(matrix::TESTS)
        .both(outbound::TESTS)
        .both(quiet::TESTS)
        .both(refusals::TESTS)
        .both(rich::TESTS)
        .postgres(scrub::TESTS)
        .both(seed::TESTS)
        .both(spaces::TESTS)
        .both(sticky::TESTS)
        .both(together::TESTS)
}

/// The base of the names of our own.
pub const BASE: &str = "https://fhir-facade.example/ns";
/// The demo's trust space.
pub const TRUST_SPACE: &str = "ts_demo00000001";
/// The demo's brand.
pub const BRAND: &str = "demo-brand";

/// A client of each door of one space.
#[derive(Clone)]
pub struct Doors {
    pub fhir: Client,
    pub cloud: Client,
    pub connect: Client,
    pub graph: Client,
    pub ehealth: Client,
}

/// A client, a method and a target at a partner's door.
pub type Call<'c> = (&'c Client, &'c str, String);

/// A request with a JSON body as partners send it.
pub fn send(client: &Client, method: &str, target: &str, body: &Value) -> Response {
    let request = client.request(method, target);
    let request = request.header("Content-Type", "application/json");
    request.body(body.to_string()).send()
}

/// The value of the system of a Patient's identifiers.
pub fn identifier_of(patient: &Value, system: &str) -> Option<String> {
    let held = patient["identifier"].as_array()?;
    let found = held.iter().find(|held| held["system"] == system)?;
    found["value"].as_str().map(str::to_owned)
}

/// A name of an extension of ours.
pub fn extension(name: &str) -> String {
    format!("{BASE}/StructureDefinition/{name}")
}

impl Doors {
    /// The demo's.
    pub fn of(server: &Server) -> Doors {
        Doors {
            fhir: server.client("fhir"),
            cloud: server.client("medicapp-cloud"),
            connect: server.client("medicapp-connect"),
            graph: server.client("patient-graph"),
            ehealth: ehealth::door(server),
        }
    }

    /// POST at the cloud's door.
    pub fn cloud_post(&self, more: Value) -> Response {
        let mut body = json!({
            "trustSpaceUuid": TRUST_SPACE, "firstName": "Sophie", "lastName": unique(), "birthDate": "1988-11-03",
            "gender": "F"
        });
        ehealth::merge(&mut body, &more);
        send(&self.cloud, "POST", "/patients", &body)
    }

    /// POST at the door of connect.
    pub fn connect_post(&self, more: Value) -> Response {
        let mut body = json!({ "firstName": "Jean", "lastName": unique(), "birthDate": "1980-05-15" });
        ehealth::merge(&mut body, &more);
        send(&self.connect, "POST", "/patients", &body)
    }

    /// POST at the door of patient-graph.
    pub fn graph_post(&self, more: Value) -> Response {
        let mut body = json!({ "brand_id": BRAND, "first_name": "Ada", "last_name": unique() });
        ehealth::merge(&mut body, &more);
        send(&self.graph, "POST", "/patients", &body)
    }

    /// POST of a Patient at the FHIR door; its id.
    #[track_caller]
    pub fn fhir_post(&self, patient: &Value) -> String {
        self.fhir.post("/Patient").json(patient).send().expect(201).id()
    }

    /// GET at the FHIR door.
    pub fn patient(&self, id: &str) -> Response {
        self.fhir.get(format!("/Patient/{id}")).send()
    }

    /// Read, change, PUT at the FHIR door.
    #[track_caller]
    pub fn edit(&self, id: &str, change: impl FnOnce(&mut Value)) -> Response {
        let mut patient = self.patient(id).expect(200).json();
        change(&mut patient);
        self.fhir
            .put(format!("/Patient/{id}"))
            .json(&patient)
            .send()
            .expect(200)
    }

    /// Says that nobody knows who this is: the registry's door shows it then.
    #[track_caller]
    pub fn unidentify(&self, id: &str) {
        self.edit(id, |patient| {
            let status = json!({
                "url": extension("patient-identification-status"), "valueCode": "unidentified"
            });
            match patient["extension"].as_array_mut() {
                Some(extensions) => extensions.push(status),
                None => patient["extension"] = json!([status]),
            }
        });
    }

    /// The FHIR id of the patient of a Medicapp id.
    #[track_caller]
    pub fn fhir_id(&self, medicapp_id: &str) -> String {
        let mut ids = found(
            &self.fhir,
            "Patient",
            (&format!("{BASE}/medicapp/patient-id"), medicapp_id),
        );
        assert_eq!(ids.len(), 1, "{medicapp_id}");
        ids.remove(0)
    }

    /// The Medicapp id of a patient, wherever it was born: the lists of connect have one order.
    #[track_caller]
    pub fn medicapp_id(&self, fhir_id: &str) -> String {
        for page in 1.. {
            let list = |template: &str| {
                let target = format!("/patients?per_page=100&page={page}{template}");
                self.connect.get(target).send().expect(200).json()["data"].clone()
            };
            let (native, fhir) = (list(""), list("&template=FHIR"));
            let fhir = fhir.as_array().expect("patients");
            if let Some(place) = fhir.iter().position(|patient| patient["id"] == fhir_id) {
                return native[place]["id"].as_str().expect("an id").to_owned();
            }
            assert!(!fhir.is_empty(), "{fhir_id} is in no list");
        }
        unreachable!()
    }

    /// What a partner's door answers about one patient; its names for it are in the order cloud, connect, graph,
    /// registry.
    pub fn calls(&self, fhir_id: &str, medicapp_id: &str) -> [Call<'_>; 4] {
        [
            (&self.cloud, "cloud", format!("/patients/{medicapp_id}")),
            (&self.connect, "connect", format!("/patients/{medicapp_id}")),
            (&self.graph, "graph", format!("/patients/{fhir_id}")),
            (&self.ehealth, "ehealth", format!("/prepersons/{fhir_id}")),
        ]
    }
}

/// The search criteria of one identifier.
pub fn by(system: &str, value: &str) -> String {
    format!("identifier={}", percent_encode(&format!("{system}|{value}")))
}
