//! Wakes that come to a worker from other threads, brought to it in one go.
//!
//! A worker polls what it woke itself before it looks at what others woke (tokio's `LocalSet`: of 31 polls one). With
//! requests to refuse always at hand, written ones would wait for their answer, and those refused meanwhile would have
//! had their places. So others put their wakes into the worker's inbox, and one task empties it: from then on they are
//! the worker's own. It also costs one call across threads for a group of writes instead of one for each.
//!
//! Behind what was woken stands a task that does nothing but look at the clock: so a worker knows how late it is.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use actix_web::rt;

thread_local! {
    static INBOX: RefCell<Option<Arc<Inbox>>> = const { RefCell::new(None) };
    static LAST: Last = const { Last::new() };
}

/// How long what is ready on this worker waits for its turn.
pub fn lateness() -> Duration {
    LAST.with(|last| {
        let waiting = last.since.get().map(|since| since.elapsed());
        last.waited.get().max(waiting.unwrap_or_default())
    })
}

/// Runs a future on this worker; whoever wakes it from another thread does so by way of the worker's inbox.
pub async fn gathered<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut by_inbox: Option<(Waker, Waker)> = None;
    poll_fn(|context| {
        let task = context.waker();
        let known = by_inbox.take().filter(|(known, _)| known.will_wake(task));
        let (_, waker) = by_inbox.insert(known.unwrap_or_else(|| (task.clone(), Letter::to(task).into())));
        future.as_mut().poll(&mut Context::from_waker(waker))
    })
    .await
}

/// What others have woken on a worker.
struct Inbox {
    worker: ThreadId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    woken: Vec<Waker>,
    /// An empty list with room.
    spare: Vec<Waker>,
    /// Of the task that empties the inbox, while that sleeps.
    clerk: Option<Waker>,
    /// The task that empties it has ended, with the runtime that it was of.
    is_closed: bool,
}

/// Who empties an inbox.
struct Clerk(Arc<Inbox>);

impl Drop for Clerk {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let woken = std::mem::take(&mut state.woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Inbox {
    /// That of this worker.
    fn here() -> Arc<Inbox> {
        INBOX.with_borrow_mut(|inbox| {
            let open = inbox.take().filter(|inbox| !inbox.lock().is_closed);
            Arc::clone(inbox.insert(open.unwrap_or_else(Inbox::open)))
        })
    }

    /// One for this worker, with the task that empties it for as long as the worker's runtime lives.
    fn open() -> Arc<Inbox> {
        let inbox = Arc::new(Inbox {
            worker: thread::current().id(),
            state: Mutex::default(),
        });
        let clerk = Clerk(Arc::clone(&inbox));
        rt::spawn(poll_fn(move |context| clerk.0.poll_empty(context)));
        LAST.with(Last::begin_anew);
        rt::spawn(poll_fn(|context| LAST.with(|last| last.poll_look(context))));
        inbox
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave a list half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, task: Waker) {
        let mut state = self.lock();
        if state.is_closed {
            drop(state);
            return task.wake();
        }
        state.woken.push(task);
        let clerk = state.clerk.take();
        drop(state);
        if let Some(clerk) = clerk {
            clerk.wake();
        }
    }

    /// Wakes whatever is in it. Never done.
    fn poll_empty(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let spare = std::mem::take(&mut state.spare);
        let mut woken = std::mem::replace(&mut state.woken, spare);
        state.clerk = Some(context.waker().clone());
        drop(state);
        if !woken.is_empty() {
            woken.drain(..).for_each(Waker::wake);
            LAST.with(Last::stand_in_line);
        }
        self.lock().spare = woken;
        Poll::Pending
    }
}

/// The task that stands behind those which were woken.
struct Last {
    task: RefCell<Option<Waker>>,
    /// Since when it stands there.
    since: Cell<Option<Instant>>,
    /// How long it stood there when it did so last.
    waited: Cell<Duration>,
}

impl Last {
    const fn new() -> Last {
        Last {
            task: RefCell::new(None),
            since: Cell::new(None),
            waited: Cell::new(Duration::ZERO),
        }
    }

    /// A task of a runtime that has ended would stand in line for ever.
    fn begin_anew(&self) {
        self.task.take();
        self.since.take();
        self.waited.take();
    }

    fn stand_in_line(&self) {
        if self.since.get().is_none()
            && let Some(task) = &*self.task.borrow()
        {
            self.since.set(Some(Instant::now()));
            task.wake_by_ref();
        }
    }

    /// Never done.
    fn poll_look(&self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(since) = self.since.take() {
            self.waited.set(since.elapsed());
        }
        self.task.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

/// Wakes one task.
struct Letter {
    inbox: Arc<Inbox>,
    task: Waker,
}

impl Letter {
    fn to(task: &Waker) -> Arc<Letter> {
        Arc::new(Letter {
            inbox: Inbox::here(),
            task: task.clone(),
        })
    }
}

impl Wake for Letter {
    fn wake(self: Arc<Letter>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Letter>) {
        if thread::current().id() == self.inbox.worker {
            self.task.wake_by_ref();
        } else {
            self.inbox.put(self.task.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::future::join_all;

    use super::{Duration, Future as _, gathered, lateness, pin, poll_fn, rt, thread};

    #[test]
    fn a_thread_may_have_one_runtime_after_the_other() {
        for _ in 0..3 {
            rt::System::new().block_on(async {
                let answered = gathered(rt::task::spawn_blocking(|| 1));
                let answer = rt::time::timeout(Duration::from_secs(10), answered).await;
                assert!(matches!(answer, Ok(Ok(1))), "{answer:?}");
            });
        }
    }

    #[actix_web::test]
    async fn who_is_answered_by_another_thread_wakes_up_and_a_late_worker_knows_it() {
        const BUSY: Duration = Duration::from_millis(30);
        for _ in 0..50 {
            let asked = (0..20).map(|number| gathered(rt::task::spawn_blocking(move || number)));
            let answers: Result<Vec<i32>, _> = join_all(asked).await.into_iter().collect();
            assert_eq!(answers.ok(), Some((0..20).collect()));
        }
        // Whoever is woken keeps the worker busy, and what stands behind it waits.
        let (go, gone) = mpsc::channel();
        let answered = rt::task::spawn_blocking(move || gone.recv());
        let busy = rt::spawn(async move {
            let mut answered = pin!(answered);
            let polled_first = poll_fn(|context| {
                let answer = answered.as_mut().poll(context);
                // Nobody listens any more the second time.
                let _ = go.send(());
                answer
            });
            let answer = gathered(polled_first).await;
            thread::sleep(BUSY);
            answer
        });
        assert!(matches!(busy.await, Ok(Ok(Ok(())))));
        assert!(lateness() >= BUSY, "{:?}", lateness());
    }
}
