//! The long programme: the rounds of [`testkit::torture`], on both databases, for as long as it is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program: a panic is how a round fails, and its progress goes to standard output"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use testkit::harness::panic_message;
use testkit::postgres::Postgres;
use testkit::random::Random;
use testkit::server::{Backend, Server, Settings};
use testkit::torture::crash::{self, Crash};
use testkit::torture::if_match::Contested;
use testkit::torture::register::{self, Plan};
use testkit::torture::{CLIENTS, Crowd, Key, Subject, mix, upsert};

const HELP: &str = "\
Tries to make a Passerelle server break its promises about duplicates, versions and durability.

  cargo build --release -p server
  cargo run --release -p testkit --bin torture -- --binary target/release/passerelle

  --binary FILE     the server to be tried (required)
  --rounds N        rounds of T1, T2 and T3, per database      [100]
  --seconds N       seconds of load in T5, per database        [60]
  --kills N         kills in T6, per database                  [200]
  --only LIST       some of t1,t2,t3,t5,t6                     [all]
  --database NAME   sqlite or postgres                         [both]
  --seed N          seed of everything random                  [1]
  --help            this text

T1  64 clients push the same resource at once: one is left, with versions in order;
    on PostgreSQL also through two server processes
T2  64 clients mix conditional PUT, If-None-Exist and POST on one identifier
T3  64 clients write on the condition of the same If-Match: one gets through
T5  16 clients read and write registers: what they saw is linearizable; once undisturbed, once with kills
T6  kill -9 under load: everything acknowledged is there afterwards

One line per round. The exit code is 0 when every round has passed, 1 when one has failed, 2 when the
command line is wrong. Everything runs on this machine, in a temporary folder that is removed at the end.
";

/// What `--only` can name.
const PARTS: [&str; 5] = ["t1", "t2", "t3", "t5", "t6"];

/// What the command line says.
struct Options {
    binary: PathBuf,
    rounds: u64,
    seconds: u64,
    kills: u32,
    only: Option<Vec<String>>,
    databases: Vec<Backend>,
    seed: u64,
}

/// Why the command line cannot be run.
enum Unusable {
    HelpWanted,
    Wrong(String),
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(options) => run(&options),
        Err(Unusable::HelpWanted) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(Unusable::Wrong(problem)) => {
            eprintln!("{problem}; --help shows what can be said");
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, Unusable> {
    let mut options = Options {
        binary: PathBuf::new(),
        rounds: 100,
        seconds: 60,
        kills: 200,
        only: None,
        databases: vec![Backend::Sqlite, Backend::Postgres],
        seed: 1,
    };
    while let Some(name) = arguments.next() {
        if matches!(name.as_str(), "--help" | "-h") {
            return Err(Unusable::HelpWanted);
        }
        let value = arguments
            .next()
            .ok_or_else(|| Unusable::Wrong(format!("{name} needs a value")))?;
        let number = || {
            let parsed = value.parse::<u64>();
            parsed.map_err(|_| Unusable::Wrong(format!("{name} {value}: not a number")))
        };
        match name.as_str() {
            "--binary" => options.binary = PathBuf::from(&value),
            "--rounds" => options.rounds = number()?,
            "--seconds" => options.seconds = number()?,
            "--kills" => {
                options.kills = u32::try_from(number()?)
                    .map_err(|_| Unusable::Wrong(format!("--kills {value}: too many")))?;
            }
            "--seed" => options.seed = number()?,
            "--only" => options.only = Some(parts(&value)?),
            "--database" => options.databases = vec![backend(&value)?],
            _ => return Err(Unusable::Wrong(format!("there is no option {name}"))),
        }
    }
    if !options.binary.is_file() {
        let problem = format!("--binary '{}' is no file", options.binary.display());
        return Err(Unusable::Wrong(problem));
    }
    Ok(options)
}

fn parts(list: &str) -> Result<Vec<String>, Unusable> {
    let parts: Vec<String> = list.split(',').map(str::to_ascii_lowercase).collect();
    match parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        Some(unknown) => Err(Unusable::Wrong(format!(
            "--only {unknown}: there is no such test"
        ))),
        None => Ok(parts),
    }
}

fn backend(name: &str) -> Result<Backend, Unusable> {
    [Backend::Sqlite, Backend::Postgres]
        .into_iter()
        .find(|known| known.name() == name)
        .ok_or_else(|| Unusable::Wrong(format!("--database {name}: sqlite or postgres")))
}

fn run(options: &Options) -> ExitCode {
    // One line per round; the report of a failed one is printed with it.
    std::panic::set_hook(Box::new(|_| {}));
    let begin = Instant::now();
    println!("seed {}", options.seed);
    let mut score = Score::default();
    for backend in &options.databases {
        if *backend == Backend::Postgres && !Postgres::available() {
            println!("postgres: FAILED: PostgreSQL is not installed");
            score.failed.push("postgres: not installed".to_owned());
            continue;
        }
        let mut programme = Programme {
            options,
            backend: *backend,
            score: &mut score,
        };
        programme.run();
    }
    println!(
        "{} rounds passed, {} failed, in {:.0} s",
        score.passed,
        score.failed.len(),
        begin.elapsed().as_secs_f64()
    );
    for failed in &score.failed {
        println!("FAILED {failed}");
    }
    if score.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// How the rounds have ended so far.
#[derive(Default)]
struct Score {
    passed: usize,
    failed: Vec<String>,
}

/// The rounds on one database.
struct Programme<'a> {
    options: &'a Options,
    backend: Backend,
    score: &'a mut Score,
}

impl Programme<'_> {
    fn run(&mut self) {
        for name in PARTS {
            let only = self.options.only.as_ref();
            if only.is_some_and(|only| !only.iter().any(|chosen| chosen == name)) {
                continue;
            }
            match name {
                "t1" => self.upserts(),
                "t2" => self.mixes(),
                "t3" => self.if_match(),
                "t5" => self.registers(),
                _ => self.kills(),
            }
        }
    }

