use fhir::{Id, ResourceType};

use super::*;

fn forwarded(scheme: Option<&'static str>, host: Option<&str>, port: Option<u16>, prefix: &str) -> Forwarded {
    Forwarded {
        scheme,
        host: host.map(str::to_owned),
        port,
        prefix: prefix.to_owned(),
    }
}

#[test]
fn p53_the_base_is_what_the_client_used() {
    let cases = [
        (Forwarded::default(), "http://own:8080/fhir"),
        (
            forwarded(Some("https"), Some("a.example"), None, ""),
            "https://a.example/fhir",
        ),
        (
            forwarded(Some("https"), Some("a.example"), Some(443), ""),
            "https://a.example/fhir",
        ),
        (
            forwarded(Some("https"), Some("a.example"), Some(8443), "/p"),
            "https://a.example:8443/p/fhir",
        ),
        (
            forwarded(Some("https"), Some("a.example:444"), Some(8443), ""),
            "https://a.example:444/fhir",
        ),
        (
            forwarded(None, Some("[::1]"), Some(81), ""),
            "http://[::1]:81/fhir",
        ),
        (forwarded(Some("https"), None, None, ""), "https://own:8080/fhir"),
    ];
    for (forwarded, expected) in cases {
        assert_eq!(
            Base::assemble(&forwarded, "http", "own:8080").to_string(),
            expected
        );
    }
}

#[test]
fn p53_an_id_that_starts_with_the_type_is_not_doubled() {
    let base = Base::assemble(&Forwarded::default(), "http", "h");
    let target = Target {
        kind: ResourceType::Patient,
        id: Id::parse("Patient1").expect("an id"),
    };
    assert_eq!(base.resource(&target), "http://h/fhir/Patient/Patient1");
    assert_eq!(
        base.version(&target, VersionId::FIRST),
        "http://h/fhir/Patient/Patient1/_history/1"
    );
}
