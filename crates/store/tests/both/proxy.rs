//! A way to the cluster that can swallow everything.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

const SOCKET: &str = ".s.PGSQL.5432";

/// What becomes of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They go through.
    Pass,
    /// They disappear, and so does everything later on the same connection.
    Swallow,
    /// Every connection is cut.
    Cut,
}

/// A running proxy; connections are cut when it is dropped.
pub struct Proxy {
    folder: PathBuf,
    state: Arc<(Mutex<Mode>, Condvar)>,
}

impl Proxy {
    /// Stands before the cluster that listens in `cluster`.
    pub fn start(cluster: &Path) -> Proxy {
        let folder = PathBuf::from(format!("{}-proxy", cluster.display()));
        std::fs::create_dir(&folder).unwrap();
        let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
        let state = Arc::new((Mutex::new(Mode::Pass), Condvar::new()));
        let (shared, cluster) = (Arc::clone(&state), cluster.join(SOCKET));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = UnixStream::connect(&cluster) else {
                    return;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let state = Arc::clone(&shared);
                    std::thread::spawn(move || pump(from, to, &state));
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
        *self.state.0.lock().unwrap() = mode;
        self.state.1.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::Cut);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn pump(mut from: UnixStream, mut to: UnixStream, state: &(Mutex<Mode>, Condvar)) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        let mut mode = state.0.lock().unwrap();
        if *mode == Mode::Swallow {
            while *mode != Mode::Cut {
                mode = state.1.wait(mode).unwrap();
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
