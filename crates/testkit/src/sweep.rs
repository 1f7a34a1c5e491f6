//! The sweeper: whatever way a test process ends, its children and folders go with it.
//!
//! A shell waits on a pipe whose other end this process holds. When that end closes — at exit, at a
//! panic, at `kill -9` — the shell kills the processes it was told about and removes the run's folder.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Lines it understands: `+ PID SIGNAL`, `- PID SIGNAL`. SIGNAL is what ends the process: a PostgreSQL
/// killed with 9 would leave its children and its shared memory behind, so it gets QUIT.
const SCRIPT: &str = r#"
list=" "
while read -r sign process signal; do
  case "$sign" in
    +) list="$list$process:$signal " ;;
    -) list="${list%% $process:$signal *} ${list#* $process:$signal }" ;;
  esac
done
for entry in $list; do kill -"${entry#*:}" "${entry%%:*}" 2>/dev/null; done
turn=0
for entry in $list; do
  while kill -0 "${entry%%:*}" 2>/dev/null && [ $turn -lt 100 ]; do sleep 0.05; turn=$((turn+1)); done
done
for disk in "$1"/disk*; do [ -d "$disk" ] && umount -l "$disk" 2>/dev/null; done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
"#;

struct Sweeper {
    folder: PathBuf,
    shell: Mutex<Child>,
    watched: Mutex<HashMap<u32, &'static str>>,
}

fn sweeper() -> &'static Sweeper {
    static SWEEPER: OnceLock<Sweeper> = OnceLock::new();
    SWEEPER.get_or_init(|| {
        let folder = make_folder(&std::env::temp_dir());
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "sweeper"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: Ctrl-C must end the tests, not the one that tidies up after them.
            .process_group(0)
            .spawn()
            .expect("/bin/sh starts");
        Sweeper {
            folder,
            shell: Mutex::new(shell),
            watched: Mutex::new(HashMap::new()),
        }
    })
}

fn make_folder(parent: &Path) -> PathBuf {
    for attempt in 0..1000_u32 {
        let folder = parent.join(format!("passerelle-test-{}-{attempt}", std::process::id()));
        if std::fs::create_dir(&folder).is_ok() {
            // Others may pass through: PostgreSQL runs as its own user below this folder.
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711))
                .expect("own folder can be opened up");
            return folder;
        }
    }
    panic!("no free folder name below {}", parent.display());
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A failed test must not stop the others from tidying up.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(line: &str) {
    let mut shell = locked(&sweeper().shell);
    let pipe = shell
        .stdin
        .as_mut()
        .expect("the pipe is held until the process ends");
    pipe.write_all(line.as_bytes()).expect("the sweeper listens");
}

/// The folder of this test process; removed with everything in it when the process ends.
pub fn run_folder() -> &'static Path {
    &sweeper().folder
}

/// The signal that ends a watched process.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// SIGKILL.
    Kill,
    /// SIGQUIT: PostgreSQL's immediate shutdown.
    Quit,
}

/// Has `process` ended with this test process at the latest.
pub fn watch(process: u32, end: End) {
    let signal = match end {
        End::Kill => "KILL",
        End::Quit => "QUIT",
    };
    locked(&sweeper().watched).insert(process, signal);
    tell(&format!("+ {process} {signal}\n"));
}

/// Takes `process` off the list; call it once the process has been reaped, as its number may be reused.
pub fn forget(process: u32) {
    if let Some(signal) = locked(&sweeper().watched).remove(&process) {
        tell(&format!("- {process} {signal}\n"));
    }
}

/// A folder below [`run_folder`], removed when dropped.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    /// A new, empty folder whose name starts with `label`.
    pub fn new(label: &str) -> TemporaryFolder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = run_folder().join(format!("{label}{number}"));
        std::fs::create_dir(&path).expect("a new folder can be made");
        TemporaryFolder { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // A process that is still writing may race with this; the sweeper removes the rest.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
