//! `passerelle translate`: what an operator sees. A folder in `fixtures/translate` is a case: `args`,
//! `input.ndjson`, and what is written to standard output (`output.ndjson`) and standard error (`summary.txt`).
//! `UPDATE_FIXTURES=1` writes both anew. No database is asked.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Output, Stdio};

use testkit::harness::{Context, Test};
use testkit::sweep::TemporaryFolder;
use testkit::{mutate, tests};

use crate::support::command;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    every_fixture_gives_its_lines_and_its_summary,
    a_file_and_standard_input_are_the_same,
    the_records_of_a_list_and_of_lines_are_the_same,
    a_missing_option_is_said_once_before_anything_is_read,
    broken_lines_are_refused_one_by_one_and_nothing_panics,
    memory_does_not_grow_with_the_input,
    a_closed_pipe_ends_quietly,
    help_says_what_becomes_of_ids,
];

const CONNECT: [&str; 8] = [
    "--from",
    "medicapp-connect",
    "--to",
    "fhir",
    "--space",
    "main",
    "--today",
    "2026-11-21",
];
const RECORD: &str = r#"{"firstName":"Luc","lastName":"Besnard","birthDate":"1979-12-05","gender":"M"}"#;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/translate"))
}

/// Runs the command on an input. What it prints may be longer than a pipe holds.
fn translate(context: &Context, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(context)
        .arg("translate")
        .args(arguments)
        .env_remove("PASSERELLE_NAMING_BASE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A command that refuses its options reads nothing.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn every_fixture_gives_its_lines_and_its_summary(context: &Context) {
    let mut folders: Vec<PathBuf> = fs::read_dir(root())
        .expect("fixtures")
        .map(|entry| entry.expect("a folder").path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 13, "{folders:?}");
    let mut wrong = Vec::new();
    for folder in folders {
        let read = |file: &str| fs::read(folder.join(file)).unwrap_or_default();
        let arguments = text(&read("args"));
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let output = translate(context, &arguments, &read("input.ndjson"));
        let summary = text(&output.stderr);
        let is_whole = summary.contains("refused 0");
        assert_eq!(
            output.status.success(),
            is_whole,
            "{}: {summary}",
            folder.display()
        );
        for (file, is) in [("output.ndjson", &output.stdout), ("summary.txt", &output.stderr)] {
            if std::env::var_os("UPDATE_FIXTURES").is_some() {
                fs::write(folder.join(file), is).expect("written");
            } else if read(file) != *is {
                wrong.push(format!("{}/{file}:\n{}", folder.display(), text(is)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn a_file_and_standard_input_are_the_same(context: &Context) {
    let folder = TemporaryFolder::new("translate");
    let file = folder.path().join("records.ndjson");
    fs::write(&file, RECORD).unwrap();
    let file = file.to_str().unwrap();
    let from_file = translate(context, &[&CONNECT[..], &[file]].concat(), b"");
    let from_dash = translate(context, &[&CONNECT[..], &["-"]].concat(), RECORD.as_bytes());
    let from_nothing = translate(context, &CONNECT, RECORD.as_bytes());
    assert!(from_file.status.success(), "{from_file:?}");
    assert!(!from_file.stdout.is_empty());
    assert_eq!(from_file, from_dash);
    assert_eq!(from_file, from_nothing);
    let missing = translate(
        context,
        &[&CONNECT[..], &["/nowhere/at/all.ndjson"]].concat(),
        b"",
    );
    assert!(!missing.status.success());
    assert!(
        text(&missing.stderr).contains("/nowhere/at/all.ndjson"),
        "{missing:?}"
    );
}

fn the_records_of_a_list_and_of_lines_are_the_same(context: &Context) {
    let lines = translate(context, &CONNECT, format!("{RECORD}\n\n{RECORD}").as_bytes());
    let list = translate(context, &CONNECT, format!(" [{RECORD},\n {RECORD}] ").as_bytes());
    let page = format!("{{\n\"data\": [{RECORD},{RECORD}],\n\"pagination\": {{\"page\":1}}}}");
    let page = translate(context, &CONNECT, page.as_bytes());
    assert!(lines.status.success(), "{lines:?}");
    assert_eq!(text(&lines.stdout).lines().count(), 2);
    assert_eq!(lines, list);
    assert_eq!(lines, page);
    // A place is a line, and in a list its position too.
    let list = translate(
        context,
        &CONNECT,
        format!("[{RECORD},\n{{\"phone\":\"1\"}},{RECORD}]").as_bytes(),
    );
    assert!(!list.status.success());
    assert_eq!(text(&list.stdout).lines().count(), 2);
    assert!(
        text(&list.stderr).contains("line 2, [1]: $.phone: must be a telephone number"),
        "{list:?}"
    );
    let empty = translate(context, &CONNECT, b" \n ");
    assert!(empty.status.success() && empty.stdout.is_empty(), "{empty:?}");
    assert_eq!(text(&empty.stderr), "read 0, translated 0, refused 0\n");
}

fn a_missing_option_is_said_once_before_anything_is_read(context: &Context) {
    let cases: [(&[&str], &str); 9] = [
        (&["--from", "fhir", "--to", "fhir"], "same dialect"),
        (&["--from", "hl7", "--to", "fhir"], "medicapp-cloud"),
        (&["--from", "fhir"], "--to"),
        (&["--from", "medicapp-connect", "--to", "fhir"], "--space"),
        (
            &["--from", "medicapp-cloud", "--to", "medicapp-connect"],
            "--space",
        ),
        (&["--from", "ehealth", "--to", "fhir"], "--legal-entity"),
        (&["--from", "medicapp-cloud", "--to", "patient-graph"], "--brand"),
        (&["--from", "patient-graph", "--to", "medicapp-cloud"], "--space"),
        (
            &["--from", "fhir", "--to", "ehealth", "--today", "2026-02-30"],
            "YYYY-MM-DD",
        ),
    ];
    for (arguments, word) in cases {
        let output = translate(context, arguments, format!("{RECORD}\n{RECORD}\n").as_bytes());
        let told = text(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert!(told.contains(word) && told.len() < 1200, "{arguments:?}: {told}");
        assert!(!told.contains("line 1"), "{told}");
    }
}

fn broken_lines_are_refused_one_by_one_and_nothing_panics(context: &Context) {
    const LINES: u64 = 2_000;
    for (case, arguments) in [
        ("cloud-to-fhir", "--from medicapp-cloud --to fhir --space s"),
        ("graph-to-cloud", "--from patient-graph --to ehealth --brand b"),
        ("ehealth-to-fhir", "--from ehealth --to fhir --legal-entity e"),
        ("fhir-to-cloud", "--from fhir --to medicapp-connect --space s"),
    ] {
        let samples = fs::read(root().join(case).join("input.ndjson")).expect("a fixture");
        let samples: Vec<&[u8]> = samples.split(|byte| *byte == b'\n').collect();
        let mut input = Vec::new();
        for (seed, sample) in (0..LINES).zip(samples.iter().cycle()) {
            let mut line = mutate::bytes(seed, sample);
            // A line stays one, and no blank one, which would be passed over.
            line.iter_mut()
                .filter(|byte| matches!(byte, b'\n'))
                .for_each(|byte| *byte = b' ');
            input.extend_from_slice(b"{\"x\":1}");
            input.extend_from_slice(&line);
            input.push(b'\n');
            input.extend_from_slice(&line);
            input.push(b'\n');
        }
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let output = translate(context, &arguments, &input);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{case}");
        assert!(!told.contains("panicked"), "{case}: {told}");
        let translated = text(&output.stdout).lines().count();
        let summary = told
            .lines()
            .find(|line| line.starts_with("read "))
            .expect("a summary");
        assert!(
            summary.contains(&format!("translated {translated},")),
            "{case}: {summary}"
        );
        assert!(told.lines().count() as u64 > LINES, "{case}: {summary}");
    }
}

fn memory_does_not_grow_with_the_input(context: &Context) {
    const MEGABYTE: usize = 1024 * 1024;
    let mut child = command(context)
        .arg("translate")
        .args(CONNECT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut stdout = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()).expect("read"));
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"[").expect("read");
    let status = format!("/proc/{}/status", child.id());
    let peak = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok())
    };
    let mut write = |bytes: usize| {
        let item = format!("{RECORD},\n").repeat(1000);
        for _ in 0..bytes / item.len() {
            stdin.write_all(item.as_bytes()).expect("read");
        }
    };
    // One list, which is read element by element.
    write(MEGABYTE);
    let before = peak();
    write(6 * MEGABYTE);
    let after = peak();
    drop(stdin);
    child.wait().expect("it ends");
    assert!(reader.join().expect("read") > 6 * MEGABYTE as u64);
    let (Some(before), Some(after)) = (before, after) else {
        testkit::harness::not_run("no /proc to read the memory from");
    };
    assert!(after < before + 3 * 1024, "{before} kB became {after} kB");
}

fn a_closed_pipe_ends_quietly(context: &Context) {
    let mut child = command(context)
        .arg("translate")
        .args(CONNECT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("piped");
    let input = format!("{RECORD}\n").repeat(20_000);
    // It may have ended before it has read all.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let mut told = String::new();
    let mut stderr = child.stderr.take().expect("piped");
    stderr.read_to_string(&mut told).expect("UTF-8");
    assert!(child.wait().expect("it ends").success(), "{told}");
    assert_eq!(told, "");
}

fn help_says_what_becomes_of_ids(context: &Context) {
    let output = translate(context, &["--help"], b"");
    assert!(output.status.success(), "{output:?}");
    let help = text(&output.stdout);
    for words in [
        "--from",
        "--to",
        "--space",
        "--brand",
        "--legal-entity",
        "--naming-base",
        "--today",
        "FILE",
        "none is made up",
        "Bundle",
    ] {
        assert!(help.contains(words), "{words} is not in {help}");
    }
}
