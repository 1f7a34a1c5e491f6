use super::{AuditQuery, Names};
use crate::query::encoding::pairs;
use crate::query::parse::Handling;
use crate::time::Timestamp;

const SYSTEM: &str = "https://x.example/ns/client";

fn parsed(query: &str, handling: Handling) -> Result<AuditQuery, Vec<String>> {
    let names = Names {
        base: "https://fhir.example/fhir",
        clients: SYSTEM,
        now: Timestamp::from_micros(0),
    };
    AuditQuery::parse(&pairs(query).unwrap(), handling, names)
        .map_err(|issues| issues.into_iter().map(|issue| issue.text).collect())
}

fn read(query: &str) -> AuditQuery {
    parsed(query, Handling::Strict).unwrap()
}

#[test]
fn an_entity_is_an_id_a_reference_or_a_url_of_ours() {
    let of = |query: &str| {
        let found = read(query).entities.remove(0).remove(0);
        (found.kind, found.id)
    };
    let patient = (Some("Patient".to_owned()), "a".to_owned());
    assert_eq!(of("entity=Patient/a"), patient);
    assert_eq!(of("entity:Patient=a"), patient);
    assert_eq!(of("entity:Patient=Patient/a"), patient);
    assert_eq!(of("entity=https://fhir.example/fhir/Patient/a"), patient);
    assert_eq!(of("entity=a"), (None, "a".to_owned()));
    assert_ne!(of("entity=https://other.example/fhir/Patient/a"), patient);
    for wrong in [
        "entity:identifier=s|1",
        "entity:Patient=Practitioner/a",
        "entity:missing=true",
        "entity=",
    ] {
        assert!(parsed(wrong, Handling::Lenient).is_err(), "{wrong}");
    }
}

#[test]
fn an_agent_is_a_clients_id_under_our_system_alone() {
    let of = |query: &str| read(query).agents.remove(0);
    assert_eq!(of("agent=lab,ward"), ["lab", "ward"]);
    assert_eq!(of(&format!("agent:identifier={SYSTEM}|lab")), ["lab"]);
    assert_eq!(of("agent:identifier=lab"), ["lab"]);
    assert_ne!(of("agent:identifier=urn:other|lab"), ["lab"]);
    assert!(parsed("agent:Device=lab", Handling::Lenient).is_err());
}

#[test]
fn the_bounds_hold_every_match() {
    let (low, high) = read("date=ge2026-11-21&date=lt2026-11-22").bounds();
    assert_eq!(high - low, 86_400 * 1_000_000);
    assert_eq!(read("date=ne2026").bounds(), (i64::MIN, i64::MAX));
    assert_eq!(read("").bounds(), (i64::MIN, i64::MAX));
    let (low, high) = read("date=2026-11-21,2026-11-23").bounds();
    assert_eq!(high - low, 3 * 86_400 * 1_000_000);
}

#[test]
fn what_is_not_known_is_refused_when_asked_and_otherwise_left_out_of_the_links() {
    assert!(parsed("patient=a", Handling::Strict).unwrap_err()[0].contains("agent, date, entity"));
    assert_eq!(
        parsed("patient=a&_count=3", Handling::Lenient)
            .unwrap()
            .link(None),
        "_count=3"
    );
    assert!(parsed("_sort=date", Handling::Lenient).is_err());
    assert_eq!(read("_id=7,x,07").positions, [[7, 0, 0]]);
}
