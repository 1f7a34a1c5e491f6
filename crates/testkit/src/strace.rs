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
            "#!/bin/sh\nexec strace -D -f -y -tt -s 64 -e trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg \
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
        let text = poll(END_LIMIT, || {
            let text = String::from_utf8_lossy(&std::fs::read(self.file()).ok()?).into_owned();
            text.trim_end().ends_with("+++").then_some(text)
        });
        events(&text.expect("strace closes its file when the process ends"))
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("trace")
    }
}

/// One thing that was done, in the order of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes began to be written to SQLite's write-ahead log.
    LogWrite,
    /// A flush of the write-ahead log began. Its number tells it from others that are under way.
    FlushBegin(usize),
    /// This flush was over, successfully.
    FlushEnd(usize),
    /// An HTTP answer with this status began to be sent.
    Answer(u16),
}

/// Reads the lines of `strace -f -y`.
fn events(trace: &str) -> Vec<Event> {
    let mut events = Vec::new();
    // The flush that each thread waits for.
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    let mut flushes = 0;
    for line in trace.lines() {
        // A thread's number is padded to five places.
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((_time, call)) = rest.trim_start().split_once(' ') else {
            continue;
        };
        let call = call.trim();
        let is_flush = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        if is_flush && call.contains("-wal>") {
            flushes += 1;
            events.push(Event::FlushBegin(flushes));
            if call.ends_with("= 0") {
                events.push(Event::FlushEnd(flushes));
            } else {
                waiting.insert(thread, flushes);
            }
        } else if call.starts_with("<... fdatasync resumed>") || call.starts_with("<... fsync resumed>") {
            if let Some(flush) = waiting.remove(thread).filter(|_| call.ends_with("= 0")) {
                events.push(Event::FlushEnd(flush));
            }
        } else if call.starts_with("pwrite64(") && call.contains("-wal>") {
            events.push(Event::LogWrite);
        } else if let Some((_, answer)) = call.split_once("\"HTTP/1.1 ") {
            events.extend(
                answer
                    .get(..3)
                    .and_then(|status| status.parse().ok())
                    .map(Event::Answer),
            );
        }
    }
    events
}

/// The statuses of all answers, in order, each with whether the log was written since the answer before and
/// every such write was flushed when the answer began to be sent.
pub fn answers(events: &[Event]) -> Vec<(u16, Durability)> {
    let mut answers = Vec::new();
    let mut durability = Durability::NothingWritten;
    // Flushes that began after the last write.
    let mut covering = Vec::new();
    for event in events {
        match event {
            Event::LogWrite => {
                durability = Durability::Unflushed;
                covering.clear();
            }
            Event::FlushBegin(flush) => covering.push(*flush),
            Event::FlushEnd(flush) => {
                if durability == Durability::Unflushed && covering.contains(flush) {
                    durability = Durability::Flushed;
                }
            }
            Event::Answer(status) => {
                answers.push((*status, durability));
                durability = Durability::NothingWritten;
            }
        }
    }
    answers
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
}

#[cfg(test)]
mod tests {
    use super::{Durability, answers, events};

    #[test]
    fn an_answer_before_the_end_of_the_flush_is_unflushed() {
        let trace = "\
10    09:00:00.1 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11    09:00:00.2 fdatasync(7</d/x.db-wal> <unfinished ...>
10    09:00:00.3 write(9<TCP:[1]>, \"HTTP/1.1 204 No Content\\r\\n\"..., 30) = 30
11 09:00:00.4 <... fdatasync resumed>)  = 0
10 09:00:00.5 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.6 fdatasync(7</d/x.db-wal>) = 0
11 09:00:00.7 writev(9<TCP:[1]>, [{iov_base=\"HTTP/1.1 201 Created\\r\\n\"..., iov_len=5}], 1) = 5
10 09:00:00.8 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.9 fdatasync(8</d/x.db>) = 0
11 09:00:00.9 fdatasync(7</d/x.db-wal>) = -1 EIO (Input/output error)
10 09:00:01.0 sendto(9<TCP:[1]>, \"HTTP/1.1 200 OK\\r\\n\"..., 30, 0, NULL, 0) = 30
10 09:00:01.1 sendto(9<TCP:[1]>, \"HTTP/1.1 200 OK\\r\\n\"..., 30, 0, NULL, 0) = 30
10 09:00:01.2 +++ exited with 0 +++";
        assert_eq!(
            answers(&events(trace)),
            [
                (204, Durability::Unflushed),
                (201, Durability::Flushed),
                (200, Durability::Unflushed),
                (200, Durability::NothingWritten),
            ]
        );
    }

    #[test]
    fn a_flush_that_began_before_the_last_write_does_not_count() {
        let trace = "\
10 09:00:00.1 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.2 fdatasync(7</d/x.db-wal> <unfinished ...>
10 09:00:00.3 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.4 <... fdatasync resumed>)  = 0
10 09:00:00.5 write(9<TCP:[1]>, \"HTTP/1.1 201 Created\\r\\n\"..., 30) = 30";
        assert_eq!(answers(&events(trace)), [(201, Durability::Unflushed)]);
    }
}
