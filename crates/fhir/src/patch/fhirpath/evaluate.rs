//! Which elements of a resource a path leads to. Every name is looked up in the table of R4's elements, whether the
//! resource has the element or not: a misspelt path is refused, it does not lead to nothing.

use serde_json::{Map, Value};

use super::expression::{Condition, Literal, Path, Step};
use super::place::{Key, Place, of_sibling};
use crate::outcome::Issue;
use crate::patch::tidy::sibling;
use crate::patch::work::Work;
use crate::patch::{inapplicable, malformed};
use crate::resource::ResourceType;
use crate::validate::table::{self, ComplexType, Element, Max, Type, Types};

/// Where an element stands, and what it is.
#[derive(Clone)]
pub(super) struct Standing {
    /// Its place.
    pub(super) place: Place,
    /// Its type.
    pub(super) kind: Type,
    /// What it is to its parent; `None` for the resource.
    pub(super) element: Option<&'static Element>,
}

/// An element that a path leads to.
#[derive(Clone)]
struct Node<'t> {
    /// Its value; `None` of a primitive that has extensions alone.
    value: Option<&'t Value>,
    /// The id and extensions of a primitive.
    extra: Option<&'t Value>,
    at: Standing,
}

impl Standing {
    /// The type whose elements its children are, and where they stand.
    pub(super) fn inside(&self) -> Result<(&'static ComplexType, Place), Issue> {
        match self.kind {
            Type::Complex(table) => Ok((table, self.place.clone())),
            Type::Primitive(_) => Ok((table::primitive_sibling(), of_sibling(&self.place))),
            Type::Resource => Err(unknown_inside()),
        }
    }
}

fn unknown_inside() -> Issue {
    inapplicable(
        "the path goes into a contained resource of a type whose elements are not known here. Use a JSON Patch.",
    )
}

/// Where a path has come to.
struct Focus<'t> {
    nodes: Vec<Node<'t>>,
    /// The types that can stand there.
    kinds: Vec<Type>,
}

/// The elements that a path leads to, in document order. `root_name`: the type that it begins with.
///
/// # Errors
/// A name that there is none of, or a path that begins with another type.
pub(super) fn evaluate(
    root: &Value,
    kind: ResourceType,
    root_name: Option<&str>,
    steps: &[Step],
    work: &mut Work,
) -> Result<Vec<Standing>, Issue> {
    if let Some(name) = root_name
        && name != kind.as_str()
        && !matches!(name, "Resource" | "DomainResource")
    {
        let shown: String = name.chars().take(64).collect();
        return Err(malformed(format!(
            "the path begins with {shown}, but the resource is a {kind}. Begin with {kind}."
        )));
    }
    let kind = Type::Complex(table::resource(kind));
    let start = Focus {
        nodes: vec![Node {
            value: Some(root),
            extra: None,
            at: Standing {
                place: Vec::new(),
                kind,
                element: None,
            },
        }],
        kinds: vec![kind],
    };
    let found = walk(start, steps, work)?;
    Ok(found.nodes.into_iter().map(|node| node.at).collect())
}

fn walk<'t>(start: Focus<'t>, steps: &[Step], work: &mut Work) -> Result<Focus<'t>, Issue> {
    steps
        .iter()
        .try_fold(start, |focus, step| take_step(focus, step, work))
}

