//! From a StructureDefinition to its tree of rules — <https://hl7.org/fhir/R4/structuredefinition.html>

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use super::element::{self, Target};
use super::node::{Child, Node, Occurs, Property, Slice};
use super::slicing;
use super::terminology::{bare, list, text};
use crate::resource::ResourceType;
use crate::validate::table::{self, ComplexType, Max, Type, Types};

/// Where the definitions of R4 itself are.
const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";
/// Longest chain of profiles of profiles.
const MAX_CHAIN: usize = 16;
/// Most elements of one definition, those of its bases included.
const MAX_ELEMENTS: usize = 4096;
/// Deepest path of an element, in names.
const MAX_STEPS: usize = 32;

/// Why a set of definitions cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The definition's URL.
    pub definition: String,
    /// What is wrong with it, and where.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the StructureDefinition {} cannot be used: {}",
            self.definition, self.problem
        )
    }
}

impl std::error::Error for Fault {}

/// A compiled profile, or the definition of an extension.
pub(super) struct Compiled {
    pub(super) url: String,
    /// FHIR's name of the type that it constrains.
    pub(super) kind: String,
    /// Where it may stand, when it is an extension.
    pub(super) contexts: Vec<Context>,
    pub(super) node: Node,
}

/// A place for an extension.
pub(super) struct Context {
    /// `element`, `extension` or `fhirpath`.
    pub(super) kind: String,
    pub(super) expression: String,
}

/// All definitions by URL.
pub(super) type Definitions<'v> = HashMap<&'v str, &'v Value>;

/// Compiles one definition; `None` of what constrains a type that nothing stored is made of.
pub(super) fn compile(definition: &Value, all: &Definitions<'_>) -> Result<Option<Compiled>, Fault> {
    let fault = |problem: String| Fault {
        definition: text(definition, "url").to_owned(),
        problem,
    };
    let kind = text(definition, "type");
    let Some(table) = table_of(kind) else {
        return Ok(None);
    };
    let elements = elements(definition, all).map_err(fault)?;
    if elements.len() > MAX_ELEMENTS {
        return Err(fault(format!("it has more than {MAX_ELEMENTS} elements")));
    }
    let mut node = Node {
        table: Some(table),
        ..Node::default()
    };
    let mut names = Names::default();
    for element in elements {
        let id = names.id_of(element);
        place(&mut node, kind, &id)
            .and_then(|target| match target {
                Some(target) => element::apply(target, element),
                None => Ok(()),
            })
            .map_err(|problem| fault(format!("element {id} {problem}")))?;
    }
    slicing::resolve(&mut node).map_err(|problem| fault(format!("element {problem}")))?;
    let contexts = list(definition, "context").iter().map(|context| Context {
        kind: text(context, "type").to_owned(),
        expression: text(context, "expression").to_owned(),
    });
    Ok(Some(Compiled {
        url: text(definition, "url").to_owned(),
        kind: kind.to_owned(),
        contexts: contexts.collect(),
        node,
    }))
}

/// The base table of a type that a definition may constrain.
pub(super) fn table_of(kind: &str) -> Option<&'static ComplexType> {
    let stored = ResourceType::parse(kind).map(table::resource);
    stored
        .or_else(|| table::contained(kind))
        .or_else(|| table::datatype(kind))
}

/// A snapshot says everything; differentials add up, that of the furthest base first.
fn elements<'v>(definition: &'v Value, all: &Definitions<'v>) -> Result<Vec<&'v Value>, String> {
    let mut chain = Vec::new();
    let mut next = Some(definition);
    while let Some(current) = next {
        if chain.len() >= MAX_CHAIN {
            return Err(format!(
                "its bases lead back to it, or there are more than {MAX_CHAIN}"
            ));
        }
        let part = |name| {
            current
                .get(name)
                .map_or(&[] as &[Value], |part| list(part, "element"))
        };
        let (snapshot, differential) = (part("snapshot"), part("differential"));
        if !snapshot.is_empty() {
            chain.push(snapshot);
            break;
        }
        chain.push(differential);
        let base = bare(text(current, "baseDefinition"));
        next = all.get(base).copied();
        if next.is_none() && !base.starts_with(CORE) {
            return Err(format!("its base {base} is not held"));
        }
    }
    Ok(chain.into_iter().rev().flatten().collect())
}

/// Makes ids of elements that have none, from paths and the slices that were named before.
#[derive(Default)]
struct Names {
    slices: HashMap<String, String>,
}

