use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use store::access::{Binding, Client, Space};

use std::collections::BTreeMap;

use super::*;
use crate::mutants;
use crate::tls::CertificateFault;
use directory::Mismatch;

mod timing;

const KEY: &str = "sk_live_0123456789ab_5b0f1c9e7d3a4b28a6c4e2f0d8b61937";

const NAMING_BASE: &str = "https://naming.example:8443/ns";
const API_KEY: &[u8] = b"the-api-key";

/// One enabled client with one live space and one key.
fn directory() -> Directory {
    Directory::new(&snapshot(), NAMING_BASE, &BTreeMap::new())
}

fn snapshot() -> AccessSnapshot {
    let client = Client {
        id: "demo".to_owned(),
        name: "Demo".to_owned(),
        spaces: vec!["home".to_owned()],
        doors: vec!["fhir".to_owned()],
        scopes: vec!["system/*.cruds".to_owned()],
        policy: None,
        attributes: Vec::new(),
        enabled: true,
        expires: None,
    };
    let key = ClientKey {
        prefix: "sk_live_0123456789ab".to_owned(),
        client: client.id.clone(),
        hash: Sha256::digest(KEY.as_bytes()).into(),
        created: 0,
        expires: Some(1_000),
        revoked: false,
    };
    AccessSnapshot {
        spaces: vec![Space {
            key: SpaceKey(1),
            id: "home".to_owned(),
            sandbox: false,
            fhir_delete: store::access::FhirDelete::Keep,
        }],
        clients: vec![client],
        keys: vec![key],
        ..AccessSnapshot::default()
    }
}

/// The same client at the eHealth door: a second space, of which alone a realm is bound, and attributes.
fn registry(attributes: &[(&str, &str)]) -> Directory {
    let mut snapshot = snapshot();
    snapshot.spaces.push(Space {
        key: SpaceKey(2),
        id: "ward".to_owned(),
        sandbox: false,
        fhir_delete: store::access::FhirDelete::Keep,
    });
    snapshot.bindings.push(Binding {
        door: "ehealth".to_owned(),
        word: "realm".to_owned(),
        space: "ward".to_owned(),
    });
    let client = &mut snapshot.clients[0];
    client.spaces.push("ward".to_owned());
    client.doors.push("ehealth".to_owned());
    client.scopes = vec!["preperson:read".to_owned()];
    client.attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Directory::new(&snapshot, NAMING_BASE, &BTreeMap::new())
}

fn with_api_key() -> Directory {
    registry(&[(attributes::API_KEY_SHA256, &ApiKeyDigest::of(API_KEY).to_string())])
}

fn headers<'r>(api_key: Option<&'r [u8]>, authorization: Option<&'r [u8]>) -> CallerHeaders<'r> {
    CallerHeaders {
        authorization,
        api_key,
        certificate: Presented::Unasked,
        space: None,
        peer: None,
        request_id: "the-request",
    }
}

#[test]
fn each_of_many_keys_is_found_until_its_end_and_no_other_is() {
    let mut snapshot = snapshot();
    assert!(
        Directory::new(&AccessSnapshot::default(), NAMING_BASE, &BTreeMap::new())
            .client_of(KEY, 0)
            .is_none()
    );
    let tokens: Vec<String> = (0..200)
        .map(|number| format!("sk_live_{number:012x}_secret{number}"))
        .collect();
    let sample = snapshot.keys[0].clone();
    for (number, token) in tokens.iter().enumerate() {
        snapshot.keys.push(ClientKey {
            prefix: format!("sk_live_{number:012x}"),
            hash: Sha256::digest(token.as_bytes()).into(),
            ..sample.clone()
        });
    }
    let directory = Directory::new(&snapshot, NAMING_BASE, &BTreeMap::new());
    for token in tokens.iter().map(String::as_str).chain([KEY]) {
        assert!(directory.client_of(token, 999).is_some(), "{token}");
        assert!(directory.client_of(token, 1_000).is_none(), "{token}");
        assert!(directory.client_of(&format!("{token}0"), 0).is_none(), "{token}");
    }
    assert!(directory.client_of("sk_live_ffffffffffff_secret1", 0).is_none());
    // The earlier end counts, the client's or the key's.
    snapshot.clients[0].expires = Some(500);
    let directory = Directory::new(&snapshot, NAMING_BASE, &BTreeMap::new());
    assert!(directory.client_of(KEY, 499).is_some() && directory.client_of(KEY, 500).is_none());
}

