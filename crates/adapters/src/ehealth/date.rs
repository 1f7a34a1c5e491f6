//! Days as `YYYY-MM-DD`, which compare as text.

use super::error::Rule;

/// The rule that a text breaks which should be an existing day.
pub(super) fn check(text: &str) -> Result<(), Rule> {
    let no_date = || Rule::NoDate {
        text: text.to_owned(),
    };
    let (year, month, day) = parts(text).ok_or_else(no_date)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(no_date());
    }
    // FHIR knows no year 0.
    if year == 0 || day > days_of(year, month) {
        return Err(Rule::NoSuchDay {
            text: text.to_owned(),
        });
    }
    Ok(())
}

/// The day that a FHIR date or dateTime names, as it is written there; `None` when it names a year or a month.
pub(super) fn day_of(text: &str) -> Option<&str> {
    let day = text.get(.."YYYY-MM-DD".len())?;
    check(day).is_ok().then_some(day)
}

fn parts(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some((number(year, 4)?, number(month, 2)?, number(day, 2)?))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
