//! Spaces, clients, keys.

use std::sync::Arc;

use fhir::ResourceType;
use store::access::{Binding, Change, Client, ClientKey, KeySystem};
use store::{Options, StoreError};

use crate::bench::{Bench, SPACE};
use crate::cases;

cases![
    every_change_of_access_is_idempotent_counted_and_audited,
    what_cannot_be_is_refused_with_advice,
    a_revocation_is_seen_by_another_server,
    a_change_is_seen_while_requests_have_every_connection,
    a_naming_base_is_written_once,
    an_attribute_that_is_kept_outlives_a_change_of_its_client,
];

fn client() -> Client {
    Client {
        id: "sas".to_owned(),
        name: "SAS".to_owned(),
        spaces: vec!["clinic".to_owned()],
        doors: vec!["fhir".to_owned()],
        scopes: vec![
            "system/Practitioner.cru".to_owned(),
            "system/Patient.r".to_owned(),
        ],
        policy: Some("sas-regulator".to_owned()),
        attributes: vec![("legal-entity-id".to_owned(), "1=2".to_owned())],
        enabled: true,
        expires: Some(9_000_000),
    }
}

fn key(prefix: &str) -> ClientKey {
    ClientKey {
        prefix: prefix.to_owned(),
        client: "sas".to_owned(),
        hash: [3; 32],
        created: 5,
        expires: None,
        revoked: false,
    }
}

fn key_system() -> KeySystem {
    KeySystem {
        system: "urn:oid:1.2".to_owned(),
        kind: ResourceType::Patient,
        active_only: false,
        type_code: None,
    }
}

fn binding() -> Binding {
    Binding {
        door: "ehealth".to_owned(),
        word: "realm".to_owned(),
        space: "clinic".to_owned(),
    }
}

async fn every_change_of_access_is_idempotent_counted_and_audited(bench: Arc<Bench>) {
    let access = bench.open().access();
    let mut last = access.generation().await.unwrap();
    for expected in [Change::Made, Change::None] {
        let (space, change) = access.add_space("clinic", false).await.unwrap();
        assert_eq!((space.key.0, change), (1, expected));
        assert_eq!(access.add_binding(binding()).await, Ok(expected));
        assert_eq!(access.put_client(client()).await, Ok(expected));
        assert_eq!(access.issue_key(key("sk_live_a")).await, Ok(expected));
        assert_eq!(
            access.rotate_key("sk_live_a", 9, key("sk_live_b")).await,
            Ok((expected, 9))
        );
        assert_eq!(access.add_key_system(key_system()).await, Ok(expected));
        assert_eq!(access.revoke_key("sk_live_b").await, Ok(expected));
        let generation = access.generation().await.unwrap();
        assert_eq!(generation - last, if expected == Change::Made { 7 } else { 0 });
        last = generation;
    }
    let snapshot = access.snapshot().await.unwrap();
    assert_eq!(snapshot.generation, last);
    assert_eq!(snapshot.spaces.len(), 1);
    assert_eq!(snapshot.bindings, [binding()]);
    assert_eq!(snapshot.clients, [client()]);
    assert_eq!(snapshot.key_systems, [key_system()]);
    let expiring = ClientKey {
        expires: Some(9),
        ..key("sk_live_a")
    };
    assert_eq!(snapshot.keys, std::slice::from_ref(&expiring));
    let revoked = ClientKey {
        revoked: true,
        ..key("sk_live_b")
    };
    assert_eq!(access.client_keys("sas").await.unwrap(), [expiring, revoked]);
    assert_eq!(
        bench.number("SELECT count(*) AS number FROM audit WHERE outcome = 'ok'"),
        7
    );
    assert_eq!(
        bench.number("SELECT count(*) AS number FROM audit WHERE outcome = 'unchanged'"),
        7
    );
}

async fn what_cannot_be_is_refused_with_advice(bench: Arc<Bench>) {
    let access = bench.open().access();
    access.add_space("clinic", false).await.unwrap();
    access.add_space("other", true).await.unwrap();
    access.put_client(client()).await.unwrap();
    access.issue_key(key("sk_live_a")).await.unwrap();
    for (prefix, expires, revoked) in [("sk_live_ended", Some(9), false), ("sk_live_revoked", None, true)] {
        let key = ClientKey {
            expires,
            revoked,
            ..key(prefix)
        };
        access.issue_key(key).await.unwrap();
    }
    access.add_binding(binding()).await.unwrap();
    access.add_key_system(key_system()).await.unwrap();
    let generation = access.generation().await.unwrap();
    let refused = [
        access.add_space("clinic", true).await.map(|_| ()),
        access.add_space("no spaces", true).await.map(|_| ()),
        access.add_space("", true).await.map(|_| ()),
        access
            .put_client(Client {
                spaces: vec!["nowhere".to_owned()],
                ..client()
            })
            .await
            .map(|_| ()),
        access
            .put_client(Client {
                scopes: vec!["a\nb".to_owned()],
                ..client()
            })
            .await
            .map(|_| ()),
        access
            .issue_key(ClientKey {
                hash: [4; 32],
                ..key("sk_live_a")
            })
            .await
            .map(|_| ()),
        access
            .issue_key(ClientKey {
                client: "nobody".to_owned(),
                ..key("sk_live_c")
            })
            .await
            .map(|_| ()),
        access.revoke_key("sk_live_z").await.map(|_| ()),
        access
            .rotate_key("sk_live_z", 9, key("sk_live_y"))
            .await
            .map(|_| ()),
        access
            .rotate_key("sk_live_ended", i64::MAX, key("sk_live_y"))
            .await
            .map(|_| ()),
        access
            .rotate_key("sk_live_revoked", i64::MAX, key("sk_live_y"))
            .await
            .map(|_| ()),
        access
            .add_binding(Binding {
                space: "other".to_owned(),
                ..binding()
            })
            .await
            .map(|_| ()),
        access
            .add_binding(Binding {
                space: "nowhere".to_owned(),
                ..binding()
            })
            .await
            .map(|_| ()),
        access
            .add_key_system(KeySystem {
                active_only: true,
                ..key_system()
            })
            .await
            .map(|_| ()),
    ];
    for (position, outcome) in refused.into_iter().enumerate() {
        assert!(
            matches!(outcome, Err(StoreError::Refused(_))),
            "{position}: {outcome:?}"
        );
    }
    assert_eq!(access.generation().await.unwrap(), generation);
}

