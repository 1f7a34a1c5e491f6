//! Date parameters — <https://hl7.org/fhir/R4/search.html#date>

use super::value::{Fault, each, unescape};
use super::{DatePrefix, DateTest, Test};
use crate::time::{MICROS_PER_DAY, TimeRange, Timestamp};

/// A date parameter with its modifier (`:missing` aside).
pub(super) fn parse(modifier: Option<&str>, text: &str, now: Timestamp) -> Result<Test, Fault> {
    if modifier.is_some() {
        return Err(Fault::unsupported(
            "this modifier is not supported; a date takes `:missing`, and a prefix before its value (`ge2026-01`).",
        ));
    }
    each(text, |piece| one(&unescape(piece), now)).map(Test::Date)
}

fn one(piece: &str, now: Timestamp) -> Result<DateTest, Fault> {
    let (prefix, date) = prefix(piece);
    // `+02:00` in a URL arrives as a space: a date has no other.
    let date = date.replace(' ', "+");
    let range = TimeRange::parse(&date).ok_or_else(|| {
        Fault::value(
            "the value is no date; write `2026`, `2026-11`, `2026-11-21` or `2026-11-21T03:34:00Z`, \
             perhaps after one of eq, ne, gt, lt, ge, le, sa, eb, ap.",
        )
    })?;
    let TimeRange { low, high } = match prefix {
        DatePrefix::Approximately => widened(range, now),
        _ => range,
    };
    Ok(DateTest { prefix, low, high })
}

impl DateTest {
    /// Whether a value passes.
    pub fn accepts(&self, value: TimeRange) -> bool {
        super::matcher::date(self, value)
    }

    /// A stretch of time in which every instant that passes lies: start, inclusive, and end, exclusive.
    pub fn bounds(&self) -> (i64, i64) {
        match self.prefix {
            DatePrefix::Equal | DatePrefix::Approximately => (self.low, self.high),
            DatePrefix::NotEqual => (i64::MIN, i64::MAX),
            DatePrefix::Greater | DatePrefix::StartsAfter => (self.high, i64::MAX),
            DatePrefix::Less | DatePrefix::EndsBefore => (i64::MIN, self.low),
            DatePrefix::GreaterOrEqual => (self.low, i64::MAX),
            DatePrefix::LessOrEqual => (i64::MIN, self.high),
        }
    }
}

fn prefix(piece: &str) -> (DatePrefix, &str) {
    const PREFIXES: [(&str, DatePrefix); 9] = [
        ("eq", DatePrefix::Equal),
        ("ne", DatePrefix::NotEqual),
        ("gt", DatePrefix::Greater),
        ("lt", DatePrefix::Less),
        ("ge", DatePrefix::GreaterOrEqual),
        ("le", DatePrefix::LessOrEqual),
        ("sa", DatePrefix::StartsAfter),
        ("eb", DatePrefix::EndsBefore),
        ("ap", DatePrefix::Approximately),
    ];
    let found = PREFIXES
        .into_iter()
        .find_map(|(text, prefix)| piece.strip_prefix(text).map(|date| (prefix, date)));
    found.unwrap_or((DatePrefix::Equal, piece))
}

/// The range with a tenth of its distance from now on both sides, at least a day.
fn widened(range: TimeRange, now: Timestamp) -> TimeRange {
    let now = now.micros();
    let distance = (range.low.saturating_sub(now))
        .max(now.saturating_sub(range.high))
        .max(0);
    let margin = (distance / 10).max(MICROS_PER_DAY);
    TimeRange {
        low: range.low.saturating_sub(margin),
        high: range.high.saturating_add(margin),
    }
}
