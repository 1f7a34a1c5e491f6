//! One walk of a resource along the tree of a profile.

use std::cell::OnceCell;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::invariant;
use super::node::{Child, Node, Occurs, Property, Slicing, SlicingRules, TypeRule};
use super::slicing::slice_of;
use super::terminology::{bare, text};
use super::{Compiled, Profiles};
use crate::limits::MAX_ISSUES;
use crate::outcome::{Issue, IssueCode, Severity};
use crate::validate::path::Path;
use crate::validate::report::cut;
use crate::validate::table::Type;

/// Deepest nesting of profiles that name profiles for their elements.
const MAX_NESTING: usize = 16;

/// The state of one check.
pub(super) struct Check<'p> {
    pub(super) profiles: &'p Profiles,
    /// The resource, which invariants are evaluated in.
    resource: &'p Value,
    /// The URL of the profile that is being checked.
    profile: &'p str,
    issues: Vec<Issue>,
    told: HashSet<(IssueCode, String, String)>,
    nesting: usize,
}

/// One value of an element: what JSON holds of it, and of a primitive its id and extensions.
#[derive(Clone, Copy)]
struct Item<'v> {
    value: Option<&'v Value>,
    sibling: Option<&'v Value>,
    /// Its place in the list of the property.
    index: Option<usize>,
    kind: Type,
}

