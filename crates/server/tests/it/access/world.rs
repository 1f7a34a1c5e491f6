//! Two spaces behind all five doors, and who asks there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use testkit::harness::Context;
use testkit::http::Client;
use testkit::server::Server;
use testkit::wait::wait_for;

use crate::partner::cross::{Doors, TRUST_SPACE, send};
use crate::partner::ehealth::{self, Entity};
use crate::partner::switches::with_file;
use crate::support::*;

/// The words of the other space at the doors that have some.
pub const OTHER_TRUST_SPACE: &str = "ts_other0000001";
/// The same at the patient-graph door.
pub const OTHER_BRAND: &str = "other-brand";

/// Letters that stand in what the demo's space stores of the patients here, and nowhere else.
pub const SECRET: &str = "Quetzalcoatl";

/// Another space behind all doors: its clients have every scope there.
#[track_caller]
pub fn other_space(context: &Context, server: &Server) -> Doors {
    let run = |arguments: &str| {
        succeeds(context, server, &arguments.split_whitespace().collect::<Vec<_>>());
    };
    run("space add other --sandbox");
    run(&format!(
        "binding add --door medicapp-cloud --word {OTHER_TRUST_SPACE} --space other"
    ));
    run(&format!(
        "binding add --door patient-graph --word {OTHER_BRAND} --space other"
    ));
    run("binding add --door ehealth --word other-realm --space other");
    let fhir = [
        "system/Patient.cruds",
        "system/Practitioner.cruds",
        "system/AuditEvent.rs",
    ];
    let scopes = Scopes {
        fhir: &fhir,
        medicapp: "partner:administrative",
        graph: "patient-graph:all",
        ehealth: "preperson:read preperson:write",
    };
    clients(context, server, "o", "other", scopes)
}

/// Clients of a space without a scope for anything that its doors offer.
#[track_caller]
pub fn scopeless(context: &Context, server: &Server) -> Doors {
    let scopes = Scopes {
        fhir: &["nothing:here"],
        medicapp: "nothing:here",
        graph: "nothing:here",
        ehealth: "nothing:here",
    };
    clients(context, server, "s", "demo", scopes)
}

struct Scopes<'s> {
    fhir: &'s [&'s str],
    medicapp: &'s str,
    graph: &'s str,
    ehealth: &'s str,
}

/// A client of each door of a space, once all of them are known to the server.
#[track_caller]
fn clients(context: &Context, server: &Server, prefix: &str, space: &str, scopes: Scopes<'_>) -> Doors {
    let client = |door: &str, mount: &str, scopes: &[&str]| {
        let id = format!("{prefix}-{door}");
        let mut arguments = vec!["client", "add", id.as_str(), "--space", space, "--door", door];
        scopes
            .iter()
            .for_each(|scope| arguments.extend(["--scope", scope]));
        succeeds(context, server, &arguments);
        let key = issue_key(context, server, &id);
        server.anonymous().with_prefix(mount).with_bearer(&key)
    };
    let entity_id = format!("{prefix}-ehealth");
    let entity = Entity {
        client: &entity_id,
        scopes: scopes.ehealth,
        ..Entity::default()
    };
    let doors = Doors {
        fhir: client("fhir", "/fhir", scopes.fhir),
        cloud: client("medicapp-cloud", "/cloud/partner/v5", &[scopes.medicapp]),
        connect: client("medicapp-connect", "/v5", &[scopes.medicapp]),
        graph: client("patient-graph", "/v1", &[scopes.graph]),
        ehealth: entity.enter_space(context, server, space),
    };
    let asked = [
        (&doors.fhir, "/Patient/nobody"),
        (&doors.cloud, "/patients/x"),
        (&doors.connect, "/patients/x"),
        (&doors.graph, "/patients/x"),
    ];
    wait_for(Duration::from_secs(10), "the clients to be known", || {
        // Wrong credentials are counted: a hasty poll would be shut out.
        std::thread::sleep(Duration::from_millis(60));
        let known = |(client, target): &(&Client, &str)| client.get(target).send().status != 401;
        asked.iter().all(known).then_some(())
    });
    doors
}

/// A server with two spaces, and who asks there.
pub struct World {
    /// Ends with this.
    _server: Server,
    /// Of the demo's space, with every scope.
    pub own: Doors,
    /// Of the other space, with every scope.
    pub other: Doors,
    /// Of the demo's space, without any.
    pub scopeless: Doors,
}

