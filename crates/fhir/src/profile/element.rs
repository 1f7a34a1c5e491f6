//! One ElementDefinition into its node — <https://hl7.org/fhir/R4/elementdefinition.html>

use serde_json::Value;

use super::definition::table_of;
use super::invariant::Constraint;
use super::node::{
    Binding, Child, Discriminator, DiscriminatorKind, Node, Occurs, Slice, SlicingRules, Step, TypeRule,
};
use super::terminology::{Strength, list, text};
use crate::validate::table;

/// What an element's id names.
pub(super) enum Target<'n> {
    Root(&'n mut Node),
    Child(&'n mut Child),
    Slice(&'n mut Slice),
}

/// Puts what the element says into its node.
///
/// # Errors
/// What cannot be understood.
pub(super) fn apply(target: Target<'_>, element: &Value) -> Result<(), String> {
    let (min, max) = cardinality(element)?;
    match target {
        Target::Root(node) => constraints(node, element),
        Target::Child(child) => {
            if let Some(min) = min {
                // What base R4 demands is its own validation's matter: nobody is told twice.
                child.occurs.min = if min <= child.base.min { 0 } else { min };
            }
            if let Some(max) = max {
                child.occurs.max = max.filter(|_| max != child.base.max);
            }
            if let Some(slicing) = element.get("slicing") {
                let (discriminators, rules) = slicing_of(slicing)?;
                let target = child.slicing.get_or_insert_default();
                target.discriminators = discriminators;
                target.rules = rules;
            }
            types(&mut child.node, element, child.choice)?;
            values(&mut child.node, element)
        }
        Target::Slice(slice) => {
            slice.occurs = Occurs {
                min: min.unwrap_or(slice.occurs.min),
                max: max.unwrap_or(slice.occurs.max),
            };
            types(&mut slice.node, element, true)?;
            values(&mut slice.node, element)
        }
    }
}

fn cardinality(element: &Value) -> Result<(Option<usize>, Option<Option<usize>>), String> {
    let min = match element.get("min") {
        None => None,
        Some(min) => Some(number(min).ok_or("has a min that is no number")?),
    };
    let max = match element.get("max").map(|max| max.as_str().unwrap_or_default()) {
        None => None,
        Some("*") => Some(None),
        Some(max) => Some(Some(
            max.parse()
                .map_err(|_| "has a max that is neither a number nor *")?,
        )),
    };
    if let (Some(min), Some(Some(max))) = (min, max)
        && min > max
    {
        return Err(format!("demands at least {min} and at most {max}"));
    }
    Ok((min, max))
}

fn number(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

fn types(node: &mut Node, element: &Value, choice: bool) -> Result<(), String> {
    let said = list(element, "type");
    if said.is_empty() {
        return Ok(());
    }
    let texts = |value: &Value, name: &str| -> Vec<String> {
        let items = list(value, name).iter().filter_map(Value::as_str);
        items.map(str::to_owned).collect()
    };
    let rules: Vec<TypeRule> = said
        .iter()
        .map(|kind| TypeRule {
            code: text(kind, "code").to_owned(),
            profiles: texts(kind, "profile"),
            targets: texts(kind, "targetProfile"),
        })
        .collect();
    if choice && let [one] = rules.as_slice() {
        node.table = match table_of(&one.code) {
            Some(table) => Some(table),
            None if one.code.starts_with(|letter: char| letter.is_ascii_lowercase()) => {
                Some(table::primitive_sibling())
            }
            None => node.table,
        };
    }
    // An element of one type has that type; what counts are profiles and targets.
    let narrows = choice
        || rules
            .iter()
            .any(|rule| !rule.profiles.is_empty() || !rule.targets.is_empty());
    node.rules.types = narrows.then_some(rules);
    Ok(())
}

fn values(node: &mut Node, element: &Value) -> Result<(), String> {
    let rules = &mut node.rules;
    for (name, value) in element.as_object().into_iter().flatten() {
        let typed = |stem: &str| {
            name.strip_prefix(stem)
                .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
        };
        if typed("fixed") {
            rules.fixed = Some(value.clone());
        } else if typed("pattern") {
            rules.pattern = Some(value.clone());
        } else if typed("minValue") {
            rules.min_value = Some(value.clone());
        } else if typed("maxValue") {
            rules.max_value = Some(value.clone());
        } else if name == "maxLength" {
            rules.max_length = Some(number(value).ok_or("has a maxLength that is no number")?);
        } else if name == "binding" {
            let set = text(value, "valueSet").to_owned();
            let strength = Strength::parse(text(value, "strength")).filter(|_| !set.is_empty());
            rules.binding = strength.map(|strength| Binding { strength, set });
        }
    }
    constraints(node, element)
}

fn constraints(node: &mut Node, element: &Value) -> Result<(), String> {
    for constraint in list(element, "constraint") {
        let (key, source) = (text(constraint, "key"), text(constraint, "source"));
        let held = node.rules.constraints.iter().any(|known| known.key == key);
        // A snapshot repeats the rules of R4 itself, which base validation knows by heart.
        if held || source.starts_with("http://hl7.org/fhir/StructureDefinition/") || is_core(key) {
            continue;
        }
        let is_error = text(constraint, "severity") != "warning";
        let human = text(constraint, "human");
        let compiled = Constraint::compile(key, human, is_error, text(constraint, "expression"));
        let compiled =
            compiled.map_err(|problem| format!("has the constraint {key}, whose expression {problem}"))?;
        node.rules.constraints.push(compiled);
    }
    Ok(())
}

fn is_core(key: &str) -> bool {
    ["ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6"].contains(&key)
}

fn slicing_of(slicing: &Value) -> Result<(Vec<Discriminator>, SlicingRules), String> {
    let rules = match text(slicing, "rules") {
        "closed" => SlicingRules::Closed,
        "openAtEnd" => SlicingRules::OpenAtEnd,
        "open" | "" => SlicingRules::Open,
        other => return Err(format!("has the slicing rules `{other}`, which are unknown")),
    };
    let each = list(slicing, "discriminator").iter().map(|discriminator| {
        let kind = match text(discriminator, "type") {
            "value" | "pattern" => DiscriminatorKind::Value,
            "exists" => DiscriminatorKind::Exists,
            "type" => DiscriminatorKind::Type,
            "profile" => DiscriminatorKind::Profile,
            other => {
                return Err(format!(
                    "has a discriminator of the type `{other}`, which is unknown"
                ));
            }
        };
        Ok(Discriminator {
            kind,
            path: steps(text(discriminator, "path"))?,
        })
    });
    Ok((each.collect::<Result<_, _>>()?, rules))
}

/// `$this`, `type.coding.code`, `extension('url').value`, `value.ofType(Coding)`.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let unreadable = || format!("has the discriminator path `{path}`, which cannot be followed");
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("extension('") {
            let (url, tail) = tail.split_once("')").ok_or_else(unreadable)?;
            steps.push(Step::Extension(url.to_owned()));
            rest = tail.strip_prefix('.').unwrap_or(tail);
            continue;
        }
        let (name, tail) = rest.split_once('.').unwrap_or((rest, ""));
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match name {
            "$this" => {}
            // The type is what the property's name says already.
            of_type if of_type.starts_with("ofType(") && of_type.ends_with(')') => {}
            name if plain => steps.push(Step::Element(name.to_owned())),
            _ => return Err(unreadable()),
        }
        rest = tail;
    }
    Ok(steps)
}