impl<'p> Check<'p> {
    /// A check of this resource.
    pub(super) fn new(profiles: &'p Profiles, resource: &'p Value) -> Check<'p> {
        Check {
            profiles,
            resource,
            profile: "",
            issues: Vec::new(),
            told: HashSet::new(),
            nesting: 0,
        }
    }

    /// What was found.
    pub(super) fn into_issues(self) -> Vec<Issue> {
        self.issues
    }

    /// Whether nothing more is taken.
    pub(super) fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }

    /// Takes an issue, once: of two profiles, one of which is made from the other, both would tell it.
    #[cold]
    pub(super) fn report(&mut self, severity: Severity, code: IssueCode, path: &Path<'_>, text: String) {
        let place = path.expression();
        if self.is_full() || !self.told.insert((code, place.clone(), text.clone())) {
            return;
        }
        let issue = Issue {
            severity,
            ..Issue::error(code, text)
        };
        self.issues.push(issue.at(place).with_diagnostics(self.profile));
    }

    /// Checks an object against a profile.
    pub(super) fn profile(&mut self, compiled: &'p Compiled, value: &Value, path: &Path<'_>) {
        if self.nesting >= MAX_NESTING || self.is_full() {
            return;
        }
        let before = std::mem::replace(&mut self.profile, &compiled.url);
        self.nesting += 1;
        if let Value::Object(map) = value {
            self.children(&compiled.node, map, path);
        }
        self.constraints(&compiled.node, value, path);
        self.nesting -= 1;
        self.profile = before;
    }

    fn children(&mut self, node: &'p Node, map: &Map<String, Value>, path: &Path<'_>) {
        for child in &node.children {
            if self.is_full() {
                return;
            }
            self.child(child, map, path);
        }
    }

    fn child(&mut self, child: &'p Child, map: &Map<String, Value>, parent: &Path<'_>) {
        let path = parent.child(child.element);
        let items = items(&child.properties, map);
        self.occurs(child.occurs, items.iter().map(|item| item.index), &path, None);
        for item in &items {
            self.item(&child.node, item, &item.at(path));
        }
        if let Some(slicing) = &child.slicing {
            self.slices(slicing, &items, path);
        }
    }

    fn occurs(
        &mut self,
        occurs: Occurs,
        places: impl Iterator<Item = Option<usize>>,
        path: &Path<'_>,
        slice: Option<&str>,
    ) {
        let places: Vec<Option<usize>> = places.collect();
        let count = places.len();
        let of = slice.map_or(String::new(), |slice| format!(" of the kind `{slice}`"));
        if count < occurs.min {
            let text = match (count, occurs.min) {
                (0, 1) => format!(
                    "`{}`{of} is missing, which the profile requires. Add it.",
                    path.name()
                ),
                (_, min) => format!(
                    "`{}`{of} is there {count} times, and the profile requires {min}. Add what is missing.",
                    path.name()
                ),
            };
            self.report(Severity::Error, IssueCode::Required, path, text);
        }
        if let Some(max) = occurs.max
            && let Some(excess) = places.get(max)
        {
            let text = match max {
                0 => format!(
                    "`{}`{of} is not allowed by the profile. Take it out.",
                    path.name()
                ),
                max => format!(
                    "`{}`{of} is there {count} times, and the profile allows {max}. Take out the rest.",
                    path.name()
                ),
            };
            let place = match excess {
                Some(index) => path.item(*index),
                None => *path,
            };
            self.report(Severity::Error, IssueCode::Structure, &place, text);
        }
    }

    fn item(&mut self, node: &'p Node, item: &Item<'_>, path: &Path<'_>) {
        if let Some(types) = &node.rules.types {
            self.types(types, item, path);
        }
        if let Some(value) = item.value {
            self.value(&node.rules, value, path);
        }
        let below = match item.kind {
            Type::Primitive(_) => item.sibling,
            Type::Complex(_) | Type::Resource => item.value,
        };
        match below.and_then(Value::as_object) {
            Some(map) => self.children(node, map, path),
            // A primitive without extensions lacks those that are required.
            None if !node.children.is_empty() && matches!(item.kind, Type::Primitive(_)) => {
                self.children(node, &Map::new(), path);
            }
            None => {}
        }
        if let Some(value) = item.value {
            self.constraints(node, value, path);
        }
    }

    fn types(&mut self, types: &'p [TypeRule], item: &Item<'_>, path: &Path<'_>) {
        let name = item.kind.name();
        let mut fitting = types
            .iter()
            .filter(|rule| rule.code == name || is_one_typed(&rule.code))
            .peekable();
        if fitting.peek().is_none() {
            let codes: Vec<&str> = types.iter().map(|rule| rule.code.as_str()).collect();
            let text = format!(
                "`{}` is a {name} here, and the profile allows: {}. Send it as that.",
                path.name(),
                codes.join(", ")
            );
            self.report(Severity::Error, IssueCode::Structure, path, text);
            return;
        }
        let rules: Vec<&'p TypeRule> = fitting.collect();
        let Some(value) = item.value else { return };
        if name == "Reference" {
            self.target(&rules, value, path);
        }
        self.one_of(&rules, value, path);
    }

    /// The type that a reference says: by its text, or by `type`.
    fn target(&mut self, rules: &[&'p TypeRule], value: &Value, path: &Path<'_>) {
        let wanted: Vec<&str> = rules
            .iter()
            .flat_map(|rule| &rule.targets)
            .map(|target| self.profiles.constrained_type(target))
            .collect();
        let Some(kind) = referred_type(value) else { return };
        if wanted.is_empty() || wanted.contains(&"Resource") || wanted.contains(&kind) {
            return;
        }
        // What a foreign profile constrains is not known: then the reference may be right.
        if wanted.contains(&"") {
            return;
        }
        let text = format!(
            "`{}` refers to {}, and the profile allows: {}. Refer to one of these.",
            path.name(),
            cut(kind),
            wanted.join(", ")
        );
        self.report(Severity::Error, IssueCode::Value, path, text);
    }

    /// A value meets one of the profiles that its type names, when all of them are held.
    fn one_of(&mut self, rules: &[&'p TypeRule], value: &Value, path: &Path<'_>) {
        if rules.iter().any(|rule| rule.profiles.is_empty()) || self.nesting >= MAX_NESTING {
            return;
        }
        let named = rules.iter().flat_map(|rule| &rule.profiles);
        let held: Option<Vec<&'p Compiled>> = named.map(|url| self.profiles.find(url)).collect();
        match held.as_deref() {
            None | Some([]) => {}
            Some([one]) => self.profile(one, value, path),
            Some(several) => {
                let meets_one = several.iter().any(|compiled| {
                    let mut aside = Check::new(self.profiles, self.resource);
                    aside.nesting = self.nesting + 1;
                    aside.profile(compiled, value, path);
                    !aside.issues.iter().any(Issue::is_error)
                });
                if !meets_one {
                    let urls: Vec<&str> = several.iter().map(|compiled| compiled.url.as_str()).collect();
                    let text = format!(
                        "`{}` meets none of the profiles that it may have: {}. Correct it to meet one.",
                        path.name(),
                        urls.join(", ")
                    );
                    self.report(Severity::Error, IssueCode::Invariant, path, text);
                }
            }
        }
    }

    fn slices(&mut self, slicing: &'p Slicing, items: &[Item<'_>], path: Path<'_>) {
        let mut found: Vec<Vec<Option<usize>>> = vec![Vec::new(); slicing.slices.len()];
        let mut beside: Option<Item<'_>> = None;
        for item in items {
            let place = item.at(path);
            let slice = slice_of(slicing, item.value, item.kind.name(), &self.profiles.terminology);
            let Some(position) = slice else {
                beside = Some(*item);
                if slicing.rules == SlicingRules::Closed {
                    let names: Vec<&str> = slicing.slices.iter().map(|slice| slice.name.as_str()).collect();
                    let text = format!(
                        "`{}` is of no kind that the profile allows here: {}. Take it out, or correct what tells its kind.",
                        path.name(),
                        names.join(", ")
                    );
                    self.report(Severity::Error, IssueCode::Structure, &place, text);
                }
                continue;
            };
            if let (SlicingRules::OpenAtEnd, Some(_)) = (slicing.rules, beside) {
                let text = format!(
                    "`{}` stands behind others that the profile puts at the end. Move it to the front.",
                    path.name()
                );
                self.report(Severity::Error, IssueCode::Structure, &place, text);
            }
            if let (Some(places), Some(slice)) = (found.get_mut(position), slicing.slices.get(position)) {
                places.push(item.index);
                self.item(&slice.node, item, &place);
            }
        }
        for (slice, places) in slicing.slices.iter().zip(found) {
            self.occurs(slice.occurs, places.into_iter(), &path, Some(&slice.name));
        }
    }

    fn constraints(&mut self, node: &'p Node, value: &Value, path: &Path<'_>) {
        let constraints = &node.rules.constraints;
        if constraints.is_empty() || self.is_full() {
            return;
        }
        let context = OnceCell::new();
        for constraint in constraints {
            let context = context.get_or_init(|| invariant::context(constraints, self.resource, value));
            let (severity, code, text) = match constraint.holds(context) {
                Some(true) => continue,
                Some(false) => (
                    if constraint.is_error {
                        Severity::Error
                    } else {
                        Severity::Warning
                    },
                    IssueCode::Invariant,
                    format!("{} on `{}`: {}", constraint.key, path.name(), constraint.human),
                ),
                None => (
                    Severity::Information,
                    IssueCode::Informational,
                    format!(
                        "Whether {} holds on `{}` could not be told.",
                        constraint.key,
                        path.name()
                    ),
                ),
            };
            self.report(severity, code, path, text);
        }
    }
}

