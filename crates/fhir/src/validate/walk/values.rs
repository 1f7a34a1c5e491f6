//! The values of one element: how often, of which JSON kind, in which format, from which value set.

use serde_json::Value;

use super::{Place, Walk};
use crate::outcome::IssueCode;
use crate::validate::path::Path;
use crate::validate::primitives::Primitive;
use crate::validate::references;
use crate::validate::report::{cut, kind_of};
use crate::validate::table::{self, ComplexType, Element, Found, Max, Type};
use crate::validate::xhtml;

impl<'r> Walk<'r> {
    /// Checks an element by its value and its `_` sibling, one of which is there.
    pub(super) fn element(
        &mut self,
        found: Found,
        value: Option<&'r Value>,
        sibling: Option<&'r Value>,
        path: &Path<'_>,
    ) {
        match (found.element.max, found.kind, value) {
            (Max::One, Type::Primitive(primitive), _) => {
                self.primitive(primitive, found.element, value, sibling, path);
            }
            (Max::Many, Type::Primitive(primitive), _) => {
                self.primitives(primitive, found.element, value, sibling, path);
            }
            (Max::One, kind, Some(value)) => self.complex(kind, found.element, value, path),
            (Max::Many, kind, Some(Value::Array(items))) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    if self.report.is_full() {
                        return;
                    }
                    self.complex(kind, found.element, item, &path.item(index));
                }
            }
            (Max::Many, _, Some(value)) => self.no_list(value, path),
            // Only primitives have siblings.
            (_, _, None) => {}
        }
    }

    /// One datatype, backbone element or resource.
    fn complex(&mut self, kind: Type, element: &'static Element, value: &'r Value, path: &Path<'_>) {
        let table = match kind {
            Type::Complex(table) => table,
            Type::Resource => return self.contained(value, path),
            Type::Primitive(_) => return,
        };
        let Some(map) = value.as_object() else {
            self.no_object(table, value, path);
            return;
        };
        if map.keys().all(|key| key == "id") {
            self.without_content(value, path);
        }
        if map.is_empty() {
            return; // It is to be left out: what it lacks is beside the point.
        }
        self.object(map, table, path, Place::Element);
        if table.name == "Reference"
            && !element.targets.is_empty()
            && let Some(target) = references::target_type(map)
            && !element.targets.contains(&target)
        {
            let text = format!(
                "`{}` refers to a {target}, which it may not. Refer to one of: {}.",
                path.name(),
                element.targets.join(", ")
            );
            self.report.error(
                IssueCode::Structure,
                &path.child("reference"),
                text,
                map.get("reference"),
            );
        }
    }

    /// A primitive that repeats: a list of values and a parallel list of siblings, `null` where one is missing.
    fn primitives(
        &mut self,
        primitive: Primitive,
        element: &'static Element,
        value: Option<&'r Value>,
        sibling: Option<&'r Value>,
        path: &Path<'_>,
    ) {
        let mut lists: [&'r [Value]; 2] = [&[], &[]];
        for (list, side) in lists.iter_mut().zip([value, sibling]) {
            match side {
                None => {}
                Some(Value::Array(items)) if !items.is_empty() => *list = items,
                Some(other) => return self.no_list(other, path),
            }
        }
        let [values, siblings] = lists;
        if !values.is_empty() && !siblings.is_empty() && values.len() != siblings.len() {
            let text = format!(
                "`{0}` has {1} items and `_{0}` has {2}. Fill the shorter list with null.",
                path.name(),
                values.len(),
                siblings.len()
            );
            self.report.error(IssueCode::Structure, path, text, None);
        }
        let present = |list: &'r [Value], index: usize| list.get(index).filter(|item| !item.is_null());
        for index in 0..values.len().max(siblings.len()) {
            if self.report.is_full() {
                return;
            }
            let (value, sibling) = (present(values, index), present(siblings, index));
            self.primitive(primitive, element, value, sibling, &path.item(index));
        }
    }

    /// One primitive.
    fn primitive(
        &mut self,
        primitive: Primitive,
        element: &'static Element,
        value: Option<&'r Value>,
        sibling: Option<&'r Value>,
        path: &Path<'_>,
    ) {
        if let Some(value) = value {
            match primitive.check(value) {
                Err(fault) => self.bad_primitive(primitive, fault, value, path),
                Ok(()) => self.primitive_content(primitive, element, value, path),
            }
        }
        let extended = sibling.is_some_and(|sibling| self.sibling(sibling, path));
        if value.is_none() && !extended {
            let text = format!(
                "ele-1: `{}` has neither a value nor an extension. Give it one, or leave it out.",
                path.name()
            );
            let code = match sibling {
                Some(_) => IssueCode::Invariant,
                None => IssueCode::Structure,
            };
            self.report.error(code, path, text, sibling);
        }
    }

    /// Beyond the format: value sets, narrative, local references.
    fn primitive_content(
        &mut self,
        primitive: Primitive,
        element: &'static Element,
        value: &'r Value,
        path: &Path<'_>,
    ) {
        let Some(text) = value.as_str() else {
            return;
        };
        match (element.binding, primitive) {
            (Some(binding), _) if !binding.allows(text) => {
                let advice = binding.advice();
                let text = format!(
                    "{} is no code of {}, which `{}` takes its code from. {advice}",
                    cut(text),
                    binding.name,
                    path.name()
                );
                self.report.error(IssueCode::CodeInvalid, path, text, Some(value));
            }
            (_, Primitive::Xhtml) => {
                for fault in xhtml::faults(text) {
                    self.report.error(fault.code, path, fault.text, Some(value));
                }
            }
            // Not only a Reference can point to what is contained.
            (_, Primitive::Canonical | Primitive::Uri | Primitive::Url) if self.locals.any() => {
                self.locals.resolves(text);
            }
            _ => {}
        }
    }

    /// A `_` sibling; says whether it has an extension.
    fn sibling(&mut self, sibling: &'r Value, path: &Path<'_>) -> bool {
        let Some(map) = sibling.as_object() else {
            let text = format!(
                "`_{}` is {}. Write an object with id or extension.",
                path.name(),
                kind_of(sibling)
            );
            self.report.error(IssueCode::Structure, path, text, Some(sibling));
            return true;
        };
        if map.is_empty() {
            self.without_content(sibling, path);
            return true;
        }
        self.object(map, table::primitive_sibling(), path, Place::Element);
        map.contains_key("extension")
    }

    #[cold]
    fn bad_primitive(
        &mut self,
        primitive: Primitive,
        fault: crate::validate::primitives::Fault,
        value: &Value,
        path: &Path<'_>,
    ) {
        let text = match value {
            Value::Array(_) => format!(
                "`{}` is a list, but occurs at most once. Write the value alone.",
                path.name()
            ),
            Value::Object(_) => format!(
                "`{0}` is an object, but FHIR gives it the type {1}. Write its value; id and extension go into `_{0}`.",
                path.name(),
                primitive.name()
            ),
            _ => format!(
                "`{}` {}: FHIR gives it the type {}. {}",
                path.name(),
                fault.problem,
                primitive.name(),
                fault.advice
            ),
        };
        self.report.error(fault.code, path, text, Some(value));
    }

    #[cold]
    fn no_list(&mut self, value: &Value, path: &Path<'_>) {
        let text = match value {
            Value::Array(_) => format!("`{}` is an empty list. Leave it out.", path.name()),
            _ => format!(
                "`{}` may repeat, so it is a list, and this is {}. Put it into [ ].",
                path.name(),
                kind_of(value)
            ),
        };
        self.report.error(IssueCode::Structure, path, text, Some(value));
    }

    #[cold]
    fn no_object(&mut self, table: &ComplexType, value: &Value, path: &Path<'_>) {
        let text = match value {
            Value::Array(_) => format!(
                "`{}` is a list, but occurs at most once. Write the object alone.",
                path.name()
            ),
            _ => format!(
                "`{}` is {}, but FHIR gives it the type {}. Write a JSON object.",
                path.name(),
                kind_of(value),
                table.name
            ),
        };
        self.report.error(IssueCode::Structure, path, text, Some(value));
    }

    /// `ele-1`. Nothing at all is malformed JSON of FHIR; an id alone breaks the rule.
    #[cold]
    fn without_content(&mut self, value: &Value, path: &Path<'_>) {
        let code = match value.as_object() {
            Some(map) if !map.is_empty() => IssueCode::Invariant,
            _ => IssueCode::Structure,
        };
        let text = format!(
            "ele-1: `{}` is empty. Give it content, or leave it out.",
            path.name()
        );
        self.report.error(code, path, text, Some(value));
    }
}
