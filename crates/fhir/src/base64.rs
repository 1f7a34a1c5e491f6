//! The bytes of a `base64Binary` — <https://hl7.org/fhir/R4/datatypes.html#base64Binary>, RFC 4648, 4

/// The bytes that a text stands for; white space is passed over. `None` of what is not base64.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut digits, mut padding) = (0_u32, 0_u8, 0_u8);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = match byte {
            b'=' => {
                padding += 1;
                0
            }
            _ if padding > 0 => return None,
            other => value(other)?,
        };
        group = group << 6 | digit;
        digits += 1;
        if digits == 4 {
            let [_, first, second, third] = group.to_be_bytes();
            let whole = [first, second, third];
            let kept = whole
                .len()
                .checked_sub(usize::from(padding))
                .filter(|kept| *kept > 0)?;
            bytes.extend(whole.iter().take(kept));
            (group, digits) = (0, 0);
        }
    }
    (digits == 0).then_some(bytes)
}

/// The text that stands for bytes, on one line.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut whole = [0; 3];
        whole.iter_mut().zip(group).for_each(|(to, from)| *to = *from);
        let [first, second, third] = whole.map(u32::from);
        let bits = first << 16 | second << 8 | third;
        for place in 0..4 {
            // A group of n bytes has n + 1 digits.
            text.push(if place <= group.len() {
                digit(bits >> (18 - 6 * place) & 63)
            } else {
                '='
            });
        }
    }
    text
}

fn digit(value: u32) -> char {
    let letter = |first: u8, value: u32| char::from(first + u8::try_from(value).unwrap_or_default());
    match value {
        0..26 => letter(b'A', value),
        26..52 => letter(b'a', value - 26),
        52..62 => letter(b'0', value - 52),
        62 => '+',
        _ => '/',
    }
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn base64_is_read_as_the_rfc_writes_it() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9v\nYmE=\t", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text).unwrap(), bytes.as_bytes(), "{text}");
            assert_eq!(
                decode(&encode(bytes.as_bytes())).unwrap(),
                bytes.as_bytes(),
                "{text}"
            );
        }
        assert_eq!(encode(b"fooba"), "Zm9vYmE=");
        assert_eq!(encode(&[0xfb, 0xff, 0xbf]), "+/+/");
        assert_eq!(decode("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
    }

    #[test]
    fn what_is_not_base64_is_none() {
        for text in [
            "Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v=", "Zm-v", "Zm9vé",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
