//! Starting, killing and restarting a server, with a stand-in of a few lines in its place.

#![allow(clippy::unwrap_used, reason = "test code")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use testkit::json;
use testkit::server::{Backend, Server, Settings};
use testkit::sweep::TemporaryFolder;

/// Holds the command line of the stand-in, in the process that is one.
const ARGUMENTS: &str = "TESTKIT_STAND_IN_ARGUMENTS";

/// Not a promise but the other side of the rest: this test binary, started again as the server.
#[test]
fn stand_in_for_the_server() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    if arguments.contains("--broken") {
        eprintln!("no luck: the disk is made of cheese");
        std::process::exit(1);
    }
    eprintln!("started {arguments}");
    let data = Path::new(
        arguments
            .split("--data ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let demo = json!({"base": base, "fhir": {"url": format!("{base}/fhir"), "bearer": "sk_test_x"}});
    std::fs::write(data.join("demo.json"), demo.to_string()).unwrap();
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || echo(&stream));
    }
}

/// Answers each request with its path and credential.
fn echo(stream: &TcpStream) {
    let (mut path, mut bearer) = (String::new(), "-".to_owned());
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap().to_owned();
        }
        if let Some(value) = line.strip_prefix("Authorization: ") {
            bearer = value.to_owned();
        }
        if line.is_empty() {
            let body = format!("{path} {bearer}");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let mut writer = stream;
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
            (path, bearer) = (String::new(), "-".to_owned());
        }
    }
}

/// One script for all tests: a process that another thread starts while a script is being written inherits it
/// open, and then it cannot be run ("text file busy").
fn stand_in() -> &'static Path {
    static SCRIPT: OnceLock<(TemporaryFolder, PathBuf)> = OnceLock::new();
    let (_, path) = SCRIPT.get_or_init(|| {
        let folder = TemporaryFolder::new("standin");
        let path = folder.path().join("stand-in");
        let test_binary = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\nexport {ARGUMENTS}=\"$*\"\nexec '{}' --exact stand_in_for_the_server --nocapture\n",
            test_binary.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    });
    path
}

#[test]
fn a_server_starts_is_killed_and_starts_again_on_the_same_data() {
    let mut server = Server::start(stand_in(), Backend::Sqlite);
    assert_eq!(
        server.client("fhir").get("/Patient").send().text(),
        "/fhir/Patient Bearer sk_test_x"
    );
    assert_eq!(
        server.anonymous().get("/health/live").send().text(),
        "/health/live -"
    );
    let (first, data) = (server.address(), server.data_folder().to_owned());
    server.kill9();
    assert!(!server.is_running());
    server.restart();
    assert_ne!(server.address(), first);
    assert_eq!(server.data_folder(), data);
    assert!(
        server.log().matches("started demo --data").count() == 2,
        "{}",
        server.log()
    );
    assert!(!server.terminate().success(), "the stand-in dies of SIGTERM");
    drop(server);
    assert!(!data.exists());
}

#[test]
fn a_second_process_shares_the_database_and_outlives_the_first() {
    let first = Settings::new(stand_in(), Backend::Sqlite).start();
    let mut second = first.second();
    assert_ne!(first.address(), second.address());
    drop(first);
    assert!(second.is_running());
    assert_eq!(second.anonymous().get("/x").send().status, 200);
}

#[test]
fn a_server_that_ends_at_once_fails_the_test_with_its_own_words() {
    let settings = Settings::new(stand_in(), Backend::Sqlite).argument("--broken");
    let failed = std::panic::catch_unwind(|| settings.start()).unwrap_err();
    let message = failed.downcast_ref::<String>().unwrap();
    assert!(message.contains("ended instead of getting ready"), "{message}");
    assert!(message.contains("made of cheese"), "{message}");
}
