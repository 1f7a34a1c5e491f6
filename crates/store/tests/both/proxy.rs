//! A way to the cluster that can swallow everything.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

const SOCKET: &str = ".s.PGSQL.5432";

/// What becomes of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They go through.
    Pass,
    /// They disappear, and so does everything later on the same connection.
    Swallow,
    /// The same with what the server says.
    Deafen,
    /// Every connection is cut.
    Cut,
}

/// A running proxy; connections are cut when it is dropped.
pub struct Proxy {
    folder: PathBuf,
    state: Arc<State>,
}

struct State {
    mode: Mutex<Mode>,
    changed: Condvar,
    /// How many directions of connections have lost something.
    lost: AtomicUsize,
}

impl State {
    fn mode(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap()
    }
}

impl Proxy {
    /// Stands before the cluster that listens in `cluster`.
    pub fn start(cluster: &Path) -> Proxy {
        let folder = PathBuf::from(format!("{}-proxy", cluster.display()));
        std::fs::create_dir(&folder).unwrap();
        let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Pass),
            changed: Condvar::new(),
            lost: AtomicUsize::new(0),
        });
        let (shared, cluster) = (Arc::clone(&state), cluster.join(SOCKET));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = UnixStream::connect(&cluster) else {
                    return;
                };
                for (from, to, says) in [(&client, &server, false), (&server, &client, true)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let state = Arc::clone(&shared);
                    std::thread::spawn(move || pump(from, to, says, &state));
                }
            }
        });
        Proxy { folder, state }
    }

    /// Where it listens.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn set(&self, mode: Mode) {
        *self.state.mode() = mode;
        self.state.changed.notify_all();
    }

    /// How many directions of connections have lost something so far.
    pub fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::Cut);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// `says`: from the server.
fn pump(mut from: UnixStream, mut to: UnixStream, says: bool, state: &State) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        let mut mode = state.mode();
        if *mode == Mode::Swallow || (*mode == Mode::Deafen && says) {
            state.lost.fetch_add(1, Ordering::SeqCst);
            while *mode != Mode::Cut {
                mode = state.changed.wait(mode).unwrap();
            }
        }
        let cut = *mode == Mode::Cut;
        drop(mode);
        if read == 0 || cut || to.write_all(&buffer[..read]).is_err() {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
