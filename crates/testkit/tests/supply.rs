//! T42: what comes in with the dependencies, offline: licences, banned crates, versions. The rules, with
//! their reasons, are in `.config/supply.toml`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: helpers stand outside of the test functions"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// A package of the lock file.
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    dependencies: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn toml_file(path: &str) -> toml::Table {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules() -> toml::Table {
    toml_file(".config/supply.toml")
}

/// The tables of a section of the rules.
fn section(rules: &toml::Table, name: &str) -> Vec<toml::Table> {
    let tables = rules[name].as_array().unwrap();
    tables
        .iter()
        .map(|table| table.as_table().unwrap().clone())
        .collect()
}

fn text<'t>(table: &'t toml::Table, field: &str) -> &'t str {
    let found = table.get(field).and_then(toml::Value::as_str).unwrap_or_default();
    assert!(!found.trim().is_empty(), "{table:?} lacks {field}");
    found
}

fn names(rules: &toml::Table, section: &str, field: &str) -> Vec<String> {
    let list = rules[section][field].as_array().unwrap();
    list.iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// Every package of Cargo.lock, whatever platform it is for.
fn locked() -> Vec<Package> {
    let lock = toml_file("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    let string = |package: &toml::Value, field: &str| Some(package.get(field)?.as_str()?.to_owned());
    packages
        .iter()
        .map(|package| Package {
            name: string(package, "name").unwrap(),
            version: string(package, "version").unwrap(),
            source: string(package, "source"),
            dependencies: package
                .get("dependencies")
                .and_then(toml::Value::as_array)
                .map(|list| list.iter().map(|one| one.as_str().unwrap().to_owned()).collect())
                .unwrap_or_default(),
        })
        .collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The licence expression of each crate from a registry that is built for this platform.
fn licences() -> BTreeMap<String, String> {
    let about = cargo(&["-vV"]);
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = cargo(&[
        "metadata",
        "--locked",
        "--offline",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .filter(|package| !package["source"].is_null())
        .map(|package| {
            let name = format!(
                "{} {}",
                package["name"].as_str().unwrap(),
                package["version"].as_str().unwrap()
            );
            (name, package["license"].as_str().unwrap_or_default().to_owned())
        })
        .collect()
}

/// Whether an SPDX expression can be met with these licences; every one that was looked at is noted in `used`.
fn allowed(expression: &str, ids: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    // The older spelling `MIT/Apache-2.0` means OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let met = any_of(&mut words, ids, used);
    met && words.is_empty()
}

fn any_of(words: &mut Vec<&str>, ids: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let mut met = all_of(words, ids, used);
    while words.last() == Some(&"OR") {
        words.pop();
        met |= all_of(words, ids, used);
    }
    met
}

fn all_of(words: &mut Vec<&str>, ids: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let mut met = one(words, ids, used);
    while words.last() == Some(&"AND") {
        words.pop();
        met &= one(words, ids, used);
    }
    met
}

fn one(words: &mut Vec<&str>, ids: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    match words.pop() {
        Some("(") => {
            let met = any_of(words, ids, used);
            words.pop() == Some(")") && met
        }
        Some(id) => {
            let mut id = id.to_owned();
            if words.last() == Some(&"WITH") {
                words.pop();
                id = format!("{id} WITH {}", words.pop().unwrap_or_default());
            }
            let known = ids.contains(&id);
            if known {
                used.insert(id);
            }
            known
        }
        None => false,
    }
}

fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['+', '-']).next().unwrap();
    plain.split('.').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn t42_every_licence_is_on_the_list_and_every_one_on_the_list_is_needed() {
    let allowed_ones = section(&rules(), "licence");
    let ids: BTreeSet<String> = allowed_ones
        .iter()
        .map(|licence| {
            text(licence, "reason");
            text(licence, "since");
            text(licence, "id").to_owned()
        })
        .collect();
    let licences = licences();
    assert!(
        licences.len() > 50,
        "only {} crates: the metadata is not that of the workspace",
        licences.len()
    );
    let mut used = BTreeSet::new();
    for (name, expression) in &licences {
        assert!(
            allowed(expression, &ids, &mut used),
            "{name} has the licence '{expression}', which .config/supply.toml does not allow"
        );
    }
    assert_eq!(used, ids, "a licence on the list is that of no crate");
}

#[test]
fn a_licence_expression_is_read_as_it_is_meant() {
    let ids = BTreeSet::from([
        "MIT".to_owned(),
        "Zlib".to_owned(),
        "Apache-2.0 WITH LLVM-exception".to_owned(),
    ]);
    let met = |expression: &str| allowed(expression, &ids, &mut BTreeSet::new());
    for good in [
        "MIT",
        "GPL-3.0/MIT",
        "MIT OR GPL-3.0 AND X",
        "(GPL-3.0 OR Zlib) AND MIT",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(met(good), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR X) AND X",
        "Apache-2.0",
        "MIT)",
        "(MIT",
        "MIT Zlib",
        "MIT WITH x",
    ] {
        assert!(!met(bad), "{bad}");
    }
}

#[test]
fn t42_no_banned_crate_and_no_other_source_than_the_registry() {
    let rules = rules();
    for package in locked() {
        if let Some(source) = &package.source {
            assert_eq!(
                source, "registry+https://github.com/rust-lang/crates.io-index",
                "{}",
                package.name
            );
            for never in section(&rules, "never") {
                let (name, reason) = (text(&never, "name"), text(&never, "reason"));
                let banned = match name.strip_suffix('*') {
                    Some(start) => package.name.starts_with(start),
                    None => package.name == name,
                };
                assert!(!banned, "{} must not be a dependency: {reason}", package.name);
            }
        }
    }
}

#[test]
fn t42_at_most_one_tls_provider() {
    // Of what is built by default: libpq's own TLS, which is OpenSSL's, is a feature that is off (`pg-tls`).
    let providers = names(&rules(), "tls", "providers");
    // Of what is built: the lock file also names what a feature nobody chose would bring.
    let built: BTreeSet<String> = licences()
        .into_keys()
        .filter_map(|package| Some(package.split_once(' ')?.0.to_owned()))
        .collect();
    let found: Vec<&String> = providers.iter().filter(|name| built.contains(*name)).collect();
    assert_eq!(found.len(), 1, "not one TLS provider: {found:?}");
}

#[test]
fn t42_key_crates_come_in_one_version_and_are_new_enough() {
    let (rules, packages) = (rules(), locked());
    let versions = |name: &str| -> Vec<&str> {
        let named = packages.iter().filter(|package| package.name == name);
        named.map(|package| package.version.as_str()).collect()
    };
    for name in names(&rules, "once", "names") {
        assert!(
            versions(&name).len() <= 1,
            "{name} comes in several versions: {:?}",
            versions(&name)
        );
    }
    for minimum in section(&rules, "minimum") {
        let (name, wanted) = (text(&minimum, "name"), text(&minimum, "version"));
        assert!(!versions(name).is_empty(), "{name} is gone; remove its minimum");
        for version in versions(name) {
            assert!(
                numbers(version) >= numbers(wanted),
                "{name} {version} is older than {wanted}: {}",
                text(&minimum, "reason")
            );
        }
    }
}

#[test]
fn t42_an_accepted_advisory_is_still_needed_and_reached_one_way_only() {
    let packages = locked();
    for advisory in section(&rules(), "advisory") {
        let (id, name, version) = (
            text(&advisory, "id"),
            text(&advisory, "crate"),
            text(&advisory, "version"),
        );
        assert!(!text(&advisory, "reason").is_empty() && !text(&advisory, "since").is_empty());
        assert!(
            packages
                .iter()
                .any(|package| package.name == name && package.version == version),
            "{id}: {name} {version} is gone; remove the exception"
        );
        // With several versions in the lock file, dependencies name theirs.
        let with_version = format!("{name} {version}");
        let users: Vec<&str> = packages
            .iter()
            .filter(|package| package.dependencies.contains(&with_version))
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(
            users,
            [text(&advisory, "only-through")],
            "{id}: {with_version} is used by others too"
        );
    }
}
