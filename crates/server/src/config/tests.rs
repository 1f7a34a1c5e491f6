//! `docs/deploy/passerelle.toml` explains every setting there is, and tells the defaults that are in force.

mod fields;

use std::collections::BTreeMap;

use clap::{Args as _, Command, FromArgMatches as _};
use testkit::sweep::TemporaryFolder;

use super::Settings;
use crate::start::app_settings;

const EXAMPLE: &str = include_str!("../../../../docs/deploy/passerelle.toml");

/// A setting as the example shows it.
#[derive(Debug)]
struct Shown {
    /// The table it stands in, with its brackets; empty at the top.
    table: String,
    name: String,
    /// What stands behind the equals sign.
    value: String,
    /// Behind `Default:`
    default: String,
    /// The text before that.
    text: String,
}

impl Shown {
    fn path(&self) -> String {
        match self.table.trim_matches(['[', ']']) {
            "" => self.name.clone(),
            table => format!("{table}.{}", self.name),
        }
    }

    /// What the default is in TOML; `None` where it is told in words.
    fn literal_default(&self) -> Option<&str> {
        (!self.default.starts_with("none")).then_some(&self.default)
    }
}

/// Reads the example: its form is as fixed as its content.
fn shown() -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let (mut table, mut comment) = (String::new(), Vec::new());
    for line in EXAMPLE.lines() {
        if let Some(text) = line.strip_prefix("# ").or_else(|| (line == "#").then_some("")) {
            comment.push(text);
            continue;
        }
        let bare = line.strip_prefix('#').unwrap_or(line);
        if bare.starts_with('[') {
            table = bare.to_owned();
        } else if let Some((name, value)) = bare.split_once(" = ") {
            let default = comment.pop().and_then(|last| last.strip_prefix("Default: "));
            let default = default.unwrap_or_else(|| panic!("no line '# Default: …' before {line}"));
            found.push(Shown {
                table: table.clone(),
                name: name.to_owned(),
                value: value.to_owned(),
                default: default.to_owned(),
                text: comment.join(" "),
            });
        } else {
            assert!(bare.is_empty(), "the example has a line that is nothing: {line}");
        }
        comment.clear();
    }
    found
}

/// A file with one line for each setting, in its table.
fn file(settings: &[Shown], line: impl Fn(&Shown) -> Option<String>) -> String {
    let mut tables: BTreeMap<&str, String> = BTreeMap::new();
    for setting in settings {
        if let Some(line) = line(setting) {
            let table = tables.entry(&setting.table).or_default();
            table.push_str(&format!("{} = {line}\n", setting.name));
        }
    }
    // The lines of no table come first.
    tables
        .into_iter()
        .map(|(table, lines)| format!("{table}\n{lines}"))
        .collect()
}