impl<'v> Item<'v> {
    fn at<'q>(&self, path: Path<'q>) -> Path<'q> {
        match self.index {
            Some(index) => path.item(index),
            None => path,
        }
    }
}

/// Type codes of elements that base R4 gives one type, as snapshots spell them.
fn is_one_typed(code: &str) -> bool {
    code.starts_with("http://hl7.org/fhirpath/")
}

/// The values of an element. A hole in a list counts when its sibling says something.
fn items<'v>(properties: &[Property], map: &'v Map<String, Value>) -> Vec<Item<'v>> {
    let mut items = Vec::new();
    for property in properties {
        let value = map.get(&property.name);
        let sibling = match property.kind {
            Type::Primitive(_) => map.get(&property.sibling),
            Type::Complex(_) | Type::Resource => None,
        };
        let (values, siblings) = (value.and_then(Value::as_array), sibling.and_then(Value::as_array));
        if values.is_none() && siblings.is_none() {
            if value.is_some() || sibling.is_some() {
                items.push(Item {
                    value,
                    sibling,
                    index: None,
                    kind: property.kind,
                });
            }
            continue;
        }
        let length = values.map_or(0, Vec::len).max(siblings.map_or(0, Vec::len));
        items.extend((0..length).map(|index| {
            let at =
                |list: Option<&'v Vec<Value>>| list.and_then(|list| list.get(index)).filter(|v| !v.is_null());
            Item {
                value: at(values),
                sibling: at(siblings),
                index: Some(index),
                kind: property.kind,
            }
        }));
    }
    items
}

/// The type that a reference names, when it says one.
fn referred_type(reference: &Value) -> Option<&str> {
    match text(reference, "type") {
        "" => {}
        kind => return Some(kind),
    }
    let target = bare(text(reference, "reference"));
    let target = target.split("/_history/").next().unwrap_or_default();
    let mut parts = target.rsplit('/');
    let (_, kind) = (parts.next()?, parts.next()?);
    crate::validate::type_names::is_resource(kind).then_some(kind)
}
