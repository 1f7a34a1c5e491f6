//! `passerelle import`: records of a partner, or FHIR Patients, into a space; by idempotency, as often as one likes.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::rt::task::{JoinHandle, spawn_blocking};
use adapters::naming::Naming;
use adapters::translate::{Dialect, Ledger, Problem, Translated};
use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use engine::{Caller, ClientPolicy, Door, Scopes};
use store::Store;
use store::access::{AccessSnapshot, Space};
use uuid::Uuid;

mod desk;
mod input;
mod memo;

use desk::{Desk, Outcome};
use input::{Batch, Input, Item, What};
use memo::{Fate, Memo};

use super::Database;
use super::progress::Bar;
use super::translate::records::Place;
use super::translate::{day, dialect, tell, write_ledger};
use crate::auth::attributes;
use crate::config::Settings;
use crate::start;

/// What to import, where to, and what its records do not say.
#[derive(Args)]
pub(super) struct Options {
    /// Dialect of the records: fhir, medicapp-cloud, medicapp-connect, patient-graph, ehealth
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    from: Dialect,
    /// The id of the space to store them in
    #[arg(long, value_name = "ID")]
    space: String,
    /// Medicapp: the trust space or space of records without a trustSpaceUuid of their own [default: the trust
    /// space that is bound to the space, when it is one; the space's id for medicapp-connect]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    word: Option<String>,
    /// patient-graph: the brand of records without a brand_id of their own [default: the one that is bound]
    #[arg(long, value_name = "BRAND", value_parser = NonEmptyStringValueParser::new())]
    brand: Option<String>,
    /// eHealth: UUID of the legal entity whose external ids the records carry
    #[arg(long, value_name = "UUID", value_parser = NonEmptyStringValueParser::new())]
    legal_entity: Option<String>,
    /// Day that decides what is current and what lies ahead, YYYY-MM-DD [default: today in UTC]
    #[arg(long, value_name = "DAY", value_parser = day)]
    today: Option<String>,
    /// Put the imported content in the place of what is there; ids that the server gave stay
    #[arg(long)]
    replace: bool,
    /// Records in flight; with 1 they are created strictly in the order of the input
    #[arg(long, value_name = "RECORDS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    at_once: u16,
    /// Keeps how far the import has come, so that after a kill the same command goes on there; removed at the end
    #[arg(long, value_name = "FILE")]
    progress_file: Option<PathBuf>,
    /// Base of the server's own identifier systems and profiles, where no server has fixed it in the database yet
    #[arg(long, env = "PASSERELLE_NAMING_BASE", value_name = "URL")]
    naming_base: Option<String>,
    /// File with NDJSON, one JSON list, or a Bundle; - is standard input
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

/// How an import ended, unless something failed.
enum End {
    /// With its input.
    Complete(Tally),
    /// By a signal; the exit code.
    Interrupted(i32),
}

/// Imports the input, and says on standard error what was refused and what became of the fields.
///
/// # Errors
/// A sentence when an option is wrong, the input or the database fails, or a record was refused.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    if options.from == Dialect::Ehealth && options.legal_entity.is_none() {
        bail!("the records do not say whose external ids they carry: add --legal-entity <UUID>");
    }
    let settings = Settings {
        database: options.database.database.clone(),
        naming_base: options.naming_base.clone(),
        ..Settings::default()
    };
    let settings = settings.with_file(options.database.config.as_ref())?;
    let store = start::open_migrated(&settings)?;
    let end = actix_web::rt::System::new().block_on(async {
        let end = import(&store, options, &settings).await;
        let closed = store.close().await.context("the database could not be closed");
        let code = match &end {
            Ok(End::Complete(_)) => return end.and_then(|end| closed.map(|()| end)),
            Ok(End::Interrupted(code)) => *code,
            Err(error) => {
                tell(&format!("Error: {error:#}"));
                1
            }
        };
        // Not by returning: the thread that waits for more of standard input would be waited for.
        std::process::exit(code)
    })?;
    match end {
        End::Complete(tally) if tally.refused > 0 => bail!(
            "{} of {} records were refused; each is named above, or was by an earlier run, with its place",
            tally.refused,
            tally.read
        ),
        _ => Ok(()),
    }
}

async fn import(store: &Store, options: &Options, settings: &Settings) -> anyhow::Result<End> {
    let desk = Desk::new(store, options, settings).await?;
    let (input, memo) = Input::open(options, &desk, store).await?;
    let done = memo.done();
    if done > 0 {
        tell(&format!("{done} records were done before and are passed over"));
    }
    let bar = match input.size() {
        Some(size) => Bar::of_file(size, input.bytes_read()),
        None => Bar::new(),
    };
    let work = Work {
        at_once: usize::from(options.at_once),
        desk: Rc::new(desk),
        waiting: VecDeque::new(),
        flights: VecDeque::new(),
        busy: HashSet::new(),
        tally: Tally {
            read: memo.done() - memo.passed_over(),
            before: memo.done() - memo.passed_over(),
            refused: memo.refused(),
            passed_over: memo.passed_over(),
            ..Tally::default()
        },
        memo,
        bar,
    };
    work.all(input).await
}