    /// Runs one round and prints its line; whether it passed, with what it returned.
    fn round<T>(&mut self, name: &str, act: impl FnOnce() -> (T, String)) -> Option<T> {
        let name = format!("{} {name}", self.backend.name());
        let begin = Instant::now();
        match catch_unwind(AssertUnwindSafe(act)) {
            Ok((result, line)) => {
                self.score.passed += 1;
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

    fn settings(&self) -> Settings {
        Settings::new(&self.options.binary, self.backend)
    }

    fn server(&mut self, name: &str) -> Option<Server> {
        let settings = self.settings();
        self.round(&format!("{name} start"), || (settings.start(), String::new()))
    }

    fn upserts(&mut self) {
        let Some(first) = self.server("T1") else { return };
        let second = (self.backend == Backend::Postgres).then(|| first.second());
        let mut servers = vec![&first];
        servers.extend(&second);
        for number in 0..self.options.rounds {
            self.round(&format!("T1 {}/{}", number + 1, self.options.rounds), || {
                for subject in Subject::PLAIN.into_iter().chain([Subject::Keyed(Key::BuiltIn)]) {
                    let crowd = Crowd::new(&servers, subject.door(), CLIENTS);
                    upsert::identical_puts(&crowd, subject, 3 * number);
                    upsert::different_puts(&crowd, subject, 3 * number + 1);
                    if subject != Subject::Account {
                        upsert::identical_creates(&crowd, subject, 3 * number + 2);
                    }
                }
                ((), String::new())
            });
        }
    }

    fn mixes(&mut self) {
        let Some(mut server) = self.server("T2") else {
            return;
        };
        let declared = self.round("T2 key system", || {
            mix::declare_key_system(&mut server);
            ((), String::new())
        });
        if declared.is_none() {
            return;
        }
        for number in 0..self.options.rounds {
            self.round(&format!("T2 {}/{}", number + 1, self.options.rounds), || {
                let keyed = Key::ALL.map(Subject::Keyed);
                for subject in keyed.into_iter().chain([Subject::Account]) {
                    mix::owned(&Crowd::new(&[&server], subject.door(), CLIENTS), subject, number);
                }
                for subject in [Subject::Practitioner, Subject::Patient] {
                    // The numbers of keyed patients are not used again: their hospital number is the same.
                    let number = 1_000_000 + number;
                    mix::free(&Crowd::new(&[&server], subject.door(), CLIENTS), subject, number);
                }
                ((), String::new())
            });
        }
    }

    fn if_match(&mut self) {
        let Some(server) = self.server("T3") else { return };
        for subject in Subject::PLAIN {
            // The account flow has no PUT by id; the client of the EHR does.
            let crowd = Crowd::new(&[&server], "fhir", CLIENTS);
            let contested = self.round(&format!("T3 {} created", subject.name()), || {
                (Contested::create(&crowd, subject, 0), String::new())
            });
            let Some(mut contested) = contested else { return };
            for number in 1..=self.options.rounds {
                let name = format!("T3 {} {number}/{}", subject.name(), self.options.rounds);
                if self
                    .round(&name, || (contested.round(&crowd), String::new()))
                    .is_none()
                {
                    break;
                }
            }
        }
    }

    fn registers(&mut self) {
        let mut random = Random::new(self.options.seed);
        let undisturbed = Plan {
            clients: 16,
            registers: 4,
            stretch: Duration::from_secs(self.options.seconds),
            kills: 0,
        };
        let killed = Plan {
            stretch: Duration::from_secs(2),
            kills: usize::try_from(self.options.seconds / 3).unwrap(),
            ..undisturbed
        };
        for (name, plan) in [("T5 undisturbed", undisturbed), ("T5 with kills", killed)] {
            // Registers must not exist before: each run has a server of its own.
            let Some(mut server) = self.server(name) else {
                return;
            };
            self.round(name, || {
                let summary = register::run(&mut server, plan, &mut random);
                ((), format!(", {summary:?}"))
            });
        }
    }

    fn kills(&mut self) {
        let (settings, seed) = (self.settings(), self.options.seed);
        let started = self.round("T6 start", || {
            let crash = Crash::new(settings, crash::long_plan(), Random::new(seed));
            (crash, String::new())
        });
        let Some(mut crash) = started else { return };
        for number in 1..=self.options.kills {
            let passed = self.round(&format!("T6 {number}/{}", self.options.kills), || {
                let round = crash.round();
                (
                    (),
                    format!(
                        ", killed after {} ms, {} acknowledged, {} unanswered landed, {} lost, ready in {} ms",
                        round.load.as_millis(),
                        round.acknowledged,
                        round.landed,
                        round.lost,
                        round.start.as_millis()
                    ),
                )
            });
            // The database is not to be trusted any more.
            if passed.is_none() {
                return;
            }
        }
        self.round("T6 everything read again", || {
            let unchecked = crash.check_everything();
            let slowest = crash.slowest_start().as_millis();
            let note = unchecked.map(|note| format!(", {note}")).unwrap_or_default();
            ((), format!(", slowest start {slowest} ms{note}"))
        });
    }
}
