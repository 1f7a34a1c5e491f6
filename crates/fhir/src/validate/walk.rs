//! The walk along the element table: one pass over the tree, collecting every fault.

mod values;

use serde_json::{Map, Value};
use std::collections::HashSet;

use super::invariants::Invariant;
use super::nearest::nearest;
use super::path::Path;
use super::references::Locals;
use super::report::{Report, cut};
use super::table::{self, ComplexType, Element, Found, Kind, Type, Types};
use crate::limits::MAX_DEPTH;
use crate::outcome::{Issue, IssueCode};
use crate::resource::Resource;

/// All errors of a resource.
pub(super) fn errors(resource: &Resource) -> Vec<Issue> {
    let table = table::resource(resource.kind());
    let root = Path::root(table.name);
    let mut walk = Walk {
        report: Report::default(),
        locals: Locals::of(resource),
        referring_contained: HashSet::new(),
        depth: 0,
    };
    walk.object(resource.tree(), table, &root, Place::Root);
    walk.contained_are_used(resource, &root);
    walk.report.into_issues()
}

/// Where an object stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The resource itself.
    Root,
    /// A resource in `contained`.
    Contained,
    /// A datatype or backbone element.
    Element,
}

/// The state of one walk.
pub(super) struct Walk<'r> {
    pub(super) report: Report,
    pub(super) locals: Locals<'r>,
    /// The contained resources that refer to their container, by address: they need no id.
    pub(super) referring_contained: HashSet<*const Map<String, Value>>,
    /// Objects we stand in.
    pub(super) depth: usize,
}

impl<'r> Walk<'r> {
    /// Checks an object against its type.
    pub(super) fn object(
        &mut self,
        map: &'r Map<String, Value>,
        table: &'static ComplexType,
        path: &Path<'_>,
        place: Place,
    ) {
        if self.report.is_full() {
            return;
        }
        if self.depth >= MAX_DEPTH {
            self.too_deep(path);
            return;
        }
        self.depth += 1;
        let seen = self.properties(map, table, path, place);
        for (position, element) in table.elements.iter().enumerate() {
            if element.min > 0 && seen & bit(position) == 0 {
                self.missing(element, path);
            }
        }
        for invariant in table.invariants {
            match invariant {
                Invariant::Ref1 => self.reference(map, path),
                other if other.holds(map) => {}
                other => self.broken(*other, path),
            }
        }
        self.depth -= 1;
    }

    /// Checks every property; answers which elements were there, as bits by position.
    fn properties(
        &mut self,
        map: &'r Map<String, Value>,
        table: &'static ComplexType,
        path: &Path<'_>,
        place: Place,
    ) -> u64 {
        let siblings = if map.keys().any(|key| key.starts_with('_')) {
            Siblings::Some
        } else {
            Siblings::None
        };
        let (mut seen, mut next) = (0_u64, 0_usize);
        for (key, value) in map {
            // Behind the last issue taken nothing is worth its time.
            if self.report.is_full() {
                return seen;
            }
            if place != Place::Element && key == "resourceType" {
                continue;
            }
            let base = key.strip_prefix('_');
            let name = base.unwrap_or(key);
            let Some(found) = table.element_from(name, next) else {
                if is_open(table) {
                    self.unlisted(value, &path.child(key));
                } else {
                    self.unknown(key, value, table, path);
                }
                continue;
            };
            next = found.position;
            if seen & bit(next) != 0 && matches!(found.element.types, Types::Choice(_)) {
                self.second_choice(map, found.element, key, path);
            }
            seen |= bit(next);
            let place = path.child(found.element.name);
            match base {
                None => {
                    let sibling = match siblings {
                        Siblings::Some => map.get(&format!("_{key}")),
                        Siblings::None => None,
                    };
                    self.element(found, Some(value), sibling, &place);
                }
                Some(_) if !has_sibling(&found) => self.unknown_sibling(name, value, found.element, &place),
                // Seen together with its value.
                Some(name) if map.contains_key(name) => {}
                Some(_) => self.element(found, None, Some(value), &place),
            }
        }
        seen
    }

