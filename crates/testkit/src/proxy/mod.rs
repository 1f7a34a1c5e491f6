//! A proxy that misbehaves on command: it delays, drips, swallows, cuts, refuses, and loses the one answer
//! that matters. It stands before a TCP server or before PostgreSQL's Unix socket.

mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use stream::{Listener, Stream, Upstream};

use crate::postgres::{Postgres, SOCKET_NAME};
use crate::sweep::TemporaryFolder;

/// What the socket is called while it is away.
const VANISHED: &str = "vanished";

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What happens to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are passed on.
    Pass,
    /// They are passed on after a while.
    Delay(Duration),
    /// They are passed on a few at a time, with a pause after each piece.
    Drip {
        /// Bytes per piece.
        piece: usize,
        /// The pause.
        pause: Duration,
    },
    /// They are read and forgotten: the other side hears nothing, and the connection stays.
    Swallow,
}

/// What happens to new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// They are connected through.
    Accept,
    /// They are closed at once.
    Refuse,
}

/// A running proxy. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    address: Upstream,
    folder: Option<TemporaryFolder>,
}

#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    state: Mutex<State>,
    closed: AtomicBool,
    lost: AtomicUsize,
}

#[derive(Debug)]
struct State {
    to_server: Mode,
    to_client: Mode,
    admission: Admission,
    /// Lose the answer to the client's bytes that hold this, after so many occurrences more.
    trigger: Option<(Vec<u8>, usize)>,
    /// Lose the server's answer to the next COMMIT of a transaction that inserted something.
    lose_commit: bool,
    connections: HashMap<usize, (Stream, Stream)>,
    next_connection: usize,
}

impl Proxy {
    /// Before a TCP server, on a free loopback port.
    pub fn before(server: SocketAddr) -> Proxy {
        Proxy::start(Listener::tcp(), Upstream::Tcp(server), None)
    }

    /// Before this process's PostgreSQL cluster, as a Unix socket in [`Proxy::folder`]; see
    /// [`crate::postgres::Database::url_through`].
    pub fn before_postgres() -> Proxy {
        let folder = TemporaryFolder::new("proxy");
        let listener = Listener::unix(&folder.path().join(SOCKET_NAME));
        Proxy::start(
            listener,
            Upstream::Unix(Postgres::shared().socket()),
            Some(folder),
        )
    }

    fn start(listener: Listener, upstream: Upstream, folder: Option<TemporaryFolder>) -> Proxy {
        let address = listener.address();
        let state = State {
            to_server: Mode::Pass,
            to_client: Mode::Pass,
            admission: Admission::Accept,
            trigger: None,
            lose_commit: false,
            connections: HashMap::new(),
            next_connection: 0,
        };
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::new(state),
            closed: AtomicBool::new(false),
            lost: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Proxy {
            shared,
            address,
            folder,
        }
    }

    /// Where a TCP proxy listens.
    ///
    /// # Panics
    /// When it stands before PostgreSQL.
    pub fn address(&self) -> SocketAddr {
        match self.address {
            Upstream::Tcp(address) => address,
            Upstream::Unix(_) => panic!("this proxy listens on a Unix socket"),
        }
    }

    /// The folder of a PostgreSQL proxy's socket.
    ///
    /// # Panics
    /// When it is a TCP proxy.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("this proxy listens on a port").path()
    }

    /// Treats bytes that way this way from now on, on every connection.
    pub fn set(&self, direction: Direction, mode: Mode) {
        let mut state = self.shared.locked();
        match direction {
            Direction::ToServer => state.to_server = mode,
            Direction::ToClient => state.to_client = mode,
        }
    }

    /// Treats new connections this way from now on.
    pub fn admit(&self, admission: Admission) {
        self.shared.locked().admission = admission;
    }

    /// Closes every connection.
    pub fn cut(&self) {
        for (client, server) in self.shared.locked().connections.values() {
            client.close();
            server.close();
        }
    }

    /// Refuses new connections and closes those there are: the server is gone.
    pub fn go_away(&self) {
        self.admit(Admission::Refuse);
        self.cut();
    }

    /// Closes every connection and takes the socket away, so that the kernel refuses new ones: nobody listens.
    ///
    /// # Panics
    /// When it is a TCP proxy.
    pub fn vanish(&self) {
        let folder = self.folder();
        // It is there unless this was called before.
        let _ = std::fs::rename(folder.join(SOCKET_NAME), folder.join(VANISHED));
        self.cut();
    }

    /// Passes everything again: the server is back.
    pub fn come_back(&self) {
        if let Some(folder) = &self.folder {
            // Fails when it had not vanished.
            let _ = std::fs::rename(folder.path().join(VANISHED), folder.path().join(SOCKET_NAME));
        }
        let mut state = self.shared.locked();
        (state.to_server, state.to_client) = (Mode::Pass, Mode::Pass);
        state.admission = Admission::Accept;
        state.trigger = None;
        state.lose_commit = false;
    }

    /// Once: passes the client's bytes that hold `needle` on to the server, after `skip` earlier
    /// occurrences, and closes the connection instead of passing the server's answer to them.
    pub fn lose_answer_after(&self, needle: &[u8], skip: usize) {
        self.shared.locked().trigger = Some((needle.to_vec(), skip));
    }

    /// Once: before PostgreSQL, closes the connection instead of passing on that a transaction which has inserted
    /// something is committed. It is committed then.
    pub fn lose_next_commit(&self) {
        self.shared.locked().lose_commit = true;
    }

    /// How many answers were lost that way so far.
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::SeqCst)
    }

    /// Connections at the moment.
    pub fn connections(&self) -> usize {
        self.shared.locked().connections.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accepting thread, which then ends; when it cannot be woken it has ended.
        let _ = self.address.connect();
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the answer to this text of the client's is to be lost. Counts the occurrence.
    fn triggers(&self, text: &[u8], already_seen: usize) -> bool {
        let mut state = self.locked();
        let Some((needle, skip)) = state.trigger.as_mut() else {
            return false;
        };
        // An occurrence that ended in the bytes seen before has been counted.
        let fresh = text.windows(needle.len()).enumerate();
        let occurrences = fresh
            .filter(|(start, window)| *window == needle.as_slice() && start + needle.len() > already_seen)
            .count();
        if occurrences > *skip {
            state.trigger = None;
            return true;
        }
        *skip -= occurrences;
        false
    }

    /// Whether this answer tells of the commit that is to be lost.
    fn loses_commit(&self, tags: &mut Tags, answer: &[u8]) -> bool {
        tags.committed(answer) && std::mem::take(&mut self.locked().lose_commit)
    }

    /// How much of the end of one read may be the beginning of the needle.
    fn needle_length(&self) -> usize {
        self.locked()
            .trigger
            .as_ref()
            .map_or(0, |(needle, _)| needle.len())
    }
}

