//! Checks of what clients saw, against what a register promises.
//!
//! A resource is a register whose value carries its place in the order: the version. That makes
//! linearizability cheap to check: the versions *are* the order, so it is enough that this order never
//! contradicts real time, and that each version has one value that someone wrote.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

/// What one client did to one resource, and when. Times are nanoseconds of one monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who, for messages.
    pub client: usize,
    /// When the request was sent.
    pub invoked: u64,
    /// When the answer was complete; `None` when none came.
    pub completed: Option<u64>,
    /// What was done and what came of it.
    pub action: Action,
}

/// What one operation was. Each write of a history writes a value that no other writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A write of `value`.
    Write {
        /// The value, unique in the history.
        value: u64,
        /// What the client learnt about it.
        outcome: Outcome,
    },
    /// A read that was answered.
    Read {
        /// The version that was seen.
        version: u64,
        /// The value that was seen.
        value: u64,
    },
}

/// What a client knows about its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, as this version.
    Acknowledged(u64),
    /// Refused: it must never be seen.
    Refused,
    /// No answer, or one that does not say (503, a broken connection): done once or not at all.
    Unknown,
}

/// One thing that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong, with the operations that show it.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// Checks that `operations` on one resource, which did not exist before the first write, could have
/// happened one after the other, each at some moment between its invocation and its completion.
///
/// # Errors
/// Everything found.
pub fn check_register(operations: &[Operation]) -> Result<(), Vec<Violation>> {
    let mut check = Check {
        violations: Vec::new(),
    };
    let written = check.values_of_versions(operations);
    check.reads_saw_writes(operations, &written);
    check.no_version_is_missing(operations, &written);
    check.order_agrees_with_time(operations, &written);
    if check.violations.is_empty() {
        Ok(())
    } else {
        Err(check.violations)
    }
}

/// Checks that `versions` are 1, 2, 3 … in whatever order they are given, none twice.
///
/// # Errors
/// Which ones are missing or doubled.
pub fn check_consecutive(versions: &[u64]) -> Result<(), String> {
    let mut sorted = versions.to_vec();
    sorted.sort_unstable();
    for (position, version) in sorted.iter().enumerate() {
        let wanted = position as u64 + 1;
        if *version < wanted {
            return Err(format!("version {version} exists twice in {sorted:?}"));
        }
        if *version > wanted {
            return Err(format!("version {wanted} is missing in {sorted:?}"));
        }
    }
    Ok(())
}

/// Checks that `lastUpdated` never falls from one version to the next. `history` pairs version and
/// instant, in any order; instants are compared as text, so they must share zone and precision, as those
/// of one server do.
///
/// # Errors
/// The first two versions out of order, or with instants that cannot be compared.
pub fn check_last_updated(history: &[(u64, &str)]) -> Result<(), String> {
    let mut sorted = history.to_vec();
    sorted.sort_unstable_by_key(|(version, _)| *version);
    for pair in sorted.windows(2) {
        let [(earlier, before), (later, after)] = pair else {
            continue;
        };
        if before.len() != after.len() {
            return Err(format!(
                "instants of versions {earlier} and {later} differ in form: {before}, {after}"
            ));
        }
        if before > after {
            return Err(format!(
                "lastUpdated falls from {before} (version {earlier}) to {after} ({later})"
            ));
        }
    }
    Ok(())
}

/// A write whose version is known: by its answer, or because someone read it.
#[derive(Clone, Copy)]
struct Written {
    version: u64,
    value: u64,
}

struct Check {
    violations: Vec<Violation>,
}

impl Check {
    fn wrong(&mut self, message: String) {
        self.violations.push(Violation { message });
    }

