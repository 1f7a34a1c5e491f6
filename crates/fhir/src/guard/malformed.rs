//! What is wrong with a body, and what could be read of it all the same: so that a sender hears of every
//! fault at once, and not of those of the form first and of those of the content after correcting them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::limits::MAX_ISSUES;
use crate::outcome::Issue;

/// What is wrong with the resources of a Bundle, by the position of their entry.
pub type MalformedEntries = BTreeMap<usize, Malformed>;

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

    /// Of a Bundle: what could be read of it, and what is wrong with the resources of its entries, each by the
    /// position of its entry and with its places inside the resource.
    ///
    /// # Errors
    /// All faults of form, when one of them is of the Bundle itself or nothing could be read.
    pub fn by_entry(self) -> Result<(Map<String, Value>, MalformedEntries), Vec<Issue>> {
        let Some(tree) = self.rest else {
            return Err(self.issues);
        };
        let mut entries = MalformedEntries::new();
        for issue in &self.issues {
            let Some((position, rest)) = issue.expression.as_deref().and_then(inside) else {
                return Err(self.issues);
            };
            let (name, resource) = resource_of(&tree, position);
            let entry = entries
                .entry(position)
                .or_insert_with(|| Malformed::new(Vec::new(), Vec::new(), resource.cloned()));
            entry.issues.push(issue.clone().at(format!("{name}{rest}")));
        }
        for place in &self.hollow {
            if let Some((position, rest)) = inside(place)
                && let Some(entry) = entries.get_mut(&position)
            {
                entry
                    .hollow
                    .push(format!("{}{rest}", resource_of(&tree, position).0));
            }
        }
        Ok((tree, entries))
    }

    /// Of Parameters: the resource in one of them, and what is wrong with that, with its places inside the resource.
    /// What is wrong beside it keeps its place.
    #[must_use]
    pub fn of_parameter(self) -> Malformed {
        let parameters = self
            .rest
            .as_ref()
            .and_then(|tree| tree.get("parameter")?.as_array());
        let resource = parameters
            .into_iter()
            .flatten()
            .find_map(|parameter| parameter.get("resource")?.as_object());
        let name = resource
            .and_then(|resource| resource.get("resourceType"))
            .and_then(Value::as_str)
            .unwrap_or("Resource");
        let within = |place: &str| {
            let (position, rest) = place
                .strip_prefix("Parameters.parameter[")?
                .split_once("].resource")?;
            let _: usize = position.parse().ok()?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{name}{rest}"))
        };
        let issues = self
            .issues
            .iter()
            .map(|issue| match issue.expression.as_deref().and_then(within) {
                Some(place) => issue.clone().at(place),
                None => issue.clone(),
            });
        Malformed {
            issues: issues.collect(),
            hollow: self.hollow.iter().filter_map(|place| within(place)).collect(),
            rest: resource.cloned(),
        }
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

/// The position of the entry in whose resource a place is, and the place below the resource.
fn inside(place: &str) -> Option<(usize, &str)> {
    let (position, rest) = place.strip_prefix("Bundle.entry[")?.split_once("].resource")?;
    let position = position.parse().ok()?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some((position, rest))
}

/// The resource of an entry, and what it says it is.
fn resource_of(tree: &Map<String, Value>, position: usize) -> (&str, Option<&Map<String, Value>>) {
    let entry = tree.get("entry").and_then(|entries| entries.get(position));
    let resource = entry
        .and_then(|entry| entry.get("resource"))
        .and_then(Value::as_object);
    let name = resource
        .and_then(|resource| resource.get("resourceType"))
        .and_then(Value::as_str);
    (name.unwrap_or("Resource"), resource)
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
