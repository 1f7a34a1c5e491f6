//! date, dateTime, instant and time — <https://hl7.org/fhir/R4/datatypes.html#dateTime>

use super::{Fault, expect, fault};

/// The stretch of time that a date or dateTime names, in nanoseconds since the year 0 in UTC, both ends
/// included. Without a time zone it is as wide as the zones of the earth make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::validate) struct Span {
    /// The first moment.
    pub(in crate::validate) first: i128,
    /// The last moment.
    pub(in crate::validate) last: i128,
    zoned: bool,
}

impl Span {
    /// Whether this lies after the other one, wholly and whatever the missing parts are. Two dates without
    /// a zone are taken as dates of one zone.
    pub(in crate::validate) fn is_after(self, other: Span) -> bool {
        let slack = if self.zoned == other.zoned { 0 } else { ZONE_SLACK };
        self.first > other.last + slack
    }
}

const SECOND: i128 = 1_000_000_000;
/// The furthest that a time zone lies from UTC, in nanoseconds.
const ZONE_SLACK: i128 = 14 * 3600 * SECOND;

/// The span of a valid date or dateTime; `None` for anything else.
pub(in crate::validate) fn span(text: &str) -> Option<Span> {
    let parts = Parts::of(text)?;
    parts.is_real().then(|| parts.span()).flatten()
}

pub(super) fn date(text: &str) -> Result<(), Fault> {
    const ADVICE: &str = "Write YYYY, YYYY-MM or YYYY-MM-DD, such as 1980-02-29.";
    match Parts::of(text) {
        Some(parts) if parts.clock.is_none() => expect(
            parts.is_real(),
            "is not a day of the calendar",
            "Write a day that exists.",
        ),
        _ => Err(fault("is not a date", ADVICE)),
    }
}

pub(super) fn date_time(text: &str) -> Result<(), Fault> {
    const ADVICE: &str =
        "Write YYYY, YYYY-MM, YYYY-MM-DD or, with a time, seconds and zone, 2026-11-21T03:34:00+01:00.";
    match Parts::of(text) {
        Some(parts) if parts.clock.is_none_or(|clock| clock.offset.is_some()) => expect(
            parts.is_real(),
            "is not a day of the calendar",
            "Write a day that exists.",
        ),
        Some(_) => Err(fault(
            "has a time but no time zone",
            "Add Z or an offset such as +01:00.",
        )),
        None => Err(fault("is not a dateTime", ADVICE)),
    }
}

pub(super) fn instant(text: &str) -> Result<(), Fault> {
    match Parts::of(text) {
        Some(parts) if parts.clock.is_some_and(|clock| clock.offset.is_some()) => expect(
            parts.is_real(),
            "is not a day of the calendar",
            "Write a day that exists.",
        ),
        _ => Err(fault(
            "is not an instant",
            "Write date, time with seconds, and zone, such as 2026-11-21T03:34:00.123Z.",
        )),
    }
}

pub(super) fn time(text: &str) -> Result<(), Fault> {
    let clock = Clock::of(text.as_bytes());
    expect(
        clock.is_some_and(|clock| clock.offset.is_none()),
        "is not a time",
        "Write hh:mm:ss without zone, such as 08:30:00.",
    )
}

/// What a date, dateTime or instant says. `None` stands for parts not written.
#[derive(Clone, Copy)]
struct Parts {
    year: u32,
    month: Option<u32>,
    day: Option<u32>,
    clock: Option<Clock>,
}

/// `hh:mm:ss`, a fraction and a zone.
#[derive(Clone, Copy)]
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    /// Nanoseconds; further digits are read and dropped.
    fraction: u32,
    /// Digits of the fraction.
    digits: usize,
    /// Minutes east of UTC.
    offset: Option<i32>,
}

