//! Comparing decimals by their text, exactly: they may have any number of digits.

use std::cmp::Ordering;

/// A decimal taken apart: sign, power of ten of the first digit that counts, and the digits from there.
struct Parsed<'t> {
    negative: bool,
    /// `None` for zero.
    magnitude: Option<i64>,
    digits: &'t str,
}

fn parse(text: &str) -> Option<Parsed<'_>> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    // An exponent past 64 bits keeps its sign and loses its size: still bigger than any other.
    let exponent = exponent
        .parse::<i64>()
        .unwrap_or(match exponent.starts_with('-') {
            true => i64::MIN / 2,
            false => i64::MAX / 2,
        });
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let whole = number.find('.').unwrap_or(number.len());
    let first = number.find(|c: char| c != '0' && c != '.');
    let magnitude = first.and_then(|first| {
        let place = i64::try_from(whole).ok()? - i64::try_from(first).ok()?;
        // Behind the point its own character counts too.
        Some((if place > 0 { place - 1 } else { place }).saturating_add(exponent))
    });
    let digits = first.and_then(|first| number.get(first..)).unwrap_or_default();
    Some(Parsed {
        negative,
        magnitude,
        digits,
    })
}

/// Compares two decimals by value: `1.0` equals `1` and `10e-1`.
pub(crate) fn compare(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (parse(left)?, parse(right)?);
    let sign = |parsed: &Parsed<'_>| match (parsed.magnitude, parsed.negative) {
        (None, _) => 0,
        (Some(_), true) => -1,
        (Some(_), false) => 1,
    };
    let by_sign = sign(&left).cmp(&sign(&right));
    if by_sign != Ordering::Equal || sign(&left) == 0 {
        return Some(by_sign);
    }
    let by_size = left
        .magnitude
        .cmp(&right.magnitude)
        .then_with(|| compare_digits(left.digits, right.digits));
    Some(if left.negative { by_size.reverse() } else { by_size })
}

/// Compares digits of the same magnitude; the shorter one goes on with zeros.
fn compare_digits(left: &str, right: &str) -> Ordering {
    let mut left = left.bytes().filter(|b| *b != b'.');
    let mut right = right.bytes().filter(|b| *b != b'.');
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (l, r) => match l.unwrap_or(b'0').cmp(&r.unwrap_or(b'0')) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}
