#![allow(clippy::unwrap_used, reason = "test code")]

use super::*;

fn letters(scopes: &Scopes, kind: ResourceType) -> String {
    let allowed = Permission::ALL
        .into_iter()
        .filter(|permission| scopes.allow(kind, *permission));
    allowed.map(Permission::letter).collect()
}

#[test]
fn the_words_of_smart_v1_mean_letters() {
    for (written, patient, practitioner) in [
        ("system/Patient.read", "rs", ""),
        ("system/Patient.write", "cud", ""),
        ("system/Patient.*", "cruds", ""),
        ("system/*.read", "rs", "rs"),
        ("system/*.*", "cruds", "cruds"),
        ("system/Practitioner.rs", "", "rs"),
    ] {
        for scopes in [Scopes::parse(&[written]).unwrap(), Scopes::of_token([written])] {
            assert_eq!(letters(&scopes, ResourceType::Patient), patient, "{written}");
            assert_eq!(
                letters(&scopes, ResourceType::Practitioner),
                practitioner,
                "{written}"
            );
        }
    }
}

#[test]
fn what_is_not_understood_in_a_token_grants_nothing() {
    for written in [
        "system/Patient.rs?birthdate=gt2000-01-01",
        "system/Patient.cruds?",
        "system/*.rs?_tag=x",
        "system/Patient.read?_id=1",
        "system/Observation.rs",
        "system/Patient",
        "system/Patient.",
        "system/Patient.rx",
        "system/Patient.Read",
        "system/patient.rs",
        "SYSTEM/Patient.rs",
        "patient/Patient.rs",
        "user/*.cruds",
        "system/.rs",
        "system/",
        "",
    ] {
        let scopes = Scopes::of_token([written]);
        for kind in ResourceType::ALL {
            assert_eq!(letters(&scopes, kind), "", "{written}");
        }
    }
    let some = Scopes::of_token(["system/Patient.rs?_id=1", "system/Patient.c"]);
    assert_eq!(letters(&some, ResourceType::Patient), "c");
}

#[test]
fn a_token_narrows_and_never_widens() {
    let texts = [
        "system/Patient.r",
        "system/Patient.cruds",
        "system/*.rs",
        "system/Practitioner.u",
        "system/AuditEvent.rs",
        "partner:administrative",
        "preperson:read",
    ];
    // Every pair of sets of these.
    let sets: Vec<Vec<&str>> = (0..1_u32 << texts.len())
        .map(|bits| {
            let chosen = texts.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
            chosen.map(|(_, text)| *text).collect()
        })
        .collect();
    for of_client in &sets {
        let client = Scopes::parse(of_client).unwrap();
        for of_token in &sets {
            let token = Scopes::of_token(of_token.iter().copied());
            let both = client.narrowed_to(&token);
            for kind in ResourceType::ALL {
                for permission in Permission::ALL {
                    let expected = client.allow(kind, permission) && token.allow(kind, permission);
                    assert_eq!(both.allow(kind, permission), expected);
                }
            }
            for text in texts {
                assert_eq!(both.has(text), client.has(text) && token.has(text), "{text}");
            }
        }
    }
}
