//! Points in time with microsecond precision — <https://hl7.org/fhir/R4/datatypes.html#instant>

use chrono::{DateTime, SecondsFormat, Utc};

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

    /// As an HTTP date (whole seconds, rounded down): `Sat, 21 Nov 2026 03:34:00 GMT`.
    pub fn to_http_date(self) -> String {
        self.to_chrono().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// As chrono's type. Out of chrono's range (the year 262142) the epoch stands in.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}
