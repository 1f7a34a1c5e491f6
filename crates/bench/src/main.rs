//! Load generator and benchmark report: what the server does per second, how long a request waits, and
//! whether anything was lost or doubled while it was fast. It sees HTTP only, and loopback only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measuring tool for people at a terminal: it prints, and a broken assumption ends it"
)]

mod arguments;
mod doors;
mod ehr;
mod floor;
mod load;
mod process;
mod race;
mod report;
mod requests;
mod statistics;
mod target;
#[cfg(test)]
mod tests;
mod verify;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use report::Report;
use requests::Plan;
use target::Target;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs everything asked for; false when resources were lost or doubled, or answers were wrong.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let mut report = Report::new(arguments);
    let target = Target::choose(arguments)?;
    if arguments.floor {
        for connections in &arguments.connections {
            report.add_floor(floor::responder(*connections, arguments.duration()));
            let folder = target.data_folder();
            let bare = floor::bare::measure(&folder, arguments.stored, *connections, arguments.duration());
            bare.into_iter().for_each(|floor| report.add_floor(floor));
        }
        report.add_floor(floor::flush(&target.data_folder(), arguments.duration()));
    }
    let Some(server) = target.server() else {
        report.print();
        return report.save(arguments.json.as_deref()).map(|()| true);
    };
    report.note_start(server.pid);
    let mut plan = Plan::new(server, arguments.first_number(), arguments.seed);
    plan.doors = target.doors();
    if plan.doors.is_none()
        && arguments
            .workload
            .iter()
            .any(|workload| workload.is_of_partners())
    {
        return Err("the partner doors' workloads need --demo: it knows their credentials".to_owned());
    }
    match arguments.kept.as_deref() {
        Some(file) if file.exists() => load::take_kept(&mut plan, file)?,
        kept => {
            load::preload(&mut plan, &arguments.workload, arguments.stored)?;
            kept.map_or(Ok(()), |file| load::keep(&plan, file))?;
        }
    }
    for connections in &arguments.connections {
        for workload in arguments.workload.iter() {
            let measured = if workload.is_race() {
                race::run(&plan, *workload, arguments.rounds)
            } else {
                load::run(&plan, *workload, *connections, arguments)
            }?;
            report.add(measured);
        }
    }
    report.print();
    report.save(arguments.json.as_deref())?;
    Ok(report.is_clean())
}
