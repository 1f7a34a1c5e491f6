//! Which slice an item belongs to — <https://hl7.org/fhir/R4/profiling.html#slicing>
//!
//! What tells slices apart is taken out of their rules once, when the profile is compiled.

use serde_json::{Map, Value};

use super::node::{Child, Discriminator, DiscriminatorKind, Node, Slice, Slicing, Step, Test, Wanted};
use super::terminology::{Strength, Terminology, bare};
use super::values::{holds, is_in};

/// Gives every slice below a node its tests.
///
/// # Errors
/// The slice that cannot be told from others.
pub(super) fn resolve(node: &mut Node) -> Result<(), String> {
    for child in &mut node.children {
        resolve(&mut child.node)?;
        let implied = implied(child);
        let Some(slicing) = &mut child.slicing else {
            continue;
        };
        if slicing.discriminators.is_empty() {
            slicing.discriminators = implied;
        }
        for slice in &mut slicing.slices {
            resolve(&mut slice.node)?;
            slice.tests = tests(&slicing.discriminators, slice, child.element).map_err(|problem| {
                format!("`{}` has the slice {}, which {problem}", child.name, slice.name)
            })?;
        }
    }
    Ok(())
}

/// What R4 itself tells the slices of extensions and of choices by.
fn implied(child: &Child) -> Vec<Discriminator> {
    let one = |kind, path| vec![Discriminator { kind, path }];
    if is_extension(child.element) {
        one(DiscriminatorKind::Value, vec![Step::Element("url".to_owned())])
    } else if child.choice {
        one(DiscriminatorKind::Type, Vec::new())
    } else {
        Vec::new()
    }
}

fn is_extension(element: &str) -> bool {
    matches!(element, "extension" | "modifierExtension")
}

fn tests(discriminators: &[Discriminator], slice: &Slice, element: &str) -> Result<Vec<Test>, String> {
    if discriminators.is_empty() {
        return Err("no discriminator tells from others".to_owned());
    }
    let mut tests = Vec::new();
    for discriminator in discriminators {
        let before = tests.len();
        let path = &discriminator.path;
        match discriminator.kind {
            DiscriminatorKind::Value => demands(&slice.node, path, &mut tests),
            DiscriminatorKind::Exists => tests.extend(presence(&slice.node, path)),
            DiscriminatorKind::Type => tests.extend(typed(&slice.node, path)),
            DiscriminatorKind::Profile if is_extension(element) => tests.extend(url(&slice.node)),
            DiscriminatorKind::Profile => {}
        }
        if tests.len() == before {
            return Err(format!(
                "says nothing that its discriminator `{}` could look for",
                shown(path)
            ));
        }
    }
    Ok(tests)
}

fn shown(path: &[Step]) -> String {
    let steps: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Element(name) => name.clone(),
            Step::Extension(url) => format!("extension('{url}')"),
        })
        .collect();
    if steps.is_empty() {
        "$this".to_owned()
    } else {
        steps.join(".")
    }
}

/// Fixed values, patterns and required bindings on the way to, at, and below the end of a path.
fn demands(node: &Node, path: &[Step], tests: &mut Vec<Test>) {
    let mut at = node;
    for (position, step) in path.iter().enumerate() {
        let rest = path.get(position..).unwrap_or_default();
        for (demanded, exact) in [(&at.rules.fixed, true), (&at.rules.pattern, false)] {
            let Some(demanded) = demanded else { continue };
            let found = along(demanded, rest);
            tests.extend(found.into_iter().map(|value| Test {
                path: path.to_vec(),
                wanted: if exact {
                    Wanted::Fixed(value.clone())
                } else {
                    Wanted::Pattern(value.clone())
                },
            }));
        }
        if matches!(step, Step::Element(name) if name == "url") {
            tests.extend(url(at));
        }
        let Some(next) = next(at, step) else { return };
        at = next;
    }
    below(at, path.to_vec(), tests);
}

fn below(node: &Node, path: Vec<Step>, tests: &mut Vec<Test>) {
    let mut demand = |wanted| {
        tests.push(Test {
            path: path.clone(),
            wanted,
        });
    };
    if let Some(value) = &node.rules.fixed {
        demand(Wanted::Fixed(value.clone()));
    } else if let Some(value) = &node.rules.pattern {
        demand(Wanted::Pattern(value.clone()));
    } else if let Some(binding) = &node.rules.binding
        && binding.strength == Strength::Required
    {
        demand(Wanted::In(binding.set.clone()));
    } else {
        for child in &node.children {
            let mut path = path.clone();
            path.push(Step::Element(child.name.clone()));
            below(&child.node, path, tests);
        }
    }
}

fn next<'n>(node: &'n Node, step: &Step) -> Option<&'n Node> {
    match step {
        Step::Element(name) => node.child(name).map(|child| &child.node),
        Step::Extension(url) => extension_slice(node, url).map(|slice| &slice.node),
    }
}