/// Counts of an import, those of an interrupted one before it included.
#[derive(Default)]
struct Tally {
    read: u64,
    before: u64,
    created: u64,
    there_already: u64,
    replaced: u64,
    refused: u64,
    /// Entries of Bundles that are no Patients.
    passed_over: u64,
    ledger: Ledger,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "read {}, created {}, already there {}, replaced {}, refused {}",
            self.read, self.created, self.there_already, self.replaced, self.refused
        )?;
        if self.passed_over > 0 {
            write!(
                f,
                ", passed over {} (entries that hold no Patient)",
                self.passed_over
            )?;
        }
        if self.before > 0 {
            write!(f, ", done before {}", self.before)?;
        }
        write_ledger(f, &self.ledger)
    }
}

/// A record on its way to the database.
struct Flight {
    place: Place,
    ledger: Ledger,
    names: Vec<String>,
    landing: Landing,
}

enum Landing {
    /// It never took off.
    Now(Option<Outcome>),
    Later(JoinHandle<anyhow::Result<Outcome>>),
}

impl Landing {
    fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<anyhow::Result<Outcome>> {
        match self {
            Landing::Now(outcome) => Poll::Ready(Ok(outcome.take().unwrap_or(Outcome::PassedOver))),
            Landing::Later(task) => Pin::new(task)
                .poll(context)
                .map(|joined| joined.context("a record's task ended early").flatten()),
        }
    }
}

/// What the loop wakes up for.
enum Event {
    Landed(anyhow::Result<Outcome>),
    Read(anyhow::Result<Batch>),
    Interrupted(i32),
    /// Everything has been read, and has landed.
    Nothing,
}

struct Work {
    at_once: usize,
    desk: Rc<Desk>,
    /// Read, and not taken off.
    waiting: VecDeque<Item>,
    /// In the order of the input, in which they land.
    flights: VecDeque<Flight>,
    /// By what those in flight are recognised: two of one person never fly together.
    busy: HashSet<String>,
    memo: Memo,
    tally: Tally,
    bar: Bar,
}

impl Work {
    async fn all(mut self, input: Input) -> anyhow::Result<End> {
        let mut interrupted = pin!(interrupted()?);
        let mut reading = Some(read(input));
        loop {
            self.take_off();
            let wants_more = self.waiting.is_empty();
            let event = poll_fn(|context| {
                if let Poll::Ready(code) = interrupted.as_mut().poll(context) {
                    return Poll::Ready(Event::Interrupted(code));
                }
                if let Some(flight) = self.flights.front_mut()
                    && let Poll::Ready(landed) = flight.landing.poll(context)
                {
                    return Poll::Ready(Event::Landed(landed));
                }
                match reading.as_mut().filter(|_| wants_more) {
                    Some(batch) => Pin::new(batch)
                        .poll(context)
                        .map(|joined| Event::Read(joined.context("reading ended early").flatten())),
                    None if self.flights.is_empty() => Poll::Ready(Event::Nothing),
                    None => Poll::Pending,
                }
            });
            match event.await {
                Event::Landed(landed) => self.land(landed)?,
                Event::Read(batch) => {
                    let Batch { items, input } = batch?;
                    self.waiting.extend(items);
                    reading = input.map(read);
                }
                Event::Interrupted(code) => {
                    self.drain().await?;
                    return self.interrupted(code);
                }
                Event::Nothing => return self.complete(),
            }
        }
    }

    /// Starts what may fly.
    fn take_off(&mut self) {
        while self.flights.len() < self.at_once {
            let is_busy = |item: &Item| item.names.iter().any(|name| self.busy.contains(name));
            let Some(item) = self.waiting.pop_front_if(|item| !is_busy(item)) else {
                return;
            };
            self.busy.extend(item.names.iter().cloned());
            let (ledger, landing) = match item.what {
                What::PassedOver => (Ledger::default(), Landing::Now(Some(Outcome::PassedOver))),
                What::Refused(problems) => {
                    (Ledger::default(), Landing::Now(Some(Outcome::Refused(problems))))
                }
                What::Record(translated) => {
                    let Translated { content, ledger } = *translated;
                    let desk = Rc::clone(&self.desk);
                    let task = async move { desk.keep(content).await };
                    (ledger, Landing::Later(actix_web::rt::spawn(task)))
                }
            };
            self.flights.push_back(Flight {
                place: item.place,
                ledger,
                names: item.names,
                landing,
            });
        }
    }

