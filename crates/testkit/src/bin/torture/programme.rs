//! Rounds on one database, and how they ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use testkit::harness::panic_message;
use testkit::random::Random;
use testkit::server::{Backend, Server, Settings};
use testkit::torture::can_look_into_tables;

use crate::options::Options;

/// How the rounds have ended so far.
#[derive(Default)]
pub struct Score {
    /// How many kept every promise.
    pub passed: usize,
    /// The names of those that did not.
    pub failed: Vec<String>,
}

/// The rounds on one database.
pub struct Programme<'a> {
    /// What the command line says.
    pub options: &'a Options,
    /// The database.
    pub backend: Backend,
    score: &'a mut Score,
}

impl<'a> Programme<'a> {
    /// Rounds on `backend` that are counted in `score`.
    pub fn new(options: &'a Options, backend: Backend, score: &'a mut Score) -> Programme<'a> {
        Programme {
            options,
            backend,
            score,
        }
    }

    /// Runs one round and prints its line; what it returned when it passed.
    pub fn round<T>(&mut self, name: &str, act: impl FnOnce() -> (T, String)) -> Option<T> {
        let result = self.start(name, act);
        self.score.passed += usize::from(result.is_some());
        result
    }

    /// What a round begins with, which alone proves nothing: as [`Programme::round`], but not counted among those that passed.
    pub fn start<T>(&mut self, name: &str, act: impl FnOnce() -> (T, String)) -> Option<T> {
        let name = format!("{} {name}", self.backend.name());
        let begin = Instant::now();
        match catch_unwind(AssertUnwindSafe(act)) {
            Ok((result, line)) => {
                println!("{name}: ok, {} ms{line}", begin.elapsed().as_millis());
                Some(result)
            }
            Err(panic) => {
                println!("{name}: FAILED: {}", panic_message(panic.as_ref()));
                self.score.failed.push(name);
                None
            }
        }
    }

    /// A round whose line is all that it returns.
    pub fn told(&mut self, name: &str, act: impl FnOnce() -> String) -> Option<()> {
        self.round(name, || ((), format!(", {}", act())))
    }

    /// `count` rounds in a row; ends with the first that fails, as what follows could not be trusted.
    pub fn rounds(&mut self, name: &str, count: u64, mut act: impl FnMut(u64) -> String) -> Option<()> {
        (1..=count).try_for_each(|number| self.told(&format!("{name} {number}/{count}"), || act(number)))
    }

    /// What a server on this database is started from.
    pub fn settings(&self) -> Settings {
        Settings::new(&self.options.binary, self.backend)
    }

    /// A server, as a round of its own.
    pub fn server(&mut self, name: &str) -> Option<Server> {
        let settings = self.settings();
        self.start(&format!("{name} start"), || (settings.start(), String::new()))
    }

    /// Whether the tables can be looked into, without which what follows would prove too little.
    pub fn tables(&mut self, name: &str) -> Option<()> {
        let backend = self.backend;
        self.start(&format!("{name} tables"), || {
            assert!(can_look_into_tables(backend), "there is no sqlite3 program");
            ((), String::new())
        })
    }

    /// The randomness of a part.
    pub fn random(&self) -> Random {
        Random::new(self.options.seed)
    }
}
