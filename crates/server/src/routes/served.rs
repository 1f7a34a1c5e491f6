//! A server of the tests, with routes of their own beside the real ones and a clock that they turn.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use engine::{Engine, KeySystems, RandomIds};
use store::access::{Binding, Client};
use store::{Clock, Options, Store};
use testkit::http;
use testkit::postgres::Postgres;
use testkit::sweep::TemporaryFolder;

use super::*;
use crate::app::Settings;
use crate::auth::{Authenticator, new_key};

/// The word of the space at the doors that have one.
pub const WORD: &str = "ts_served000001";

/// A server, until it is stopped.
pub struct Served {
    /// A client of all doors but eHealth, without a prefix.
    pub client: http::Client,
    thread: JoinHandle<()>,
    handle: ServerHandle,
}

impl Served {
    /// On this database, with these routes.
    pub fn start(url: String, rows: Vec<&'static Row>, clock: Arc<dyn Clock>) -> Served {
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let (app, key) = app(&url, clock).await;
                let stopping = Arc::clone(&app);
                let server = HttpServer::new(move || {
                    actix_web::App::new().configure(|config| {
                        for row in &rows {
                            config.route(
                                row.pattern,
                                web::method(row.method.clone()).to(answering(&app, row)),
                            );
                        }
                        register(&app, config);
                    })
                });
                let server = server.workers(2).bind(("127.0.0.1", 0)).expect("a port");
                let address = *server.addrs().first().expect("an address");
                let server = server.run();
                tell.send((address, key, server.handle()))
                    .expect("the test waits");
                server.await.expect("a server");
                stopping.auth.stop();
            });
        });
        let (address, key, handle) = told.recv().expect("a server");
        Served {
            client: http::Client::new(address).with_bearer(&key),
            thread,
            handle,
        }
    }

    /// Ends it by itself.
    pub fn stop(self) {
        drop(self.handle.stop(true));
        self.thread.join().expect("the server ends by itself");
    }
}

/// One request at a time, and two connections: what a panic kept would be missed by the next request.
async fn app(url: &str, clock: Arc<dyn Clock>) -> (Arc<App>, String) {
    let options = Options {
        connections: 2,
        clock,
        ..Options::default()
    };
    let store = Store::open(url, options).expect("a store");
    store.migrate().expect("a schema");
    let access = store.access();
    access.add_space("space", true).await.expect("a space");
    let doors = [
        Door::Fhir,
        Door::MedicappCloud,
        Door::MedicappConnect,
        Door::PatientGraph,
    ];
    for door in [Door::MedicappCloud, Door::PatientGraph] {
        let binding = Binding {
            door: door.as_str().to_owned(),
            word: WORD.to_owned(),
            space: "space".to_owned(),
        };
        access.add_binding(binding).await.expect("a binding");
    }
    let client = Client {
        id: "client".to_owned(),
        name: "Client".to_owned(),
        spaces: vec!["space".to_owned()],
        doors: doors.map(|door| door.as_str().to_owned()).to_vec(),
        scopes: ["system/*.cruds", "partner:administrative"]
            .map(str::to_owned)
            .to_vec(),
        policy: None,
        attributes: Vec::new(),
        enabled: true,
        expires: None,
    };
    access.put_client(client).await.expect("a client");
    let (key, row) = new_key("client", true, store.now().micros(), None);
    access.issue_key(row).await.expect("a key");
    let engine = Engine::new(store.clone(), Arc::new(RandomIds), KeySystems::default());
    let auth = Authenticator::start(store, &engine, "https://naming.example", BTreeMap::new())
        .await
        .expect("a directory");
    let settings = Settings {
        max_concurrent_requests: 1,
        ..Settings::default()
    };
    let address = ([127, 0, 0, 1], 8080).into();
    (Arc::new(App::new(settings, engine, auth, address)), key)
}

/// Runs a test on a fresh SQLite database.
pub fn on_sqlite(test: impl FnOnce(String)) {
    let folder = TemporaryFolder::new("served");
    test(format!("sqlite:{}", folder.path().join("served.db").display()));
}

/// Runs a test on a fresh PostgreSQL database, where there is one.
pub fn on_postgres(test: impl FnOnce(String)) {
    if Postgres::available() {
        let database = Postgres::shared().fresh_database();
        test(database.url());
    }
}