    /// Which operation wrote which version: by index into `operations`.
    fn values_of_versions(&mut self, operations: &[Operation]) -> HashMap<usize, Written> {
        let mut writer_of_value = HashMap::new();
        let mut writer_of_version: HashMap<u64, usize> = HashMap::new();
        let mut written = HashMap::new();
        for (index, operation) in operations.iter().enumerate() {
            let Action::Write { value, outcome } = operation.action else {
                continue;
            };
            if let Some(other) = writer_of_value.insert(value, index) {
                self.wrong(format!(
                    "not a fair history: value {value} is written by {other} and {index}"
                ));
            }
            let Outcome::Acknowledged(version) = outcome else {
                continue;
            };
            if let Some(other) = writer_of_version.insert(version, index) {
                self.wrong(format!(
                    "two writes were both acknowledged as version {version}: {:?} and {operation:?}",
                    operations[other]
                ));
            }
            written.insert(index, Written { version, value });
        }
        // A read tells which version an unanswered write became.
        for operation in operations {
            let Action::Read { version, value } = operation.action else {
                continue;
            };
            let Some(&writer) = writer_of_value.get(&value) else {
                continue;
            };
            let unknown = Action::Write {
                value,
                outcome: Outcome::Unknown,
            };
            if operations[writer].action == unknown && !written.contains_key(&writer) {
                if let Some(other) = writer_of_version.insert(version, writer) {
                    self.wrong(format!(
                        "version {version} has two values: {:?} wrote it, {operation:?} saw another",
                        operations[other]
                    ));
                }
                written.insert(writer, Written { version, value });
            }
        }
        written
    }

    fn reads_saw_writes(&mut self, operations: &[Operation], written: &HashMap<usize, Written>) {
        let by_value: HashMap<u64, u64> = written.values().map(|one| (one.value, one.version)).collect();
        for operation in operations {
            let Action::Read { version, value } = operation.action else {
                continue;
            };
            match by_value.get(&value) {
                Some(known) if *known == version => {}
                Some(known) => self.wrong(format!(
                    "value {value} was written as version {known}, and {operation:?} saw it as {version}"
                )),
                None => self.wrong(format!(
                    "{operation:?} saw value {value}, which was refused or never written"
                )),
            }
        }
    }

    /// Every version up to the highest has a writer; one nobody knows of must be an unanswered write.
    fn no_version_is_missing(&mut self, operations: &[Operation], written: &HashMap<usize, Written>) {
        let highest = written.values().map(|one| one.version).max().unwrap_or(0);
        let mut known: Vec<u64> = written.values().map(|one| one.version).collect();
        known.sort_unstable();
        known.dedup();
        let unanswered = operations
            .iter()
            .enumerate()
            .filter(|(index, operation)| {
                let unknown = matches!(
                    operation.action,
                    Action::Write {
                        outcome: Outcome::Unknown,
                        ..
                    }
                );
                unknown && !written.contains_key(index)
            })
            .count();
        if written.values().any(|one| one.version == 0) {
            self.wrong("version 0 was acknowledged; versions begin at 1".to_owned());
        }
        let missing = highest.saturating_sub(known.len() as u64);
        if missing > unanswered as u64 {
            self.wrong(format!(
                "{missing} versions up to {highest} have no writer, but only {unanswered} writes are unanswered"
            ));
        }
    }

    /// When one operation was over before another began, its version is not the later one; and a write
    /// that began after it has a version of its own above it.
    fn order_agrees_with_time(&mut self, operations: &[Operation], written: &HashMap<usize, Written>) {
        struct Placed<'a> {
            version: u64,
            operation: &'a Operation,
        }
        let placed: Vec<Placed<'_>> = operations
            .iter()
            .enumerate()
            .filter_map(|(index, operation)| {
                let version = match operation.action {
                    Action::Read { version, .. } => Some(version),
                    Action::Write { .. } => written.get(&index).map(|one| one.version),
                };
                version.map(|version| Placed { version, operation })
            })
            .collect();
        let mut by_start: Vec<&Placed<'_>> = placed.iter().collect();
        by_start.sort_by_key(|one| one.operation.invoked);
        let mut by_end: Vec<&Placed<'_>> = placed
            .iter()
            .filter(|one| one.operation.completed.is_some())
            .collect();
        by_end.sort_by_key(|one| one.operation.completed);
        let mut over = by_end.into_iter().peekable();
        // The highest version among the operations that were over when this one began.
        let mut newest: Option<&Placed<'_>> = None;
        for one in by_start {
            while let Some(ended) =
                over.next_if(|ended| ended.operation.completed < Some(one.operation.invoked))
            {
                if newest.is_none_or(|known| known.version < ended.version) {
                    newest = Some(ended);
                }
            }
            let Some(before) = newest else { continue };
            let is_write = matches!(one.operation.action, Action::Write { .. });
            if before.version > one.version || (is_write && before.version == one.version) {
                self.wrong(format!(
                    "{:?} was over before {:?} began, yet versions say {} then {}",
                    before.operation, one.operation, before.version, one.version
                ));
            }
        }
    }
}
