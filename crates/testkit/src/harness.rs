//! Runs each test function once per database: `sqlite::name` and `postgres::name`.
//!
//! ```no_run
//! use testkit::{harness::{Context, Suite}, tests};
//!
//! fn a_created_patient_can_be_read(context: &Context) {
//!     let server = context.server();
//!     server.client("fhir").get("/metadata").send().expect(200);
//! }
//!
//! fn main() {
//!     Suite::new("path/of/the/binary").both(tests![a_created_patient_can_be_read]).run()
//! }
//! ```
//! The test target needs `harness = false` in its Cargo.toml; the binary is
//! `env!("CARGO_BIN_EXE_passerelle")`.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::http::Client;
use crate::postgres::Postgres;
use crate::random::Random;
use crate::server::{Backend, Server, Settings};

/// What a test function gets.
#[derive(Clone, Debug)]
pub struct Context {
    binary: PathBuf,
    backend: Backend,
    name: String,
}

impl Context {
    /// A fresh server on a fresh database of this run's kind.
    #[track_caller]
    pub fn server(&self) -> Server {
        self.settings().start()
    }

    /// The settings [`Context::server`] starts from.
    pub fn settings(&self) -> Settings {
        Settings::new(&self.binary, self.backend)
    }

    /// A fresh server and the client of its `fhir` door. Keep the server: dropping it ends it.
    #[track_caller]
    pub fn fhir(&self) -> (Server, Client) {
        let server = self.server();
        let client = server.client("fhir");
        (server, client)
    }

    /// The database this run is about.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The binary under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The test's name, with its database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The randomness of this test: the same in each run, unless `TESTKIT_SEED` names another seed. The
    /// seed is printed, so that it stands beside a failure.
    pub fn random(&self) -> Random {
        let seed = std::env::var("TESTKIT_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);
        eprintln!("{}: TESTKIT_SEED={seed}", self.name);
        Random::new(seed)
    }
}

/// The command line. Unless `--test-threads` says otherwise two tests run for each core: half of the time they wait for a
/// server or a disk.
pub fn arguments() -> Arguments {
    let mut arguments = Arguments::from_args();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(2 * cores);
    arguments
}

/// A test function with its name; see [`crate::tests!`].
pub type Test = (&'static str, fn(&Context));

/// Pairs each test function with its name: `tests![first, module::second]`.
#[macro_export]
macro_rules! tests {
    ($($test:path),* $(,)?) => {
        &[$((stringify!($test), $test as fn(&$crate::harness::Context))),*]
    };
}

/// The tests of one test binary.
#[derive(Debug)]
pub struct Suite {
    binary: PathBuf,
    trials: Vec<Trial>,
}

impl Suite {
    /// No tests yet, for the server at `binary`.
    pub fn new(binary: impl AsRef<Path>) -> Suite {
        Suite {
            binary: binary.as_ref().to_owned(),
            trials: Vec::new(),
        }
    }

    /// Adds tests that run on SQLite and on PostgreSQL.
    #[must_use]
    pub fn both(self, tests: &[Test]) -> Suite {
        self.sqlite(tests).postgres(tests)
    }

    /// Adds tests that run on SQLite alone.
    #[must_use]
    pub fn sqlite(self, tests: &[Test]) -> Suite {
        self.all(Backend::Sqlite, tests)
    }

    /// Adds tests that run on PostgreSQL alone.
    #[must_use]
    pub fn postgres(self, tests: &[Test]) -> Suite {
        self.all(Backend::Postgres, tests)
    }

    /// Adds one test made at run time, such as a fixture folder.
    #[must_use]
    pub fn case(
        mut self,
        backend: Backend,
        name: &str,
        test: impl Fn(&Context) + Send + Sync + 'static,
    ) -> Suite {
        let name = format!("{}::{}", backend.name(), name.replace(' ', ""));
        let context = Context {
            binary: self.binary.clone(),
            backend,
            name: name.clone(),
        };
        let test: Arc<dyn Fn(&Context) + Send + Sync> = Arc::new(test);
        self.trials.push(Trial::ignorable_test(name, move || {
            if backend == Backend::Postgres && !Postgres::available() {
                return Ok(Completion::ignored_with("not run: no PostgreSQL binaries"));
            }
            run_catching(|| test(&context))
        }));
        self
    }

    /// Runs what the command line selects, as [`arguments`] has it, and exits with libtest's codes.
    pub fn run(self) -> ! {
        libtest_mimic::run(&arguments(), self.trials).exit()
    }

    /// The trials, to be run by the caller.
    pub fn into_trials(self) -> Vec<Trial> {
        self.trials
    }

    fn all(self, backend: Backend, tests: &[Test]) -> Suite {
        tests
            .iter()
            .fold(self, |suite, &(name, test)| suite.case(backend, name, test))
    }
}

thread_local! {
    /// Where the test on this thread panicked; `None` while no test runs here.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What [`not_run`] ends a test with.
struct NotRun(String);

/// Ends a test that this machine cannot run: it is reported as ignored, with the reason.
pub fn not_run(reason: &str) -> ! {
    std::panic::resume_unwind(Box::new(NotRun(reason.to_owned())))
}

/// Runs a test; a panic becomes a failure with its message and place.
fn run_catching(test: impl FnOnce()) -> Result<Completion, Failed> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let taken = PANICKED_AT.with_borrow_mut(|place| match place {
                Some(place) => {
                    *place = panic.location().map(ToString::to_string).unwrap_or_default();
                    true
                }
                None => false,
            });
            // Threads that a test has started report as usual: nobody else would show their message.
            if !taken {
                usual(panic);
            }
        }));
    });
    PANICKED_AT.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(test));
    let place = PANICKED_AT.take().unwrap_or_default();
    match outcome {
        Ok(()) => Ok(Completion::Completed),
        Err(payload) => match payload.downcast_ref::<NotRun>() {
            Some(NotRun(reason)) => Ok(Completion::ignored_with(format!("not run: {reason}"))),
            None => Err(Failed::from(format!(
                "{}\n  at {place}",
                panic_message(payload.as_ref())
            ))),
        },
    }
}

/// The text of a caught panic.
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::run_catching;

    #[test]
    fn a_panic_becomes_a_failure_with_message_and_place() {
        let failed = run_catching(|| panic!("the cake is {}", "gone")).err().unwrap();
        let message = failed.message().unwrap();
        assert!(message.starts_with("the cake is gone\n  at "), "{message}");
        assert!(message.contains("harness"), "{message}");
        assert!(run_catching(|| {}).is_ok());
        assert!(run_catching(|| super::not_run("no such tool")).is_ok());
    }

    #[test]
    fn names_carry_database_and_module() {
        fn noted(_: &super::Context) {}
        mod inner {
            pub fn noted(_: &super::super::Context) {}
        }
        let suite = super::Suite::new("/nowhere").both(crate::tests![noted, inner::noted]);
        let trials = suite.into_trials();
        let names: Vec<&str> = trials.iter().map(libtest_mimic::Trial::name).collect();
        assert_eq!(
            names,
            [
                "sqlite::noted",
                "sqlite::inner::noted",
                "postgres::noted",
                "postgres::inner::noted"
            ]
        );
    }
}
