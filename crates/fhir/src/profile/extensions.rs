//! Extensions whose definition is held: whether they stand where they may, and hold what they must —
//! <https://hl7.org/fhir/R4/defining-extensions.html>

use serde_json::{Map, Value};

use super::check::Check;
use super::definition::below;
use super::terminology::text;
use super::{Compiled, Context};
use crate::limits::MAX_DEPTH;
use crate::outcome::{IssueCode, Severity};
use crate::validate::path::Path;
use crate::validate::table::{self, ComplexType, Kind, Type};

/// What an extension stands on.
#[derive(Clone, Copy)]
struct Holder<'h> {
    /// Its type: `Patient`, `HumanName`, `string`.
    kind: &'h str,
    is_resource: bool,
    /// The type of which it is an element, and its name there.
    of: Option<(&'h str, &'h str)>,
    /// The URL, when it is an extension itself.
    url: &'h str,
    depth: usize,
}

impl Check<'_> {
    /// Checks every extension of a resource that the profiles know a definition of.
    pub(super) fn extensions(&mut self, resource: &Value, table: &'static ComplexType, path: &Path<'_>) {
        if let Some(map) = resource.as_object() {
            let holder = Holder {
                kind: table.name,
                is_resource: true,
                of: None,
                url: "",
                depth: 0,
            };
            self.below(map, table, path, holder);
        }
    }

    fn below(
        &mut self,
        map: &Map<String, Value>,
        table: &'static ComplexType,
        path: &Path<'_>,
        holder: Holder<'_>,
    ) {
        // What lies deeper, base validation refuses.
        if holder.depth >= MAX_DEPTH || self.is_full() {
            return;
        }
        let mut next = 0;
        for (key, value) in map {
            let sibling = key.strip_prefix('_');
            let Some(found) = table.element_from(sibling.unwrap_or(key), next) else {
                continue;
            };
            next = found.position;
            let (name, place) = (found.element.name, path.child(found.element.name));
            let inner = match found.kind {
                Type::Primitive(_) if sibling.is_none() => continue,
                kind => below(kind),
            };
            let of_list = value.as_array().map(Vec::as_slice);
            for (index, item) in of_list.unwrap_or(std::slice::from_ref(value)).iter().enumerate() {
                let place = if of_list.is_some() {
                    place.item(index)
                } else {
                    place
                };
                let Some(object) = item.as_object() else { continue };
                if matches!(name, "extension" | "modifierExtension") {
                    self.extension(item, &place, holder);
                }
                let inner = inner.or_else(|| table::contained(text(item, "resourceType")));
                let Some(inner) = inner else { continue };
                let stands_on = Holder {
                    kind: found.kind.name(),
                    is_resource: inner.kind != Kind::Element,
                    of: Some((table.name, name)),
                    url: text(item, "url"),
                    depth: holder.depth + 1,
                };
                self.below(object, inner, &place, stands_on);
            }
        }
    }

    fn extension(&mut self, extension: &Value, path: &Path<'_>, holder: Holder<'_>) {
        let Some(definition) = self.profiles.extension(text(extension, "url")) else {
            return;
        };
        self.profile(definition, extension, path);
        self.context(definition, path, holder);
    }

    fn context(&mut self, definition: &Compiled, path: &Path<'_>, holder: Holder<'_>) {
        let names = path.names();
        let place = names.rsplit_once('.').map_or("", |(place, _)| place);
        let allowed = definition.contexts.is_empty()
            || definition
                .contexts
                .iter()
                .any(|context| fits(context, holder, place));
        if allowed {
            return;
        }
        let contexts: Vec<&str> = definition
            .contexts
            .iter()
            .map(|context| context.expression.as_str())
            .collect();
        let text = format!(
            "The extension {} may not stand on {place}, but on: {}. Move it there.",
            definition.url,
            contexts.join(", ")
        );
        self.report(Severity::Error, IssueCode::Structure, path, text);
    }
}

fn fits(context: &Context, holder: Holder<'_>, place: &str) -> bool {
    let expression = context.expression.as_str();
    match context.kind.as_str() {
        "element" => {
            let of = holder.of.map(|(kind, name)| format!("{kind}.{name}"));
            match expression {
                "Element" => !holder.is_resource,
                "Resource" | "DomainResource" => holder.is_resource,
                _ => expression == holder.kind || expression == place || of.as_deref() == Some(expression),
            }
        }
        "extension" => expression == holder.url,
        // An expression that says where cannot be told from here.
        _ => true,
    }
}
