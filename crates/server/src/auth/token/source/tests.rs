use std::time::Duration;

use super::fetch::fresh_for;

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
