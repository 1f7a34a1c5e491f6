//! What became of the fields of records, path by path.

use std::collections::BTreeMap;

use super::problem::printable;

/// Paths that a ledger tells apart: paths are the sender's words, and a ledger must not grow with its input.
pub const MAX_PATHS: usize = 1000;
/// Where the fields beyond [`MAX_PATHS`] are counted.
const OTHERS: &str = "(other fields)";

/// How often a field met each fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// It stands in the result.
    pub used: u64,
    /// It stands in the result, although the record does not say it.
    pub defaulted: u64,
    /// The result does not say it.
    pub dropped: u64,
}

/// Fields by path: `$.address.city` of a partner's record, `Patient.name.given` of a FHIR one, `result $.status`
/// of the partner's form that is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(BTreeMap<String, Counts>);

impl Ledger {
    pub(super) fn used(&mut self, path: &str) {
        self.counts(path).used += 1;
    }

    pub(super) fn defaulted(&mut self, path: &str) {
        self.counts(path).defaulted += 1;
    }

    pub(super) fn dropped(&mut self, path: &str) {
        self.counts(path).dropped += 1;
    }

    fn counts(&mut self, path: &str) -> &mut Counts {
        let path = printable(path);
        let is_known = self.0.contains_key(&path) || self.0.len() < MAX_PATHS;
        let path = if is_known { path } else { OTHERS.to_owned() };
        self.0.entry(path).or_default()
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Ledger) {
        for (path, more) in &other.0 {
            let counts = self.counts(path);
            counts.used += more.used;
            counts.defaulted += more.defaulted;
            counts.dropped += more.dropped;
        }
    }

    /// The fields in the order of their paths.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Counts)> {
        self.0.iter().map(|(path, counts)| (path.as_str(), counts))
    }
}
