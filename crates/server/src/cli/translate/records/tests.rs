//! The bounds of records in all shapes of input.

use super::{Found, Place, Records};

/// Place and text of all records; `!` for what is broken.
fn records(input: &str, list_key: Option<&'static str>) -> Vec<String> {
    // One byte at a time: a record may be cut anywhere.
    struct Drip<'i>(&'i [u8]);
    impl std::io::Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            match self.0.split_first() {
                Some((first, rest)) => {
                    into[0] = *first;
                    self.0 = rest;
                    Ok(1)
                }
                None => Ok(0),
            }
        }
    }
    let mut records = Records::new(Drip(input.as_bytes()), list_key);
    let mut all = Vec::new();
    while let Some((place, found)) = records.next().unwrap() {
        let text = match found {
            Found::Record(text) => String::from_utf8(text).unwrap().trim().to_owned(),
            Found::Broken(_) => "!".to_owned(),
        };
        all.push(format!("{place}: {text}"));
    }
    all
}

#[test]
fn a_record_a_line_whatever_stands_in_it() {
    let input = "\u{feff}\n{\"a\":\"]},{\\\"\"}\n\n  {\"b\":[1,2]}\r\n{\"c\":1";
    assert_eq!(
        records(input, None),
        [
            "line 2: {\"a\":\"]},{\\\"\"}",
            "line 4: {\"b\":[1,2]}",
            "line 5: {\"c\":1"
        ]
    );
}

#[test]
fn a_broken_line_costs_no_other() {
    let input = "{\"a\":1\n{\"b\":\"x\n]]}\n{\"c\":1}{\"d\":1}\nnull\n{\"e\":1}\n";
    assert_eq!(
        records(input, None),
        [
            "line 1: {\"a\":1",
            "line 2: {\"b\":\"x",
            "line 3: ]]}",
            "line 4: {\"c\":1}{\"d\":1}",
            "line 5: null",
            "line 6: {\"e\":1}",
        ]
    );
}

#[test]
fn a_first_line_that_is_broken_is_no_beginning_of_a_document() {
    for broken in ["{\"a\":{\"b\":1}", "{\"a\":1}[2,", "{\"a\":\"x,"] {
        assert_eq!(
            records(&format!("{broken}\n{{\"c\":1}}"), None),
            [format!("line 1: {broken}"), "line 2: {\"c\":1}".to_owned()]
        );
    }
}

#[test]
fn the_items_of_one_list() {
    let input = " [ {\"a\":[{},[]]},\n{\"b\":\"\n},\n{\"c\":\n1}, 5,, ]";
    assert_eq!(
        records(input, None),
        [
            "line 1, [0]: {\"a\":[{},[]]}",
            "line 2, [1]: {\"b\":\"\n}",
            "line 4, [2]: {\"c\":\n1}",
            "line 5, [3]: 5",
            "line 5, [4]: ",
            "line 5, [5]: ",
        ]
    );
    assert_eq!(records("[]", None), Vec::<String>::new());
    assert_eq!(records(" [ \n ] \n", None), Vec::<String>::new());
    assert_eq!(records("", None), Vec::<String>::new());
}

#[test]
fn a_list_that_is_cut_off_or_goes_on_is_told() {
    assert_eq!(records("[{}", None), ["line 1, [0]: {}", "line 1: !"]);
    assert_eq!(records("[{},", None), ["line 1, [0]: {}", "line 1: !"]);
    assert_eq!(records("[", None), ["line 1: !"]);
    assert_eq!(records("[{}]\n{}\n{}", None), ["line 1, [0]: {}", "line 2: !"]);
}

#[test]
fn documents_of_several_lines() {
    let input = "{\n \"a\": [\n1]\n}\n{\"b\": {\n}\n}\n";
    assert_eq!(
        records(input, None),
        ["line 1: {\n \"a\": [\n1]\n}", "line 5: {\"b\": {\n}\n}"]
    );
}

#[test]
fn the_entries_of_bundles_in_every_shape() {
    let bundle = "{\"resourceType\":\"Bundle\",\"entry\":[{\"r\":1},{\"r\":[2]}],\"x\":[1]}";
    let entries = ["line 1, entry[0]: {\"r\":1}", "line 1, entry[1]: {\"r\":[2]}"];
    assert_eq!(records(bundle, Some("entry")), entries);
    assert_eq!(
        records(&format!("{bundle}\n{{\"y\":1}}"), Some("entry")),
        [entries[0], entries[1], "line 2: {\"y\":1}"]
    );
    assert_eq!(
        records(&format!("[{bundle},{{\"y\":1}}]"), Some("entry")),
        [
            "line 1, [0], entry[0]: {\"r\":1}",
            "line 1, [0], entry[1]: {\"r\":[2]}",
            "line 1, [1]: {\"y\":1}"
        ]
    );
    let pretty =
        "{\n \"resourceType\": \"Bundle\",\n \"entry\" : [ {\n\"r\":1},\n{\"r\":[2]}\n]\n}\n{\n\"y\":1}";
    assert_eq!(
        records(pretty, Some("entry")),
        [
            "line 3, entry[0]: {\n\"r\":1}",
            "line 5, entry[1]: {\"r\":[2]}",
            "line 8: {\n\"y\":1}"
        ]
    );
    assert_eq!(records("{\"entry\":[]}", Some("entry")), Vec::<String>::new());
    // A value of that name, and one deeper inside, are no list of records.
    for single in [
        "{\"a\":\"entry\",\"b\":[1]}",
        "{\"a\":{\"entry\":[1]}}",
        "{\"entry\":{\"a\":[1]}}",
    ] {
        assert_eq!(records(single, Some("entry")), [format!("line 1: {single}")]);
    }
    assert_eq!(records(bundle, None), [format!("line 1: {bundle}")]);
}

#[test]
fn a_bundle_that_is_cut_off_costs_no_other_line() {
    let input = "{\"y\":1}\n{\"entry\":[{\"r\":1},{\"r\"\n{\"z\":1}\n";
    assert_eq!(
        records(input, Some("entry")),
        [
            "line 1: {\"y\":1}",
            "line 2, entry[0]: {\"r\":1}",
            "line 2, entry[1]: {\"r\"",
            "line 2: !",
            "line 3: {\"z\":1}",
        ]
    );
    assert_eq!(
        records("{\"entry\":[{\"r\":1}", Some("entry")),
        ["line 1, entry[0]: {\"r\":1}", "line 1: !"]
    );
}

#[test]
fn a_record_of_any_length_costs_no_more_memory_than_the_largest_that_is_taken() {
    let long = format!(
        "{{\"a\":\"{}\"}}\n{{\"b\":1}}\n",
        "x".repeat(fhir::limits::MAX_BODY_BYTES)
    );
    let mut records = Records::new(long.as_bytes(), None);
    let place = |line| Place {
        line,
        item: None,
        entry: None,
    };
    let (first, found) = records.next().unwrap().unwrap();
    assert_eq!(first, place(1));
    assert!(matches!(found, Found::Broken(what) if what.contains("2097152 bytes")));
    let second = records.next().unwrap().unwrap();
    assert_eq!(second, (place(2), Found::Record(b"{\"b\":1}".to_vec())));
    assert_eq!(records.next().unwrap(), None);
}
