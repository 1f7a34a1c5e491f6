use super::*;

#[test]
fn a_text_of_the_largest_size_is_kept_and_a_longer_one_shortened() {
    let fits = "a".repeat(MAX_INDEX_TEXT_BYTES);
    assert_eq!(fit(&fits), fits);
    let long = "a".repeat(MAX_INDEX_TEXT_BYTES + 1);
    assert_eq!(fit(&long).len(), MAX_INDEX_TEXT_BYTES);
}

#[test]
fn long_texts_with_the_same_beginning_stay_different() {
    let one = format!("{}x", "é".repeat(400));
    let other = format!("{}y", "é".repeat(400));
    assert_ne!(fit(&one), fit(&other));
    assert!(fit(&one).len() <= MAX_INDEX_TEXT_BYTES);
}

#[test]
fn the_text_above_a_prefix_is_the_least_one() {
    assert_eq!(above_prefix("ab").as_deref(), Some("ac"));
    assert_eq!(above_prefix("a\u{7f}").as_deref(), Some("a\u{80}"));
    assert_eq!(above_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
    assert_eq!(above_prefix("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(above_prefix("\u{10ffff}"), None);
    assert_eq!(above_prefix(""), None);
}