#[test]
fn t12_a_mutated_authorization_is_the_key_or_nobodys() {
    let directory = directory();
    let corpus = &[
        "Bearer sk_live_0123456789ab_5b0f1c9e7d3a4b28a6c4e2f0d8b61937",
        "bearer sk_live_0123456789ab_5b0f1c9e7d3a4b28a6c4e2f0d8b61937",
        "Bearer sk_test_0123456789ab_5b0f1c9e7d3a4b28a6c4e2f0d8b61937",
        "Basic c2tfbGl2ZV8wMTIzOnNlY3JldA==",
    ];
    let count = mutants::each("Authorization", corpus, move |headers| {
        let sent = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        match holder(
            &directory,
            &Issuers::default(),
            Door::Fhir,
            &self::headers(None, Some(sent)),
            500,
        ) {
            Ok(holder) => {
                assert!(holder.client.id == "demo" && !holder.sandbox);
                let (scheme, token) = std::str::from_utf8(sent).unwrap().split_once(' ').unwrap();
                assert!(scheme.eq_ignore_ascii_case("bearer") && token.trim() == KEY);
                Ok(())
            }
            Err(denied) => Err(*denied.refusal),
        }
    });
    assert!(
        count.taken > 0 && count.refused > mutants::MUTANTS / 2,
        "{count:?}"
    );
}

#[test]
fn a_key_opens_until_it_expires() {
    let (directory, sent) = (directory(), format!("Bearer {KEY}"));
    let opens = |now| {
        let headers = headers(None, Some(sent.as_bytes()));
        holder(&directory, &Issuers::default(), Door::Fhir, &headers, now).is_ok()
    };
    assert!(opens(999) && !opens(1_000));
}

#[test]
fn a_client_that_has_ended_is_as_one_that_is_switched_off() {
    let mut snapshot = snapshot();
    let client = &mut snapshot.clients[0];
    client.expires = Some(600);
    client.attributes = vec![
        (
            attributes::API_KEY_SHA256.to_owned(),
            ApiKeyDigest::of(API_KEY).to_string(),
        ),
        (attributes::TOKEN_ISSUER.to_owned(), "issuer".to_owned()),
    ];
    snapshot.certificates = vec![store::access::ClientCertificate {
        client: "demo".to_owned(),
        common_name: "cn".to_owned(),
        unit: "ou".to_owned(),
        alternative: None,
        issuer: None,
    }];
    let directory = Directory::new(&snapshot, NAMING_BASE, &BTreeMap::new());
    let shown = crate::tls::Identity {
        common_name: Some("cn".to_owned()),
        units: vec!["ou".to_owned()],
        alternatives: Vec::new(),
        issuer: Vec::new(),
    };
    for (now, is_let_in) in [(599, true), (600, false)] {
        assert_eq!(directory.client_of(KEY, now).is_some(), is_let_in);
        assert_eq!(directory.knows_api_key(API_KEY, now), is_let_in);
        assert_eq!(directory.client_of_certificate(&shown, now).is_ok(), is_let_in);
        let of_token = directory.client_at_issuer("issuer".to_owned(), "demo".to_owned(), now);
        assert_eq!(of_token.is_some(), is_let_in);
    }
}

#[test]
fn a_certificate_that_two_clients_are_described_by_is_nobodys() {
    let mut snapshot = snapshot();
    let other = Client {
        id: "other".to_owned(),
        ..snapshot.clients[0].clone()
    };
    snapshot.clients.push(other);
    let row = |client: &str, unit: &str| store::access::ClientCertificate {
        client: client.to_owned(),
        common_name: "cn".to_owned(),
        unit: unit.to_owned(),
        alternative: None,
        issuer: None,
    };
    snapshot.certificates = vec![row("demo", "1"), row("demo", "3"), row("other", "2")];
    let directory = Directory::new(&snapshot, NAMING_BASE, &BTreeMap::new());
    let whose = |units: &[&str]| {
        let shown = crate::tls::Identity {
            common_name: Some("cn".to_owned()),
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            alternatives: Vec::new(),
            issuer: Vec::new(),
        };
        let found = directory.client_of_certificate(&shown, 500);
        found.map(|client| client.id.clone())
    };
    assert_eq!(whose(&["1", "3"]), Ok("demo".to_owned()));
    assert_eq!(whose(&["2"]), Ok("other".to_owned()));
    assert_eq!(whose(&["1", "2"]), Err(Mismatch::Several));
    assert_eq!(whose(&["4"]), Err(Mismatch::Unit));
}

