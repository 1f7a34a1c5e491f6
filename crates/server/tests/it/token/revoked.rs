//! What the operator takes back, with two processes on one database.

use std::time::{Duration, Instant};

use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;
use testkit::wait::wait_for;

use super::{CLIENT, Stage, fhir, is_let_in};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_revocation_is_in_force_in_every_process_within_a_second,
    the_credential_of_a_rotated_key_ends_with_its_overlap_in_every_process,
];

const ALL: &str = "system/*.cruds";
/// Ten times the promise.
const WITHIN: Duration = Duration::from_secs(10);

/// Waits until none of these is let in any more.
fn until_shut_out(context: &Context, what: &str, clients: &[&Client]) {
    let revoked = Instant::now();
    for client in clients {
        wait_for(WITHIN, what, || {
            (client.get("/Patient/nobody").send().status == 401).then_some(())
        });
    }
    eprintln!(
        "{}: {what} within {:?} (promised: 1 s)",
        context.name(),
        revoked.elapsed()
    );
}

fn a_revocation_is_in_force_in_every_process_within_a_second(context: &Context) {
    let stage = Stage::new(context);
    let second = stage.server.second();
    let key = issue_key(context, &stage.server, CLIENT);
    let by_key = [fhir_with_key(&stage.server, &key), fhir_with_key(&second, &key)];
    let token = stage.token(ALL);
    let by_token = [fhir(&stage.server, &token), fhir(&second, &token)];
    by_token.iter().for_each(is_let_in);
    let (prefix, _) = key.rsplit_once('_').expect("a prefix");
    succeeds(context, &stage.server, &["key", "revoke", prefix]);
    until_shut_out(context, "the key is revoked", &[&by_key[0], &by_key[1]]);
    // The token is another credential.
    by_token
        .iter()
        .for_each(|client| drop(client.get("/Patient").send().expect(200)));
    stage.put_client(context, CLIENT, &["fhir"], &[ALL], &["--disabled"]);
    until_shut_out(
        context,
        "the client is switched off",
        &[&by_token[0], &by_token[1]],
    );
}

fn the_credential_of_a_rotated_key_ends_with_its_overlap_in_every_process(context: &Context) {
    let stage = Stage::new(context);
    let second = stage.server.second();
    let old = issue_key(context, &stage.server, CLIENT);
    let on_both = |key: &str| [fhir_with_key(&stage.server, key), fhir_with_key(&second, key)];
    let olds = on_both(&old);
    let rotate = |key: &str, hours: &str| {
        let (prefix, _) = key.rsplit_once('_').expect("a prefix");
        let printed = succeeds(
            context,
            &stage.server,
            &["key", "rotate", prefix, "--overlap-hours", hours],
        );
        let key = printed.split_whitespace().find(|word| word.starts_with("sk_"));
        key.expect("a key").to_owned()
    };
    let new = rotate(&old, "1");
    let news = on_both(&new);
    olds.iter()
        .chain(&news)
        .for_each(|client| drop(client.get("/Patient").send().expect(200)));
    let newest = rotate(&new, "0");
    until_shut_out(context, "the overlap is over", &[&news[0], &news[1]]);
    on_both(&newest);
}
