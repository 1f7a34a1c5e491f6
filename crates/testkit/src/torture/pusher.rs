//! A client that pushes accounts on and on and remembers what was acknowledged.

use std::time::{Duration, Instant};

use super::{Subject, content, found};
use crate::http::{Client, Failure, Response};
use crate::server::Server;

/// Accounts of one pusher; after the last it begins again with the first.
const ACCOUNTS: u64 = 24;
/// Numbers between two pushers.
const APART: u64 = 1_000;

/// One client, the only one that writes its accounts. Each push is a conditional PUT with a content of its own.
#[derive(Debug)]
pub struct Pusher {
    records: Vec<Record>,
    turn: u64,
}

#[derive(Debug)]
struct Record {
    number: u64,
    /// Version and turn of each write that was acknowledged.
    acknowledged: Vec<(u64, u64)>,
    /// The turn of the last write, when nobody can say what became of it.
    unsettled: Option<u64>,
}

/// What came of a push.
#[derive(Debug)]
pub enum Pushed {
    /// 200 or 201.
    Acknowledged(Response),
    /// Another status.
    Refused(Response),
    /// No answer.
    Unanswered(Failure),
}

impl Pusher {
    /// Pusher number `number`; each has persons of its own.
    pub fn new(number: usize) -> Pusher {
        let first = number as u64 * APART;
        let record = |offset| Record {
            number: first + offset,
            acknowledged: Vec::new(),
            unsettled: None,
        };
        Pusher {
            records: (0..ACCOUNTS).map(record).collect(),
            turn: 0,
        }
    }

    /// Pushers that push at once.
    pub fn crew(count: usize) -> Vec<Pusher> {
        (0..count).map(Pusher::new).collect()
    }

    /// Pushes the next account to the client of the `sas` door; how long that took, with what came of it.
    pub fn push(&mut self, client: &Client) -> (Pushed, Duration) {
        let turn = self.turn;
        self.turn += 1;
        let record = &mut self.records[(turn % ACCOUNTS) as usize];
        let begin = Instant::now();
        let pushed = record.send(client, turn);
        (pushed, begin.elapsed())
    }

    /// Pushes what is unsettled again, as a platform does whose request was not answered.
    ///
    /// # Panics
    /// When one is refused.
    #[track_caller]
    pub fn replay(&mut self, client: &Client) {
        for record in &mut self.records {
            let Some(turn) = record.unsettled else { continue };
            match record.send(client, turn) {
                Pushed::Acknowledged(_) => {}
                other => panic!("an unanswered write is refused when it comes again: {other:?}"),
            }
        }
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.records.iter().map(|record| record.acknowledged.len()).sum()
    }

    /// Everything acknowledged is there with the content that was sent, and each account is there once. The
    /// client is that of the `fhir` door.
    ///
    /// # Panics
    /// When something is missing.
    #[track_caller]
    pub fn check(&self, client: &Client) {
        for record in &self.records {
            record.check(client);
        }
    }
}

impl Record {
    fn body(&self, turn: u64) -> serde_json::Value {
        Subject::Account.body_called(self.number, &format!("Envoi-{turn}-fin"))
    }

    fn send(&mut self, client: &Client, turn: u64) -> Pushed {
        let by = Subject::Account.named(self.number);
        let request = client
            .put(format!("/Practitioner?{}", by.criterion()))
            .json(&self.body(turn));
        match request.try_send() {
            Ok(answer) if matches!(answer.status, 200 | 201) => {
                self.acknowledged.push((answer.version(), turn));
                self.unsettled = None;
                Pushed::Acknowledged(answer)
            }
            Ok(answer) => {
                // A 503 may be one whose COMMIT went out.
                self.unsettled = Some(turn);
                Pushed::Refused(answer)
            }
            Err(failure) => {
                if failure.outcome_unknown() {
                    self.unsettled = Some(turn);
                }
                Pushed::Unanswered(failure)
            }
        }
    }

    #[track_caller]
    fn check(&self, client: &Client) {
        let ids = found(client, "Practitioner", &Subject::Account.named(self.number));
        assert!(ids.len() <= 1, "several resources: {ids:?}, {self:?}");
        let Some(id) = ids.first() else {
            assert!(
                self.acknowledged.is_empty(),
                "an acknowledged resource is gone: {self:?}"
            );
            return;
        };
        for (version, turn) in &self.acknowledged {
            let answer = client
                .get(format!("/Practitioner/{id}/_history/{version}"))
                .send();
            assert_eq!(
                answer.status, 200,
                "acknowledged version {version} of {id} is gone: {self:?}\n{answer:?}"
            );
            assert_eq!(
                content(&answer.json()),
                content(&self.body(*turn)),
                "version {version} of {id} is not what was acknowledged: {self:?}"
            );
        }
    }
}

/// [`Pusher::check`] of all of them at once; how many acknowledged writes were looked at.
#[track_caller]
pub fn check_all(server: &Server, pushers: &[Pusher]) -> usize {
    std::thread::scope(|scope| {
        let checks: Vec<_> = pushers
            .iter()
            .map(|pusher| {
                let client = server.client("fhir");
                scope.spawn(move || pusher.check(&client))
            })
            .collect();
        for check in checks {
            if let Err(panic) = check.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    pushers.iter().map(Pusher::acknowledged).sum()
}