    /// The first in flight has landed.
    fn land(&mut self, landed: anyhow::Result<Outcome>) -> anyhow::Result<()> {
        let Some(flight) = self.flights.pop_front() else {
            return Ok(());
        };
        let outcome = landed
            .inspect_err(|_| self.bar.clear())
            .with_context(|| format!("stopped at {}; the same command goes on there", flight.place))?;
        for name in &flight.names {
            self.busy.remove(name);
        }
        let tally = &mut self.tally;
        let fate = match &outcome {
            Outcome::PassedOver => {
                tally.passed_over += 1;
                return self.memo.one_done(Fate::PassedOver);
            }
            Outcome::Refused(problems) => {
                tally.refused += 1;
                self.bar.clear();
                tell_all(&flight.place, problems);
                Fate::Refused
            }
            stored => {
                let count = match stored {
                    Outcome::Created => &mut tally.created,
                    Outcome::Replaced => &mut tally.replaced,
                    _ => &mut tally.there_already,
                };
                *count += 1;
                tally.ledger.add(&flight.ledger);
                Fate::Kept
            }
        };
        tally.read += 1;
        self.memo.one_done(fate)?;
        self.bar.step(self.tally.read);
        Ok(())
    }

    /// Nothing new takes off.
    async fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(flight) = self.flights.front_mut() {
            let landed = poll_fn(|context| flight.landing.poll(context)).await;
            self.land(landed)?;
        }
        Ok(())
    }

    fn interrupted(mut self, code: i32) -> anyhow::Result<End> {
        self.bar.clear();
        self.memo.write()?;
        tell(&self.tally.to_string());
        tell("Interrupted. What is counted above is stored; the same command goes on.");
        Ok(End::Interrupted(code))
    }

    fn complete(mut self) -> anyhow::Result<End> {
        self.bar.clear();
        self.memo.remove()?;
        tell(&self.tally.to_string());
        Ok(End::Complete(self.tally))
    }
}

fn read(mut input: Input) -> JoinHandle<anyhow::Result<Batch>> {
    spawn_blocking(move || {
        let (items, is_end) = input.batch()?;
        let input = (!is_end).then_some(input);
        Ok(Batch { items, input })
    })
}

fn tell_all(place: &Place, problems: &[Problem]) {
    for problem in problems {
        tell(&format!("{place}: {problem}"));
    }
}

/// The exit code, once somebody wants the import to end.
fn interrupted() -> anyhow::Result<impl Future<Output = i32>> {
    let handler = |kind| signal(kind).context("the signal handlers cannot be installed");
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut terminate = handler(SignalKind::terminate())?;
    Ok(poll_fn(move |context| {
        if interrupt.poll_recv(context).is_ready() {
            return Poll::Ready(128 + 2);
        }
        terminate.poll_recv(context).map(|_| 128 + 15)
    }))
}

/// The space of this id.
///
/// # Errors
/// A sentence that names those there are.
pub(super) fn space_of<'s>(snapshot: &'s AccessSnapshot, id: &str) -> anyhow::Result<&'s Space> {
    let space = snapshot.spaces.iter().find(|space| space.id == id);
    space.with_context(|| {
        let known: Vec<&str> = snapshot.spaces.iter().map(|space| space.id.as_str()).collect();
        format!(
            "there is no space '{id}'; add it with `passerelle space add {id}`, or name one of: {}",
            known.join(", ")
        )
    })
}

/// Who asks when a command does, in the name of the client of that name.
///
/// # Errors
/// When the scope is malformed.
pub(super) fn caller(
    command: &str,
    (space, door): (&Space, Door),
    scope: &str,
    snapshot: &AccessSnapshot,
    naming: &Naming,
) -> anyhow::Result<Caller> {
    let client = snapshot.clients.iter().find(|client| client.id == command);
    let user = client.and_then(|client| attributes::attribute(client, attributes::USER_ID));
    let namespace = attributes::author_namespace(naming.base());
    Ok(Caller {
        client: command.to_owned(),
        space: space.key,
        door,
        scopes: Scopes::parse(&[scope]).map_err(anyhow::Error::msg)?,
        policy: ClientPolicy::None,
        request_id: format!("{command}-{}", Uuid::new_v4()),
        author: attributes::author(command, user, &namespace),
        witness: engine::Witness::default(),
    })
}

/// A failure for the operator, who may see the inside of it.
pub(super) fn explained(error: &engine::Error) -> anyhow::Error {
    let refusal = error.refusal();
    let text = refusal.issues.into_iter().map(|issue| issue.text).next();
    let text = text.unwrap_or_else(|| "the database failed".to_owned());
    match refusal.internal {
        Some(internal) => anyhow::anyhow!("{text} ({internal})"),
        None => anyhow::Error::msg(text),
    }
}
