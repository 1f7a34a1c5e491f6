//! A throw-away PostgreSQL: made at start, gone when this process ends, however it ends.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where the running cluster listens.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// A running cluster.
pub struct Cluster {
    shell: Child,
}

/// The URL of a database of the cluster.
pub fn url(database: &str) -> String {
    let folder = FOLDER.get().expect("a cluster runs");
    format!("postgres://postgres@/{database}?host={}", folder.display())
}

/// Where the cluster listens.
pub fn folder() -> &'static Path {
    FOLDER.get().expect("a cluster runs")
}

/// Starts a cluster; `None` when this machine has no PostgreSQL.
pub fn start() -> Option<Cluster> {
    let programs = programs()?;
    let folder = std::env::temp_dir().join(format!("store-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let owner = owner();
    if let Some((uid, gid)) = owner {
        chown(&folder, Some(uid), Some(gid)).unwrap();
    }
    let initialised = as_owner(&mut Command::new(programs.join("initdb")), owner)
        .args(["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "-D"])
        .arg(folder.join("data"))
        .current_dir(&folder)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(initialised.success(), "initdb failed");
    // The shell waits for the end of its input, which comes even when this process is killed.
    let script = r#"
        "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=300 \
            -c shared_buffers=64MB >"$2/log" 2>&1 &
        server=$!
        cat >/dev/null
        kill -QUIT "$server"
        wait "$server"
        rm -rf "$2"
    "#;
    let shell = as_owner(&mut Command::new("sh"), owner)
        .args(["-c", script, "cluster"])
        .arg(&programs)
        .arg(&folder)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let cluster = Cluster { shell };
    let until = Instant::now() + Duration::from_secs(60);
    while !ready(&programs, &folder) {
        assert!(Instant::now() < until, "PostgreSQL does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    FOLDER.set(folder).expect("one cluster a process");
    Some(cluster)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn ready(programs: &Path, folder: &Path) -> bool {
    Command::new(programs.join("pg_isready"))
        .args(["-q", "-h"])
        .arg(folder)
        .status()
        .is_ok_and(|status| status.success())
}

fn programs() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    // Beside `initdb` in the PATH there need not be `postgres`: some systems link only the tools.
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    in_path.chain(installed).find(|folder| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| folder.join(name).exists())
    })
}

/// The user and group to run as: PostgreSQL refuses root.
fn owner() -> Option<(u32, u32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    if uid?.split_whitespace().nth(1)? != "0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let user = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = user.expect("a user postgres").split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

fn as_owner(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    match owner {
        Some((uid, gid)) => command.uid(uid).gid(gid),
        None => command,
    }
}
