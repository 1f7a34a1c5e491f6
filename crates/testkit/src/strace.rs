//! What a server did on the disk and on its sockets, as `strace` saw it.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::sweep::TemporaryFolder;
use crate::wait::poll;

/// How long strace may take to write the end of its file.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Whether `strace` is installed and allowed to trace here.
pub fn available() -> bool {
    let traced = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    traced.is_ok_and(|status| status.success())
}

/// A stand-in for a binary that runs it under `strace`.
#[derive(Debug)]
pub struct Traced {
    folder: TemporaryFolder,
}

impl Traced {
    /// Has `binary` traced.
    pub fn new(binary: &Path) -> Traced {
        let traced = Traced {
            folder: TemporaryFolder::new("strace"),
        };
        // -D: the process itself stays the child, so that it can be killed and waited for.
        let script = format!(
            "#!/bin/sh\nexec strace -D -f -y -tt -s 64 -e trace=connect,fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg \
             -o '{}' -- '{}' \"$@\"\n",
            traced.file().display(),
            binary.display()
        );
        std::fs::write(traced.binary(), script).expect("a script can be written");
        std::fs::set_permissions(traced.binary(), std::fs::Permissions::from_mode(0o755))
            .expect("an own file can be made executable");
        traced
    }

    /// What to start instead of the binary.
    pub fn binary(&self) -> PathBuf {
        self.folder.path().join("traced")
    }

    /// Everything it did. Call it after the process has ended.
    ///
    /// # Panics
    /// When the end of the trace does not come.
    pub fn events(&self) -> Vec<Event> {
        events(&self.text())
    }

    /// Whatever it tried to connect to, as strace writes an address: `{sa_family=AF_UNIX, sun_path="…"}`. Call it after
    /// the process has ended.
    ///
    /// # Panics
    /// As [`Traced::events`].
    pub fn connections(&self) -> Vec<String> {
        connections(&self.text())
    }

    fn text(&self) -> String {
        let text = poll(END_LIMIT, || {
            let text = String::from_utf8_lossy(&std::fs::read(self.file()).ok()?).into_owned();
            text.trim_end().ends_with("+++").then_some(text)
        });
        text.expect("strace closes its file when the process ends")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("trace")
    }
}

/// One thing that was done, in the order of the trace. Each write-ahead log has a number of its own, and so
/// has each flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes began, or ended, to be written to this log of SQLite's.
    LogWrite(usize),
    /// A flush of a log began.
    FlushBegin {
        /// The flush.
        flush: usize,
        /// The log.
        log: usize,
    },
    /// This flush was over, successfully.
    FlushEnd(usize),
    /// An HTTP answer with this status began to be sent.
    Answer(u16),
}

/// Reads the lines of `strace -f -y`.
fn events(trace: &str) -> Vec<Event> {
    let mut reading = Reading::default();
    for line in trace.lines() {
        // A thread's number is padded to five places.
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        if let Some((_time, call)) = rest.trim_start().split_once(' ') {
            reading.read(thread, call.trim());
        }
    }
    reading.events
}

/// The addresses of all calls of `connect`, those that failed too.
fn connections(trace: &str) -> Vec<String> {
    let calls = trace.lines().filter_map(|line| line.split_once(" connect("));
    calls
        .map(|(_, call)| {
            let address = call.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
            address.map_or_else(|| call.to_owned(), |(address, _)| format!("{{{address}}}"))
        })
        .collect()
}

/// A trace that has been read up to some line.
#[derive(Default)]
struct Reading<'t> {
    events: Vec<Event>,
    /// The logs, in the order in which they appear.
    logs: Vec<&'t str>,
    flushes: usize,
    /// What each thread waits for: the end of a flush, or of a write to a log.
    flushing: HashMap<&'t str, usize>,
    writing: HashMap<&'t str, usize>,
}

