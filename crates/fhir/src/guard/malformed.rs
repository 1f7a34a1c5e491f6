//! What is wrong with a body, and what could be read of it all the same: so that a sender hears of every
//! fault at once, and not of those of the form first and of those of the content after correcting them.

use std::fmt;

use serde_json::{Map, Value};

use crate::limits::MAX_ISSUES;
use crate::outcome::Issue;

/// A body that breaks the rules of its format.
pub struct Malformed {
    issues: Vec<Issue>,
    /// Places where nothing stands, so that nothing further is to be said of what is missing in them.
    hollow: Vec<String>,
    rest: Option<Map<String, Value>>,
}

// The rest is a person's: it never reaches a log by `{:?}`.
impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.issues).finish()
    }
}

impl From<Issue> for Malformed {
    fn from(issue: Issue) -> Malformed {
        Malformed::new(vec![issue], Vec::new(), None)
    }
}

impl Malformed {
    /// `rest` is what there is to validate further: a whole tree of the type that was expected, even though
    /// empty and misshapen values may stand in it. Nothing when the syntax broke or a limit ended the pass.
    pub(crate) fn new(
        issues: Vec<Issue>,
        hollow: Vec<String>,
        rest: Option<Map<String, Value>>,
    ) -> Malformed {
        Malformed { issues, hollow, rest }
    }

    /// The faults of form alone.
    pub fn into_issues(self) -> Vec<Issue> {
        self.issues
    }

    /// The faults of form, then those that `validate` finds in what could be read. Of a place that was
    /// reported already nothing more is said. At most [`MAX_ISSUES`]; when there are more, the last says so.
    pub fn all_issues(self, validate: impl FnOnce(Map<String, Value>) -> Vec<Issue>) -> Vec<Issue> {
        let Malformed {
            mut issues,
            hollow,
            rest,
        } = self;
        let found = rest.map(validate).unwrap_or_default();
        let is_new = |issue: &Issue| match &issue.expression {
            None => true,
            Some(place) => {
                !issues.iter().any(|said| {
                    said.expression
                        .as_deref()
                        .is_some_and(|said| is_same(said, place))
                }) && !hollow.iter().any(|hollow| is_below(place, hollow))
            }
        };
        let new: Vec<Issue> = found.into_iter().filter(is_new).collect();
        issues.extend(new);
        if issues.len() > MAX_ISSUES {
            issues.truncate(MAX_ISSUES.saturating_sub(1));
            let text = format!(
                "Only the first {} issues are listed: correct them and send it again.",
                issues.len()
            );
            issues.push(Issue::information(text));
        }
        issues
    }
}

/// Whether a place of the tree is this one. Validation calls a choice by its name alone (`value`), as
/// FHIRPath does; in the tree its type stands behind (`valueDecimal`).
fn is_same(said: &str, place: &str) -> bool {
    said.strip_prefix(place).is_some_and(|rest| {
        rest.is_empty()
            || rest.starts_with(|first: char| first.is_ascii_uppercase()) && !rest.contains(['.', '['])
    })
}

fn is_below(place: &str, above: &str) -> bool {
    place
        .strip_prefix(above)
        .is_some_and(|rest| rest.starts_with(['.', '[']))
}