impl World {
    /// A new one. It believes its clients where they come from: whoever sends wrong credentials comes from elsewhere
    /// each time and is not slowed down.
    #[track_caller]
    pub fn new(context: &Context) -> World {
        let text =
            "trusted-proxies = ['127.0.0.1']\n[patient-graph]\nrequired-scopes = ['patient-graph:all']\n";
        let server = with_file(context, text);
        let world = World {
            own: named(Doors::of(&server)),
            other: named(other_space(context, &server)),
            scopeless: named(scopeless(context, &server)),
            _server: server,
        };
        for doors in [&world.own, &world.other] {
            doors.fhir.get("/Patient/nobody").send();
            wait_for(
                Duration::from_secs(20),
                "the first event of each space to be told",
                || {
                    std::thread::sleep(Duration::from_millis(50));
                    (doors.fhir.get("/AuditEvent/1").send().status == 200).then_some(())
                },
            );
        }
        world
    }
}

/// Clients that name their requests: the names that a server gives have no fixed length.
fn named(doors: Doors) -> Doors {
    let named = |client: Client| client.with_header("X-Request-Id", "the-request");
    Doors {
        fhir: named(doors.fhir),
        cloud: named(doors.cloud),
        connect: named(doors.connect),
        graph: named(doors.graph),
        ehealth: named(doors.ehealth),
    }
}

/// By what a patient is asked for. Values of one kind have one length, so that no Content-Length tells them apart.
pub struct About {
    /// The FHIR id of the patient.
    pub fhir: String,
    /// The FHIR id of a practitioner of the same number.
    pub practitioner: String,
    /// The id at the Medicapp doors.
    pub medicapp: String,
    /// The id at the eHealth door.
    pub registry: String,
    /// The value of the identifier of `LOCAL`, and of the external ids.
    pub number: String,
}

/// A number that no other patient here has, of one length.
pub fn number() -> String {
    format!("n{:0>9}", unique())
}

impl About {
    /// Somebody who is in no space.
    pub fn nobody() -> About {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        About {
            fhir: format!("00000000-0000-4000-8000-{count:012x}"),
            practitioner: format!("00000000-0000-4000-a000-{count:012x}"),
            medicapp: format!("pat_{count:016x}"),
            registry: format!("00000000-0000-4000-9000-{count:012x}"),
            number: number(),
        }
    }

    /// A patient of the demo's space, of two versions, a practitioner, and somebody unknown in its registry.
    #[track_caller]
    pub fn somebody(own: &Doors) -> About {
        let number = number();
        let made = own.cloud_post(json!({
            "trustSpaceUuid": TRUST_SPACE, "externalId": number, "firstName": SECRET, "lastName": SECRET
        }));
        let medicapp = made.expect(201).json()["patientUuid"]
            .as_str()
            .expect("an id")
            .to_owned();
        let fhir = own.fhir_id(&medicapp);
        own.edit(&fhir, |patient| {
            let local = json!({ "system": LOCAL, "value": number });
            patient["identifier"].as_array_mut().expect("its ids").push(local);
        });
        let practitioner = with(
            resource("Practitioner", LOCAL, &number),
            "name",
            json!([{ "family": SECRET }]),
        );
        let practitioner = own.fhir.post("/Practitioner").json(&practitioner).send();
        let body = json!({ "external_id": number, "gender": "MALE", "first_name": "Кетцалькоатль" });
        let registry = ehealth::data(&send(&own.ehealth, "POST", "/prepersons", &body), 201);
        About {
            fhir,
            practitioner: practitioner.expect(201).id(),
            medicapp,
            registry: ehealth::id(&registry).to_owned(),
            number,
        }
    }

    /// The same, deleted.
    #[track_caller]
    pub fn deleted(self, own: &Doors) -> About {
        for (kind, id) in [
            ("Patient", &self.fhir),
            ("Practitioner", &self.practitioner),
            ("Patient", &self.registry),
        ] {
            own.fhir.delete(format!("/{kind}/{id}")).send().expect(204);
        }
        self
    }

    /// What is hidden of answers about it.
    pub fn hidden(&self) -> [(&str, &str); 5] {
        [
            (&self.fhir, "(fhir)"),
            (&self.practitioner, "(practitioner)"),
            (&self.medicapp, "(medicapp)"),
            (&self.registry, "(registry)"),
            (&self.number, "(number)"),
        ]
    }

    /// The FHIR id of whom a type means.
    pub fn id_of(&self, kind: &str) -> &str {
        match kind {
            "Practitioner" => &self.practitioner,
            _ => &self.fhir,
        }
    }
}
