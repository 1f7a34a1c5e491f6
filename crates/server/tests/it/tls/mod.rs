//! TLS in process and client certificates: T28, and what has to hold over TLS as it does without.

mod files;
mod handshake;
mod identity;
mod limits;
pub mod proxy;
mod reload;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use testkit::harness::{Context, Suite};
use testkit::http::{Client, Connection, Response, Timeouts};
use testkit::server::{Backend, Server, Settings};
use testkit::sweep::TemporaryFolder;
use testkit::tls::{Authority, Issued, Subject, Tls, Version};
use testkit::wait::wait_for;

use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(handshake::TESTS)
        .both(identity::TESTS)
        .both(reload::TESTS)
        .sqlite(reload::SQLITE)
        .both(proxy::TESTS)
        .sqlite(files::TESTS)
        .sqlite(limits::TESTS)
}

/// The regulators' platform as its certificate names it.
pub const CN: &str = "sas.sante.example";
/// Its organisation.
pub const OU: &str = "318751275100020";
/// Both versions that are spoken.
pub const BOTH: &[Version] = &[Version::Tls12, Version::Tls13];
/// Ten times what a change of access may take.
pub const SOON: Duration = Duration::from_secs(10);

/// Certificates, and the files of a server that uses them.
pub struct Site {
    /// The CA of the server's certificate.
    pub servers: Authority,
    /// The CA that clients' certificates are judged by.
    pub clients: Authority,
    folder: TemporaryFolder,
}

impl Site {
    /// A certificate for the server, a CA for the clients, and a list by which this CA revokes `revoked`.
    pub fn new() -> Site {
        let site = Site {
            servers: Authority::new("CA of servers"),
            clients: Authority::new("CA of clients"),
            folder: TemporaryFolder::new("tls"),
        };
        site.renew_server();
        site.write("ca.pem", &site.clients.pem());
        site.write("crl.pem", &site.clients.revoked(&[]));
        site
    }

    /// The path of a file of this site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file whole, as a careful operator does: beside, and renamed.
    pub fn write(&self, name: &str, content: &str) {
        let beside = self.path("beside");
        std::fs::write(&beside, content).unwrap();
        std::fs::rename(&beside, self.path(name)).unwrap();
    }

    /// Gives the server a new certificate and key.
    pub fn renew_server(&self) -> Issued {
        let issued = self.servers.server();
        self.write("server.key", &issued.key_pem);
        self.write("server.pem", &issued.pem);
        issued
    }

    /// A server that speaks TLS and asks for certificates.
    pub fn settings(&self, context: &Context) -> Settings {
        let file = |name: &str| self.path(name).to_str().unwrap().to_owned();
        context
            .settings()
            .argument("--tls-certificate")
            .argument(&file("server.pem"))
            .argument("--tls-key")
            .argument(&file("server.key"))
            .argument("--tls-client-ca")
            .argument(&file("ca.pem"))
            .argument("--tls-client-crl")
            .argument(&file("crl.pem"))
            .tls(&self.nobody())
    }

    /// A server at which the regulators' platform is known by CN and OU.
    pub fn start(&self, context: &Context) -> Server {
        let server = self.settings(context).start();
        know_sas(&server);
        // Known once it is let in.
        let sas = self.client(&server, &self.clients.client(&sas()));
        wait_until_known(&sas, "/Practitioner/nobody");
        server
    }

    /// A client without a certificate.
    pub fn nobody(&self) -> Tls {
        Tls::new(&[&self.servers], None, BOTH)
    }

    /// A client that shows this certificate.
    pub fn showing(&self, issued: &Issued) -> Tls {
        Tls::new(&[&self.servers], Some((issued, &[])), BOTH)
    }

    /// A client of the FHIR door that shows this certificate and sends no key.
    pub fn client(&self, server: &Server, issued: &Issued) -> Client {
        fhir(server).with_tls(&self.showing(issued))
    }
}

/// The regulators' platform.
pub fn sas() -> Subject {
    Subject::new(CN, OU)
}

/// A client of the FHIR door that has no credential.
pub fn fhir(server: &Server) -> Client {
    server.anonymous().with_prefix("/fhir")
}

/// Has the regulators' client known by CN and OU.
pub fn know_sas(server: &Server) -> String {
    server.command(&["client", "certificate", "add", "demo-sas", "--cn", CN, "--ou", OU])
}

/// Waits until a change of access has reached the server: the client may then look there.
#[track_caller]
pub fn wait_until_known(client: &Client, target: &str) {
    wait_for(SOON, "the certificate to be known", || {
        let answer = client.get(target).send();
        // Wrong credentials are counted: a hasty poll would be shut out.
        std::thread::sleep(Duration::from_millis(60));
        matches!(answer.status, 200 | 404).then_some(())
    });
}

/// One server per database for all tests that leave the files and the clients alone.
pub fn shared_site(context: &Context) -> &'static (Site, Server) {
    static SITES: [OnceLock<(Site, Server)>; 2] = [OnceLock::new(), OnceLock::new()];
    let [sqlite, postgres] = &SITES;
    let slot = match context.backend() {
        Backend::Sqlite => sqlite,
        Backend::Postgres => postgres,
    };
    slot.get_or_init(|| {
        let site = Site::new();
        let server = site.start(context);
        (site, server)
    })
}

/// What becomes of a request with this TLS: its answer, or why there was none. (A client learns only after its own part of
/// a TLS 1.3 handshake that its certificate was refused.)
pub fn attempt(server: &Server, tls: &Tls) -> Result<Response, String> {
    let client = fhir(server).with_tls(tls);
    let answer = client.get("/Practitioner/nobody").try_send();
    answer.map_err(|failure| failure.to_string())
}

/// A connection of this client.
#[track_caller]
pub fn connection(server: &Server, tls: &Tls) -> Connection {
    Connection::speaking(None, server.address(), Timeouts::default(), Some(tls)).expect("a TLS connection")
}

/// The text of the refusal, which has to be a 401 in the door's own shape.
#[track_caller]
pub fn text_of_401(answer: Response) -> String {
    let answer = refused(answer, 401, "login");
    assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
    answer.issues()[0].text.clone()
}
