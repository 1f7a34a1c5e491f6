//! Access tokens of authorization servers (`access.md` 2). The claims one by one have tests beside the code.

mod doors;
mod guesses;
mod keys;
mod refused;
mod revoked;
mod smart;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::harness::{Context, Suite};
use testkit::http::Client;
use testkit::server::{Server, Settings};
use testkit::sweep::TemporaryFolder;
use testkit::token::{Signer, key_set};
use testkit::wait::wait_for;

use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(refused::TESTS)
        .both(doors::TESTS)
        .both(guesses::TESTS)
        .sqlite(guesses::SQLITE)
        .both(keys::TESTS)
        .both(revoked::TESTS)
        .both(smart::TESTS)
        .sqlite(keys::SQLITE)
}

/// The authorization server of most tests.
pub const ISSUER: &str = "https://auth.example/realms/clinic";
/// What its tokens for this server have as `aud`.
pub const AUDIENCE: &str = "https://fhir.example/fhir";
/// The client's id here and there.
pub const CLIENT: &str = "clinic";

/// A server that takes tokens of one issuer, whose keys lie in a file.
pub struct Stage {
    pub server: Server,
    pub signer: Signer,
    /// The issuer's key set.
    pub keys: PathBuf,
    _folder: TemporaryFolder,
}

impl Stage {
    /// With a client of the FHIR door that may do everything there.
    pub fn new(context: &Context) -> Stage {
        Stage::with(context, "")
    }

    /// The same with more lines in the table of the issuer, or behind it.
    pub fn with(context: &Context, more: &str) -> Stage {
        let folder = TemporaryFolder::new("token");
        let keys = folder.path().join("keys.json");
        let signer = Signer::es384("the-key");
        fs::write(&keys, key_set(&[&signer]).to_string()).expect("a file");
        let text = format!("{}{more}", table(ISSUER, &keys.display().to_string()));
        let server = with_file(context, &folder, &text);
        let stage = Stage {
            server,
            signer,
            keys,
            _folder: folder,
        };
        stage.put_client(context, CLIENT, &["fhir"], &["system/*.cruds"], &[]);
        stage.is_let_in(&stage.signer.token(&claims(CLIENT, "system/*.cruds")));
        stage
    }

    /// Adds a client that comes with tokens of the issuer.
    pub fn put_client(&self, context: &Context, id: &str, doors: &[&str], scopes: &[&str], more: &[&str]) {
        let mut arguments = vec!["client", "add", id, "--space", "demo", "--token-issuer", ISSUER];
        doors.iter().for_each(|door| arguments.extend(["--door", door]));
        scopes
            .iter()
            .for_each(|scope| arguments.extend(["--scope", scope]));
        arguments.extend(more);
        succeeds(context, &self.server, &arguments);
    }

    /// A client of the FHIR door with this token.
    pub fn fhir(&self, token: &str) -> Client {
        fhir(&self.server, token)
    }

    /// Waits until this good token is taken: what the operator says is in force within a second.
    pub fn is_let_in(&self, token: &str) {
        is_let_in(&self.fhir(token));
    }

    /// A token of the client with these scopes.
    pub fn token(&self, scopes: &str) -> String {
        self.signer.token(&claims(CLIENT, scopes))
    }
}

/// A client of the FHIR door with this token.
pub fn fhir(server: &Server, token: &str) -> Client {
    server.anonymous().with_prefix("/fhir").with_bearer(token)
}

/// Waits until a client of the FHIR door is let in.
pub fn is_let_in(client: &Client) {
    wait_for(Duration::from_secs(20), "the token to be taken", || {
        let answer = client.get("/Patient/nobody").send();
        // Wrong credentials are counted: a hasty poll would be shut out.
        std::thread::sleep(Duration::from_millis(100));
        (![401, 503].contains(&answer.status)).then_some(())
    });
}

/// The table of an issuer in the configuration file.
pub fn table(issuer: &str, jwks: &str) -> String {
    format!("[[issuers]]\nissuer = '{issuer}'\njwks = '{jwks}'\naudience = '{AUDIENCE}'\n")
}

/// A server with this configuration file.
pub fn with_file(context: &Context, folder: &TemporaryFolder, text: &str) -> Server {
    settings_with_file(context, folder, text).start()
}

/// What such a server is started with.
pub fn settings_with_file(context: &Context, folder: &TemporaryFolder, text: &str) -> Settings {
    let file = folder.path().join("passerelle.toml");
    fs::write(&file, text).expect("a file");
    let settings = context.settings().argument("--config");
    settings.argument(&file.display().to_string())
}

/// Now, in seconds since the epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

/// The claims of an honest token of this client.
pub fn claims(client: &str, scopes: &str) -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": client,
        "client_id": client,
        "iat": now(),
        "exp": now() + 300,
        "jti": unique(),
        "scope": scopes,
    })
}
