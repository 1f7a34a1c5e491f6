//! A row of the trail as an AuditEvent — <https://hl7.org/fhir/R4/auditevent.html>
//!
//! What FHIR has a code for is told by it; our own names of interactions are those of the CodeSystem
//! `audit-interaction`, clients are identifiers of the NamingSystem `client-id`. The request's id stands where IHE's
//! Basic Audit Log Patterns put it.

use adapters::naming::Naming;
use fhir::IssueCode;
use serde_json::{Value, json};
use store::trail::Recorded;

/// <https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>
const RESTFUL: &str = "http://hl7.org/fhir/restful-interaction";
const EVENT_TYPES: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const ENTITY_TYPES: &str = "http://hl7.org/fhir/resource-types";
const OBJECT_ROLES: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const SOURCE_TYPES: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
/// <https://profiles.ihe.net/ITI/BALP/CodeSystem-BasicAuditEntityType.html>
const BALP_ENTITIES: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";

/// Our interactions: FHIR's code, when one fits, and the action — <https://hl7.org/fhir/R4/valueset-audit-event-action.html>
const INTERACTIONS: &[(&str, Option<&str>, &str)] = &[
    ("read", Some("read"), "R"),
    ("vread", Some("vread"), "R"),
    ("search-type", Some("search-type"), "E"),
    ("search-system", Some("search-system"), "E"),
    ("history-instance", Some("history-instance"), "R"),
    ("history-type", Some("history-type"), "R"),
    ("history-system", Some("history-system"), "R"),
    ("create", Some("create"), "C"),
    ("conditional-create", Some("create"), "C"),
    ("update", Some("update"), "U"),
    ("conditional-update", Some("update"), "U"),
    ("patch", Some("patch"), "U"),
    ("conditional-patch", Some("patch"), "U"),
    ("delete", Some("delete"), "D"),
    ("conditional-delete", Some("delete"), "D"),
    ("transaction", Some("transaction"), "E"),
    ("find-or-create", Some("create"), "C"),
    ("edit", Some("update"), "U"),
    ("erase", Some("delete"), "D"),
    ("erase-again", Some("delete"), "D"),
    ("list", Some("search-type"), "E"),
    ("records", Some("read"), "R"),
    ("validate", Some("operation"), "E"),
    ("ihe-pix", Some("operation"), "E"),
    ("match", Some("operation"), "E"),
    ("everything", Some("operation"), "E"),
    ("authenticate", None, "E"),
    ("admit", None, "E"),
    ("handshake", None, "E"),
    ("record-add", None, "U"),
    ("audit-cut", None, "D"),
    ("space-add", None, "C"),
    ("space-set", None, "U"),
    ("binding-add", None, "C"),
    ("key-system-add", None, "C"),
    ("client-put", None, "U"),
    ("client-disable", None, "U"),
    ("client-enable", None, "U"),
    ("key-issue", None, "C"),
    ("key-revoke", None, "U"),
    ("certificate-add", None, "C"),
    ("certificate-remove", None, "D"),
    ("attribute-put", None, "U"),
];

/// Its id.
pub fn id(recorded: &Recorded) -> String {
    recorded.position.to_string()
}

/// The identifier system of clients.
pub fn client_system(naming: &Naming) -> String {
    format!("{}/client-id", naming.base())
}

/// The resource. Its elements stand in the order of the specification: XML wants them so.
pub fn resource(recorded: &Recorded, naming: &Naming) -> Value {
    let row = &recorded.row;
    let recorded_at = row.time.to_instant();
    let known = INTERACTIONS.iter().find(|(name, ..)| *name == row.interaction);
    let (code, action) = known.map_or((None, "E"), |(_, code, action)| (*code, *action));
    let who = if row.client.is_empty() {
        json!({ "display": "nobody that is known" })
    } else {
        json!({ "identifier": { "system": client_system(naming), "value": row.client } })
    };
    json!({
        "resourceType": "AuditEvent",
        "id": id(recorded),
        "meta": { "versionId": "1", "lastUpdated": recorded_at },
        "type": event_type(&row.door, &row.interaction),
        "subtype": subtypes(&row.interaction, code, naming),
        "action": action,
        "recorded": recorded_at,
        "outcome": outcome(&row.outcome),
        "outcomeDesc": row.outcome,
        "agent": [{ "who": who, "requestor": true }],
        "source": {
            "site": row.door,
            "observer": { "identifier": { "value": naming.base() }, "display": "Passerelle" },
            "type": [{ "system": SOURCE_TYPES, "code": "4", "display": "Application Server" }],
        },
        "entity": entities(recorded),
    })
}

fn event_type(door: &str, interaction: &str) -> Value {
    match (door, interaction) {
        (_, "authenticate" | "handshake") => {
            json!({ "system": DICOM, "code": "110114", "display": "User Authentication" })
        }
        ("cli", _) => json!({ "system": DICOM, "code": "110100", "display": "Application Activity" }),
        _ => json!({ "system": EVENT_TYPES, "code": "rest", "display": "RESTful Operation" }),
    }
}

/// FHIR's code, and ours where that says more.
fn subtypes(interaction: &str, code: Option<&str>, naming: &Naming) -> Value {
    let restful = code.map(|code| json!({ "system": RESTFUL, "code": code }));
    let own = (code != Some(interaction))
        .then(|| json!({ "system": naming.code_system("audit-interaction"), "code": interaction }));
    restful.into_iter().chain(own).collect()
}

/// <https://hl7.org/fhir/R4/valueset-audit-event-outcome.html>
fn outcome(outcome: &str) -> &'static str {
    const SERIOUS: [IssueCode; 4] = [
        IssueCode::Exception,
        IssueCode::Transient,
        IssueCode::NoStore,
        IssueCode::Timeout,
    ];
    match outcome {
        "ok" | "unchanged" => "0",
        code if SERIOUS.iter().any(|serious| serious.as_str() == code) => "8",
        _ => "4",
    }
}

/// What it was about, and the request.
fn entities(recorded: &Recorded) -> Value {
    let row = &recorded.row;
    let about = row.kind.map(|kind| {
        let mut entity = serde_json::Map::new();
        if let Some(id) = &row.id {
            entity.insert(
                "what".to_owned(),
                json!({ "reference": format!("{}/{id}", kind.as_str()) }),
            );
        }
        entity.insert(
            "type".to_owned(),
            json!({ "system": ENTITY_TYPES, "code": kind.as_str() }),
        );
        let role = if kind.as_str() == "Patient" {
            json!({ "system": OBJECT_ROLES, "code": "1", "display": "Patient" })
        } else {
            json!({ "system": OBJECT_ROLES, "code": "4", "display": "Domain Resource" })
        };
        entity.insert("role".to_owned(), role);
        if let Some(version) = row.version {
            let detail = json!([{ "type": "version", "valueString": version.to_string() }]);
            entity.insert("detail".to_owned(), detail);
        }
        Value::Object(entity)
    });
    let request = json!({
        "what": { "identifier": { "value": row.request_id } },
        "type": { "system": BALP_ENTITIES, "code": "XrequestId" },
    });
    about.into_iter().chain([request]).collect()
}

#[cfg(test)]
mod tests;
