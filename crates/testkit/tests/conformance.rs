//! `docs/CONFORMANCE.md` names tests that exist, and every row.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How a row begins that no test holds. A reason follows.
const REASONS: [&str; 2] = ["not of this surface: ", "measured: "];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A line of a table: its row and what holds it.
struct Row {
    name: String,
    held_by: String,
}

impl Row {
    fn is_reasoned(&self) -> bool {
        REASONS.iter().any(|begin| {
            self.held_by
                .strip_prefix(begin)
                .is_some_and(|reason| reason.len() > 10)
        })
    }

    /// The names between backticks.
    fn tests(&self) -> Vec<&str> {
        self.held_by.split('`').skip(1).step_by(2).collect()
    }
}

fn rows(text: &str) -> Vec<Row> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .filter(|cells| cells.first() != Some(&"row"))
        .map(|cells| {
            let [name, _, held_by] = cells[..] else {
                panic!("three columns: {cells:?}")
            };
            Row {
                name: name.to_owned(),
                held_by: held_by.to_owned(),
            }
        })
        .collect()
}

fn page() -> Vec<Row> {
    rows(&std::fs::read_to_string(root().join("docs/CONFORMANCE.md")).unwrap())
}

/// The names that stand in a source as a function, or as the name of a test in a list.
fn names(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let rest = line
            .strip_prefix("fn ")
            .or_else(|| line.strip_prefix("name: \""))?;
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        (!name.is_empty()).then_some(name)
    })
}

/// Of the sources that hold tests: those below `tests`, and files and folders `tests` of `src`.
fn all_names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_names(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.iter().any(|part| part == "tests" || part == "tests.rs")
        {
            found.extend(names(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut known = BTreeSet::new();
    all_names(&root().join("crates"), &mut known);
    let missing: Vec<String> = page()
        .iter()
        .filter(|row| !row.is_reasoned())
        .flat_map(|row| {
            let gone = row.tests().into_iter().filter(|test| !known.contains(*test));
            gone.map(|test| format!("{}: {test}", row.name))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    let empty: Vec<String> = page()
        .iter()
        .filter(|row| row.tests().is_empty() && !row.is_reasoned())
        .map(|row| row.name.clone())
        .collect();
    assert!(empty.is_empty(), "neither a test nor a reason: {empty:?}");
}

#[test]
fn every_row_of_what_went_wrong_elsewhere_is_there_once() {
    let found: Vec<String> = page()
        .into_iter()
        .map(|row| row.name)
        .filter(|name| name.starts_with('P'))
        .collect();
    let wanted: Vec<String> = (1..=70).map(|number| format!("P{number:02}")).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_row_without_test_or_reason_is_told_apart() {
    let text = "| row | what | held by |\n|---|---|---|\n| P01 | a | `one`, `two` |\n| P02 | b | not of this surface: \
                nobody asks for it |\n| P03 | c | later |";
    let all = rows(text);
    let seen: Vec<(&str, usize, bool)> = all
        .iter()
        .map(|row| (&*row.name, row.tests().len(), row.is_reasoned()))
        .collect();
    assert_eq!(seen, [("P01", 2, false), ("P02", 0, true), ("P03", 0, false)]);
    let source = "    fn one(x: u8) {}\nasync fn two() {}\n  name: \"three\",\n// fn_four";
    assert_eq!(names(source).collect::<Vec<_>>(), ["one", "two", "three"]);
}
