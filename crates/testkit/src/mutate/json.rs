//! Structure-aware changes of JSON: the result is often still JSON, and then wrong in an interesting way.

use serde_json::Value;

use super::{NASTY_TEXTS, bytes};
use crate::random::Random;

/// Scalars that stand where another kind belongs, or at the edge of what numbers can be. Some are no
/// JSON: a lone surrogate is only half of one, `01` and `NaN` are not numbers.
const SCALARS: [&str; 36] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.0",
    "1.50",
    "01",
    "+1",
    ".5",
    "NaN",
    "1e400",
    "1e-400",
    "-1e999999999",
    "9007199254740993",
    "99999999999999999999999999",
    "0.1000000000000000055511151231257827",
    "\"\"",
    "\" \"",
    "\"true\"",
    "\"1\"",
    "\"2026-02-30\"",
    "\"2026-13\"",
    "\"0000-00-00\"",
    "\"2026-11-20T25:61:00Z\"",
    "\"Patient/\"",
    "\"#\"",
    "\"urn:uuid:\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\\x\"",
    "[]",
    "{}",
    "[null]",
];

/// Names that other parts of the format give a meaning to.
const NAMES: [&str; 18] = [
    "resourceType",
    "id",
    "meta",
    "contained",
    "extension",
    "_id",
    "_birthDate",
    "identifier",
    "name",
    "value",
    "valueString",
    "deceasedBoolean",
    "div",
    "",
    " ",
    "__proto__",
    "$ref",
    "é",
];

