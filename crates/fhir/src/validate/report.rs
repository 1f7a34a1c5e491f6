//! Collecting issues up to the limit.

use serde_json::Value;

use super::path::Path;
use crate::limits::MAX_ISSUES;
use crate::outcome::{Issue, IssueCode};

/// Longest value shown in `diagnostics`, in characters.
const MAX_SHOWN: usize = 100;

/// The issues found so far.
#[derive(Default)]
pub(super) struct Report {
    issues: Vec<Issue>,
    full: bool,
}

impl Report {
    /// Whether no further issue will be taken: the walk may end.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Takes an error at a place.
    #[cold]
    #[inline(never)]
    pub(super) fn error(&mut self, code: IssueCode, path: &Path<'_>, text: String, value: Option<&Value>) {
        if self.full {
            return;
        }
        if self.issues.len() + 1 >= MAX_ISSUES {
            self.full = true;
            let text = format!(
                "Checking stopped after {} issues: correct them and send it again.",
                self.issues.len()
            );
            self.issues.push(Issue::information(text));
            return;
        }
        let issue = Issue::error(code, text).at(path.expression());
        self.issues.push(match value {
            Some(value) => issue.with_diagnostics(shown(value)),
            None => issue,
        });
    }

    /// The issues.
    pub(super) fn into_issues(self) -> Vec<Issue> {
        self.issues
    }
}

/// A value for `diagnostics`: scalars as written and cut, lists and objects by their outline.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => cut(number.as_str()),
        Value::String(text) => cut(text),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(map) => {
            let names: Vec<&str> = map.keys().take(5).map(String::as_str).collect();
            cut(&format!("an object with {}", names.join(", ")))
        }
    }
}

/// At most [`MAX_SHOWN`] characters, with an ellipsis when some are missing.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// The kind of a JSON value, for a sentence.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