    /// `ref-1`, and the note that what a local reference names is in use.
    fn reference(&mut self, map: &'r Map<String, Value>, path: &Path<'_>) {
        let value = map.get("reference");
        if let Some(reference) = value.and_then(Value::as_str)
            && !self.locals.resolves(reference)
        {
            let (key, rule) = Invariant::Ref1.rule();
            let text = format!("{key}: {rule}.");
            self.report
                .error(IssueCode::Invariant, &path.child("reference"), text, value);
        }
    }

    #[cold]
    fn broken(&mut self, invariant: Invariant, path: &Path<'_>) {
        let (key, rule) = invariant.rule();
        let text = format!("{key} on `{}`: {rule}.", path.name());
        self.report.error(IssueCode::Invariant, path, text, None);
    }

    #[cold]
    fn missing(&mut self, element: &Element, path: &Path<'_>) {
        let name = match element.types {
            Types::One(_) => element.name.to_owned(),
            Types::Choice(_) => format!("{}[x]", element.name),
        };
        let text = format!("`{}` has no `{name}`, which FHIR requires. Add it.", path.name());
        self.report
            .error(IssueCode::Required, &path.child(element.name), text, None);
    }

    #[cold]
    pub(super) fn too_deep(&mut self, path: &Path<'_>) {
        let text = format!(
            "`{}` lies more than {MAX_DEPTH} levels deep. Nest less.",
            path.name()
        );
        self.report.error(IssueCode::Structure, path, text, None);
    }

    #[cold]
    fn second_choice(&mut self, map: &Map<String, Value>, element: &Element, key: &str, path: &Path<'_>) {
        let name = |key: &'_ str| key.strip_prefix('_').unwrap_or(key).to_owned();
        let first = map
            .keys()
            .map(|key| name(key))
            .find(|key| element.type_of(key).is_some());
        // A property and its own `_` sibling are one.
        if let Some(first) = first
            && first != name(key)
        {
            let text = format!(
                "`{first}` and `{}` exclude each other. Keep one of them.",
                name(key)
            );
            self.report.error(
                IssueCode::Structure,
                &path.child(element.name),
                text,
                map.get(key),
            );
        }
    }

    #[cold]
    fn unknown_sibling(&mut self, name: &str, value: &Value, element: &Element, place: &Path<'_>) {
        let text = if element.attribute {
            format!("`{name}` can have no `_{name}`: it takes no extensions. Take `_{name}` out.")
        } else {
            format!(
                "`{name}` is no primitive and has no `_{name}`. Put id and extension into `{name}` itself."
            )
        };
        self.report.error(IssueCode::Structure, place, text, Some(value));
    }

    #[cold]
    fn unknown(&mut self, key: &str, value: &Value, table: &ComplexType, path: &Path<'_>) {
        let name = key.strip_prefix('_').unwrap_or(key);
        let choice = table
            .elements
            .iter()
            .find(|element| element.name == name && matches!(element.types, Types::Choice(_)));
        let advice = match choice {
            Some(element) => {
                let properties = element.properties();
                let some: Vec<&str> = properties.iter().take(4).map(String::as_str).collect();
                format!("Write it with its type: {}.", some.join(", "))
            }
            None => suggestion(name, table),
        };
        let text = format!("`{}` is no property of {}. {advice}", cut(key), table.name);
        self.report
            .error(IssueCode::Structure, &path.child(key), text, Some(value));
    }
}

enum Siblings {
    None,
    Some,
}

fn bit(position: usize) -> u64 {
    u32::try_from(position)
        .ok()
        .and_then(|position| 1_u64.checked_shl(position))
        .unwrap_or(0)
}

/// Whether the table does not know the type's own elements.
fn is_open(table: &ComplexType) -> bool {
    table.kind != Kind::Element && matches!(table.name, "DomainResource" | "Resource")
}

fn has_sibling(found: &Found) -> bool {
    matches!(found.kind, Type::Primitive(_)) && !found.element.attribute
}

fn suggestion(name: &str, table: &ComplexType) -> String {
    let properties: Vec<String> = table.elements.iter().flat_map(Element::properties).collect();
    match nearest(name, properties.iter().map(String::as_str)) {
        Some(near) => format!("Did you mean `{near}`?"),
        None if name == "resourceType" => "Only a resource has a type: take it out.".to_owned(),
        None => "Take it out, or send it as an extension.".to_owned(),
    }
}
