//! The rules of one value: fixed values, patterns, bindings, lengths and bounds.

use std::cmp::Ordering;

use serde_json::Value;

use super::check::Check;
use super::node::{Binding, Rules};
use super::terminology::{Codes, Strength, list, text};
use crate::outcome::{IssueCode, Severity};
use crate::validate::decimal;
use crate::validate::path::Path;
use crate::validate::report::{cut, shown};

impl Check<'_> {
    /// Checks a value against the rules that look at nothing but itself.
    pub(super) fn value(&mut self, rules: &Rules, value: &Value, path: &Path<'_>) {
        if let Some(fixed) = &rules.fixed
            && value != fixed
        {
            let text = format!(
                "`{}` has to be {}, exactly, and holds {}. Write that.",
                path.name(),
                written(fixed),
                shown(value)
            );
            self.report(Severity::Error, IssueCode::Value, path, text);
        }
        if let Some(pattern) = &rules.pattern
            && !holds(value, pattern)
        {
            let text = format!(
                "`{}` has to hold {}, and holds {}. Add what is missing.",
                path.name(),
                written(pattern),
                shown(value)
            );
            self.report(Severity::Error, IssueCode::Value, path, text);
        }
        if let Some(binding) = &rules.binding {
            self.binding(binding, value, path);
        }
        self.bounds(rules, value, path);
    }

    fn binding(&mut self, binding: &Binding, value: &Value, path: &Path<'_>) {
        let Some(codes) = self.profiles.terminology.codes(&binding.set) else {
            let text = format!(
                "Whether `{}` is a code of {} was not checked: this server does not hold the whole value set.",
                path.name(),
                binding.set
            );
            self.report(Severity::Information, IssueCode::Informational, path, text);
            return;
        };
        if is_in(value, codes) {
            return;
        }
        let (severity, demand) = match binding.strength {
            Strength::Required => (Severity::Error, "Write one of"),
            Strength::Extensible => (Severity::Warning, "If one of these fits, write it"),
        };
        let text = format!(
            "`{}` holds no code of {}, but {}. {demand}: {}.",
            path.name(),
            binding.set,
            coded(value),
            codes.listed()
        );
        self.report(severity, IssueCode::CodeInvalid, path, text);
    }

    fn bounds(&mut self, rules: &Rules, value: &Value, path: &Path<'_>) {
        if let (Some(longest), Some(text)) = (rules.max_length, value.as_str()) {
            let length = text.chars().count();
            if length > longest {
                let text = format!(
                    "`{}` has {length} characters, and may have {longest}. Shorten it.",
                    path.name()
                );
                self.report(Severity::Error, IssueCode::Value, path, text);
            }
        }
        for (bound, beyond, word) in [
            (&rules.min_value, Ordering::Less, "least"),
            (&rules.max_value, Ordering::Greater, "most"),
        ] {
            let Some(bound) = bound else { continue };
            if compare(value, bound) == Some(beyond) {
                let text = format!(
                    "`{}` has to be at {word} {}, and is {}. Correct it.",
                    path.name(),
                    shown(bound),
                    shown(value)
                );
                self.report(Severity::Error, IssueCode::Value, path, text);
            }
        }
    }
}

/// Whether a value holds all that a pattern says — <https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_>
pub(super) fn holds(value: &Value, pattern: &Value) -> bool {
    match (value, pattern) {
        (Value::Object(map), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| map.get(name).is_some_and(|value| holds(value, wanted))),
        (Value::Array(items), Value::Array(wanted)) => wanted
            .iter()
            .all(|wanted| items.iter().any(|item| holds(item, wanted))),
        _ => value == pattern,
    }
}

/// Whether a code, Coding, CodeableConcept or Quantity is of a value set.
pub(super) fn is_in(value: &Value, codes: &Codes) -> bool {
    match value {
        Value::String(code) => codes.contains_code(code),
        Value::Object(map) if map.contains_key("coding") => list(value, "coding")
            .iter()
            .any(|coding| codes.contains(text(coding, "system"), text(coding, "code"))),
        Value::Object(_) => codes.contains(text(value, "system"), text(value, "code")),
        _ => false,
    }
}

/// Decimals by value. Dates as far as both say: `1980-05` is neither before nor after `1980`.
fn compare(value: &Value, bound: &Value) -> Option<Ordering> {
    match (value, bound) {
        (Value::Number(value), Value::Number(bound)) => decimal::compare(value.as_str(), bound.as_str()),
        (Value::String(value), Value::String(bound)) => {
            // Behind the seconds come fractions and time zones, which text does not order.
            let both = value.len().min(bound.len()).min("2026-01-01T00:00:00".len());
            Some(value.get(..both)?.cmp(bound.get(..both)?))
        }
        _ => None,
    }
}

fn coded(value: &Value) -> String {
    let one = |coding: &Value| match text(coding, "system") {
        "" => cut(text(coding, "code")),
        system => cut(&format!("{system}|{}", text(coding, "code"))),
    };
    match value {
        Value::Object(map) if map.contains_key("coding") => {
            let codings: Vec<String> = list(value, "coding").iter().take(3).map(one).collect();
            codings.join(" and ")
        }
        Value::Object(map) if !map.contains_key("code") => "none at all".to_owned(),
        Value::Object(_) => one(value),
        other => shown(other),
    }
}

/// A demanded value, for a sentence: the whole of it, since the profile's author wrote it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