impl Names {
    fn id_of(&mut self, element: &Value) -> String {
        let (id, path, slice) = (
            text(element, "id"),
            text(element, "path"),
            text(element, "sliceName"),
        );
        if !id.is_empty() {
            return id.to_owned();
        }
        if slice.is_empty() {
            self.slices.remove(path);
        } else {
            self.slices.insert(path.to_owned(), slice.to_owned());
        }
        let mut made = String::new();
        let mut so_far = String::new();
        for name in path.split('.') {
            if !so_far.is_empty() {
                so_far.push('.');
                made.push('.');
            }
            so_far.push_str(name);
            made.push_str(name);
            if let Some(slice) = self.slices.get(&so_far) {
                made.push(':');
                made.push_str(slice);
            }
        }
        made
    }
}

/// Finds or makes what an id names; `None` for what lies inside a primitive and has no JSON of its own.
fn place<'n>(root: &'n mut Node, kind: &str, id: &str) -> Result<Option<Target<'n>>, String> {
    let mut steps = id.split('.');
    if steps.next() != Some(kind) {
        return Err(format!("does not begin with {kind}"));
    }
    let steps: Vec<&str> = steps.collect();
    if steps.len() > MAX_STEPS {
        return Err(format!("lies more than {MAX_STEPS} levels deep"));
    }
    let mut node = root;
    for (position, step) in steps.iter().enumerate() {
        let last = position + 1 == steps.len();
        let (name, slice) = step
            .split_once(':')
            .map_or((*step, None), |(name, slice)| (name, Some(slice)));
        let Some(table) = node.table else {
            return Err("lies below an element whose type is not settled before it".to_owned());
        };
        let name = name.strip_suffix("[x]").unwrap_or(name);
        let Some(made) = child(table, name) else {
            // `Patient.birthDate.value`: the primitive itself.
            return match (name, std::ptr::eq(table, table::primitive_sibling())) {
                ("value", true) => Ok(None),
                _ => Err(format!("names `{name}`, which {} does not have", table.name)),
            };
        };
        let Some(child) = node.child_mut(name, || made) else {
            return Ok(None);
        };
        match slice {
            None if last => return Ok(Some(Target::Child(child))),
            None => node = &mut child.node,
            Some(slice) => {
                let Some(found) = slice_of(child, slice) else {
                    return Ok(None);
                };
                if last {
                    return Ok(Some(Target::Slice(found)));
                }
                node = &mut found.node;
            }
        }
    }
    Ok(Some(Target::Root(node)))
}

fn slice_of<'n>(child: &'n mut Child, name: &str) -> Option<&'n mut Slice> {
    let table = child.node.table;
    let slicing = child.slicing.get_or_insert_default();
    let position = slicing.slices.iter().position(|slice| slice.name == name);
    let position = position.unwrap_or_else(|| {
        slicing.slices.push(Slice {
            name: name.to_owned(),
            occurs: Occurs::default(),
            node: Node {
                table,
                ..Node::default()
            },
            tests: Vec::new(),
        });
        slicing.slices.len() - 1
    });
    slicing.slices.get_mut(position)
}

/// The element of a type by its name in a profile: `value`, `name`, or `valueCode` for one type of a choice.
fn child(table: &'static ComplexType, name: &str) -> Option<Child> {
    let named = table.elements.iter().find(|element| element.name == name);
    let (element, kinds): (_, Vec<Type>) = match named {
        Some(element) => match element.types {
            Types::One(kind) => (element, vec![kind]),
            Types::Choice(kinds) => (element, kinds.to_vec()),
        },
        None => {
            let found = table.element(name)?;
            (found.element, vec![found.kind])
        }
    };
    let choice = matches!(element.types, Types::Choice(_));
    let property = |kind: &Type| {
        let name = if choice {
            table::property_of(element.name, *kind)
        } else {
            element.name.to_owned()
        };
        Property {
            sibling: format!("_{name}"),
            name,
            kind: *kind,
        }
    };
    Some(Child {
        name: name.to_owned(),
        element: element.name,
        properties: kinds.iter().map(property).collect(),
        occurs: Occurs::default(),
        node: Node {
            table: match kinds.as_slice() {
                [one] => below(*one),
                _ => None,
            },
            ..Node::default()
        },
        slicing: None,
        base: Occurs {
            // Of one type of a choice base R4 demands nothing.
            min: if named.is_some() {
                usize::from(element.min)
            } else {
                0
            },
            max: match element.max {
                Max::One => Some(1),
                Max::Many => None,
            },
        },
        choice,
    })
}

/// What lies below an element of this type.
pub(super) fn below(kind: Type) -> Option<&'static ComplexType> {
    match kind {
        Type::Complex(complex) => Some(complex),
        Type::Primitive(_) => Some(table::primitive_sibling()),
        Type::Resource => None,
    }
}
