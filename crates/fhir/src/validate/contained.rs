//! Contained resources — <https://hl7.org/fhir/R4/references.html#contained>

use serde_json::{Map, Value};

use super::nearest::nearest;
use super::path::Path;
use super::references::id_of;
use super::report::{cut, kind_of};
use super::table::{self, ComplexType};
use super::type_names;
use super::walk::{Place, Walk};
use crate::limits::MAX_DEPTH;
use crate::outcome::IssueCode;
use crate::resource::Resource;

impl<'r> Walk<'r> {
    /// One contained resource.
    pub(super) fn contained(&mut self, value: &'r Value, path: &Path<'_>) {
        let Some(map) = value.as_object() else {
            let text = format!(
                "`contained` holds {}. Write a resource, a JSON object.",
                kind_of(value)
            );
            self.report.error(IssueCode::Structure, path, text, Some(value));
            return;
        };
        let Some(table) = self.table_of(map, path) else {
            return;
        };
        let before = self.locals.take_container();
        self.object(map, table, path, Place::Contained);
        let refers_to_container = self.locals.take_container();
        if refers_to_container {
            self.referring_contained.insert(std::ptr::from_ref(map));
        }
        if before || refers_to_container {
            self.locals.resolves("#");
        }
        self.contained_meta(map, path);
    }

    /// The table to read it by, from its `resourceType`.
    fn table_of(&mut self, map: &'r Map<String, Value>, path: &Path<'_>) -> Option<&'static ComplexType> {
        let place = path.child("resourceType");
        let kind = map.get("resourceType");
        match kind.and_then(Value::as_str) {
            None => {
                let text =
                    "A contained resource has no resourceType. Add it, such as Organization.".to_owned();
                self.report.error(IssueCode::Structure, &place, text, kind);
                None
            }
            Some(name) if !type_names::is_resource(name) => {
                let mut text = format!("{} is not a resource type of R4.", cut(name));
                if let Some(near) = nearest(name, type_names::RESOURCES.iter().copied()) {
                    text.push_str(&format!(" Did you mean {near}?"));
                }
                self.report.error(IssueCode::Structure, &place, text, kind);
                None
            }
            Some("Bundle" | "Binary" | "Parameters") => Some(&table::PLAIN_RESOURCE),
            Some(name) => Some(table::contained(name).unwrap_or(&table::DOMAIN_RESOURCE)),
        }
    }

    /// `dom-2`, `dom-4` and `dom-5`: what a contained resource never has.
    fn contained_meta(&mut self, map: &'r Map<String, Value>, path: &Path<'_>) {
        if let Some(inner) = map.get("contained") {
            let text = "dom-2: a contained resource contains no others. Put them all into `contained` of the outermost resource.";
            self.report.error(
                IssueCode::Invariant,
                &path.child("contained"),
                text.to_owned(),
                Some(inner),
            );
        }
        let Some(meta) = map.get("meta").and_then(Value::as_object) else {
            return;
        };
        let place = path.child("meta");
        for (name, key) in [
            ("versionId", "dom-4"),
            ("lastUpdated", "dom-4"),
            ("security", "dom-5"),
        ] {
            if let Some(value) = meta.get(name) {
                let text = format!("{key}: a contained resource has no meta.{name} of its own. Take it out.");
                self.report
                    .error(IssueCode::Invariant, &place.child(name), text, Some(value));
            }
        }
    }

    /// `dom-3`: what is contained is pointed to, or points to its container. Ids are unique.
    pub(super) fn contained_are_used(&mut self, resource: &'r Resource, root: &Path<'_>) {
        let mut ids = std::collections::HashSet::new();
        for (index, value) in resource.list("contained").iter().enumerate() {
            if self.report.is_full() {
                return;
            }
            let Some(map) = value.as_object() else {
                continue;
            };
            let path = root.child("contained").item(index);
            let id = id_of(value);
            if let Some(id) = id
                && !ids.insert(id)
            {
                let text = format!(
                    "Another contained resource has the id {}. Give each its own.",
                    cut(id)
                );
                self.report
                    .error(IssueCode::Invariant, &path.child("id"), text, map.get("id"));
            }
            let used = id.is_some_and(|id| self.locals.points_to(id))
                || self.referring_contained.contains(&std::ptr::from_ref(map));
            if !used {
                let text = match id {
                    Some(id) => format!(
                        "dom-3: nothing refers to this contained resource. Refer to it as #{}, or take it out.",
                        cut(id)
                    ),
                    None => "dom-3: this contained resource has no id, so nothing can refer to it. Add id and a reference, or take it out.".to_owned(),
                };
                self.report.error(IssueCode::Invariant, &path, text, None);
            }
        }
    }

    /// A property of a resource whose elements are not in the table: only its depth and its local
    /// references are looked at. A stack of its own, so that depth costs no call frames.
    pub(super) fn unlisted(&mut self, value: &'r Value, path: &Path<'_>) {
        let mut open = vec![(value, self.depth)];
        while let Some((value, depth)) = open.pop() {
            match value {
                Value::String(text) => {
                    // Whether this is a reference only its type's table would tell; as a use of what is
                    // contained it counts either way.
                    self.locals.resolves(text);
                }
                Value::Array(items) => open.extend(items.iter().map(|item| (item, depth))),
                Value::Object(_) if depth >= MAX_DEPTH => self.too_deep(path),
                Value::Object(map) => open.extend(map.values().map(|value| (value, depth + 1))),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
            if self.report.is_full() {
                return;
            }
        }
    }
}
