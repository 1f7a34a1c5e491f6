//! What a schedule is played on: a database of its own, an engine, callers.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{Caller, ClientPolicy, Door, Engine, KeySystems, RandomIds, Scopes, Session};
use fhir::profile::Profiles;
use serde_json::json;
use store::access::KeySystem;
use store::{Durability, Options, SpaceKey, Store};
use testkit::postgres::{Database, Postgres};
use testkit::sweep::TemporaryFolder;

use crate::operation::{KEYED, KIND};

/// How long anything here may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A database and an engine on it.
pub struct Stage {
    engine: Engine,
    /// The store below the engine.
    pub store: Store,
    /// Where its database lies.
    pub place: Place,
}

/// Where the database lies. The sweeper of the test process takes it away.
pub enum Place {
    Sqlite,
    Postgres(Database),
}

/// A profile of patients that demands a gender.
pub const GENDERED: &str = "urn:gendered";

fn profiles() -> Profiles {
    let definition = json!({
        "resourceType": "StructureDefinition", "url": GENDERED, "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "differential": { "element": [{ "id": "Patient.gender", "min": 1 }] },
    });
    Profiles::compile([&definition].into_iter()).unwrap()
}

impl Stage {
    /// One for all schedules on SQLite: each has its own spaces.
    pub fn sqlite() -> &'static Stage {
        static STAGE: OnceLock<(TemporaryFolder, Stage)> = OnceLock::new();
        let (_, stage) = STAGE.get_or_init(|| {
            let folder = TemporaryFolder::new("schedules");
            let url = format!("sqlite:{}", folder.path().join("schedules.db").display());
            (folder, Stage::open(&url, Place::Sqlite))
        });
        stage
    }

    /// One for all schedules on PostgreSQL.
    pub fn postgres() -> &'static Stage {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(|| {
            let database = Postgres::shared().fresh_database();
            Stage::open(&database.url(), Place::Postgres(database))
        })
    }

    /// A space that nobody has used.
    pub fn space(&self) -> SpaceKey {
        static COUNT: AtomicI64 = AtomicI64::new(1);
        SpaceKey(COUNT.fetch_add(1, Ordering::Relaxed))
    }

    fn open(url: &str, place: Place) -> Stage {
        let options = Options {
            durability: Durability::Unsafe,
            patience: LIMIT,
            statement_timeout: LIMIT,
            // Rows of the audit trail alone would make transactions that no schedule knows.
            audit_delay: Duration::from_secs(3_600),
            ..Options::default()
        };
        let store = Store::open(url, options).unwrap();
        store.migrate().unwrap();
        let key = KeySystem {
            system: KEYED.to_owned(),
            kind: KIND,
            active_only: false,
            type_code: None,
        };
        let keys = KeySystems::new("https://naming.example", &[key]);
        Stage {
            engine: Engine::new(store.clone(), Arc::new(RandomIds), keys).with_profiles(profiles()),
            store,
            place,
        }
    }

    /// A caller that may do everything in a space.
    pub fn session(&self, space: SpaceKey) -> Session {
        self.engine.for_caller(Arc::new(Caller {
            author: "an-author".to_owned(),
            client: "test".to_owned(),
            space,
            door: Door::Fhir,
            scopes: Scopes::parse(&["system/*.cruds"]).unwrap(),
            policy: ClientPolicy::None,
            request_id: "request".to_owned(),
            witness: engine::Witness::default(),
        }))
    }

    /// How many transactions wait for a lock of another one.
    pub fn waiting(&self) -> usize {
        match &self.place {
            Place::Sqlite => 0,
            Place::Postgres(database) => database
                .query(
                    "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'",
                )
                .parse()
                .unwrap(),
        }
    }
}
