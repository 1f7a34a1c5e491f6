//! How much a patch may do: a small document must not buy a long computation.

use serde_json::Value;

use crate::limits::MAX_PATCH_WORK;
use crate::outcome::{Issue, IssueCode};

/// Bytes of text that count as one value.
const TEXT_BYTES: usize = 64;
/// Items moved along in a list that count as one value.
const MOVED_ITEMS: usize = 16;

/// What is left to be done.
pub(super) struct Work {
    left: usize,
}

impl Work {
    pub(super) fn new() -> Work {
        Work { left: MAX_PATCH_WORK }
    }

    /// Takes some of it.
    pub(super) fn spend(&mut self, values: usize) -> Result<(), Issue> {
        match self.left.checked_sub(values) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Issue::error(
                IssueCode::TooLong,
                "The patch does more than one request may: it looks at, copies or moves too many values. Split it.",
            )),
        }
    }

    /// Takes what it costs to copy or compare a value.
    pub(super) fn spend_on(&mut self, value: &Value) -> Result<(), Issue> {
        self.spend(size(value))
    }

    /// Takes what it costs to move along the items of a list.
    pub(super) fn spend_moving(&mut self, items: usize) -> Result<(), Issue> {
        self.spend(1 + items / MOVED_ITEMS)
    }
}

/// What it costs to copy or compare a value.
// Trees here are nested no deeper than `MAX_PATCH_NESTING`.
pub(super) fn size(value: &Value) -> usize {
    1 + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() / TEXT_BYTES,
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| size(value) + name.len() / TEXT_BYTES)
            .sum(),
    }
}
