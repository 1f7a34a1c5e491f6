//! `passerelle import` that is killed, interrupted, or not alone: everybody is in the space once all the same.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::sweep::TemporaryFolder;
use testkit::tests;
use testkit::wait::wait_for;

use super::import::{command_of, counts, import, imported, people, total};

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    an_import_that_is_killed_goes_on_and_has_everybody_once,
    a_progress_file_is_good_for_its_own_import_only,
    an_interrupted_import_finishes_what_has_begun,
    an_import_beside_a_working_server_makes_nobody_twice,
];

/// Waits until so many are stored.
fn wait_for_people(fhir: &Client, count: u64) {
    wait_for(Duration::from_secs(60), "people to be stored", || {
        (total(fhir) >= count).then_some(())
    });
}

fn kill(mut child: Child) {
    child.kill().expect("own child can be killed");
    child.wait().expect("own child can be waited for");
}

fn done_of(file: &Path) -> Option<u64> {
    let content: Value = serde_json::from_slice(&fs::read(file).ok()?).expect("a whole file");
    content["done"].as_u64().filter(|done| *done > 0)
}

fn an_import_that_is_killed_goes_on_and_has_everybody_once(context: &Context) {
    const PEOPLE: usize = 6_000;
    let (server, fhir) = context.fhir();
    let folder = TemporaryFolder::new("import");
    let (input, progress) = (
        folder.path().join("people.ndjson"),
        folder.path().join("progress.json"),
    );
    fs::write(&input, people(PEOPLE)).expect("written");
    let (input, progress_file) = (input.to_str().expect("UTF-8"), progress.to_str().expect("UTF-8"));
    let slow = ["--from", "medicapp-connect", "--at-once", "4", input];
    let child = command_of(context, &server, &slow)
        .spawn()
        .expect("the binary runs");
    wait_for_people(&fhir, 100);
    kill(child);
    assert!(total(&fhir) < PEOPLE as u64, "it was not killed in the middle");
    // Without a progress file all are looked at again; with one, those that are surely done are not.
    let with_file = [&slow[..], &["--progress-file", progress_file]].concat();
    let child = command_of(context, &server, &with_file)
        .spawn()
        .expect("the binary runs");
    let done = wait_for(Duration::from_secs(60), "progress to be written", || {
        done_of(&progress)
    });
    kill(child);
    assert!(
        done_of(&progress) < Some(PEOPLE as u64),
        "it was not killed in the middle"
    );
    let told = imported(context, &server, &with_file, "");
    let passed = done_of(&progress);
    assert_eq!(passed, None, "what is complete leaves no progress file");
    assert!(
        told.contains("records were done before and are passed over"),
        "{told}"
    );
    let again: u64 = counts(&told)
        .split("already there ")
        .nth(1)
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .expect("a count");
    assert!(
        again < PEOPLE as u64 - done,
        "those that are done are not looked at: {told}"
    );
    let told = imported(context, &server, &["--from", "medicapp-connect", input], "");
    assert!(
        counts(&told).starts_with(&format!("read {PEOPLE}, created 0, already there {PEOPLE},")),
        "{told}"
    );
    assert_eq!(total(&fhir), PEOPLE as u64);
}

fn a_progress_file_is_good_for_its_own_import_only(context: &Context) {
    let (server, fhir) = context.fhir();
    let folder = TemporaryFolder::new("import");
    let file = folder.path().join("progress.json");
    let file = file.to_str().expect("UTF-8");
    let arguments = ["--from", "medicapp-connect", "--progress-file", file];
    let mut child = command_of(context, &server, &arguments)
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    // More than what is read of the beginning.
    let input = people(1_000);
    stdin.write_all(input.as_bytes()).expect("written");
    wait_for_people(&fhir, 500);
    kill(child);
    assert!(done_of(Path::new(file)).is_none_or(|done| done <= 1_000));
    for (arguments, input) in [
        (arguments, people(2_000).replace("Luc0", "Marc")),
        (
            ["--from", "medicapp-cloud", "--progress-file", file],
            input.clone(),
        ),
    ] {
        let (output, told) = import(context, &server, &arguments, &input);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("is that of another import"), "{told}");
    }
    let elsewhere = context.server();
    let (_, told) = import(context, &elsewhere, &arguments, &input);
    assert!(told.contains("is that of another import"), "{told}");
    imported(context, &server, &arguments, &input);
    assert_eq!(total(&fhir), 1_000);
    fs::write(file, "{}").expect("written");
    let (_, told) = import(context, &server, &arguments, &input);
    assert!(told.contains("is no progress file"), "{told}");
}

fn an_interrupted_import_finishes_what_has_begun(context: &Context) {
    let (server, fhir) = context.fhir();
    let folder = TemporaryFolder::new("import");
    let file = folder.path().join("progress.json");
    let arguments = [
        "--from",
        "medicapp-connect",
        "--progress-file",
        file.to_str().expect("UTF-8"),
    ];
    let people = people(2_000);
    let half = people.match_indices('\n').nth(999).expect("so many lines").0 + 1;
    // What has been read is taken in portions: the last, which is not full, waits for more.
    for (sign, code, people, taken) in [
        ("-INT", 130, &people[..half], 960),
        ("-TERM", 143, &people, 1_984),
    ] {
        let mut child = command_of(context, &server, &arguments)
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("piped");
        // Standard input stays open: the import waits for more when it is interrupted.
        stdin.write_all(people.as_bytes()).expect("written");
        wait_for_people(&fhir, taken);
        let pid = child.id().to_string();
        let sent = Command::new("/bin/sh")
            .args(["-c", "kill \"$1\" \"$0\"", &pid, sign])
            .status()
            .expect("/bin/sh runs");
        assert!(sent.success());
        let output = child.wait_with_output().expect("it ends");
        drop(stdin);
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(
            told.contains(&format!("read {taken},")) && told.contains("Interrupted."),
            "{told}"
        );
        assert_eq!(done_of(&file), Some(taken));
    }
    let told = imported(context, &server, &arguments, &people);
    assert!(
        counts(&told).starts_with("read 2000, created 16, already there 0,"),
        "{told}"
    );
    assert_eq!(total(&fhir), 2_000);
}

fn an_import_beside_a_working_server_makes_nobody_twice(context: &Context) {
    const PEOPLE: usize = 400;
    let (server, fhir) = context.fhir();
    let input = people(PEOPLE);
    let door = server.client("medicapp-connect");
    let told = std::thread::scope(|scope| {
        let importing = scope.spawn(|| imported(context, &server, &["--from", "medicapp-connect"], &input));
        for line in input.lines().rev() {
            let answer = door
                .post("/patients")
                .header("Content-Type", "application/json")
                .body(line)
                .send();
            // The import was faster, or nobody.
            assert!([201, 409].contains(&answer.status), "{answer:?}");
        }
        importing.join().expect("imported")
    });
    assert!(counts(&told).contains("refused 0"), "{told}");
    assert_eq!(total(&fhir), PEOPLE as u64);
    let listed = door.get("/patients?per_page=1").send().expect(200).json();
    assert_eq!(listed["pagination"]["total"], PEOPLE);
}
