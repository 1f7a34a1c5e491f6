//! T11: the disk is full. Writes are refused with 507 and leave nothing half there, reads go on, and writes go on by
//! themselves once there is room; a log that cannot be written costs nobody an answer.

use std::time::{Duration, Instant};

use super::pusher::{self, Pushed, Pusher};
use super::tables;
use crate::disk::Disk;
use crate::http::{Client, Response};
use crate::postgres::{Database, Postgres};
use crate::server::{Backend, Server, Settings};
use crate::wait::poll;

/// The disk of a SQLite file and its write-ahead log, and of a PostgreSQL tablespace.
const DISK_MEBIBYTES: u32 = 32;
const LOG_DISK_MEBIBYTES: u32 = 1;
/// Writes that may still find room in pages that are allocated already.
const MOST_ROOM: usize = 20_000;
/// Refused writes, and reads, of each cycle.
const TRIED: usize = 20;

/// A server on small disks of its own.
#[derive(Debug)]
pub struct Full {
    // Dropped in this order.
    server: Server,
    pusher: Pusher,
    recovery_limit: Duration,
    _database: Option<Database>,
    disk: Disk,
    log_disk: Disk,
}

/// What one cycle amounted to.
#[derive(Clone, Copy, Debug)]
pub struct Cycle {
    /// Writes that still found room.
    pub fitted: usize,
    /// From when there was room again until a write succeeded.
    pub recovery: Duration,
    /// Acknowledged writes that were found afterwards.
    pub kept: usize,
}

impl Full {
    /// Starts it; `None` when small disks cannot be mounted here.
    #[track_caller]
    pub fn new(settings: Settings, backend: Backend, recovery_limit: Duration) -> Option<Full> {
        let (disk, log_disk) = (Disk::mount(DISK_MEBIBYTES)?, Disk::mount(LOG_DISK_MEBIBYTES)?);
        // Every request leaves a line, so that the log's disk fills as well.
        let settings = settings
            .log_file(&log_disk.path().join("log"))
            .environment("RUST_LOG", "info");
        let mut database = None;
        let server = match backend {
            Backend::Sqlite => settings.data_in(disk.path()).start(),
            Backend::Postgres => {
                let own = Postgres::shared().database_in(disk.path());
                let server = settings.database_url(&own.url()).start();
                database = Some(own);
                server
            }
        };
        Some(Full {
            server,
            pusher: Pusher::new(1),
            recovery_limit,
            _database: database,
            disk,
            log_disk,
        })
    }

    /// Both disks full, and room again.
    ///
    /// # Panics
    /// When a promise is broken.
    #[track_caller]
    pub fn cycle(&mut self) -> Cycle {
        let (sas, fhir) = (self.server.client("sas"), self.server.client("fhir"));
        served("before", &self.pusher.push(&sas).0);
        self.log_disk.fill();
        served("with a full log disk", &self.pusher.push(&sas).0);
        self.disk.fill();
        let fitted = self.push_until_full(&sas);
        for _ in 0..TRIED {
            no_space(&self.pusher.push(&sas).0);
            reads(&fhir);
        }
        let live = self.server.anonymous().get("/health/live").send();
        assert_eq!(live.status, 200, "{live:?}");
        self.disk.make_room();
        let begin = Instant::now();
        let resumed = poll(self.recovery_limit, || {
            matches!(self.pusher.push(&sas).0, Pushed::Acknowledged(_)).then(|| begin.elapsed())
        });
        let recovery = resumed.unwrap_or_else(|| {
            panic!(
                "no write within {:?} of there being room: {:?}",
                self.recovery_limit,
                self.pusher.push(&sas).0
            )
        });
        self.log_disk.make_room();
        self.pusher.replay(&sas);
        tables::check(&self.server);
        let kept = pusher::check_all(&self.server, std::slice::from_ref(&self.pusher));
        assert!(self.server.is_running());
        Cycle {
            fitted,
            recovery,
            kept,
        }
    }

    fn push_until_full(&mut self, sas: &Client) -> usize {
        for fitted in 0..MOST_ROOM {
            match self.pusher.push(sas).0 {
                Pushed::Acknowledged(_) => {}
                other => {
                    no_space(&other);
                    return fitted;
                }
            }
        }
        panic!("{MOST_ROOM} writes found room on a full disk");
    }
}

#[track_caller]
fn served(when: &str, pushed: &Pushed) {
    assert!(matches!(pushed, Pushed::Acknowledged(_)), "{when}: {pushed:?}");
}

#[track_caller]
fn no_space(pushed: &Pushed) {
    let Pushed::Refused(answer) = pushed else {
        panic!("on a full disk: {pushed:?}")
    };
    assert!(
        answer.status == 507 && !answer.issues().is_empty(),
        "not a 507 with an outcome: {answer:?}"
    );
}

#[track_caller]
fn reads(fhir: &Client) {
    let found: Response = fhir.get("/Practitioner?_count=5").send();
    assert_eq!(found.status, 200, "a read on a full disk: {found:?}");
    let bundle = found.json();
    let id = bundle["entry"][0]["resource"]["id"]
        .as_str()
        .expect("something was written");
    fhir.get(format!("/Practitioner/{id}")).send().expect(200);
}
