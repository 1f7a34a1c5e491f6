//! Broken variants of valid input. The same seed and the same input give the same variant, so a failure
//! is repeated by its seed alone.

mod json;
mod shrink;
#[cfg(test)]
mod tests;
mod xml;

pub use json::json;
pub use shrink::shrink;
pub use xml::xml;

use crate::random::Random;

/// Text that breaks careless code: each is valid UTF-8.
pub const NASTY_TEXTS: [&str; 28] = [
    "",
    " ",
    "\t",
    "\u{0}",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{200b}",
    "\u{202e}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "e\u{301}\u{301}\u{301}",
    "İ",
    "ß",
    "%00",
    "%",
    "_",
    "\\",
    "'\"`;--",
    "$|,",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\r\nX-Injected: 1",
    "{{*}}",
];

/// Bytes that are not UTF-8.
const BAD_UTF8: [&[u8]; 7] = [
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\x80",
    b"\xf8\x88\x80\x80\x80",
];

/// One to four changes of bytes: flipped, removed, doubled, cut off, or replaced by what is no UTF-8.
pub fn bytes(seed: u64, input: &[u8]) -> Vec<u8> {
    let random = &mut Random::new(seed);
    let mut output = input.to_vec();
    for _ in 0..=random.below(4) {
        change_bytes(random, &mut output);
    }
    output
}

/// A query string with changed names, values, separators and escapes. The result may hold any byte but
/// those that end a request line (space, CR, LF), so it can be sent.
pub fn query(seed: u64, input: &str) -> Vec<u8> {
    let random = &mut Random::new(seed);
    let mut parts: Vec<Vec<u8>> = input.split('&').map(|part| part.as_bytes().to_vec()).collect();
    for _ in 0..=random.below(3) {
        change_query(random, &mut parts);
    }
    let separator: &[u8] = if random.percent(5) { b";" } else { b"&" };
    let mut output = parts.join(separator);
    output.retain(|byte| !matches!(byte, b' ' | b'\r' | b'\n'));
    output
}

/// A header value with changed quotes, separators, numbers and bytes. The result never holds CR, LF or
/// NUL, so it stays one header line.
pub fn header(seed: u64, input: &str) -> Vec<u8> {
    const PIECES: [&str; 24] = [
        "\"",
        "W/",
        "w/",
        "*",
        ",",
        ", ,",
        ";",
        "; q=0",
        "; q=1.5",
        ";q=",
        "=",
        "()",
        "\\\"",
        "\t",
        "Bearer ",
        "0",
        "-1",
        "99999999999999999999",
        "application/fhir+json",
        "*/*",
        "charset=utf-16",
        "fhirVersion=5.0",
        "\"\"",
        "%20",
    ];
    let random = &mut Random::new(seed);
    let mut output = input.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        match random.below(5) {
            0 => change_bytes(random, &mut output),
            1 => {
                let again = output.clone();
                output.extend_from_slice(random.pick(&[", ", ",", ";", " "]).as_bytes());
                output.extend_from_slice(&again);
            }
            2 => insert(random, &mut output, "\u{e9}\u{1f4a9}".as_bytes()),
            _ => {
                let piece = random.pick(&PIECES);
                insert(random, &mut output, piece.as_bytes());
            }
        }
    }
    output.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
    output
}

/// Every proper prefix of `input`.
pub fn truncations(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..input.len()).map(|length| &input[..length])
}

fn insert(random: &mut Random, output: &mut Vec<u8>, piece: &[u8]) {
    let place = random.below(output.len() + 1);
    output.splice(place..place, piece.iter().copied());
}

fn change_bytes(random: &mut Random, output: &mut Vec<u8>) {
    if output.is_empty() {
        output.push(random.bits() as u8);
        return;
    }
    let place = random.below(output.len());
    let end = (place + 1 + random.below(16)).min(output.len());
    match random.below(8) {
        0 => output[place] ^= 1 << random.below(8),
        1 => output[place] = random.bits() as u8,
        2 => drop(output.drain(place..end)),
        3 => {
            let piece = output[place..end].to_vec();
            output.splice(place..place, piece);
        }
        4 => output.truncate(place),
        5 => {
            let piece = random.pick(&BAD_UTF8);
            insert(random, output, piece);
        }
        6 => {
            let piece = random.pick(&NASTY_TEXTS);
            insert(random, output, piece.as_bytes());
        }
        _ => {
            let other = random.below(output.len());
            output.swap(place, other);
        }
    }
}

fn change_query(random: &mut Random, parts: &mut Vec<Vec<u8>>) {
    const NAMES: [&str; 16] = [
        "identifier",
        "Identifier",
        "identifier:of-type",
        "family:exact",
        "name:contains",
        "birthdate",
        "_id",
        "_sort",
        "_count",
        "_total",
        "_format",
        "_lastUpdated",
        "_has:Patient:x:y",
        "active:missing",
        "_",
        "",
    ];
    const VALUES: [&str; 20] = [
        "|",
        "a|",
        "|a",
        "a|b|c",
        "%7C",
        "%",
        "%2",
        "%zz",
        "%00",
        "%ff",
        "%ED%A0%80",
        "ge2026",
        "eq2026-13-45",
        "-1",
        "99999999999999999999",
        "a,b,,c",
        "\\,\\|\\$",
        "$",
        "+",
        "é",
    ];
    let place = random.below(parts.len());
    match random.below(9) {
        0 if parts.len() > 1 => drop(parts.remove(place)),
        1 => parts.push(parts[place].clone()),
        2 => parts.push(format!("{}={}", random.pick(&NAMES), random.pick(&VALUES)).into_bytes()),
        3 => {
            let value = parts[place]
                .iter()
                .position(|byte| *byte == b'=')
                .map_or(0, |equals| equals + 1);
            parts[place].truncate(value);
            parts[place].extend_from_slice(random.pick(&VALUES).as_bytes());
        }
        4 => {
            let piece = random.pick(&VALUES);
            insert(random, &mut parts[place], piece.as_bytes());
        }
        5 => {
            // Every byte escaped, or one escape more than needed.
            let part = &parts[place];
            let equals = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            let escaped: Vec<u8> = part[equals..]
                .iter()
                .skip(1)
                .flat_map(|byte| format!("%{byte:02x}").into_bytes())
                .collect();
            parts[place] = [&part[..equals], b"=", &escaped].concat();
        }
        6 => parts[place] = [&parts[place][..], &vec![b'a'; 1 << random.between(4, 12)]].concat(),
        7 => {
            let text = random.pick(&NASTY_TEXTS);
            insert(random, &mut parts[place], text.as_bytes());
        }
        _ => change_bytes(random, &mut parts[place]),
    }
}
