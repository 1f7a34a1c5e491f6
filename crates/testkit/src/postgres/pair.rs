//! Two servers that hold the same: a primary, and a standby without whose word no commit is acknowledged.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Account, Binaries, Postgres, initialise, launch, prepare, run_as};
use crate::sweep;
use crate::wait::{poll, wait_for};

/// How long the standby may take to catch up, and to become a primary.
const LIMIT: Duration = Duration::from_secs(60);

/// A primary and its synchronous standby, each a whole PostgreSQL server. Both end with this process.
#[derive(Debug)]
pub struct Pair {
    account: Option<Account>,
    primary: Node,
    standby: Node,
}

#[derive(Debug)]
struct Node {
    server: Postgres,
    process: Option<Child>,
}

impl Pair {
    /// Makes both, and waits until the standby is synchronous.
    ///
    /// # Panics
    /// When they cannot be made; the message holds PostgreSQL's own words.
    pub fn start() -> Pair {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (binaries, folder, account) = prepare(&format!("pg-primary{number}"));
        initialise(&binaries, &folder, account);
        let primary = Node::launch(&binaries, folder, account);
        let (binaries, folder, account) = prepare(&format!("pg-standby{number}"));
        copy(&binaries, primary.server.folder(), &folder, account);
        let standby = Node::launch(&binaries, folder, account);
        // Only now: the standby's copy of the settings must not make it wait for one of its own once it is promoted.
        primary
            .server
            .query("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.server.query("postgres", "SELECT pg_reload_conf()");
        let pair = Pair {
            account,
            primary,
            standby,
        };
        wait_for(LIMIT, "the standby to be synchronous", || {
            let state = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
            (pair.primary.server.query("postgres", state) == "1").then_some(())
        });
        pair
    }

    /// Whether this machine has what it takes.
    pub fn available() -> bool {
        Postgres::available() && super::binaries().is_some_and(|binaries| binaries.pg_basebackup.is_some())
    }

    /// Makes a database; its URL names both servers and asks for the one that takes writes.
    pub fn database(&self, name: &str) -> String {
        let create = format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0");
        self.primary.server.query("postgres", &create);
        format!(
            "postgres://postgres@/{name}?host={},{}&target_session_attrs=read-write",
            self.primary.server.folder().display(),
            self.standby.server.folder().display()
        )
    }

    /// `kill -9` of every process of the primary: as if its machine were gone. It does not come back.
    pub fn kill_primary(&mut self) {
        self.primary.kill9();
    }

    /// Ends the standby at once: from now on no commit of the primary is acknowledged.
    pub fn stop_standby(&mut self) {
        self.standby.kill9();
    }

    /// Starts it again where it was.
    pub fn start_standby(&mut self) {
        let Postgres {
            binaries,
            socket_folder,
        } = &self.standby.server;
        self.standby = Node::launch(binaries, socket_folder.clone(), self.account);
    }

    /// Makes the standby the primary; returns when it takes writes.
    ///
    /// # Panics
    /// When it does not.
    pub fn promote_standby(&self) {
        let promoted = self.standby.server.query(
            "postgres",
            &format!("SELECT pg_promote(true, {})", LIMIT.as_secs()),
        );
        assert_eq!(promoted, "t", "the standby cannot be promoted");
    }
}

impl Node {
    fn launch(binaries: &Binaries, folder: PathBuf, account: Option<Account>) -> Node {
        let process = launch(binaries, &folder, account);
        Node {
            server: Postgres {
                binaries: binaries.clone(),
                socket_folder: folder,
            },
            process: Some(process),
        }
    }

    fn kill9(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = process.id();
        let shared_memory = shared_memory(self.server.folder());
        // Stopped first, so that it starts nothing more; its children are in sessions of their own.
        signal("STOP", &[pid]);
        let mut all = children(pid);
        all.push(pid);
        signal("KILL", &all);
        process.wait().expect("own child can be waited for");
        sweep::forget(pid);
        // They are nobody's children any more: whoever reaps them takes a moment.
        let gone = poll(LIMIT, || all.iter().all(|pid| !is_alive(*pid)).then_some(()));
        assert!(gone.is_some(), "killed processes of PostgreSQL are still there");
        if let Some(id) = shared_memory {
            // Not worth failing a test over: 56 bytes.
            let _ = Command::new("ipcrm")
                .args(["-m", &id])
                .stderr(Stdio::null())
                .status();
        }
        // Whoever starts it again must find no trace of the dead one's socket.
        let _ = std::fs::remove_file(self.server.socket());
    }
}

/// A copy of a running server, that follows it.
fn copy(binaries: &Binaries, from: &Path, to: &Path, account: Option<Account>) {
    let program = binaries
        .pg_basebackup
        .as_ref()
        .expect("pg_basebackup is installed; ask Pair::available() first");
    let mut basebackup = Command::new(program);
    basebackup
        .args([
            "-U",
            "postgres",
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
            "-h",
        ])
        .arg(from)
        .arg("-D")
        .arg(to.join("data"))
        .current_dir(to)
        .stdin(Stdio::null());
    run_as(&mut basebackup, account);
    let output = basebackup.output().expect("pg_basebackup runs");
    assert!(
        output.status.success(),
        "pg_basebackup failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The id of the small segment of shared memory that a cluster locks its folder with.
fn shared_memory(folder: &Path) -> Option<String> {
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
    let line = file.lines().nth(6)?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// State letter and parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    // One of them may have ended meanwhile.
    let _ = Command::new("/bin/sh")
        .args(["-c", &format!("kill -{name} {} 2>/dev/null", pids.join(" "))])
        .status();
}