/// The number of exactly two digits at this position.
fn two(bytes: &[u8], at: usize) -> Option<u32> {
    let tens = bytes.get(at).filter(|b| b.is_ascii_digit())?;
    let ones = bytes.get(at + 1).filter(|b| b.is_ascii_digit())?;
    Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

impl Parts {
    /// Reads the shape; ranges of month, day and clock included, the length of the month not.
    fn of(text: &str) -> Option<Parts> {
        let bytes = text.as_bytes();
        let year = two(bytes, 0)? * 100 + two(bytes, 2)?;
        if year == 0 {
            return None;
        }
        let mut parts = Parts {
            year,
            month: None,
            day: None,
            clock: None,
        };
        if bytes.len() == 4 {
            return Some(parts);
        }
        let month = two(bytes, 5).filter(|month| (1..=12).contains(month));
        if bytes.get(4) != Some(&b'-') || month.is_none() {
            return None;
        }
        parts.month = month;
        if bytes.len() == 7 {
            return Some(parts);
        }
        let day = two(bytes, 8).filter(|day| (1..=31).contains(day));
        if bytes.get(7) != Some(&b'-') || day.is_none() {
            return None;
        }
        parts.day = day;
        if bytes.len() == 10 {
            return Some(parts);
        }
        let (head, rest) = bytes.get(10..)?.split_first()?;
        parts.clock = Some(Clock::of(rest)?);
        (*head == b'T').then_some(parts)
    }

    fn is_real(&self) -> bool {
        match (self.month, self.day) {
            (Some(month), Some(day)) => day <= days_of_month(self.year, month),
            _ => true,
        }
    }

    fn span(&self) -> Option<Span> {
        let first_month = self.month.unwrap_or(1);
        let last_month = self.month.unwrap_or(12);
        let first_day = day_number(self.year, first_month, self.day.unwrap_or(1));
        let last_day = day_number(
            self.year,
            last_month,
            self.day.unwrap_or_else(|| days_of_month(self.year, last_month)),
        );
        let day = 86_400 * SECOND;
        let Some(clock) = self.clock else {
            return Some(Span {
                first: first_day * day,
                last: (last_day + 1) * day - 1,
                zoned: false,
            });
        };
        let seconds = i128::from(clock.hour * 3600 + clock.minute * 60 + clock.second);
        let offset = i128::from(clock.offset? * 60);
        let first = first_day * day + (seconds - offset) * SECOND + i128::from(clock.fraction);
        // A second without fraction covers the whole second, one with three digits a millisecond.
        let width = (clock.digits..9).fold(1, |width, _| width * 10);
        Some(Span {
            first,
            last: first + width - 1,
            zoned: true,
        })
    }
}

impl Clock {
    fn of(bytes: &[u8]) -> Option<Clock> {
        let hour = two(bytes, 0).filter(|hour| *hour <= 23)?;
        let minute = two(bytes, 3).filter(|minute| *minute <= 59)?;
        // 60 is a leap second.
        let second = two(bytes, 6).filter(|second| *second <= 60)?;
        if bytes.get(2) != Some(&b':') || bytes.get(5) != Some(&b':') {
            return None;
        }
        let mut rest = bytes.get(8..)?;
        let (mut fraction, mut digits) = (0_u32, 0_usize);
        if let Some((b'.', tail)) = rest.split_first() {
            let count = tail.iter().take_while(|b| b.is_ascii_digit()).count();
            let (shown, behind) = tail.split_at_checked(count).filter(|_| count > 0)?;
            digits = count.min(9);
            let padded = shown.iter().copied().chain(std::iter::repeat(b'0')).take(9);
            fraction = padded.fold(0, |sum, b| sum * 10 + u32::from(b - b'0'));
            rest = behind;
        }
        Some(Clock {
            hour,
            minute,
            second,
            fraction,
            digits,
            offset: offset(rest)?,
        })
    }
}

/// Nothing, `Z`, or `±hh:mm` up to 14:00. The outer `None` is a bad one.
fn offset(bytes: &[u8]) -> Option<Option<i32>> {
    match bytes {
        [] => Some(None),
        b"Z" => Some(Some(0)),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let hours = two(bytes, 1)?;
            let minutes = two(bytes, 4).filter(|minutes| *minutes <= 59)?;
            let total = i32::try_from(hours * 60 + minutes)
                .ok()
                .filter(|total| *total <= 14 * 60)?;
            Some(Some(if *sign == b'-' { -total } else { total }))
        }
        _ => None,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_month(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since a fixed day before the year 1, in the Gregorian calendar.
fn day_number(year: u32, month: u32, day: u32) -> i128 {
    // The year starts in March here, so that the leap day is its last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    i128::from(days)
}