async fn a_revocation_is_seen_by_another_server(bench: Arc<Bench>) {
    let (here, there) = (bench.open().access(), bench.open().access());
    here.add_space("clinic", false).await.unwrap();
    here.put_client(client()).await.unwrap();
    here.issue_key(key("sk_live_a")).await.unwrap();
    let before = there.snapshot().await.unwrap();
    assert_eq!(before.keys.len(), 1);
    here.revoke_key("sk_live_a").await.unwrap();
    assert!(there.generation().await.unwrap() > before.generation);
    assert!(there.snapshot().await.unwrap().keys.is_empty());
}

async fn a_change_is_seen_while_requests_have_every_connection(bench: Arc<Bench>) {
    bench.open().access().add_space("clinic", false).await.unwrap();
    let options = Options {
        connections: 1,
        ..bench.options()
    };
    let store = bench.open_with(options);
    // The first connection is that of a request, for as long as this waits.
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let request = {
        let handle = store.for_space(SPACE);
        tokio::spawn(async move {
            let read = handle.read(move |_| {
                begun.send(()).expect("the test waits");
                let _ = may_end.recv();
                Ok::<_, StoreError>(())
            });
            read.await
        })
    };
    tokio::task::spawn_blocking(move || has_begun.recv().expect("the request has begun"))
        .await
        .unwrap();
    let mut watch = store.access().watch();
    let known = watch.generation().await.unwrap();
    bench.open().access().add_space("other", false).await.unwrap();
    assert_eq!(watch.generation().await, Ok(known + 1));
    assert_eq!(watch.snapshot().await.unwrap().spaces.len(), 2);
    drop(end);
    let _ = request.await.unwrap();
}

async fn a_naming_base_is_written_once(bench: Arc<Bench>) {
    let access = bench.open().access();
    assert_eq!(access.setting("naming-base").await, Ok(None));
    assert_eq!(
        access.put_setting_once("naming-base", "https://a").await.unwrap(),
        "https://a"
    );
    assert_eq!(
        access.put_setting_once("naming-base", "https://b").await.unwrap(),
        "https://a"
    );
    assert_eq!(
        access.setting("naming-base").await.unwrap().as_deref(),
        Some("https://a")
    );
}

async fn an_attribute_that_is_kept_outlives_a_change_of_its_client(bench: Arc<Bench>) {
    let access = bench.open().access();
    access.add_space("clinic", false).await.unwrap();
    let refused = access.put_attribute("sas", "api-key", "1").await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    access.put_client(client()).await.unwrap();
    let attributes = async || {
        let mut clients = access.snapshot().await.unwrap().clients;
        clients.pop().unwrap().attributes
    };
    let entity = ("legal-entity-id".to_owned(), "1=2".to_owned());
    for (value, expected) in [("1", Change::Made), ("1", Change::None), ("2", Change::Made)] {
        let before = access.generation().await.unwrap();
        assert_eq!(access.put_attribute("sas", "api-key", value).await, Ok(expected));
        let changed = access.generation().await.unwrap() != before;
        assert_eq!(changed, expected == Change::Made);
        let key = ("api-key".to_owned(), value.to_owned());
        assert_eq!(attributes().await, [entity.clone(), key]);
    }
    let bare = || Client {
        attributes: Vec::new(),
        ..client()
    };
    let kept = ("api-key".to_owned(), "2".to_owned());
    for expected in [Change::Made, Change::None] {
        assert_eq!(
            access.put_client_keeping(bare(), &["api-key"]).await,
            Ok(expected)
        );
        assert_eq!(attributes().await, std::slice::from_ref(&kept));
    }
    let told = Client {
        attributes: vec![("api-key".to_owned(), "3".to_owned())],
        ..client()
    };
    access
        .put_client_keeping(told.clone(), &["api-key"])
        .await
        .unwrap();
    assert_eq!(attributes().await, told.attributes);
    access.put_client(bare()).await.unwrap();
    assert!(attributes().await.is_empty());
}
