use clap::Parser as _;
use store::Options;
use store::access::AccessSnapshot;
use testkit::sweep::TemporaryFolder;

use super::*;
use crate::auth::attributes::{API_KEY_SHA256, USER_ID, attribute};

/// A database that commands work on.
struct Desk {
    folder: TemporaryFolder,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            folder: TemporaryFolder::new("cli"),
        }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("cli.db").display())
    }

    fn run(&self, command: &str) -> anyhow::Result<()> {
        let url = self.url();
        let words = ["passerelle"].into_iter().chain(command.split(' '));
        execute(Cli::try_parse_from(words.chain(["--database", url.as_str()]))?)
    }

    fn snapshot(&self) -> AccessSnapshot {
        let store = Store::open(&self.url(), Options::default()).expect("a store");
        actix_web::rt::System::new().block_on(async {
            let snapshot = store.access().snapshot().await.expect("a snapshot");
            store.close().await.expect("closed");
            snapshot
        })
    }

    /// An attribute of the one client.
    fn attribute(&self, name: &str) -> Option<String> {
        let clients = self.snapshot().clients;
        attribute(&clients[0], name).map(str::to_owned)
    }
}

const ADD: &str = "client add registry --space ward --door ehealth --scope preperson:read";

#[test]
fn an_issued_api_key_outlives_a_change_of_its_client() {
    let desk = Desk::new();
    desk.run("space add ward").expect("a space");
    desk.run(&format!("{ADD} --user-id one")).expect("a client");
    assert_eq!(desk.attribute(API_KEY_SHA256), None);
    let issue = "key issue registry --ehealth-api-key";
    desk.run(issue).expect("an API-key");
    let first = desk.attribute(API_KEY_SHA256).expect("a digest");
    assert_eq!(first.len(), 64);
    desk.run(ADD).expect("a change");
    assert_eq!(desk.attribute(USER_ID), None);
    assert_eq!(desk.attribute(API_KEY_SHA256).as_ref(), Some(&first));
    desk.run(issue).expect("another API-key");
    assert_ne!(desk.attribute(API_KEY_SHA256), Some(first));
    // No bearer came of it.
    assert!(desk.snapshot().keys.is_empty());
}

#[test]
fn nobody_unknown_gets_an_api_key() {
    let desk = Desk::new();
    desk.run("migrate").expect("a database");
    let refused = desk.run("key issue registry --ehealth-api-key");
    let text = format!("{:#}", refused.expect_err("refused"));
    assert!(text.contains("no client registry"), "{text}");
    let expiring = desk.run("key issue registry --ehealth-api-key --days 3");
    assert!(expiring.is_err());
}
