//! Plays a schedule and judges how it ended.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;
use std::time::{Duration, Instant};

use fhir::{Target, Timestamp, VersionId};
use store::{KeyState, Policy, Reader, SpaceKey, StoreError, Stored, pause};
use tokio::task::JoinHandle;

use crate::operation::{KEYED, KIND, Operation, family_of, identifier, system_of, target, values_of};
use crate::stage::{LIMIT, Place, Stage};

/// The ids that schedules give.
const NAMED: [&str; 2] = ["one", "two"];

/// What nobody hinders has ended after so long, mostly: then the database need not be asked who waits.
const SOON: Duration = Duration::from_millis(10);

/// Operations that meet, and how that may end.
pub struct Schedule {
    /// The promise.
    pub name: &'static str,
    /// What is there before, each with success.
    pub given: &'static [Operation],
    /// The one that is held.
    pub first: Operation,
    /// Where it is held; the schedule is played once for each.
    pub held: &'static [&'static str],
    /// Those that come while it is held, one after the other: each has ended or waits for another one before
    /// the next comes. On SQLite those that wait are committed in one group.
    pub others: &'static [Operation],
    /// The outcomes that are right.
    pub allowed: &'static [Outcome],
}

/// An outcome.
#[derive(Debug)]
pub struct Outcome {
    /// The answers, the first operation's first.
    pub answers: &'static [&'static str],
    /// What is stored then: family, version and identifiers of each resource, `deleted` and version of a
    /// deletion; in any order.
    pub left: &'static [&'static str],
}

/// Plays it at each of its points, in a space of its own.
pub fn run(schedule: &Schedule, stage: &Stage) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    for point in schedule.held {
        // SQLite's one writer excludes everybody: there are no locks to take.
        if *point == pause::LOCKED && matches!(stage.place, Place::Sqlite) {
            continue;
        }
        let space = stage.space();
        let (answers, left) = runtime.block_on(async {
            let answers = play(schedule, point, stage, space).await;
            (answers, judged(schedule, stage, space).await)
        });
        let fits = schedule.allowed.iter().any(|outcome| {
            let expected: BTreeSet<&str> = outcome.left.iter().copied().collect();
            outcome.answers == answers && outcome.left.len() == left.len() && {
                left.iter().all(|line| expected.contains(line.as_str()))
            }
        });
        assert!(
            fits,
            "held at {point}: {answers:?} leaving {left:?} is none of {:#?}",
            schedule.allowed
        );
    }
}

async fn play(schedule: &Schedule, point: &'static str, stage: &Stage, space: SpaceKey) -> Vec<String> {
    for given in schedule.given {
        let answer = given.run(stage.session(space)).await;
        assert!(!answer.starts_with('4'), "{given:?}: {answer}");
    }
    let held = Held::at(point);
    let first = tokio::spawn(schedule.first.run(stage.session(space)));
    held.wait();
    let mut others = Vec::new();
    for other in schedule.others {
        others.push(started(other, stage, space).await);
        let until = Instant::now() + LIMIT;
        while matches!(stage.place, Place::Postgres(_)) && !settled(&others, stage).await {
            assert!(Instant::now() < until, "{other:?} neither ends nor waits");
        }
        if other.reads() {
            assert_eq!(unfinished(&others), 0, "a reader waits for a writer");
        }
    }
    assert!(!first.is_finished(), "answered while it was held at {point}");
    held.release();
    let mut answers = Vec::new();
    for task in std::iter::once(first).chain(others) {
        answers.push(tokio::time::timeout(LIMIT, task).await.unwrap().unwrap());
    }
    answers
}

/// Runs an operation as far as it comes at once: on SQLite it has ended then, or stands in the queue.
async fn started(operation: &Operation, stage: &Stage, space: SpaceKey) -> JoinHandle<String> {
    let mut work: Pin<Box<dyn Future<Output = String> + Send>> =
        Box::pin(operation.run(stage.session(space)));
    let begun = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    match begun {
        Poll::Pending => tokio::spawn(work),
        Poll::Ready(answer) => {
            let done = tokio::spawn(async { answer });
            while !done.is_finished() {
                tokio::task::yield_now().await;
            }
            done
        }
    }
}

/// Whether each of these has ended or waits for a lock.
async fn settled(tasks: &[JoinHandle<String>], stage: &Stage) -> bool {
    if let Some(last) = tasks.last() {
        let until = Instant::now() + SOON;
        while !last.is_finished() && Instant::now() < until {
            tokio::task::yield_now().await;
        }
    }
    let unfinished = unfinished(tasks);
    unfinished == 0 || unfinished == stage.waiting()
}