/// One tree as JSON text knows it: names may be doubled, scalars may be wrong.
#[derive(Clone)]
enum Node {
    Scalar(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// A broken variant of the JSON document `input`: members removed, doubled, swapped, renamed, retyped,
/// numbers and texts at the edge, deep nesting; one in ten is changed as plain bytes besides.
/// Input that is no JSON is changed as bytes.
pub fn json(seed: u64, input: &[u8]) -> Vec<u8> {
    let random = &mut Random::new(seed);
    let Ok(value) = serde_json::from_slice::<Value>(input) else {
        return bytes(seed, input);
    };
    let mut tree = from_value(&value);
    for _ in 0..=random.below(3) {
        let chosen = random.below(size(&tree));
        change(random, nth(&mut tree, chosen));
    }
    let mut output = Vec::new();
    write(&tree, &mut output);
    if random.percent(10) {
        bytes(random.bits(), &output)
    } else {
        output
    }
}

fn change(random: &mut Random, node: &mut Node) {
    match random.below(8) {
        0 => *node = Node::Scalar(random.pick(&SCALARS).to_owned()),
        1 => *node = Node::Scalar(quoted(random.pick(&NASTY_TEXTS))),
        2 => {
            let inner = node.clone();
            *node = if random.percent(50) {
                Node::Array(vec![inner])
            } else {
                Node::Object(vec![(random.pick(&NAMES).to_owned(), inner)])
            };
        }
        3 => *node = nested(random, node.clone()),
        _ => match node {
            Node::Scalar(text) => change_scalar(random, text),
            Node::Array(items) => change_array(random, items),
            Node::Object(members) => change_object(random, members),
        },
    }
}

fn change_scalar(random: &mut Random, text: &mut String) {
    let is_text = text.starts_with('"');
    match random.below(4) {
        // The other way of writing it: a text without quotes, a number with them.
        0 if is_text => *text = text.trim_matches('"').to_owned(),
        0 => *text = format!("\"{text}\""),
        1 if is_text => {
            let size = 1 << random.between(4, 14);
            *text = quoted(&"é".repeat(size));
        }
        1 => text.push_str(&"0".repeat(random.below(400))),
        2 if is_text => {
            let inner = text.trim_matches('"');
            *text = format!(
                "\"{inner}{}\"",
                quoted(random.pick(&NASTY_TEXTS)).trim_matches('"')
            );
        }
        _ => *text = random.pick(&SCALARS).to_owned(),
    }
}

fn change_array(random: &mut Random, items: &mut Vec<Node>) {
    if items.is_empty() {
        items.push(Node::Scalar(random.pick(&SCALARS).to_owned()));
        return;
    }
    let place = random.below(items.len());
    match random.below(5) {
        0 => drop(items.remove(place)),
        1 => items.insert(place, items[place].clone()),
        2 => items.clear(),
        3 => items.insert(place, Node::Scalar("null".to_owned())),
        _ => {
            let other = random.below(items.len());
            items.swap(place, other);
        }
    }
}

fn change_object(random: &mut Random, members: &mut Vec<(String, Node)>) {
    let name = random.pick(&NAMES).to_owned();
    if members.is_empty() {
        members.push((name, Node::Scalar(random.pick(&SCALARS).to_owned())));
        return;
    }
    let place = random.below(members.len());
    match random.below(7) {
        0 => drop(members.remove(place)),
        1 => members.push(members[place].clone()),
        2 => members[place].0 = name,
        3 => members.push((name, Node::Scalar(random.pick(&SCALARS).to_owned()))),
        4 => members.rotate_left(place),
        5 => {
            let letters = &mut members[place].0;
            if let Some(first) = letters.pop() {
                letters.insert(0, first);
            }
        }
        _ => {
            // Two members change values: right names, wrong kinds.
            let other = random.below(members.len());
            let value = members[place].1.clone();
            members[place].1 = std::mem::replace(&mut members[other].1, value);
        }
    }
}

/// `inner` below 2 to 2 000 levels.
fn nested(random: &mut Random, inner: Node) -> Node {
    let depth = random.pick(&[2, 31, 32, 63, 64, 65, 66, 128, 400, 2000]);
    let (open, close) = random.pick(&[
        ("[", "]"),
        ("{\"extension\":[", "]}"),
        ("{\"contained\":[", "]}"),
        ("{\"a\":", "}"),
    ]);
    let mut text = Vec::new();
    write(&inner, &mut text);
    // Kept as text: a tree of that depth would overflow the stack of the one who drops it.
    Node::Scalar(format!(
        "{}{}{}",
        open.repeat(depth),
        String::from_utf8_lossy(&text),
        close.repeat(depth)
    ))
}

fn from_value(value: &Value) -> Node {
    match value {
        Value::Array(items) => Node::Array(items.iter().map(from_value).collect()),
        Value::Object(members) => Node::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), from_value(value)))
                .collect(),
        ),
        scalar => Node::Scalar(scalar.to_string()),
    }
}

fn size(node: &Node) -> usize {
    1 + match node {
        Node::Scalar(_) => 0,
        Node::Array(items) => items.iter().map(size).sum(),
        Node::Object(members) => members.iter().map(|(_, value)| size(value)).sum::<usize>(),
    }
}

/// The node of this number, counted from the root downwards.
fn nth(node: &mut Node, mut number: usize) -> &mut Node {
    if number == 0 {
        return node;
    }
    number -= 1;
    let children: Vec<&mut Node> = match node {
        Node::Scalar(_) => Vec::new(),
        Node::Array(items) => items.iter_mut().collect(),
        Node::Object(members) => members.iter_mut().map(|(_, value)| value).collect(),
    };
    for child in children {
        let below = size(child);
        if number < below {
            return nth(child, number);
        }
        number -= below;
    }
    unreachable!("the number is below the size")
}

fn write(node: &Node, output: &mut Vec<u8>) {
    match node {
        Node::Scalar(text) => output.extend_from_slice(text.as_bytes()),
        Node::Array(items) => {
            output.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    output.push(b',');
                }
                write(item, output);
            }
            output.push(b']');
        }
        Node::Object(members) => {
            output.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    output.push(b',');
                }
                output.extend_from_slice(quoted(name).as_bytes());
                output.push(b':');
                write(value, output);
            }
            output.push(b'}');
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
