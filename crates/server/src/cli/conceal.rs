//! Takes a database password out of the process list (`access.md` 2).
//!
//! A command line is shown to every user of the machine for as long as the process lives. The environment is not:
//! so the process replaces itself by one whose environment holds the URL. It keeps its number, its files and its
//! place; what is left is the instant before that.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;

#[cfg(test)]
mod tests;

const FLAG: &str = "--database";
const VARIABLE: &str = "PASSERELLE_DATABASE";

/// Starts over without the password on the command line, when one is there. Does not return then.
///
/// # Errors
/// When that is not possible; going on would show the password.
pub fn passwords() -> anyhow::Result<()> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let Some((rest, url)) = without_password(&arguments) else {
        return Ok(());
    };
    let program = env::current_exe().context("the program does not know where it lies")?;
    let error = Command::new(program).args(rest).env(VARIABLE, url).exec();
    Err(error).with_context(|| {
        format!("the database URL holds a password and cannot be taken off the command line; give it in {VARIABLE}")
    })
}

/// The arguments without `--database URL` or `--database=URL`, and the URL; `None` when there is no password in it.
fn without_password(arguments: &[OsString]) -> Option<(Vec<OsString>, OsString)> {
    let mut rest = Vec::with_capacity(arguments.len());
    let mut url = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == FLAG {
            url = arguments.next().cloned();
        } else if let Some(value) = text.strip_prefix(FLAG).and_then(|rest| rest.strip_prefix('=')) {
            url = Some(OsString::from(value));
        } else {
            rest.push(argument.clone());
        }
    }
    let url = url.filter(|url| has_password(url))?;
    Some((rest, url))
}

/// `scheme://user:password@…`, or a parameter of libpq's that holds one.
fn has_password(url: &OsStr) -> bool {
    let url = url.to_string_lossy();
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let user = place.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || query.to_ascii_lowercase().contains("password=")
}