fn unfinished(tasks: &[JoinHandle<String>]) -> usize {
    tasks.iter().filter(|task| !task.is_finished()).count()
}

/// Holds the first transaction that comes to a point.
struct Held {
    reached: Receiver<()>,
    release: Sender<()>,
}

impl Held {
    fn at(point: &'static str) -> Held {
        let (tell, reached) = channel();
        let (release, go) = channel::<()>();
        let ends = Mutex::new(Some((tell, go)));
        pause::install(move |name| {
            if name != point {
                return;
            }
            let held = ends.lock().unwrap().take();
            if let Some((tell, go)) = held {
                tell.send(()).unwrap();
                // An error: the test has ended.
                let _ = go.recv();
            }
        });
        Held { reached, release }
    }

    fn wait(&self) {
        let reached = self.reached.recv_timeout(LIMIT);
        assert!(reached.is_ok(), "the first operation never comes to the point");
    }

    fn release(self) {
        self.release.send(()).unwrap();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        pause::clear();
    }
}

/// What is stored, after checking what holds after every schedule: versions from one without a gap, each
/// later than the one before; an owner for every key that somebody carries, and for no other; and each found
/// by what it carries.
async fn judged(schedule: &Schedule, stage: &Stage, space: SpaceKey) -> Vec<String> {
    let operations = || {
        schedule
            .given
            .iter()
            .chain([&schedule.first])
            .chain(schedule.others)
    };
    let named: BTreeSet<&'static str> = operations().flat_map(|operation| operation.values()).collect();
    stage
        .store
        .for_space(space)
        .read(move |reader| judge(reader, named))
        .await
        .unwrap()
}

fn judge(reader: &mut dyn Reader, named: BTreeSet<&'static str>) -> Result<Vec<String>, StoreError> {
    let live = everybody(reader)?;
    let mut left = Vec::new();
    for stored in &live {
        check_versions(reader, stored)?;
        let mut values = values_of(stored);
        values.sort();
        let family = family_of(stored);
        left.push(format!("{family} {} [{}]", stored.version, values.join(" ")));
    }
    for id in NAMED {
        if let Some(stored) = reader.get(&target(id))?.filter(|stored| stored.deleted) {
            check_versions(reader, &stored)?;
            left.push(format!("{id} deleted {}", stored.version));
        }
    }
    for value in named {
        let carriers: Vec<Target> = live
            .iter()
            .filter(|stored| values_of(stored).iter().any(|held| held == value))
            .map(|stored| stored.target.clone())
            .collect();
        let found = reader.matches(&by_identifier(value), store::ClassFilter::Any, 10)?;
        let found: Vec<Target> = found.into_iter().map(|stored| stored.target).collect();
        assert_eq!(found, carriers, "found by {value}");
        if system_of(value) == KEYED {
            let holders = reader.holders(KIND, Policy::KeySystem, &identifier(value))?;
            let owners: Vec<Target> = holders
                .into_iter()
                .inspect(|holder| assert_eq!(holder.state, KeyState::Owning, "{value}"))
                .map(|holder| holder.stored.target)
                .collect();
            assert_eq!(owners, carriers, "owners of {value}");
        }
    }
    Ok(left)
}

/// All live resources, oldest first.
fn everybody(reader: &mut dyn Reader) -> Result<Vec<Stored>, StoreError> {
    reader.matches(&criteria("family:contains=e,n"), store::ClassFilter::Any, 1_000)
}

fn by_identifier(value: &str) -> fhir::query::Criteria {
    criteria(&format!("identifier={}|{value}", system_of(value)))
}

fn criteria(query: &str) -> fhir::query::Criteria {
    let now = Timestamp::from_micros(0);
    fhir::query::parse::criteria(KIND, query, fhir::query::parse::NameCase::Exact, now).unwrap()
}

fn check_versions(reader: &mut dyn Reader, stored: &Stored) -> Result<(), StoreError> {
    let last = stored.version.number();
    let mut before = None;
    for number in 1..=last {
        let version = reader.version(&stored.target, VersionId::new(number).unwrap())?;
        let version = version.unwrap_or_else(|| panic!("version {number} of {last} is missing"));
        assert!(before < Some(version.updated), "version {number} is not later");
        before = Some(version.updated);
    }
    let next = reader.version(&stored.target, VersionId::new(last + 1).unwrap())?;
    assert!(next.is_none(), "a version after the last");
    Ok(())
}
