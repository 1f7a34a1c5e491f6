use std::time::Duration;

use testkit::token::{Signer, key_set};

use super::fetch::fresh_for;
use super::{GOOD_FOR, KeySet, KeySource};

fn set() -> KeySet {
    let text = key_set(&[&Signer::es384("the-key")]).to_string();
    KeySet::read(text.as_bytes()).expect("a key set")
}

#[test]
fn keys_that_cannot_be_fetched_again_are_good_for_a_day() {
    let source = KeySource::fixed(set());
    assert!(source.missed(GOOD_FOR - Duration::from_secs(1)));
    assert!(source.keys().is_some());
    assert!(!source.missed(GOOD_FOR));
    assert!(source.keys().is_none());
    // And they come back.
    source.put(set());
    assert!(source.keys().is_some() && source.missed(Duration::ZERO));
}

#[test]
fn an_answer_says_how_long_it_is_fresh_within_bounds() {
    for (told, seconds) in [
        (None, 600),
        (Some(""), 600),
        (Some("public"), 600),
        (Some("max-age=300"), 300),
        (Some("public, Max-Age=300, must-revalidate"), 300),
        (Some("max-age=\"300\""), 300),
        (Some("max-age=0"), 60),
        (Some("max-age=1"), 60),
        (Some("max-age=86400"), 3600),
        (Some("max-age=99999999999999999999999"), 600),
        (Some("max-age=-1"), 600),
        (Some("no-store"), 60),
        (Some("max-age=300, no-cache"), 60),
        (Some("s-maxage=30"), 600),
    ] {
        assert_eq!(fresh_for(told), Duration::from_secs(seconds), "{told:?}");
    }
}