impl<'t> Reading<'t> {
    fn read(&mut self, thread: &'t str, call: &'t str) {
        let unfinished = call.ends_with("<unfinished ...>");
        let resumed = call.strip_prefix("<... ");
        if call.starts_with("fdatasync(") || call.starts_with("fsync(") {
            let Some(log) = self.log(call) else { return };
            self.flushes += 1;
            let flush = self.flushes;
            self.events.push(Event::FlushBegin { flush, log });
            if unfinished {
                self.flushing.insert(thread, flush);
            } else if call.ends_with("= 0") {
                self.events.push(Event::FlushEnd(flush));
            }
        } else if call.starts_with("pwrite64(") {
            let Some(log) = self.log(call) else { return };
            self.events.push(Event::LogWrite(log));
            if unfinished {
                self.writing.insert(thread, log);
            }
        } else if resumed.is_some_and(|call| call.starts_with("fdatasync ") || call.starts_with("fsync ")) {
            let flush = self.flushing.remove(thread).filter(|_| call.ends_with("= 0"));
            self.events.extend(flush.map(Event::FlushEnd));
        } else if resumed.is_some_and(|call| call.starts_with("pwrite64 ")) {
            self.events
                .extend(self.writing.remove(thread).map(Event::LogWrite));
        } else if let Some((_, answer)) = call.split_once("\"HTTP/1.1 ") {
            let status = answer.get(..3).and_then(|status| status.parse().ok());
            self.events.extend(status.map(Event::Answer));
        }
    }

    /// The number of the log that a call is about: `fdatasync(7</data/x.db-wal>)`.
    fn log(&mut self, call: &'t str) -> Option<usize> {
        let (_, rest) = call.split_once('<')?;
        let (file, _) = rest.split_once('>')?;
        if !file.ends_with("-wal") {
            return None;
        }
        let known = self.logs.iter().position(|log| *log == file);
        Some(known.unwrap_or_else(|| {
            self.logs.push(file);
            self.logs.len() - 1
        }))
    }
}

/// The statuses of all answers, in order, each with whether a log was written since the answer before and
/// every such write was flushed when the answer began to be sent.
pub fn answers(events: &[Event]) -> Vec<(u16, Durability)> {
    let mut answers = Vec::new();
    let (mut written, mut flushed) = (false, false);
    // The logs that are not flushed, each with the flushes that began after its last write.
    let mut unflushed: HashMap<usize, Vec<usize>> = HashMap::new();
    for event in events {
        match event {
            Event::LogWrite(log) => {
                written = true;
                unflushed.insert(*log, Vec::new());
            }
            Event::FlushBegin { flush, log } => {
                if let Some(covering) = unflushed.get_mut(log) {
                    covering.push(*flush);
                }
            }
            Event::FlushEnd(flush) => {
                let before = unflushed.len();
                unflushed.retain(|_, covering| !covering.contains(flush));
                flushed |= unflushed.len() < before;
            }
            Event::Answer(status) => {
                let durability = match (written, unflushed.is_empty()) {
                    (false, _) => Durability::NothingWritten,
                    (true, true) => Durability::Flushed,
                    (true, false) if flushed => Durability::Overtaken,
                    (true, false) => Durability::Unflushed,
                };
                answers.push((*status, durability));
                (written, flushed) = (false, false);
                unflushed.clear();
            }
        }
    }
    answers
}

/// Judges the last answers of a trace, which one client got to writes that each made a version, sent one
/// after the other: all of them were flushed before they were answered. `others` is how many commits the server may have
/// made beside them, such as seals of its audit trail: so many answers may stand behind the first write of one.
///
/// # Errors
/// What is wrong: answers that the client did not get, or the place of each that came before its flush.
pub fn check_flushed(events: &[Event], answered: &[u16], others: usize) -> Result<(), String> {
    let answers = answers(events);
    let before = answers.len().checked_sub(answered.len());
    let ours = before
        .and_then(|before| answers.get(before..))
        .unwrap_or_default();
    let statuses: Vec<u16> = ours.iter().map(|(status, _)| *status).collect();
    if statuses != answered {
        return Err(format!(
            "the trace shows the answers {statuses:?}, the client got {answered:?}"
        ));
    }
    let overtaken = |durability: &Durability| *durability == Durability::Overtaken;
    let are_few = ours
        .iter()
        .filter(|(_, durability)| overtaken(durability))
        .count()
        <= others;
    let early: Vec<String> = (1..)
        .zip(ours)
        .filter(|(_, (_, durability))| *durability != Durability::Flushed)
        .filter(|(_, (_, durability))| !(are_few && overtaken(durability)))
        .map(|(place, (status, durability))| format!("answer {place} ({status}): {durability:?}"))
        .collect();
    if early.is_empty() {
        Ok(())
    } else {
        Err(format!("answered before the flush: {}", early.join(", ")))
    }
}

/// What had become of the log when an answer began to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing was written to it since the answer before.
    NothingWritten,
    /// Everything written was flushed.
    Flushed,
    /// Something was written and not flushed yet.
    Unflushed,
    /// Something was written and flushed, and after that something that was not flushed yet.
    Overtaken,
}

#[cfg(test)]
mod tests;
