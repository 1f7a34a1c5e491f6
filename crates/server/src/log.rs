//! Where log lines go: to standard error, whatever becomes of them there. A log that cannot be written (its disk is
//! full, its reader is gone) costs nobody an answer.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the last line may have been cut off.
static CUT_OFF: AtomicBool = AtomicBool::new(false);

/// Standard error that takes everything. What it cannot write is lost; the next line that it can write begins on
/// a line of its own.
pub fn writer() -> Lossy<io::Stderr> {
    Lossy {
        inner: io::stderr(),
        cut_off: &CUT_OFF,
    }
}

/// A writer that never fails.
pub struct Lossy<W> {
    inner: W,
    cut_off: &'static AtomicBool,
}

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let ended = !self.cut_off.load(Ordering::Relaxed) || self.inner.write_all(b"\n").is_ok();
        let written = ended && self.inner.write_all(line).is_ok();
        self.cut_off.store(!written, Ordering::Relaxed);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // As for what is lost.
        let _ = self.inner.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::{Lossy, Write, io};

    /// Takes so many bytes and then no more, like a disk.
    struct Disk {
        room: usize,
        bytes: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fitting = bytes.len().min(self.room);
            if fitting == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= fitting;
            self.bytes.extend_from_slice(&bytes[..fitting]);
            Ok(fitting)
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "test code")]
    fn a_line_that_finds_no_room_is_lost_and_the_next_one_is_whole() {
        static CUT_OFF: AtomicBool = AtomicBool::new(false);
        let mut log = Lossy {
            inner: Disk {
                room: 9,
                bytes: Vec::new(),
            },
            cut_off: &CUT_OFF,
        };
        log.write_all(b"first\n").unwrap();
        log.write_all(b"second\n").unwrap();
        log.write_all(b"third\n").unwrap();
        log.flush().unwrap();
        log.inner.room = 100;
        log.write_all(b"fourth\n").unwrap();
        assert_eq!(String::from_utf8_lossy(&log.inner.bytes), "first\nsec\nfourth\n");
    }
}
