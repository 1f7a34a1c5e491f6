//! One writer of a crash test: it writes its own resources until the server is gone.

use std::sync::atomic::{AtomicBool, Ordering};

use super::record::{Content, Record, SUBJECTS};
use crate::http::{Client, Failure, Response};
use crate::random::Random;
use crate::server::Server;
use crate::torture::Subject;

/// Clients of the doors a writer uses.
pub(super) struct Doors {
    fhir: Client,
    sas: Client,
}

impl Doors {
    pub fn of(server: &Server) -> Doors {
        Doors {
            fhir: server.client("fhir"),
            sas: server.client("sas"),
        }
    }

    pub fn client(&self, subject: Subject) -> &Client {
        match subject.door() {
            "sas" => &self.sas,
            _ => &self.fhir,
        }
    }

    /// The client that sees every resource and may delete.
    pub fn ehr(&self) -> &Client {
        &self.fhir
    }
}

/// A writer and its journal.
#[derive(Debug)]
pub(super) struct Writer {
    number: usize,
    pub records: Vec<Record>,
    next: u64,
    /// Writes acknowledged in this round.
    pub acknowledged: usize,
}

/// How far back a writer reaches for a resource to change.
const RECENT: usize = 12;
/// Numbers of one writer; the next writer's begin above.
const NUMBERS: u64 = 1_000_000;

impl Writer {
    pub fn new(number: usize) -> Writer {
        Writer {
            number,
            records: Vec::new(),
            next: number as u64 * NUMBERS,
            acknowledged: 0,
        }
    }

    /// A number that no writer has used: for a person, or for a value.
    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Writes one thing after the other until there is no answer any more.
    ///
    /// # Panics
    /// When an answer is wrong, or is missing while nobody has killed the server.
    pub fn write_until_gone(&mut self, doors: &Doors, mut random: Random, gone: &AtomicBool) {
        self.acknowledged = 0;
        loop {
            if let Err(failure) = self.write(doors, &mut random) {
                assert!(
                    gone.load(Ordering::SeqCst),
                    "writer {}: no answer from a server that nobody killed: {failure}",
                    self.number
                );
                return;
            }
            self.acknowledged += 1;
        }
    }

    fn write(&mut self, doors: &Doors, random: &mut Random) -> Result<(), Failure> {
        let recent = self.records.len().saturating_sub(RECENT);
        let index = recent + random.below(self.records.len() - recent);
        let old = self
            .records
            .get(index)
            .filter(|record| !record.is_deleted() && random.percent(60))
            .map(|_| index);
        match old {
            Some(index) if random.percent(12) => delete(&mut self.records[index], doors),
            Some(index) => {
                let value = self.fresh();
                update(&mut self.records[index], value, doors, random)
            }
            None => {
                let number = self.fresh();
                let value = self.fresh();
                self.records.push(Record::new(random.pick(&SUBJECTS), number));
                let newest = self.records.len() - 1;
                create(&mut self.records[newest], value, doors, random)
            }
        }
    }
}

fn create(record: &mut Record, value: u64, doors: &Doors, random: &mut Random) -> Result<(), Failure> {
    let (client, kind, body) = (
        doors.client(record.subject),
        record.subject.kind(),
        record.body(value),
    );
    record.pending = Some(Content::Value(value));
    let answer = if random.percent(50) {
        client.post(format!("/{kind}")).json(&body).try_send()?
    } else {
        let target = format!("/{kind}?{}", record.named().criterion());
        client.put(target).json(&body).try_send()?
    };
    acknowledge(record, &answer, 201);
    Ok(())
}

fn update(record: &mut Record, value: u64, doors: &Doors, random: &mut Random) -> Result<(), Failure> {
    let kind = record.subject.kind();
    let mut body = record.body(value);
    record.pending = Some(Content::Value(value));
    record.touched = true;
    let answer = match record.path() {
        // The account flow has no PUT by id; the client of the EHR does.
        Some(path) if random.percent(50) => {
            body["id"] = record.id.as_deref().into();
            doors.ehr().put(path).json(&body).try_send()?
        }
        _ => {
            let target = format!("/{kind}?{}", record.named().criterion());
            doors.client(record.subject).put(target).json(&body).try_send()?
        }
    };
    acknowledge(record, &answer, 200);
    Ok(())
}

fn delete(record: &mut Record, doors: &Doors) -> Result<(), Failure> {
    let Some(path) = record.path() else { return Ok(()) };
    record.pending = Some(Content::Deletion);
    record.touched = true;
    let answer = doors.ehr().delete(path).try_send()?;
    assert_eq!(answer.status, 204, "{record:?}: {answer:?}");
    record.versions.push(Content::Deletion);
    record.pending = None;
    Ok(())
}

fn acknowledge(record: &mut Record, answer: &Response, status: u16) {
    let version = record.versions.len() as u64 + 1;
    assert!(
        answer.status == status && answer.try_version() == Some(version),
        "expected {status} with version {version}: {record:?}\n{answer:?}"
    );
    if record.id.is_none() {
        record.id = Some(answer.id());
    }
    record.versions.extend(record.pending.take());
}
