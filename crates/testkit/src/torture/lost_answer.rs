//! T10: the answer to a COMMIT is lost. Nobody is told of a success that was not seen; who pushes again leaves
//! one resource.

use super::database_away::unavailable;
use super::{Subject, content, found, put_by, tables};
use crate::postgres::{Database, Postgres};
use crate::proxy::Proxy;
use crate::server::{Server, Settings};

/// A server that can be made to miss that it has committed.
#[derive(Debug)]
pub struct Lossy {
    // Dropped in this order.
    server: Server,
    proxy: Proxy,
    _database: Database,
    number: u64,
}

impl Lossy {
    /// Starts it on a fresh database of this process's cluster.
    #[track_caller]
    pub fn new(settings: Settings) -> Lossy {
        let database = Postgres::shared().fresh_database();
        let proxy = Proxy::before_postgres();
        let server = settings
            .database_url(&database.url_through(proxy.folder()))
            .start();
        Lossy {
            server,
            proxy,
            _database: database,
            number: 0,
        }
    }

    /// The tables agree with each other.
    ///
    /// # Panics
    /// When they do not.
    #[track_caller]
    pub fn check(&self) {
        tables::check(&self.server);
    }

    /// One conditional PUT whose COMMIT goes unheard, and the same again. Whether it was this request's COMMIT
    /// that was lost: the audit trail commits too.
    ///
    /// # Panics
    /// When a promise is broken.
    #[track_caller]
    pub fn round(&mut self) -> bool {
        self.number += 1;
        let subject = Subject::Account;
        let (named, body) = (subject.named(self.number), subject.body(self.number));
        let sas = self.server.client("sas");
        let lost = self.proxy.lost();
        self.proxy.lose_next_commit();
        let first = put_by(&sas, "Practitioner", &named, &body);
        self.proxy.come_back();
        let own = self.proxy.lost() > lost && first.status != 201;
        if own {
            unavailable(&first);
        } else {
            assert_eq!(first.status, 201, "{first:?}");
        }
        let fhir = self.server.client("fhir");
        if own {
            let ids = found(&fhir, "Practitioner", &named);
            assert_eq!(ids.len(), 1, "a COMMIT that PostgreSQL told of left {ids:?}");
        }
        let again = put_by(&sas, "Practitioner", &named, &body);
        assert!(again.status == 200 && again.version() == 1, "again: {again:?}");
        let ids = found(&fhir, "Practitioner", &named);
        assert_eq!(ids, [again.id()], "after the same request twice");
        let read = fhir
            .get(format!("/Practitioner/{}", again.id()))
            .send()
            .expect(200);
        assert_eq!(content(&read.json()), content(&body));
        own
    }
}
