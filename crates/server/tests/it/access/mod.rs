//! Who may do what: keys, doors, scopes, spaces.

mod calls;
mod compare;
mod keys;
mod leaks;
mod matrix;
mod scopes;
mod spaces;
pub mod world;

use testkit::harness::{Context, Suite};
use testkit::server::Server;

use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(keys::TESTS)
        .both(scopes::TESTS)
        .both(spaces::TESTS)
        .both(leaks::TESTS)
        .both(matrix::TESTS)
}

/// Adds a client of the `fhir` door and issues its key.
#[track_caller]
pub fn client_key(context: &Context, server: &Server, id: &str, spaces: &[&str], scopes: &[&str]) -> String {
    let mut arguments = vec!["client", "add", id, "--door", "fhir"];
    spaces
        .iter()
        .for_each(|space| arguments.extend(["--space", space]));
    scopes
        .iter()
        .for_each(|scope| arguments.extend(["--scope", scope]));
    succeeds(context, server, &arguments);
    issue_key(context, server, id)
}

const EVERYTHING: &[&str] = &["system/Patient.cruds", "system/Practitioner.cruds"];
