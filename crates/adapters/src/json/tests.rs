use serde_json::json;

use super::{Fault, MAX_DEPTH, object};

#[test]
fn an_object_is_read_in_its_order_with_its_digits() {
    let read = object(b" {\"b\":1.0,\"a\":[{\"c\":18446744073709551617},null,true],\"t\":\"x\\ty\"}\n")
        .expect("JSON");
    let keys: Vec<&str> = read.keys().map(String::as_str).collect();
    assert_eq!(keys, ["b", "a", "t"]);
    assert_eq!(read["b"].to_string(), "1.0");
    assert_eq!(read["a"][0]["c"].to_string(), "18446744073709551617");
    assert_eq!(read["a"][2], json!(true));
}

#[test]
fn what_two_parsers_could_read_differently_is_refused_with_its_place() {
    let duplicate = |path: &str| Fault::Duplicate {
        path: path.to_owned(),
    };
    let control = |path: &str| Fault::Control {
        path: path.to_owned(),
    };
    for (body, fault) in [
        (&b""[..], Fault::Empty),
        (b" \n", Fault::Empty),
        (b"\xff", Fault::NotUtf8),
        (b"\xef\xbb\xbf{}", Fault::NotUtf8),
        (b"[]", Fault::NotAnObject),
        (b"\"x\"", Fault::NotAnObject),
        (b"{\"a\":1,\"a\":2}", duplicate("a")),
        (b"{\"a\":{\"b\":[1,{\"c\":1,\"c\":2}]}}", duplicate("a.b[1].c")),
        (b"{\"a\":[\"\\u0000\"]}", control("a[0]")),
        (b"{\"\\u0001\":1}", control("\u{1}")),
        (b"{\"a\":1", Fault::Syntax { line: 1, column: 6 }),
        (b"{\"a\":1} x", Fault::Syntax { line: 1, column: 9 }),
        (b"{\"a\":\"\\ud800\"}", Fault::Syntax { line: 1, column: 13 }),
    ] {
        assert_eq!(object(body), Err(fault), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn nesting_is_bounded_before_it_costs_stack() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(object(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
    assert_eq!(object(nested(MAX_DEPTH).as_bytes()), Err(Fault::TooDeep));
    assert_eq!(object(nested(100_000).as_bytes()), Err(Fault::TooDeep));
}
