//! What a working day of a server looks like: mostly reads, some searches, some pushes, of which some change nothing.

use super::{Subject, put_by};
use crate::http::{Client, Failure, Request, Response};
use crate::random::mix;
use crate::server::Server;

/// Accounts that are there before.
const ACCOUNTS: u64 = 2_000;
/// Clients that create them.
const MAKERS: u64 = 8;

/// The accounts that a load is about, all there.
#[derive(Debug)]
pub struct Mixture {
    ids: Vec<String>,
}

/// One client of each door.
#[derive(Debug)]
pub struct Pair {
    sas: Client,
    fhir: Client,
}

impl Mixture {
    /// Creates the accounts.
    #[track_caller]
    pub fn new(server: &Server) -> Mixture {
        let made = crate::race::race(MAKERS as usize, |maker| {
            let sas = server.client("sas");
            let numbers = (maker as u64..ACCOUNTS).step_by(MAKERS as usize);
            let make = |number| {
                let body = Subject::Account.body(number);
                put_by(&sas, "Practitioner", &Subject::Account.named(number), &body).id()
            };
            numbers.map(make).collect::<Vec<_>>()
        });
        Mixture { ids: made.concat() }
    }

    /// One client of each door of the server.
    pub fn pair(server: &Server) -> Pair {
        Pair {
            sas: server.client("sas"),
            fhir: server.client("fhir"),
        }
    }

    /// Sends request `number`: of ten, seven read by id, one searches by identifier, one pushes a change,
    /// one pushes the account as it was at first: that changes nothing unless a change went before.
    pub fn ask(&self, pair: &Pair, number: u64) -> Result<Response, Failure> {
        let spread = mix(number);
        let account = spread % ACCOUNTS;
        let by = Subject::Account.named(account);
        match (spread >> 32) % 10 {
            0 => push(&pair.sas, account, None),
            1 => push(&pair.sas, account, Some(number)),
            2 => pair
                .fhir
                .get(format!("/Practitioner?{}", by.criterion()))
                .try_send(),
            _ => {
                let id = &self.ids[(account as usize) % self.ids.len()];
                pair.fhir.get(format!("/Practitioner/{id}")).try_send()
            }
        }
    }
}

/// A conditional PUT of an account, with the content of this turn.
pub fn push(sas: &Client, account: u64, turn: Option<u64>) -> Result<Response, Failure> {
    pushing(sas, account, turn).try_send()
}

/// The request of [`push`].
pub fn pushing(sas: &Client, account: u64, turn: Option<u64>) -> Request<'_> {
    let by = Subject::Account.named(account);
    let body = match turn {
        None => Subject::Account.body(account),
        Some(turn) => Subject::Account.body_called(account, &format!("Tour{turn}")),
    };
    sas.put(format!("/Practitioner?{}", by.criterion())).json(&body)
}
