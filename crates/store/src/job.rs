//! A write as data: the closure, and where its answer goes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::api::SpaceKey;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// What is to become of a write's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// To be committed.
    Keep,
    /// To be taken back; the answer is known.
    Undo,
    /// To be taken back and run again.
    Again,
}

/// A write whose types are forgotten.
pub(crate) trait Job: Send {
    /// Its space.
    fn space(&self) -> SpaceKey;
    /// Runs the closure; the answer is kept until the commit.
    fn run(&mut self, tx: &mut Transaction<'_>) -> Ran;
    /// Replaces the answer by a failure.
    fn fail(&mut self, error: StoreError);
    /// Replaces the answer by a failure of the commit, unless it is a refusal: that stays true.
    fn fail_unless_refused(&mut self, error: &StoreError);
    /// Sends the answer.
    fn answer(self: Box<Self>);
}

/// A write.
pub(crate) struct Write<F, T, E> {
    space: SpaceKey,
    closure: F,
    outcome: Option<Result<T, E>>,
    panicked: bool,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Write<F, T, E>
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    /// The write and the end at which its answer arrives.
    pub(crate) fn new(space: SpaceKey, closure: F) -> (Write<F, T, E>, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        let write = Write {
            space,
            closure,
            outcome: None,
            panicked: false,
            reply,
        };
        (write, answer)
    }
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn space(&self) -> SpaceKey {
        self.space
    }

    fn run(&mut self, tx: &mut Transaction<'_>) -> Ran {
        // What a panic leaves behind is the closure, which is not run again, and the transaction, which is
        // taken back.
        if self.panicked {
            return Ran::Undo;
        }
        let closure = &mut self.closure;
        let outcome = catch_unwind(AssertUnwindSafe(|| closure(&mut *tx)));
        let Ok(outcome) = outcome else {
            self.panicked = true;
            self.fail(StoreError::Internal("a write panicked".to_owned()));
            return Ran::Undo;
        };
        if tx.worth_again() {
            let error = tx.failure().cloned();
            self.fail(error.unwrap_or_else(|| StoreError::Contention("a write clashed".to_owned())));
            return Ran::Again;
        }
        match (outcome, tx.failure()) {
            // A closure that goes on after a failed statement cannot have what it asked for.
            (Ok(_), Some(failure)) => {
                let failure = failure.clone();
                self.fail(failure);
                Ran::Undo
            }
            (outcome, _) => {
                let ran = if outcome.is_ok() { Ran::Keep } else { Ran::Undo };
                self.outcome = Some(outcome);
                ran
            }
        }
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error.into()));
    }

    fn fail_unless_refused(&mut self, error: &StoreError) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.fail(error.clone());
        }
    }

    fn answer(self: Box<Self>) {
        let Write { outcome, reply, .. } = *self;
        if let Some(outcome) = outcome {
            // Nobody waits any more: the client has gone. What was done stays done.
            let _ = reply.send(outcome);
        }
    }
}
