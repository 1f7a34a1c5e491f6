use super::{Action, Operation, Outcome, check_consecutive, check_last_updated, check_register};
use crate::random::Random;

fn write(invoked: u64, completed: u64, value: u64, version: u64) -> Operation {
    let action = Action::Write {
        value,
        outcome: Outcome::Acknowledged(version),
    };
    Operation {
        client: 0,
        invoked,
        completed: Some(completed),
        action,
    }
}

fn unknown(invoked: u64, value: u64) -> Operation {
    let action = Action::Write {
        value,
        outcome: Outcome::Unknown,
    };
    Operation {
        client: 1,
        invoked,
        completed: None,
        action,
    }
}

fn read(invoked: u64, completed: u64, version: u64, value: u64) -> Operation {
    Operation {
        client: 2,
        invoked,
        completed: Some(completed),
        action: Action::Read { version, value },
    }
}

#[track_caller]
fn finds(operations: &[Operation], words: &str) {
    let found = check_register(operations).expect_err("a planted fault is found");
    assert!(
        found.iter().any(|violation| violation.message.contains(words)),
        "{found:?}"
    );
}

#[test]
fn overlapping_operations_may_happen_in_either_order() {
    let operations = [
        write(0, 10, 100, 1),
        write(11, 30, 101, 3),
        write(12, 40, 102, 2),
        read(13, 20, 2, 102),
        read(15, 50, 3, 101),
        read(14, 25, 1, 100),
    ];
    assert_eq!(check_register(&operations), Ok(()));
}

#[test]
fn a_stale_read_is_found() {
    finds(
        &[write(0, 10, 100, 1), write(11, 20, 101, 2), read(21, 30, 1, 100)],
        "was over before",
    );
}

#[test]
fn a_read_that_goes_back_behind_another_read_is_found() {
    let concurrent = write(11, 100, 101, 2);
    finds(
        &[
            write(0, 10, 100, 1),
            concurrent,
            read(20, 30, 2, 101),
            read(31, 40, 1, 100),
        ],
        "was over before",
    );
}

#[test]
fn a_read_from_the_future_is_found() {
    finds(
        &[write(0, 1, 100, 1), read(2, 10, 2, 101), write(20, 30, 101, 2)],
        "was over before",
    );
}

#[test]
fn a_lost_write_is_found() {
    // Version 2 was acknowledged to both, so one of them is gone.
    finds(
        &[write(0, 1, 100, 1), write(2, 9, 101, 2), write(3, 8, 102, 2)],
        "both acknowledged as version 2",
    );
    // Writes in sequence whose versions run backwards.
    finds(&[write(0, 1, 100, 2), write(2, 3, 101, 1)], "was over before");
}

#[test]
fn a_gap_needs_an_unanswered_write() {
    let gap = [write(0, 1, 100, 1), write(2, 3, 101, 3)];
    finds(&gap, "have no writer");
    let explained = [gap[0].clone(), gap[1].clone(), unknown(0, 900)];
    assert_eq!(check_register(&explained), Ok(()));
}

#[test]
fn an_unanswered_write_may_have_happened_once_or_never() {
    assert_eq!(
        check_register(&[write(0, 1, 100, 1), unknown(2, 900), read(5, 6, 1, 100)]),
        Ok(())
    );
    assert_eq!(
        check_register(&[write(0, 1, 100, 1), unknown(2, 900), read(5, 6, 2, 900)]),
        Ok(())
    );
    let twice = [
        write(0, 1, 100, 1),
        unknown(2, 900),
        read(5, 6, 2, 900),
        read(7, 8, 3, 900),
    ];
    finds(&twice, "value 900 was written as version 2");
    let before_it_was_sent = [write(0, 1, 100, 1), read(2, 3, 2, 900), unknown(10, 900)];
    finds(&before_it_was_sent, "was over before");
    let over_another = [write(0, 1, 100, 1), unknown(2, 900), read(5, 6, 1, 900)];
    finds(&over_another, "has two values");
}

#[test]
fn a_refused_write_must_never_be_seen() {
    let refused = Operation {
        client: 3,
        invoked: 2,
        completed: Some(3),
        action: Action::Write {
            value: 900,
            outcome: Outcome::Refused,
        },
    };
    finds(
        &[write(0, 1, 100, 1), refused, read(5, 6, 2, 900)],
        "refused or never written",
    );
}

#[test]
fn a_real_register_passes_and_one_that_loses_writes_does_not() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let (mut operations, mut current, mut clock) = (Vec::new(), (0, 0), 0);
        for number in 1..200 {
            // Each operation takes effect at `clock`, somewhere between its ends.
            clock += 10;
            let (invoked, completed) = (
                clock - random.between(0, 40).min(clock),
                clock + random.between(0, 40),
            );
            if number == 1 || random.percent(40) {
                current = (current.0 + 1, number);
                operations.push(write(invoked, completed, number, current.0));
            } else {
                operations.push(read(invoked, completed, current.0, current.1));
            }
        }
        assert_eq!(check_register(&operations), Ok(()), "seed {seed}");
        // The last read returns what was there long before.
        let first = operations[0].clone();
        let Action::Write { value, .. } = first.action else {
            unreachable!()
        };
        operations.push(read(clock + 100, clock + 110, 1, value));
        assert!(check_register(&operations).is_err(), "seed {seed}");
    }
}

#[test]
fn versions_and_instants_are_checked() {
    assert_eq!(check_consecutive(&[2, 1, 3]), Ok(()));
    assert_eq!(check_consecutive(&[]), Ok(()));
    assert!(check_consecutive(&[1, 3]).unwrap_err().contains("2 is missing"));
    assert!(
        check_consecutive(&[1, 2, 2])
            .unwrap_err()
            .contains("2 exists twice")
    );
    let (early, late) = ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z");
    assert_eq!(check_last_updated(&[(2, late), (1, early), (3, late)]), Ok(()));
    assert!(check_last_updated(&[(1, late), (2, early)]).is_err());
    assert!(check_last_updated(&[(1, early), (2, "2026-01-01T00:00:00Z")]).is_err());
}
