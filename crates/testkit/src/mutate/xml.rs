//! Structure-aware changes of XML, tag by tag.

use super::{NASTY_TEXTS, bytes};
use crate::random::Random;

/// What must be refused wherever it stands, or understood without harm.
const INSERTS: [&str; 16] = [
    "<!DOCTYPE x [<!ENTITY a \"b\">]>",
    "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">",
    "<?xml version=\"1.0\"?>",
    "<?php echo 1 ?>",
    "<![CDATA[<x>]]>",
    "<!-- -- -->",
    "<!-- a comment -->",
    "&a;",
    "&#0;",
    "&#xD800;",
    "&#65;",
    "&amp;amp;",
    "<xi:include href=\"/etc/passwd\"/>",
    "<unknown value=\"1\"/>",
    "]]>",
    "\u{feff}",
];
const NAMES: [&str; 10] = [
    "Patient",
    "f:Patient",
    "id",
    "extension",
    "contained",
    "div",
    "value",
    "xmlns",
    "",
    "é",
];

/// A broken variant of the XML document `input`: tags removed, doubled, swapped, renamed, unclosed,
/// attributes doubled or by the thousand, entities, DOCTYPE, deep nesting; one in ten is changed as plain
/// bytes besides.
pub fn xml(seed: u64, input: &[u8]) -> Vec<u8> {
    let random = &mut Random::new(seed);
    let text = String::from_utf8_lossy(input);
    let mut tokens = tokens(&text);
    for _ in 0..=random.below(3) {
        change(random, &mut tokens);
    }
    let output = tokens.concat().into_bytes();
    if random.percent(10) {
        bytes(random.bits(), &output)
    } else {
        output
    }
}

/// Tags and the texts between them.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = match rest.strip_prefix('<') {
            Some(_) => rest.find('>').map_or(rest.len(), |end| end + 1),
            None => rest.find('<').unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token.to_owned());
        rest = after;
    }
    tokens
}

fn change(random: &mut Random, tokens: &mut Vec<String>) {
    if tokens.is_empty() {
        tokens.push(random.pick(&INSERTS).to_owned());
        return;
    }
    let place = random.below(tokens.len());
    match random.below(10) {
        0 => drop(tokens.remove(place)),
        1 => tokens.insert(place, tokens[place].clone()),
        2 => {
            let other = random.below(tokens.len());
            tokens.swap(place, other);
        }
        3 => tokens.insert(place, random.pick(&INSERTS).to_owned()),
        4 => rename(random, &mut tokens[place]),
        5 => add_attributes(random, &mut tokens[place]),
        6 => set_value(random, &mut tokens[place]),
        7 => nest(random, tokens, place),
        8 => {
            // Open becomes empty, close becomes open.
            let token = &tokens[place];
            tokens[place] = match token.strip_prefix("</") {
                Some(rest) => format!("<{rest}"),
                None => token.replacen('>', "/>", 1),
            };
        }
        _ => tokens.truncate(place),
    }
}

fn rename(random: &mut Random, token: &mut String) {
    let Some(rest) = token.strip_prefix('<') else {
        token.push_str(random.pick(&NASTY_TEXTS));
        return;
    };
    let rest = rest.trim_start_matches('/');
    let end = rest.find([' ', '>', '/']).unwrap_or(rest.len());
    let slash = if token.starts_with("</") { "/" } else { "" };
    *token = format!("<{slash}{}{}", random.pick(&NAMES), &rest[end..]);
}

fn add_attributes(random: &mut Random, token: &mut String) {
    if !token.starts_with('<') {
        return;
    }
    let count = random.pick(&[1, 2, 31, 32, 33, 1000]);
    let attributes: String = match random.below(3) {
        0 => " value=\"again\"".repeat(count),
        1 => (0..count).map(|number| format!(" a{number}=\"\"")).collect(),
        _ => (0..count)
            .map(|number| format!(" xmlns:n{number}=\"urn:n{number}\""))
            .collect(),
    };
    let end = token
        .find(['/', '>'])
        .filter(|end| *end > 0)
        .unwrap_or(token.len());
    token.insert_str(end, &attributes);
}

fn set_value(random: &mut Random, token: &mut String) {
    let Some((before, rest)) = token.split_once("value=\"") else {
        return rename(random, token);
    };
    let Some((_, after)) = rest.split_once('"') else {
        return;
    };
    let value = match random.below(4) {
        0 => "&lt;&#10;&quot;".to_owned(),
        1 => "9".repeat(1 << random.between(2, 12)),
        2 => "a\"b".to_owned(),
        _ => random.pick(&NASTY_TEXTS).to_owned(),
    };
    *token = format!("{before}value=\"{value}\"{after}");
}

fn nest(random: &mut Random, tokens: &mut Vec<String>, place: usize) {
    let depth = random.pick(&[2, 32, 63, 64, 65, 128, 1300, 2000]);
    let (open, close) = random.pick(&[
        ("<extension url=\"u\">", "</extension>"),
        ("<contained>", "</contained>"),
        ("<div xmlns=\"http://www.w3.org/1999/xhtml\">", "</div>"),
    ]);
    tokens.insert(place, open.repeat(depth));
    // One in four is left open.
    if !random.percent(25) {
        tokens.insert(place + 1, close.repeat(depth));
    }
}
