//! Mutations of bodies, the same for the same seed.

use serde_json::{Map, Value, json};

/// splitmix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(1))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const SPLICES: &[&str] = &[
    "\0",
    "\u{1}",
    "\u{b}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{1F600}",
    "e\u{301}",
    "\u{202e}",
    "\\u0000",
    "\\ud800",
    "\\udc00\\ud800",
    "\\uFFFE",
    "\\n",
    "\\",
    "\"",
    "'",
    "<",
    ">",
    "&",
    "&amp;",
    "&#10;",
    "&#0;",
    "&#xD800;",
    "&nbsp;",
    "]]>",
    "<!--",
    "-->",
    "<![CDATA[x]]>",
    "<!DOCTYPE a>",
    "<?a?>",
    "<a/>",
    "</a>",
    " ",
    "\n",
    "\t",
    "\r\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e5",
    "-0",
    "0.10",
    "[[[[",
    "{\"a\":",
    " id=\"x\"",
    " value=\"y\"",
    " xmlns=\"urn:x\"",
    "xmlns:p=\"urn:p\"",
    "p:",
    "<extension url=\"u\"><valueString value=\"v\"/></extension>",
    "_",
    "/",
];

const STRINGS: &[&str] = &[
    "",
    " ",
    "a\nb",
    "a\tb",
    "a\r\nb",
    " lead",
    "\u{0}",
    "\u{1b}",
    "\u{fffe}",
    "<b>&amp;</b>",
    "\"'",
    "true",
    "1.0",
    "<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>",
    "<div>a</div>",
    "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>",
    "𝄞",
    "Patient",
];

const NAMES: &[&str] = &[
    "id",
    "extension",
    "modifierExtension",
    "url",
    "value",
    "valueString",
    "valueDecimal",
    "text",
    "div",
    "name",
    "given",
    "_given",
    "contained",
    "resourceType",
    "active",
    "_active",
    "birthDate",
    "period",
    "",
    "a b",
    "é",
    "_",
    "meta",
    "$serde_json::private::Number",
];

/// One change somewhere in the tree.
pub fn mutate_tree(random: &mut Random, value: &mut Value, corpus: &[(String, Map<String, Value>)]) {
    let descend = random.below(4) > 0;
    match value {
        Value::Object(map) if !map.is_empty() => {
            let position = random.below(map.len());
            let name = map.keys().nth(position).unwrap().clone();
            if descend {
                return mutate_tree(random, map.get_mut(&name).unwrap(), corpus);
            }
            match random.below(6) {
                0 => {
                    map.shift_remove(&name);
                }
                1 => {
                    let inner = map.shift_remove(&name).unwrap();
                    map.insert((*random.pick(NAMES)).to_owned(), inner);
                }
                2 => {
                    let inner = map.shift_remove(&name).unwrap();
                    map.insert(format!("_{name}"), inner);
                }
                3 => {
                    map.insert((*random.pick(NAMES)).to_owned(), scalar(random));
                }
                4 => {
                    let (_, other) = random.pick(corpus);
                    let from = random.below(other.len());
                    let (name, other) = other.iter().nth(from).unwrap();
                    map.insert(name.clone(), other.clone());
                }
                _ => map.sort_keys(),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let position = random.below(items.len());
            if descend {
                return mutate_tree(random, &mut items[position], corpus);
            }
            match random.below(6) {
                0 => {
                    items.remove(position);
                }
                1 => items.insert(position, items[position].clone()),
                2 => items.insert(position, Value::Null),
                3 => items[position] = Value::Null,
                4 => items.push(scalar(random)),
                _ => items.reverse(),
            }
        }
        other => {
            *other = match random.below(8) {
                0 => json!([other.clone()]),
                1 => json!({ "value": other.clone() }),
                2 => json!({ "extension": [{ "url": "u", "valueCode": "c" }] }),
                _ => scalar(random),
            }
        }
    }
}

fn scalar(random: &mut Random) -> Value {
    match random.below(8) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.next() as i64),
        3 => format!("{}.{:03}", random.below(50), random.below(1000))
            .parse()
            .map(Value::Number)
            .unwrap(),
        4 => json!({}),
        5 => json!([]),
        _ => json!(*random.pick(STRINGS)),
    }
}

/// One or a few changes to the text, along pieces that begin and end with these characters.
pub fn mutate_text(random: &mut Random, text: &str, [open, close]: [char; 2]) -> String {
    let mut text = text.to_owned();
    for _ in 0..=random.below(2) {
        let (from, to) = piece(random, &text, open, close);
        let inner = text[from..to].to_owned();
        match random.below(6) {
            0 => text.replace_range(from..to, ""),
            1 => text.insert_str(to, &inner),
            2 => {
                let (other, end) = piece(random, &text, open, close);
                let moved = text[other..end].to_owned();
                text.replace_range(from..to, &moved);
            }
            3 => text.insert_str(from, random.pick::<&str>(SPLICES)),
            4 => {
                let inside = text[from..to]
                    .chars()
                    .next()
                    .map_or(from, |first| from + first.len_utf8());
                text.insert_str(inside.min(to), random.pick::<&str>(SPLICES));
            }
            _ => text.insert_str(to, random.pick::<&str>(SPLICES)),
        }
    }
    if random.below(12) == 0 {
        let cut = boundary(&text, random.below(text.len() + 1));
        text.truncate(cut);
    }
    text
}

/// The bounds of a piece of the text.
fn piece(random: &mut Random, text: &str, open: char, close: char) -> (usize, usize) {
    let start = boundary(text, random.below(text.len() + 1));
    let from = text[start..].find(open).map_or(start, |found| start + found);
    let behind = text[from..]
        .chars()
        .next()
        .map_or(from, |first| from + first.len_utf8());
    let to = text[behind..]
        .find(close)
        .map_or(text.len(), |found| behind + found + close.len_utf8());
    (from, to)
}

fn boundary(text: &str, mut position: usize) -> usize {
    while !text.is_char_boundary(position) {
        position -= 1;
    }
    position
}

/// Noise without any regard for structure.
pub fn mutate_bytes(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        let position = random.below(bytes.len().max(1));
        match random.below(5) {
            0 if position < bytes.len() => bytes[position] = random.next() as u8,
            1 if position < bytes.len() => {
                bytes.remove(position);
            }
            2 => bytes.insert(position.min(bytes.len()), random.next() as u8),
            3 if position < bytes.len() => bytes[position] ^= 1 << random.below(8),
            _ => {
                if random.below(8) == 0 {
                    bytes.truncate(position);
                }
            }
        }
    }
    bytes
}
