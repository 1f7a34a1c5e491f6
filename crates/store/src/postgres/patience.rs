//! How long a request waits for the database, and whether anybody still waits for its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::PgConnection;
use diesel::result::QueryResult;

/// How often who waits looks whether the database still answers anybody.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// What the time between two looks counts at most. Where it was longer, this process stood still, and perhaps the whole
/// machine: nobody knows what the database would have answered meanwhile.
const LONGEST_LOOK: Duration = Duration::from_millis(200);

/// How often the database has answered anybody.
#[derive(Default)]
pub(super) struct Answers(AtomicU64);

impl Answers {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that tells of each answer it gets.
pub(crate) struct Line {
    connection: PgConnection,
    answers: Arc<Answers>,
}

impl Line {
    /// A connection that was just made.
    pub(super) fn new(connection: PgConnection, answers: &Arc<Answers>) -> Line {
        let answers = Arc::clone(answers);
        answers.0.fetch_add(1, Ordering::Relaxed);
        Line { connection, answers }
    }

    /// Asks something.
    pub(crate) fn ask<T>(&mut self, ask: impl FnOnce(&mut PgConnection) -> QueryResult<T>) -> QueryResult<T> {
        let answer = ask(&mut self.connection)?;
        self.answers.0.fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }
}

/// Somebody who waits for the database.
pub(super) struct Wait<'a> {
    answers: &'a Answers,
    heard: u64,
    looked: Instant,
    /// How long this has been.
    pub(super) waited: Duration,
    /// How long, up to now, nobody has got an answer.
    pub(super) silent: Duration,
}

impl<'a> Wait<'a> {
    /// From now on.
    pub(super) fn begin(answers: &'a Answers) -> Wait<'a> {
        Wait {
            answers,
            heard: answers.count(),
            looked: Instant::now(),
            waited: Duration::ZERO,
            silent: Duration::ZERO,
        }
    }

    /// To be called every [`LOOK`].
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        let passed = now.duration_since(self.looked).min(LONGEST_LOOK);
        self.looked = now;
        self.waited += passed;
        let heard = self.answers.count();
        if heard == self.heard {
            self.silent += passed;
        } else {
            self.heard = heard;
            self.silent = Duration::ZERO;
        }
    }
}

/// How long one connection has got no answer, and whether others do.
pub(super) struct Silence<'a> {
    own: Wait<'a>,
    others: &'a Answers,
    /// What others had heard when the silence began.
    heard: u64,
}

impl<'a> Silence<'a> {
    /// From now on.
    pub(super) fn begin(own: &'a Answers, others: &'a Answers) -> Silence<'a> {
        Silence {
            own: Wait::begin(own),
            others,
            heard: others.count(),
        }
    }

    /// Whether it has lasted for so long, and others have been answered meanwhile. To be called every [`LOOK`].
    pub(super) fn lasts(&mut self, limit: Duration) -> bool {
        self.own.look();
        if self.own.silent.is_zero() {
            self.heard = self.others.count();
        }
        self.own.silent >= limit && self.others.count() != self.heard
    }
}

/// Who waits for work that is done on another thread. When it is dropped, nobody does any more.
pub(super) struct Asker(Arc<AtomicBool>);

/// Whether somebody waits for work.
pub(super) struct Asked(Arc<AtomicBool>);

impl Asker {
    pub(super) fn new() -> (Asker, Asked) {
        let gone = Arc::new(AtomicBool::new(false));
        (Asker(Arc::clone(&gone)), Asked(gone))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Asked {
    /// Whether whoever asked has been told that there is no answer, or has left.
    pub(super) fn in_vain(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_is_no_silence_of_the_database() {
        let answers = Answers::default();
        let mut wait = Wait::begin(&answers);
        wait.looked = wait.looked.checked_sub(Duration::from_secs(60)).unwrap();
        wait.look();
        assert_eq!((wait.waited, wait.silent), (LONGEST_LOOK, LONGEST_LOOK));
    }

    #[test]
    fn an_answer_to_anybody_ends_the_silence() {
        let answers = Answers::default();
        let mut wait = Wait::begin(&answers);
        wait.looked = wait.looked.checked_sub(LOOK).unwrap();
        wait.look();
        assert!(wait.silent >= LOOK);
        answers.0.fetch_add(1, Ordering::Relaxed);
        wait.look();
        assert_eq!(wait.silent, Duration::ZERO);
        assert!(wait.waited >= LOOK);
    }

    #[test]
    fn silence_counts_against_a_connection_only_when_others_are_answered() {
        let (own, others) = (Answers::default(), Answers::default());
        let mut silence = Silence::begin(&own, &others);
        let mut lasts = |own_answer: bool, other_answer: bool| {
            own.0.fetch_add(u64::from(own_answer), Ordering::Relaxed);
            others.0.fetch_add(u64::from(other_answer), Ordering::Relaxed);
            silence.own.looked = silence.own.looked.checked_sub(LOOK).unwrap();
            silence.lasts(LOOK * 2)
        };
        assert!(!lasts(false, false));
        assert!(!lasts(false, false), "nobody is answered");
        assert!(lasts(false, true));
        assert!(!lasts(true, true), "answered itself");
        assert!(!lasts(false, true), "not long enough");
        assert!(lasts(false, false));
    }

    #[test]
    fn who_is_dropped_asks_no_more() {
        let (asker, asked) = Asker::new();
        assert!(!asked.in_vain());
        drop(asker);
        assert!(asked.in_vain());
    }
}
