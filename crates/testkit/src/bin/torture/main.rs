//! The long programme: the rounds of [`testkit::torture`], on both databases, for as long as it is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program: a panic is how a round fails, and its progress goes to standard output"
)]

mod load;
mod options;
mod outages;
mod parts;
mod programme;
mod races;

use std::process::ExitCode;
use std::time::Instant;

use testkit::postgres::Postgres;
use testkit::server::Backend;

use options::{Options, Unusable};
use parts::PARTS;
use programme::{Programme, Score};

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) => run(&options),
        Err(Unusable::HelpWanted) => {
            print!("{}", options::help());
            ExitCode::SUCCESS
        }
        Err(Unusable::Wrong(problem)) => {
            eprintln!("{problem}; --help shows what can be said");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> ExitCode {
    // One line per round; the report of a failed one is printed with it.
    std::panic::set_hook(Box::new(|_| {}));
    if options.parts().next().is_none() {
        eprintln!("none of these parts is for this database; --help shows which there are");
        return ExitCode::from(2);
    }
    let begin = Instant::now();
    println!("seed {}", options.seed);
    let mut score = Score::default();
    for backend in &options.databases {
        if *backend == Backend::Postgres && !Postgres::available() {
            println!("postgres: FAILED: PostgreSQL is not installed");
            score.failed.push("postgres: not installed".to_owned());
            continue;
        }
        for part in PARTS.iter().filter(|part| options.wants(part, *backend)) {
            (part.run)(&mut Programme::new(options, *backend, &mut score));
        }
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
    if score.failed.is_empty() && score.passed == 0 {
        eprintln!("nothing was tried");
        ExitCode::from(2)
    } else if score.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