fn extension_slice<'n>(node: &'n Node, wanted: &str) -> Option<&'n Slice> {
    let slices = &node.child("extension")?.slicing.as_ref()?.slices;
    let names = |slice: &Slice| {
        let fixed = slice
            .node
            .child("url")
            .and_then(|child| child.node.rules.fixed.as_ref());
        let profiles = slice
            .node
            .rules
            .types
            .iter()
            .flatten()
            .flat_map(|rule| &rule.profiles);
        fixed.and_then(Value::as_str) == Some(wanted) || profiles.into_iter().any(|url| bare(url) == wanted)
    };
    slices.iter().find(|slice| names(slice))
}

/// The definitions that an extension's types name.
fn url(node: &Node) -> Option<Test> {
    let rules = node.rules.types.iter().flatten();
    let urls: Vec<String> = rules
        .flat_map(|rule| &rule.profiles)
        .map(|url| bare(url).to_owned())
        .collect();
    (!urls.is_empty()).then_some(Test {
        path: Vec::new(),
        wanted: Wanted::Url(urls),
    })
}

fn presence(node: &Node, path: &[Step]) -> Option<Test> {
    let (last, way) = path.split_last()?;
    let at = way.iter().try_fold(node, |at, step| next(at, step))?;
    let occurs = match last {
        Step::Element(name) => at.child(name)?.occurs,
        Step::Extension(url) => extension_slice(at, url)?.occurs,
    };
    let wanted = match (occurs.min, occurs.max) {
        (_, Some(0)) => false,
        (1.., _) => true,
        _ => return None,
    };
    Some(Test {
        path: path.to_vec(),
        wanted: Wanted::Presence(wanted),
    })
}

fn typed(node: &Node, path: &[Step]) -> Option<Test> {
    let at = path.iter().try_fold(node, |at, step| next(at, step))?;
    let types = at.rules.types.as_ref()?;
    Some(Test {
        path: path.to_vec(),
        wanted: Wanted::Type(types.iter().map(|rule| rule.code.clone()).collect()),
    })
}

/// The slice that an item, a value of this type, belongs to.
pub(super) fn slice_of(
    slicing: &Slicing,
    value: Option<&Value>,
    kind: &str,
    terminology: &Terminology,
) -> Option<usize> {
    slicing.slices.iter().position(|slice| {
        slice
            .tests
            .iter()
            .all(|test| passes(test, value, kind, terminology))
    })
}

fn passes(test: &Test, value: Option<&Value>, kind: &str, terminology: &Terminology) -> bool {
    if let (Wanted::Type(types), []) = (&test.wanted, test.path.as_slice()) {
        return types.iter().any(|code| code == kind);
    }
    let Some(value) = value else { return false };
    match &test.wanted {
        Wanted::Fixed(wanted) => along(value, &test.path).into_iter().any(|found| found == wanted),
        Wanted::Pattern(wanted) => along(value, &test.path)
            .into_iter()
            .any(|found| holds(found, wanted)),
        // A set that cannot be told may hold anything.
        Wanted::In(set) => terminology.codes(set).is_none_or(|codes| {
            along(value, &test.path)
                .into_iter()
                .any(|found| is_in(found, codes))
        }),
        Wanted::Presence(wanted) => along(value, &test.path).is_empty() != *wanted,
        Wanted::Url(urls) => {
            let url = value.get("url").and_then(Value::as_str);
            url.is_some_and(|url| urls.iter().any(|wanted| wanted == url))
        }
        Wanted::Type(types) => {
            let Some((Step::Element(name), way)) = test.path.split_last() else {
                return false;
            };
            let holders = along(value, way);
            let mut maps = holders.into_iter().filter_map(Value::as_object);
            maps.any(|map| types.iter().any(|code| map.contains_key(&typed_name(name, code))))
        }
    }
}

fn typed_name(name: &str, code: &str) -> String {
    let mut letters = code.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    name.chars().chain(first).chain(letters).collect()
}

/// What lies at the end of a path, in any item of the lists on the way.
fn along<'v>(value: &'v Value, path: &[Step]) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in path {
        let mut below = Vec::new();
        for map in found.into_iter().filter_map(Value::as_object) {
            match step {
                Step::Element(name) => below.extend(element(map, name)),
                Step::Extension(url) => below.extend(
                    element(map, "extension")
                        .filter(|extension| extension.get("url").and_then(Value::as_str) == Some(url)),
                ),
            }
        }
        found = below;
    }
    // A list of lists does not occur in FHIR.
    found
}

/// The values of an element: the items of a list, or one value; of a choice, whatever its type.
fn element<'v>(map: &'v Map<String, Value>, name: &str) -> impl Iterator<Item = &'v Value> {
    let value = map.get(name).or_else(|| {
        let typed = |key: &str| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
        };
        map.iter().find(|(key, _)| typed(key)).map(|(_, value)| value)
    });
    value.into_iter().flat_map(|value| match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    })
}
