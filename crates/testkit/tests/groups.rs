//! Every group of edge cases of the partner doors (`adapters.md` 9) is held by a fixture or a test of its name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The letters of the groups and how many there are of each: cloud, connect, patient-graph, eHealth, across.
const GROUPS: [(char, usize); 5] = [('C', 34), ('N', 31), ('G', 18), ('E', 28), ('X', 20)];
/// Where the cases of the doors lie.
const DOORS: [&str; 4] = ["medicapp-cloud", "medicapp-connect", "patient-graph", "ehealth"];
/// Groups that nothing holds yet. It is exactly right: who holds one takes it out.
const STILL_MISSING: &[&str] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn all() -> BTreeSet<String> {
    GROUPS
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number:02}")))
        .collect()
}

/// The group that a name begins with: a letter of the groups, two digits, then this.
fn group(name: &str, then: char) -> Option<String> {
    let mut characters = name.chars();
    let letter = characters.next()?.to_ascii_uppercase();
    let digits: String = characters.by_ref().take(2).collect();
    let is_group = GROUPS.iter().any(|(known, _)| *known == letter)
        && digits.len() == 2
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && characters.next() == Some(then);
    is_group.then(|| format!("{letter}{digits}"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// The names of the folders of cases.
fn case_names() -> Vec<String> {
    let doors = DOORS.iter().map(|door| root().join("fixtures").join(door));
    doors
        .flat_map(|door| entries(&door))
        .filter(|path| path.is_dir() && !entries(path).is_empty())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

/// The groups that they are named after.
fn in_fixtures() -> BTreeSet<String> {
    case_names().iter().filter_map(|name| group(name, '-')).collect()
}

/// The groups that test functions are named after: those in `tests` folders, and in files and folders `tests` of `src`.
fn in_tests() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for path in entries(folder) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && is_of_tests(&path) {
                let text = std::fs::read_to_string(&path).unwrap();
                let functions = text.lines().filter_map(|line| {
                    line.trim_start()
                        .trim_start_matches("pub ")
                        .strip_prefix("fn ")
                        .or_else(|| line.trim_start().strip_prefix("async fn "))
                });
                found.extend(functions.flat_map(groups_of));
            }
        }
    }
    let mut found = BTreeSet::new();
    for krate in entries(&root().join("crates")) {
        walk(&krate, &mut found);
    }
    found
}

fn is_of_tests(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// `c05_to_c08_…` is about four groups, `n22_and_n23_…` about two.
fn groups_of(name: &str) -> Vec<String> {
    let Some(first) = group(name, '_') else {
        return Vec::new();
    };
    let rest = name.get(4..).unwrap_or_default();
    if let Some(last) = rest.strip_prefix("to_").and_then(|rest| group(rest, '_')) {
        return all()
            .into_iter()
            .filter(|known| first <= *known && *known <= last)
            .collect();
    }
    let second = rest.strip_prefix("and_").and_then(|rest| group(rest, '_'));
    std::iter::once(first).chain(second).collect()
}

#[test]
fn every_group_of_edge_cases_is_held_by_a_fixture_or_a_test() {
    let all = all();
    assert_eq!(all.len(), 131);
    let held: BTreeSet<String> = in_fixtures().union(&in_tests()).cloned().collect();
    let missing: Vec<&str> = all.difference(&held).map(String::as_str).collect();
    println!("held by nothing yet: {missing:?}");
    assert_eq!(
        missing, STILL_MISSING,
        "STILL_MISSING says what is missing, no more and no less"
    );
}

#[test]
fn no_case_or_test_is_named_after_a_group_that_is_none() {
    let all = all();
    let named: BTreeSet<String> = in_fixtures().union(&in_tests()).cloned().collect();
    let unknown: Vec<&String> = named.difference(&all).collect();
    assert!(unknown.is_empty(), "{unknown:?} are no groups");
    // Nor after something that looks like one.
    for name in case_names() {
        let mut characters = name.chars();
        let is_letter = characters
            .next()
            .is_some_and(|letter| GROUPS.iter().any(|(known, _)| *known == letter));
        let is_like_one = is_letter && characters.next().is_some_and(|digit| digit.is_ascii_digit());
        assert!(
            !is_like_one || group(&name, '-').is_some(),
            "{name}: a letter, two digits, a hyphen"
        );
    }
}

#[test]
fn a_name_says_its_groups() {
    assert_eq!(group("E01-seed", '-').as_deref(), Some("E01"));
    for name in ["R3-overlay", "E1-seed", "E001-seed", "get-after", "G", ""] {
        assert_eq!(group(name, '-'), None, "{name}");
    }
    assert_eq!(
        groups_of("c05_to_c08_a_nir(context"),
        ["C05", "C06", "C07", "C08"]
    );
    assert_eq!(groups_of("n22_and_n23_the_answers"), ["N22", "N23"]);
    assert_eq!(groups_of("x99_nothing"), ["X99"]);
    assert!(groups_of("e2e_nothing").is_empty());
}