/// What the headers come to at a door.
fn denial(directory: &Directory, door: Door, api_key: Option<&[u8]>, bearer: Option<&str>) -> Option<Denial> {
    let headers = headers(api_key, bearer.map(str::as_bytes));
    match holder(directory, &Issuers::default(), door, &headers, 500) {
        Ok(holder) => {
            assert_eq!(holder.client.id, "demo");
            None
        }
        Err(denied) => {
            assert_eq!(denied.refusal.status, 401);
            Some(denied.denial.expect("which credential"))
        }
    }
}

#[test]
fn the_registry_judges_the_api_key_before_the_token() {
    let directory = with_api_key();
    let good = format!("Bearer {KEY}");
    let (good, wrong, basic) = (
        Some(good.as_str()),
        Some("Bearer sk_live_x_y"),
        Some("Basic eDp5"),
    );
    let (right_key, other_key) = (Some(API_KEY), Some(&b"another-key"[..]));
    for (api_key, bearer, expected) in [
        (None, None, Some(Denial::ApiKeyMissing)),
        (None, wrong, Some(Denial::ApiKeyMissing)),
        (None, good, Some(Denial::ApiKeyMissing)),
        (other_key, None, Some(Denial::ApiKeyInvalid)),
        (other_key, basic, Some(Denial::ApiKeyInvalid)),
        (right_key, None, Some(Denial::TokenMissing)),
        (right_key, basic, Some(Denial::TokenMissing)),
        (right_key, Some("Bearer "), Some(Denial::TokenMissing)),
        (other_key, wrong, Some(Denial::ApiKeyInvalid)),
        (right_key, wrong, Some(Denial::TokenInvalid)),
        (other_key, good, Some(Denial::ApiKeyInvalid)),
        (Some(&b""[..]), good, Some(Denial::ApiKeyInvalid)),
        (right_key, good, None),
    ] {
        let found = denial(&directory, Door::Ehealth, api_key, bearer);
        assert_eq!(found, expected, "{api_key:?} {bearer:?}");
    }
}

#[test]
fn other_doors_want_no_api_key() {
    let directory = with_api_key();
    let good = format!("Bearer {KEY}");
    for door in Door::ALL.into_iter().filter(|door| *door != Door::Ehealth) {
        for api_key in [None, Some(&b"another-key"[..])] {
            assert_eq!(denial(&directory, door, api_key, Some(&good)), None, "{door}");
        }
    }
}

#[test]
fn a_client_without_an_api_key_of_its_own_is_let_in_by_none() {
    let good = format!("Bearer {KEY}");
    for attributes in [
        &[][..],
        &[(attributes::API_KEY_SHA256, "")],
        &[(attributes::API_KEY_SHA256, "+f")],
        &[(attributes::API_KEY_SHA256, "the-api-key")],
    ] {
        let directory = registry(attributes);
        for key in [API_KEY, b"", &[0; 32]] {
            let found = denial(&directory, Door::Ehealth, Some(key), Some(&good));
            assert_eq!(found, Some(Denial::ApiKeyInvalid), "{attributes:?}");
        }
    }
}

#[test]
fn the_registrys_space_is_the_one_that_a_realm_is_bound_to() {
    let space = |directory: &Directory, sandbox| {
        let (client, _) = directory.client_of(KEY, 500).expect("the client");
        client.realm(sandbox)
    };
    assert_eq!(space(&registry(&[]), false), Some(SpaceKey(2)));
    assert_eq!(space(&registry(&[]), true), None);
    assert_eq!(space(&directory(), false), None);
}

