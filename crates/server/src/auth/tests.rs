use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use store::access::Space;

use super::*;
use crate::mutants;

const KEY: &str = "sk_live_0123456789ab_5b0f1c9e7d3a4b28a6c4e2f0d8b61937";

/// One enabled client with one live space and one key.
fn directory() -> Directory {
    let client = Client {
        id: "demo".to_owned(),
        name: "Demo".to_owned(),
        spaces: vec!["home".to_owned()],
        doors: vec!["fhir".to_owned()],
        scopes: vec!["system/*.cruds".to_owned()],
        policy: None,
        attributes: Vec::new(),
        enabled: true,
    };
    let key = ClientKey {
        prefix: "sk_live_0123456789ab".to_owned(),
        client: client.id.clone(),
        hash: Sha256::digest(KEY.as_bytes()).into(),
        created: 0,
        expires: Some(1_000),
        revoked: false,
    };
    Directory::new(&AccessSnapshot {
        spaces: vec![Space {
            key: SpaceKey(1),
            id: "home".to_owned(),
            sandbox: false,
        }],
        clients: vec![client],
        keys: vec![key],
        ..AccessSnapshot::default()
    })
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
        match directory.holder_of(sent, 500) {
            Some((client, sandbox)) => {
                assert!(client.id == "demo" && !sandbox);
                let (scheme, token) = std::str::from_utf8(sent).unwrap().split_once(' ').unwrap();
                assert!(scheme.eq_ignore_ascii_case("bearer") && token.trim() == KEY);
                Ok(())
            }
            None => Err(not_valid()),
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
    assert!(directory.holder_of(sent.as_bytes(), 999).is_some());
    assert!(directory.holder_of(sent.as_bytes(), 1_000).is_none());
}
