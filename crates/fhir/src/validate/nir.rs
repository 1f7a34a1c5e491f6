//! The French NIR and its key (NIR, INS-NIR, INS-NIA and the social-security number share the form).

use serde_json::Value;

use crate::limits::MAX_ISSUES;
use crate::outcome::{Issue, IssueCode};
use crate::resource::Resource;

/// The systems whose values are NIRs: INS-NIR, INS-NIA, INS test and demo, social-security number.
pub const SYSTEMS: [&str; 5] = [
    "urn:oid:1.2.250.1.213.1.4.8",
    "urn:oid:1.2.250.1.213.1.4.9",
    "urn:oid:1.2.250.1.213.1.4.10",
    "urn:oid:1.2.250.1.213.1.4.11",
    "urn:oid:1.2.250.1.213.1.4.13",
];

/// What can be said of a NIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 13 characters and the right key.
    Right,
    /// 13 characters without key: nothing to check.
    WithoutKey,
    /// 13 characters and a wrong key.
    WrongKey {
        /// The key that the 13 characters give, 1 to 97.
        expected: u8,
    },
    /// Not of the form `[1-478]` + 4 digits + (2 digits, `2A` or `2B`) + 6 digits + perhaps 2 digits.
    NoNir,
}

/// Checks form and key. Gender, month and department are not looked at: incomplete civil status makes odd
/// but legal ones (months 20 to 42 and 50 to 99).
pub fn check(text: &str) -> Verdict {
    let bytes = text.as_bytes();
    let Some((body, key)) = bytes.split_at_checked(13) else {
        return Verdict::NoNir;
    };
    let Some(expected) = key_of(body) else {
        return Verdict::NoNir;
    };
    match key {
        [] => Verdict::WithoutKey,
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] if (tens - b'0') * 10 + (ones - b'0') == expected => {
            Verdict::Right
        }
        [b'0'..=b'9', b'0'..=b'9'] => Verdict::WrongKey { expected },
        _ => Verdict::NoNir,
    }
}

/// The key (1 to 97, written with two digits) of the 13 characters of a NIR; `None` when they are none.
pub fn key(nir: &str) -> Option<u8> {
    key_of(nir.as_bytes())
}

/// 97 − (N mod 97), Corsica's `2A` counted as 19 and `2B` as 18.
fn key_of(body: &[u8]) -> Option<u8> {
    if body.len() != 13 || !matches!(body.first(), Some(b'1' | b'2' | b'3' | b'4' | b'7' | b'8')) {
        return None;
    }
    let mut number = 0_u64;
    for (position, byte) in body.iter().enumerate() {
        let digit = match (position, byte) {
            (_, b'0'..=b'9') => u64::from(byte - b'0'),
            // Corsica: the 2 just read becomes a 1, the letter a 9 or 8.
            (6, b'A' | b'B') if body.get(5) == Some(&b'2') => {
                number -= 1;
                if *byte == b'A' { 9 } else { 8 }
            }
            _ => return None,
        };
        number = number * 10 + digit;
    }
    u8::try_from(97 - number % 97).ok()
}

/// A warning for each identifier of a French national system whose key is wrong: official examples carry
/// such, so it is never an error here. The number itself is not repeated. At most
/// [`MAX_ISSUES`].
pub fn warnings(resource: &Resource) -> Vec<Issue> {
    let mut warnings = Vec::new();
    for (index, node) in resource.list("identifier").iter().enumerate() {
        let text = |name: &str| node.get(name).and_then(Value::as_str);
        let (Some(system), Some(value)) = (text("system"), text("value")) else {
            continue;
        };
        if warnings.len() >= MAX_ISSUES {
            break;
        }
        if !SYSTEMS.contains(&system) {
            continue;
        }
        if let Verdict::WrongKey { expected } = check(value) {
            let written: String = value.chars().skip(13).collect();
            let warning = Issue::warning(
                IssueCode::Value,
                format!(
                    "The key (the last two digits) of this NIR is {written}, its other digits give {expected:02}. Check the number."
                ),
            );
            warnings.push(
                warning
                    .at(format!("{}.identifier[{index}].value", resource.kind()))
                    .with_diagnostics(format!("key {written}")),
            );
        }
    }
    warnings
}
