//! The throw-away PostgreSQL cluster, where the machine has PostgreSQL.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::postgres::Postgres;
use testkit::proxy::Proxy;
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
    wait_for(Duration::from_secs(20), "the folder to go", || {
        (!Path::new(&folder).exists()).then_some(())
    });
    // The sweeper itself ends last.
    wait_for(Duration::from_secs(10), "the processes to go", || {
        let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
        let is_left = |process: std::fs::DirEntry| {
            let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(&folder)
        };
        (!processes.any(is_left)).then_some(())
    });
}

#[test]
fn a_proxy_loses_the_answer_to_a_commit_that_happened() {
    if !Postgres::available() {
        eprintln!("not run: no PostgreSQL binaries");
        return;
    }
    let database = Postgres::shared().fresh_database();
    database.query("CREATE TABLE t (x int)");
    let proxy = Proxy::before_postgres();
    let psql = |sql: &str| {
        let url = database.url_through(proxy.folder());
        Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-d", &url, "-c", sql])
            .output()
            .unwrap()
    };
    assert!(psql("INSERT INTO t VALUES (1)").status.success());
    proxy.lose_answer_after(b"COMMIT", 0);
    assert!(!psql("BEGIN; INSERT INTO t VALUES (2); COMMIT").status.success());
    assert_eq!(proxy.lost(), 1);
    let both = || (database.query("SELECT count(*) FROM t") == "2").then_some(());
    wait_for(Duration::from_secs(5), "the commit to be seen", both);
    proxy.go_away();
    assert!(!psql("SELECT 1").status.success());
    proxy.come_back();
    assert!(psql("SELECT 1").status.success());
}
