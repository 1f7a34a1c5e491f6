//! The throw-away PostgreSQL cluster, where the machine has PostgreSQL.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::postgres::Postgres;
use testkit::wait::wait_for;

/// Set in the child process of `a_killed_test_process_leaves_nothing`.
const CHILD: &str = "TESTKIT_CHILD_OF_CLUSTER_TEST";

#[test]
fn each_database_is_fresh_and_the_cluster_flushes() {
    if !Postgres::available() {
        eprintln!("not run: no PostgreSQL binaries");
        return;
    }
    let first = Postgres::shared().fresh_database();
    let second = Postgres::shared().fresh_database();
    first.query("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2)");
    assert_eq!(first.query("SELECT count(*), max(x) FROM t"), "2|2");
    assert_eq!(
        second.query("SELECT count(*) FROM pg_tables WHERE tablename = 't'"),
        "0"
    );
    assert_eq!(first.query("SHOW fsync"), "on");
    assert_eq!(first.query("SHOW synchronous_commit"), "on");
    assert_eq!(first.query("SHOW listen_addresses"), "");
    let name = first.name().to_owned();
    drop(first);
    assert_eq!(
        second.query(&format!(
            "SELECT count(*) FROM pg_database WHERE datname = '{name}'"
        )),
        "0"
    );
}

#[test]
fn a_killed_test_process_leaves_nothing() {
    if std::env::var_os(CHILD).is_some() {
        let database = Postgres::available().then(|| Postgres::shared().fresh_database());
        println!("\nrun folder {}", testkit::sweep::run_folder().display());
        wait_for(Duration::from_secs(60), "the parent to kill this process", || {
            None::<()>
        });
        drop(database);
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_test_process_leaves_nothing", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("run folder ").map(str::to_owned))
        .expect("the child says where its folder is");
    assert!(Path::new(&folder).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for(Duration::from_secs(10), "the folder to go", || {
        (!Path::new(&folder).exists()).then_some(())
    });
    let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
    let left = processes.find(|process| {
        let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&folder)
    });
    assert!(left.is_none(), "left behind: {left:?}");
}