#[test]
fn the_author_is_the_user_or_comes_from_the_clients_id() {
    let named = registry(&[(attributes::USER_ID, "4261eacf-8008-4e62-899f-de1e2f7065f0")]);
    assert_eq!(named.author_of("demo"), "4261eacf-8008-4e62-899f-de1e2f7065f0");
    // uuid5(uuid5(NAMESPACE_DNS, "naming.example"), "demo"), by Python's uuid.
    let derived = "8dc83768-349d-5f00-a2c2-0894ef56f2eb";
    assert_eq!(registry(&[]).author_of("demo"), derived);
    assert_eq!(directory().author_of("demo"), derived);
    // Also of a client that has been switched off, or whose row names nobody.
    assert_eq!(
        Directory::new(&AccessSnapshot::default(), NAMING_BASE, &BTreeMap::new()).author_of("demo"),
        derived
    );
    assert_eq!(registry(&[(attributes::USER_ID, "")]).author_of("demo"), derived);
    assert_ne!(named.author_of("other"), derived);
}

#[test]
fn the_authors_of_a_naming_base_depend_on_its_host_alone() {
    let namespace = attributes::author_namespace;
    let host = namespace("https://naming.example/ns");
    for base in [
        "http://naming.example",
        "https://NAMING.example:8443/other?x#y",
        "https://user@naming.example/",
    ] {
        assert_eq!(namespace(base), host, "{base}");
    }
    let others = [
        "https://naming.example.org/ns",
        "http://[::1]:80/ns",
        "urn:oid:1.2.3",
        "",
    ];
    let mut seen = vec![host];
    for base in others {
        assert!(!seen.contains(&namespace(base)), "{base}");
        seen.push(namespace(base));
    }
}

#[test]
fn a_client_without_a_legal_entity_is_of_no_type_at_the_registry() {
    let entity = [
        (
            attributes::LEGAL_ENTITY_ID,
            "7cc91a5d-c02f-41e9-b571-1ea4f2375552",
        ),
        (attributes::LEGAL_ENTITY_TYPE, "OUTPATIENT"),
        (attributes::LEGAL_ENTITY_STATUS, "ACTIVE"),
    ];
    let directory = registry(&entity);
    let known = directory.registry_of("demo").expect("a client");
    assert_eq!(known.user, directory.author_of("demo"));
    assert_eq!(
        (
            known.legal_entity.as_str(),
            known.legal_entity_type.as_str(),
            known.legal_entity_status.as_str()
        ),
        (entity[0].1, "OUTPATIENT", "ACTIVE")
    );
    assert_eq!(known.scopes, ["preperson:read"]);
    let nobody = registry(&entity[1..]).registry_of("demo").expect("a client");
    assert_eq!(nobody.legal_entity_type, "");
    assert!(registry(&[]).registry_of("other").is_none());
}

#[test]
fn what_is_said_of_a_certificate_reads_as_on_its_page() {
    let mut page = String::from(
        "# What is said of a client's certificate\n\nWritten and checked by `crates/server/src/auth/tests.rs`; each is a 401 with the code login.\n\n",
    );
    let faults = [
        CertificateFault::Unreadable,
        CertificateFault::Repeated,
        CertificateFault::Expired,
        CertificateFault::NotYetValid,
        CertificateFault::Revoked,
        CertificateFault::Untrusted,
        CertificateFault::RevocationUnknown,
        CertificateFault::Unfit,
    ];
    let mismatches = [
        Mismatch::CommonName,
        Mismatch::Unit,
        Mismatch::Rest,
        Mismatch::Several,
    ];
    let denials = [
        certificate::not_of_token(),
        certificate::nothing_sent(&Presented::Unasked),
        certificate::nothing_sent(&Presented::None),
    ];
    let texts = faults
        .map(|fault| fault.text().to_owned())
        .into_iter()
        .chain(mismatches.map(|mismatch| certificate::text(mismatch).to_owned()))
        .chain(denials.map(|denied| {
            assert_eq!(denied.refusal.status, 401);
            denied
                .refusal
                .issues
                .iter()
                .map(|issue| issue.text.clone())
                .collect()
        }));
    texts.for_each(|text| page.push_str(&format!("- {text}\n")));
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    testkit::fixtures::snapshot(&root.join("fixtures/fhir/errors-of-certificates.snap.md"), &page);
}
