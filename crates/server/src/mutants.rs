//! T12: ten thousand broken variants of a header for the parser that reads it, in this process, on a small
//! stack and against the clock. The seeds are 0 to 9 999: one is repeated alone by its number.

use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use engine::Refusal;
use testkit::mutate;

/// Variants of each header.
pub const MUTANTS: u64 = 10_000;
/// The stack that every parser gets by with, in bytes.
const STACK: usize = 512 * 1024;
/// The longest that one variant may take.
const LONGEST: Duration = Duration::from_millis(250);
/// The longest explanation of a refusal, in bytes: a header must not fill the answer.
const LONGEST_TEXT: usize = 400;

/// How many variants were taken and how many refused.
#[derive(Debug, Default)]
pub struct Count {
    pub taken: u64,
    pub refused: u64,
}

/// Reads variants of the valid values of one header; one in ten is sent as two lines. `read` asserts what
/// must hold of what it takes. A refusal must be the sender's fault (4xx) and explain itself, naming the
/// header.
pub fn each(
    name: &'static str,
    corpus: &'static [&'static str],
    read: impl Fn(&HeaderMap) -> Result<(), Refusal> + Send + 'static,
) -> Count {
    println!("{name}: seeds 0..{MUTANTS}");
    let work = move || {
        let mut count = Count::default();
        for seed in 0..MUTANTS {
            let headers = variant(name, corpus, seed);
            let shown = || format!("{name}, seed {seed}: {headers:?}");
            let mut started = Instant::now();
            let mut answer = read(&headers);
            if started.elapsed() > LONGEST {
                // The machine may have been busy elsewhere: only what is slow twice is slow.
                started = Instant::now();
                answer = read(&headers);
            }
            assert!(started.elapsed() <= LONGEST, "slow, {}", shown());
            match answer {
                Ok(()) => count.taken += 1,
                Err(refusal) => {
                    check(&refusal, name, &shown());
                    count.refused += 1;
                }
            }
        }
        println!("{name}: {count:?}");
        count
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    match thread.expect("a thread").join() {
        Ok(count) => count,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn check(refusal: &Refusal, name: &str, shown: &str) {
    assert!(
        (400..500).contains(&refusal.status),
        "{}, {shown}",
        refusal.status
    );
    let issue = refusal.issues.first().expect("a refusal has an issue");
    assert!(issue.is_error(), "{shown}");
    assert!(
        issue.text.contains(name) && issue.text.len() > name.len() + 20,
        "{:?} does not explain {name}, {shown}",
        issue.text
    );
    let length = issue.text.len() + issue.diagnostics.as_deref().unwrap_or_default().len();
    assert!(length <= LONGEST_TEXT * 3, "{length} bytes, {shown}");
}

fn variant(name: &str, corpus: &[&str], seed: u64) -> HeaderMap {
    let name: HeaderName = name.parse().expect("a header's name");
    let valid = |seed: u64| corpus[seed as usize % corpus.len()];
    let mut headers = HeaderMap::new();
    headers.append(name.clone(), value(mutate::header(seed, valid(seed))));
    if seed % 10 == 7 {
        let second = mutate::header(seed ^ 0x5EED, valid(seed / 10));
        headers.append(name, value(second));
    }
    headers
}

/// What of the bytes can stand in a header: actix never hands over the rest.
fn value(mut bytes: Vec<u8>) -> HeaderValue {
    bytes.retain(|byte| *byte == b'\t' || !byte.is_ascii_control());
    HeaderValue::from_bytes(&bytes).expect("a header's value")
}