/// What the command tags of PostgreSQL's answers tell of a connection's transaction.
#[derive(Default)]
struct Tags {
    inserted: bool,
}

impl Tags {
    /// Reads an answer; whether a transaction that has inserted something ends in it.
    fn committed(&mut self, answer: &[u8]) -> bool {
        let mut committed = false;
        for start in 0..answer.len() {
            let rest = &answer[start..];
            if rest.starts_with(b"BEGIN\0") {
                self.inserted = false;
            } else if rest.starts_with(b"INSERT 0 ") {
                self.inserted = true;
            } else if rest.starts_with(b"COMMIT\0") {
                committed |= std::mem::take(&mut self.inserted);
            }
        }
        committed
    }
}

fn accept(listener: &Listener, shared: &Arc<Shared>) {
    while let Ok(client) = listener.accept() {
        if shared.closed.load(Ordering::SeqCst) {
            return;
        }
        if shared.locked().admission == Admission::Refuse {
            client.close();
            continue;
        }
        let Ok(server) = shared.upstream.connect() else {
            client.close();
            continue;
        };
        let number = {
            let mut state = shared.locked();
            let number = state.next_connection;
            state.next_connection += 1;
            state.connections.insert(number, (client.again(), server.again()));
            number
        };
        let muted = Arc::new(AtomicBool::new(false));
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (from, to) = match direction {
                Direction::ToServer => (client.again(), server.again()),
                Direction::ToClient => (server.again(), client.again()),
            };
            let (shared, muted) = (Arc::clone(shared), Arc::clone(&muted));
            thread::spawn(move || {
                pump(&shared, direction, from, to, &muted);
                shared.locked().connections.remove(&number);
            });
        }
    }
}

/// Passes bytes on, one way, until either side ends.
fn pump(shared: &Shared, direction: Direction, mut from: Stream, mut to: Stream, muted: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    let mut tail: Vec<u8> = Vec::new();
    let mut tags = Tags::default();
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 {
            break;
        }
        let bytes = &buffer[..read];
        match direction {
            Direction::ToServer => {
                let seen = tail.len();
                tail.extend_from_slice(bytes);
                if shared.triggers(&tail, seen) {
                    // Before the bytes leave: the answer may be faster than this thread.
                    muted.store(true, Ordering::SeqCst);
                }
                let kept = shared.needle_length().saturating_sub(1).min(tail.len());
                tail.drain(..tail.len() - kept);
            }
            Direction::ToClient if muted.load(Ordering::SeqCst) => {
                shared.lost.fetch_add(1, Ordering::SeqCst);
                break;
            }
            Direction::ToClient if shared.loses_commit(&mut tags, bytes) => {
                shared.lost.fetch_add(1, Ordering::SeqCst);
                break;
            }
            Direction::ToClient => {}
        }
        let mode = match direction {
            Direction::ToServer => shared.locked().to_server,
            Direction::ToClient => shared.locked().to_client,
        };
        if pass(mode, bytes, &mut to).is_err() {
            break;
        }
    }
    from.close();
    to.close();
}

fn pass(mode: Mode, bytes: &[u8], to: &mut Stream) -> std::io::Result<()> {
    match mode {
        Mode::Pass => to.write(bytes),
        Mode::Delay(length) => {
            thread::sleep(length);
            to.write(bytes)
        }
        Mode::Drip { piece, pause } => bytes.chunks(piece.max(1)).try_for_each(|part| {
            to.write(part)?;
            thread::sleep(pause);
            Ok(())
        }),
        Mode::Swallow => Ok(()),
    }
}