fn take_step<'t>(focus: Focus<'t>, step: &Step, work: &mut Work) -> Result<Focus<'t>, Issue> {
    work.spend(1 + focus.nodes.len())?;
    let Focus { nodes, kinds } = focus;
    let nodes = match step {
        Step::Name(name) => return children(&Focus { nodes, kinds }, name, work),
        Step::Index(position) => nodes.into_iter().nth(*position).into_iter().collect(),
        Step::First => nodes.into_iter().take(1).collect(),
        Step::Last => nodes.into_iter().last().into_iter().collect(),
        Step::Where(condition) => {
            // Once with nothing: a misspelt name is found where there is nothing to look at, too.
            check(condition, &kinds, work)?;
            let mut kept = Vec::new();
            for node in nodes {
                if holds(condition, &node, work)? {
                    kept.push(node);
                }
            }
            kept
        }
        Step::Extension(url) => {
            let all = children(&Focus { nodes, kinds }, "extension", work)?;
            let is_meant = |node: &Node<'_>| {
                node.value
                    .and_then(|value| value.get("url"))
                    .and_then(Value::as_str)
                    == Some(url)
            };
            return Ok(Focus {
                nodes: all.nodes.into_iter().filter(is_meant).collect(),
                kinds: all.kinds,
            });
        }
        Step::OfType(name) => {
            let kinds: Vec<Type> = kinds.into_iter().filter(|kind| kind.name() == name).collect();
            if kinds.is_empty() {
                let shown: String = name.chars().take(64).collect();
                return Err(malformed(format!(
                    "no {shown} can stand where the path says ofType({shown})."
                )));
            }
            return Ok(Focus {
                nodes: nodes
                    .into_iter()
                    .filter(|node| node.at.kind.name() == name)
                    .collect(),
                kinds,
            });
        }
    };
    Ok(Focus { nodes, kinds })
}

/// The element of this name, `value` for all of `value[x]`.
pub(super) fn element_named(table: &'static ComplexType, name: &str) -> Option<&'static Element> {
    table.elements.iter().find(|element| element.name == name)
}

/// Says that there is no such element, and what is meant perhaps.
pub(super) fn no_element(table: &'static ComplexType, name: &str) -> Issue {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let hint = match table.element(name) {
        Some(found) => format!("FHIRPath calls it {}.", found.element.name),
        None => {
            let known: Vec<&str> = table.elements.iter().map(|element| element.name).collect();
            format!("There are {}.", known.join(", "))
        }
    };
    malformed(format!("{} has no element {shown}. {hint}", shown_table(table)))
}

fn shown_table(table: &'static ComplexType) -> &'static str {
    if std::ptr::eq(table, table::primitive_sibling()) {
        "a primitive"
    } else {
        table.name
    }
}

/// The type whose elements the children of something of this type are.
fn table_of(kind: Type) -> Option<&'static ComplexType> {
    match kind {
        Type::Complex(table) => Some(table),
        Type::Primitive(_) => Some(table::primitive_sibling()),
        Type::Resource => None,
    }
}

fn children<'t>(focus: &Focus<'t>, name: &str, work: &mut Work) -> Result<Focus<'t>, Issue> {
    let mut kinds: Vec<Type> = Vec::new();
    // Each once: an extension's value can have an extension whose value can have an extension.
    let mut keep = |kind: Type| {
        if !kinds.iter().any(|kept| kept.name() == kind.name()) {
            kinds.push(kind);
        }
    };
    let mut missing = None;
    for kind in &focus.kinds {
        match table_of(*kind) {
            None => keep(Type::Resource),
            Some(table) => match element_named(table, name) {
                Some(element) => match element.types {
                    Types::One(kind) => keep(kind),
                    Types::Choice(choices) => choices.iter().copied().for_each(&mut keep),
                },
                None => missing = missing.or(Some(table)),
            },
        }
    }
    work.spend(focus.kinds.len())?;
    if kinds.is_empty()
        && let Some(table) = missing
    {
        return Err(no_element(table, name));
    }
    let mut nodes = Vec::new();
    for node in &focus.nodes {
        let (table, place) = node.at.inside()?;
        let holder = match node.at.kind {
            Type::Primitive(_) => node.extra,
            Type::Complex(_) | Type::Resource => node.value,
        };
        let Some(element) = element_named(table, name) else {
            continue;
        };
        if let Some(holder) = holder.and_then(Value::as_object) {
            collect(holder, element, &place, &mut nodes);
        }
    }
    work.spend(nodes.len())?;
    Ok(Focus { nodes, kinds })
}

