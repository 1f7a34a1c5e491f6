//! Points in time with microsecond precision — <https://hl7.org/fhir/R4/datatypes.html#instant>

use chrono::{DateTime, Days, Months, NaiveDate, SecondsFormat, Utc};

/// Microseconds of one second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of one day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point this many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// As a FHIR `instant` in UTC with six decimals: `2026-11-21T03:34:00.123456Z`.
    pub fn to_instant(self) -> String {
        self.to_chrono().to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// As chrono's type. Out of chrono's range (the year 262142) the epoch stands in.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// The stretch of time that a FHIR `date`, `dateTime` or `instant` names, as the half-open range
/// `[low, high)` in microseconds since the epoch: `2026-11` is the whole month. What states no offset is
/// read in UTC, dates included — <https://hl7.org/fhir/R4/search.html#date>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// Start, inclusive.
    pub low: i64,
    /// End, exclusive.
    pub high: i64,
}

impl TimeRange {
    /// The range of `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm[:ss[.f…]]` with an optional `Z`
    /// or `±hh:mm`. `None` for any other shape and for a day or time that does not exist. A leap second is
    /// the first of the next minute; digits past the microsecond are cut off.
    pub fn parse(text: &str) -> Option<TimeRange> {
        match text.split_once('T') {
            None => TimeRange::of_date(text),
            Some((date, time)) => TimeRange::of_time(date, time),
        }
    }

    /// The range of one microsecond.
    pub const fn of_instant(at: Timestamp) -> TimeRange {
        TimeRange {
            low: at.0,
            high: at.0.saturating_add(1),
        }
    }

    fn of_date(text: &str) -> Option<TimeRange> {
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = parts.next().map(|part| number(part, 2));
        let day = parts.next().map(|part| number(part, 2));
        if parts.next().is_some() || year == 0 {
            return None;
        }
        let first = NaiveDate::from_ymd_opt(
            i32::try_from(year).ok()?,
            month.unwrap_or(Some(1))?,
            day.unwrap_or(Some(1))?,
        )?;
        let end = match (month, day) {
            (None, _) => first.checked_add_months(Months::new(12))?,
            (_, None) => first.checked_add_months(Months::new(1))?,
            _ => first.checked_add_days(Days::new(1))?,
        };
        Some(TimeRange {
            low: midnight(first)?,
            high: midnight(end)?,
        })
    }

    fn of_time(date: &str, time: &str) -> Option<TimeRange> {
        // A time needs a whole day before it.
        if date.len() != 10 {
            return None;
        }
        let day = TimeRange::of_date(date)?;
        let (clock, offset) = split_offset(time)?;
        let (clock, fraction) = match clock.split_once('.') {
            Some((clock, fraction)) => (clock, Some(fraction)),
            None => (clock, None),
        };
        let mut parts = clock.split(':');
        let hour = number(parts.next()?, 2).filter(|&hour| hour < 24)?;
        let minute = number(parts.next()?, 2).filter(|&minute| minute < 60)?;
        let second = parts
            .next()
            .map(|part| number(part, 2).filter(|&second| second <= 60));
        if parts.next().is_some() || (second.is_none() && fraction.is_some()) {
            return None;
        }
        let seconds = i64::from(hour * 3600 + minute * 60 + second.unwrap_or(Some(0))?);
        let (micros, width) = match (fraction, second) {
            (Some(fraction), _) => micros(fraction)?,
            (None, Some(_)) => (0, MICROS_PER_SECOND),
            (None, None) => (0, 60 * MICROS_PER_SECOND),
        };
        let low = day.low + (seconds - offset) * MICROS_PER_SECOND + micros;
        Some(TimeRange {
            low,
            high: low + width,
        })
    }
}

fn midnight(date: NaiveDate) -> Option<i64> {
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

/// A number of exactly so many ASCII digits: chrono would also take `+1988` and `2`.
fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// The clock and the offset in seconds east of Greenwich.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let Some(position) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (clock, offset) = time.split_at_checked(position)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let hours = number(hours, 2).filter(|&hours| hours <= 14)?;
    let minutes = number(minutes, 2).filter(|&minutes| minutes < 60)?;
    let east = i64::from(hours * 3600 + minutes * 60);
    Some((clock, if offset.starts_with('-') { -east } else { east }))
}

/// The microseconds of a fraction of a second, and the width of its last digit in microseconds.
fn micros(fraction: &str) -> Option<(i64, i64)> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut micros = 0;
    let mut width = MICROS_PER_SECOND;
    for digit in fraction.bytes().take(6) {
        width /= 10;
        micros += i64::from(digit - b'0') * width;
    }
    Some((micros, width))
}

#[cfg(test)]
mod tests;