fn parse(text: &str) -> Settings {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What the settings come to.
fn effective(settings: &Settings) -> String {
    // These files would be read, and are on no machine of a test.
    let without_files = Settings {
        tls_certificate: None,
        tls_key: None,
        tls_client_ca: None,
        tls_client_crl: Vec::new(),
        ..settings.clone()
    };
    let app = app_settings(&without_files).unwrap_or_else(|error| panic!("{error:#}"));
    let issuers = settings.issuers().unwrap_or_else(|error| panic!("{error:#}"));
    let names: Vec<&String> = issuers.iter().map(|issuer| &issuer.name).collect();
    let [listen, database, base] = [settings.listen(), settings.database(), settings.naming_base()];
    let connections = settings
        .connections
        .unwrap_or(store::Options::default().connections);
    let format = settings.log_format.as_deref().unwrap_or("text");
    let kept = (
        &settings.admin_listen,
        settings.audit_key(),
        settings.audit_heads(),
        settings.audit_retention_days,
        settings.erasure_ledger(),
    );
    let switches = [settings.unsafe_durability(), settings.without_erasure_ledger()];
    format!("{listen} {database} {base} {names:?} {connections} {format} {kept:?} {switches:?} {app:#?}")
}

#[test]
fn the_example_explains_every_setting_and_no_other() {
    let shown = shown();
    let mut explained: Vec<String> = shown.iter().map(Shown::path).collect();
    let mut known = fields::of::<Settings>();
    for list in [&mut explained, &mut known] {
        list.sort();
    }
    let missing: Vec<_> = known.iter().filter(|name| !explained.contains(name)).collect();
    assert!(
        missing.is_empty(),
        "docs/deploy/passerelle.toml does not explain {missing:?}"
    );
    assert_eq!(explained, known);
    for setting in &shown {
        assert!(
            setting.text.len() >= 20,
            "{} is not explained: {:?}",
            setting.path(),
            setting.text
        );
    }
}

#[test]
fn the_example_and_each_of_its_values_are_taken() {
    let as_it_stands = parse(EXAMPLE);
    effective(&as_it_stands);
    let settings = shown();
    effective(&parse(&file(&settings, |setting| Some(setting.value.clone()))));
    let defaults = effective(&Settings::default());
    for setting in &settings {
        if let Some(default) = setting.literal_default() {
            assert_ne!(default, setting.value, "{} shows its default", setting.path());
        }
    }
    assert_ne!(effective(&as_it_stands), defaults);
}

#[test]
fn the_defaults_of_the_example_are_those_in_force() {
    let settings = shown();
    let told = parse(&file(&settings, |setting| {
        setting.literal_default().map(str::to_owned)
    }));
    assert_eq!(effective(&told), effective(&Settings::default()));
    // An empty list is told as it is when nothing is said.
    let off = parse(&file(&settings, |setting| {
        let default = setting.literal_default()?;
        (["[]", "{}"].contains(&default) && setting.table.is_empty()).then(|| default.to_owned())
    }));
    assert_eq!(format!("{off:?}"), format!("{:?}", Settings::default()));
    // What --help tells.
    let command = Settings::augment_args(Command::new("serve"));
    for argument in command.get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, rest)) = help.split_once("[default: ") else {
            continue;
        };
        let helped = rest.trim_end_matches(']');
        let name = argument.get_long().expect("a flag");
        let setting = settings
            .iter()
            .find(|setting| setting.path() == name)
            .expect("is explained");
        let told = match setting.literal_default() {
            Some("[]") => "none".to_owned(),
            Some(literal) => literal.trim_matches('"').to_owned(),
            None => {
                let words = setting.default.trim_start_matches("none").trim();
                match words.trim_matches(['(', ')']) {
                    "" => "none".to_owned(),
                    words => words.to_owned(),
                }
            }
        };
        assert_eq!(told, helped, "--{name}");
    }
}

#[test]
fn a_value_that_cannot_be_meant_is_refused_wherever_it_comes_from() {
    let folder = TemporaryFolder::new("config");
    let file = folder.path().join("passerelle.toml");
    for (line, words) in [
        ("audit-retention-days = 0", "leave it out to keep rows for ever"),
        ("log-format = \"xml\"", "write text or json"),
        ("connections = 0", "connections is 0"),
        ("workers = 0", "workers is 0"),
        ("body-deadline = 0", "body-deadline is 0"),
    ] {
        std::fs::write(&file, line).expect("a file");
        let refused = Settings::default().with_file(Some(&file)).expect_err(line);
        assert!(refused.to_string().contains(words), "{line}: {refused}");
        let told = parse(line).with_file(None).expect_err(line);
        assert!(told.to_string().contains(words), "{line}: {told}");
    }
}

#[test]
fn a_switch_that_is_off_beats_one_that_is_on_in_the_file() {
    let folder = TemporaryFolder::new("config");
    let file = folder.path().join("passerelle.toml");
    std::fs::write(&file, "unsafe-durability = true\nwithout-erasure-ledger = true").expect("a file");
    for (words, on) in [
        (&["serve"][..], true),
        (
            &["serve", "--unsafe-durability=false", "--without-erasure-ledger=0"],
            false,
        ),
        (
            &["serve", "--unsafe-durability", "--without-erasure-ledger"],
            true,
        ),
    ] {
        let matches = Settings::augment_args(Command::new("serve")).get_matches_from(words);
        let given = Settings::from_arg_matches(&matches).expect("settings");
        let merged = given.with_file(Some(&file)).expect("a file");
        let switches = [merged.unsafe_durability(), merged.without_erasure_ledger()];
        assert_eq!(switches, [on, on], "{words:?}");
    }
}

#[test]
fn every_flag_has_a_variable_and_a_name_in_the_file_alike() {
    let known = fields::of::<Settings>();
    let command = Settings::augment_args(Command::new("serve"));
    for argument in command.get_arguments() {
        let name = argument.get_long().expect("a flag");
        assert!(
            known.iter().any(|known| known == name),
            "--{name} is no name in the file"
        );
        let variable = format!("PASSERELLE_{}", name.replace('-', "_").to_uppercase());
        let found = argument
            .get_env()
            .map(|variable| variable.to_string_lossy().into_owned());
        assert_eq!(found, Some(variable), "--{name}");
    }
}