/// The elements of this name in an object.
fn collect<'t>(
    holder: &'t Map<String, Value>,
    element: &'static Element,
    above: &Place,
    nodes: &mut Vec<Node<'t>>,
) {
    let Some((property, kind)) = present(holder, element) else {
        return;
    };
    let (value, extra) = (holder.get(&property), holder.get(&sibling(&property)));
    let mut push = |value: Option<&'t Value>, extra: Option<&'t Value>, index: Option<usize>| {
        let value = value.filter(|value| !value.is_null());
        let extra = extra.filter(|extra| !extra.is_null());
        if value.is_none() && extra.is_none() {
            return;
        }
        let mut place = above.clone();
        place.push(Key::Name(property.clone()));
        place.extend(index.map(Key::Index));
        nodes.push(Node {
            value,
            extra,
            at: Standing {
                place,
                kind: of_contained(kind, value),
                element: Some(element),
            },
        });
    };
    let items = |list: Option<&'t Value>| list.and_then(Value::as_array);
    if element.max == Max::One && items(value).is_none() && items(extra).is_none() {
        push(value, extra, None);
        return;
    }
    let length = |list: Option<&'t Value>| items(list).map_or(0, Vec::len);
    for position in 0..length(value).max(length(extra)) {
        let item = |list: Option<&'t Value>| items(list).and_then(|items| items.get(position));
        push(item(value), item(extra), Some(position));
    }
}

/// The property under which an element stands in an object, if it does.
pub(super) fn present(holder: &Map<String, Value>, element: &'static Element) -> Option<(String, Type)> {
    match element.types {
        Types::One(kind) => {
            let stands = holder.contains_key(element.name)
                || (matches!(kind, Type::Primitive(_)) && holder.contains_key(&sibling(element.name)));
            stands.then(|| (element.name.to_owned(), kind))
        }
        Types::Choice(_) => holder.keys().find_map(|key| {
            let property = key.strip_prefix('_').unwrap_or(key);
            element.type_of(property).map(|kind| (property.to_owned(), kind))
        }),
    }
}

/// A contained resource is what it says it is.
fn of_contained(kind: Type, value: Option<&Value>) -> Type {
    let Type::Resource = kind else { return kind };
    value
        .and_then(|value| value.get("resourceType"))
        .and_then(Value::as_str)
        .and_then(table::contained)
        .map_or(Type::Resource, Type::Complex)
}

/// Finds misspelt names in a condition, without anything to look at.
fn check(condition: &Condition, kinds: &[Type], work: &mut Work) -> Result<(), Issue> {
    match condition {
        Condition::All(conditions) | Condition::Any(conditions) => conditions
            .iter()
            .try_for_each(|condition| check(condition, kinds, work)),
        Condition::Equal(path, _)
        | Condition::Unequal(path, _)
        | Condition::Exists(path)
        | Condition::Empty(path)
        | Condition::True(path) => {
            let nothing = Focus {
                nodes: Vec::new(),
                kinds: kinds.to_vec(),
            };
            walk(nothing, &path.steps, work).map(drop)
        }
    }
}

fn holds(condition: &Condition, node: &Node<'_>, work: &mut Work) -> Result<bool, Issue> {
    match condition {
        Condition::All(conditions) => {
            for condition in conditions {
                if !holds(condition, node, work)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Any(conditions) => {
            for condition in conditions {
                if holds(condition, node, work)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Equal(path, literal) => Ok(is_equal(&found(path, node, work)?, literal)),
        // Nothing is neither equal nor unequal to anything.
        Condition::Unequal(path, literal) => {
            let found = found(path, node, work)?;
            Ok(!found.is_empty() && !is_equal(&found, literal))
        }
        Condition::Exists(path) => Ok(!found(path, node, work)?.is_empty()),
        Condition::Empty(path) => Ok(found(path, node, work)?.is_empty()),
        Condition::True(path) => Ok(is_equal(&found(path, node, work)?, &Literal::Boolean(true))),
    }
}

fn found<'t>(path: &Path, node: &Node<'t>, work: &mut Work) -> Result<Vec<Node<'t>>, Issue> {
    let start = Focus {
        nodes: vec![node.clone()],
        kinds: vec![node.at.kind],
    };
    walk(start, &path.steps, work).map(|focus| focus.nodes)
}

fn is_equal(found: &[Node<'_>], literal: &Literal) -> bool {
    let [only] = found else { return false };
    match (only.value, literal) {
        (Some(Value::String(text)), Literal::Text(wanted)) => text == wanted,
        (Some(Value::Bool(value)), Literal::Boolean(wanted)) => value == wanted,
        (Some(Value::Number(number)), Literal::Number(wanted)) => number.as_str() == wanted,
        _ => false,
    }
}
