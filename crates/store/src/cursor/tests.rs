use std::time::{Duration, Instant};

use testkit::mutate;

use super::*;

const KEY: [u8; 32] = [7; 32];
const SEARCH: [u8; 32] = [1; 32];

fn at(row: i64) -> Place {
    Place {
        backward: false,
        row,
        keys: Vec::new(),
    }
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    // Test case 2 has a key of four bytes; shorter keys are padded with zeros.
    let mut key = [0; 32];
    key[..4].copy_from_slice(b"Jefe");
    let code = hmac(&key, &[b"what do ya want ", b"for nothing?"]);
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn a_cursor_opens_to_its_row_for_its_search_alone() {
    for row in [0, 1, 1_234_567_890_123, i64::MAX] {
        let cursor = seal(&KEY, &SEARCH, &at(row));
        assert_eq!(open(&KEY, &SEARCH, &cursor), Ok(at(row)));
        assert_eq!(open(&KEY, &[2; 32], &cursor), Err(StoreError::BadCursor));
        assert_eq!(open(&[8; 32], &SEARCH, &cursor), Err(StoreError::BadCursor));
    }
}

#[test]
fn a_cursor_keeps_the_keys_of_an_order() {
    for keys in [
        vec![None],
        vec![Some(String::new()), None, Some("é".repeat(300))],
        vec![Some("-1".to_owned()), Some("=".to_owned())],
    ] {
        let place = Place {
            backward: true,
            row: 7,
            keys,
        };
        let cursor = seal(&KEY, &SEARCH, &place);
        assert_eq!(open(&KEY, &SEARCH, &cursor), Ok(place));
    }
}

#[test]
fn a_cursor_of_several_numbers_opens_to_all_of_them_and_to_no_other_count() {
    let numbers = [1, 1_795_000_000_123_456, i64::MAX];
    let cursor = seal_numbers(&KEY, &SEARCH, numbers);
    assert_eq!(open_numbers(&KEY, &SEARCH, &cursor), Ok(numbers));
    assert_eq!(
        open_numbers::<3>(&KEY, &[2; 32], &cursor),
        Err(StoreError::BadCursor)
    );
    assert_eq!(
        open_numbers::<2>(&KEY, &SEARCH, &cursor),
        Err(StoreError::BadCursor)
    );
    assert_eq!(open(&KEY, &SEARCH, &cursor), Err(StoreError::BadCursor));
    // Nor does a place that is as long as three numbers.
    let place = Place {
        keys: vec![None; 15],
        ..at(1)
    };
    assert_eq!(
        open_numbers::<3>(&KEY, &SEARCH, &seal(&KEY, &SEARCH, &place)),
        Err(StoreError::BadCursor)
    );
    for position in 0..cursor.len() {
        let mut changed = cursor.clone().into_bytes();
        changed[position] = if changed[position] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert_eq!(
            open_numbers::<3>(&KEY, &SEARCH, &changed),
            Err(StoreError::BadCursor)
        );
    }
}

#[test]
fn a_changed_cursor_does_not_open() {
    let cursor = seal(&KEY, &SEARCH, &at(42));
    for position in 0..cursor.len() {
        for digit in "0123456789abcdefA%".chars() {
            let mut changed: Vec<char> = cursor.chars().collect();
            if changed[position] == digit {
                continue;
            }
            changed[position] = digit;
            let changed: String = changed.into_iter().collect();
            assert_eq!(open(&KEY, &SEARCH, &changed), Err(StoreError::BadCursor));
        }
    }
    assert_eq!(open(&KEY, &SEARCH, ""), Err(StoreError::BadCursor));
    assert_eq!(
        open(&KEY, &SEARCH, &cursor.to_uppercase()),
        Err(StoreError::BadCursor)
    );
}

#[test]
fn a_cursor_does_not_show_its_row() {
    let cursor = seal(&KEY, &SEARCH, &at(0x0102_0304));
    assert!(!cursor.contains("04030201"));
}

/// T12 for cursors. The seeds are 0 to 9 999.
#[test]
fn t12_a_mutated_cursor_is_refused_unless_nothing_changed() {
    const MUTANTS: u64 = 10_000;
    const LONGEST: Duration = Duration::from_millis(250);
    let work = || {
        println!("seeds 0..{MUTANTS}");
        let mut refused = 0;
        for seed in 0..MUTANTS {
            let cursor = seal(&KEY, &SEARCH, &at(seed as i64 * 7_919));
            let bytes = match seed % 3 {
                0 => mutate::bytes(seed, cursor.as_bytes()),
                1 => mutate::header(seed, &cursor),
                _ => mutate::query(seed, &cursor),
            };
            // What is no UTF-8 never becomes a parameter; its readable part might.
            let mutant = String::from_utf8_lossy(&bytes);
            let timed = || {
                let started = Instant::now();
                (open(&KEY, &SEARCH, &mutant), started.elapsed())
            };
            let (answer, time) = timed();
            // The machine may have been busy elsewhere: only what is slow twice is slow.
            assert!(
                time <= LONGEST || timed().1 <= LONGEST,
                "slow, seed {seed}: {mutant:?}"
            );
            match answer {
                Ok(place) => assert!(
                    mutant == cursor && place == at(seed as i64 * 7_919),
                    "seed {seed}: {mutant:?}"
                ),
                Err(error) => {
                    assert_eq!(error, StoreError::BadCursor, "seed {seed}: {mutant:?}");
                    refused += 1;
                }
            }
        }
        assert!(refused > MUTANTS * 9 / 10, "only {refused} refused");
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(work);
    thread.unwrap().join().unwrap();
}
