//! The file: what is appended is there, whoever appends at once, and what is torn or damaged is told.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use fhir::{Id, ResourceType, Target, Timestamp};

use super::{Erasure, Ledger, LedgerError, Line};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("passerelle-ledger-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn ledger(&self) -> PathBuf {
        self.0.join("some.erasures")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_790_000_000_123_456)
}

fn erasure(id: &str) -> Erasure {
    Erasure {
        space: "main".to_owned(),
        target: Target {
            kind: ResourceType::Patient,
            id: Id::parse(id).unwrap(),
        },
        time: now(),
        actor: "an-ehr".to_owned(),
    }
}

fn lines(ledger: &Ledger) -> Vec<Line> {
    ledger.lines().unwrap().map(Result::unwrap).collect()
}

fn append_bytes(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn what_is_appended_is_read_again_as_it_was() {
    let folder = Folder::new();
    let ledger = Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    ledger.append(&[erasure("a"), erasure("b")]).unwrap();
    ledger.append(&[erasure("c")]).unwrap();
    let found = lines(&Ledger::open(&folder.ledger()).unwrap());
    assert_eq!(found, ["a", "b", "c"].map(|id| Line::Erasure(erasure(id))));
    assert_eq!(
        Ledger::open_or_begin(&folder.ledger(), now()).unwrap(),
        ledger,
        "begun twice"
    );
}

#[test]
fn a_missing_ledger_is_not_made_by_an_erasure() {
    let folder = Folder::new();
    assert!(matches!(
        Ledger::open(&folder.ledger()),
        Err(LedgerError::Missing(_))
    ));
    let ledger = Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    std::fs::remove_file(folder.ledger()).unwrap();
    let error = ledger.append(&[erasure("a")]).unwrap_err().to_string();
    assert!(error.contains("some.erasures"), "{error}");
    assert!(!folder.ledger().exists());
}

#[test]
fn another_ledger_in_its_place_is_refused() {
    let folder = Folder::new();
    let ledger = Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    std::fs::remove_file(folder.ledger()).unwrap();
    Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    assert!(ledger.append(&[erasure("a")]).is_err());
    std::fs::write(folder.ledger(), "something else\n").unwrap();
    assert!(matches!(
        Ledger::open(&folder.ledger()),
        Err(LedgerError::Foreign(_))
    ));
    assert!(matches!(
        Ledger::open_or_begin(&folder.ledger(), now()),
        Err(LedgerError::Foreign(_))
    ));
}

#[test]
fn a_torn_last_line_is_told_and_the_next_erasure_takes_its_place() {
    let folder = Folder::new();
    let ledger = Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    ledger.append(&[erasure("a")]).unwrap();
    let whole = std::fs::read(folder.ledger()).unwrap();
    ledger.append(&[erasure("b")]).unwrap();
    let both = std::fs::read(folder.ledger()).unwrap();
    // Killed at every byte of the second line.
    for end in whole.len()..both.len() {
        std::fs::write(folder.ledger(), &both[..end]).unwrap();
        let lacks_its_end = end + 1 == both.len();
        let expected = match end - whole.len() {
            0 => vec![Line::Erasure(erasure("a"))],
            _ if lacks_its_end => vec![Line::Erasure(erasure("a")), Line::Erasure(erasure("b"))],
            _ => vec![Line::Erasure(erasure("a")), Line::Torn],
        };
        assert_eq!(lines(&ledger), expected, "{end}");
        ledger.append(&[erasure("c")]).unwrap();
        let found = lines(&ledger);
        assert_eq!(found.len(), if lacks_its_end { 3 } else { 2 }, "{end}: {found:?}");
        assert_eq!(found.last(), Some(&Line::Erasure(erasure("c"))), "{end}");
    }
}

#[test]
fn every_changed_byte_of_a_line_is_told_with_its_number() {
    let folder = Folder::new();
    let ledger = Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    let title = std::fs::read(folder.ledger()).unwrap().len();
    ledger.append(&[erasure("a")]).unwrap();
    let first = std::fs::read(folder.ledger()).unwrap().len();
    ledger.append(&[erasure("b")]).unwrap();
    let good = std::fs::read(folder.ledger()).unwrap();
    for place in title..first - 1 {
        let mut bad = good.clone();
        bad[place] ^= 0x01;
        std::fs::write(folder.ledger(), &bad).unwrap();
        let found = lines(&ledger);
        assert_eq!(found.first(), Some(&Line::Damaged(2)), "byte {place}");
        assert_eq!(found.last(), Some(&Line::Erasure(erasure("b"))), "byte {place}");
    }
}

#[test]
fn a_line_without_end_costs_no_memory_and_is_told() {
    let folder = Folder::new();
    let ledger = Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    append_bytes(&folder.ledger(), &vec![b'x'; 4 * 1024 * 1024]);
    append_bytes(&folder.ledger(), b"\n");
    ledger.append(&[erasure("a")]).unwrap();
    assert_eq!(lines(&ledger), [Line::Damaged(2), Line::Erasure(erasure("a"))]);
}

#[test]
fn many_that_append_at_once_leave_whole_lines() {
    let folder = Folder::new();
    let path = folder.ledger();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let ledger = Ledger::open_or_begin(path, now()).unwrap();
                for number in 0..20 {
                    ledger.append(&[erasure(&format!("w{writer}-{number}"))]).unwrap();
                }
            });
        }
    });
    let found = lines(&Ledger::open(&path).unwrap());
    assert_eq!(found.len(), 160);
    let ids = |line: &Line| match line {
        Line::Erasure(erasure) => erasure.target.id.to_string(),
        other => panic!("{other:?}"),
    };
    let ids: std::collections::BTreeSet<String> = found.iter().map(ids).collect();
    assert_eq!(ids.len(), 160);
}

#[test]
fn nothing_in_a_field_breaks_a_line() {
    let folder = Folder::new();
    let ledger = Ledger::open_or_begin(&folder.ledger(), now()).unwrap();
    let odd = Erasure {
        actor: "a\tb\nc".to_owned(),
        ..erasure("a")
    };
    ledger.append(&[odd]).unwrap();
    let seen = Erasure {
        actor: "a b c".to_owned(),
        ..erasure("a")
    };
    assert_eq!(lines(&ledger), [Line::Erasure(seen)]);
}
