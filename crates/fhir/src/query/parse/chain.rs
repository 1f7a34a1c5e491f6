//! Chains and `_has` — <https://hl7.org/fhir/R4/search.html#chaining>, <https://hl7.org/fhir/R4/search.html#has>

use super::{Clause, Criteria, Fault, Pair, Test, about, clause, listed, shared_by, unknown, valid_names};
use crate::limits::MAX_CHAIN_STEPS;
use crate::outcome::Issue;
use crate::query::encoding::clip;
use crate::query::param::{Definition, ParamType};
use crate::query::shape::followed;
use crate::resource::ResourceType;
use crate::time::Timestamp;

const HAS: &str = "_has";

/// Whether a parameter is a chain of one of the types' references, or `_has`.
pub(super) fn is_one(kinds: &[ResourceType], pair: &Pair) -> bool {
    pair.name == HAS || step(kinds, pair).is_some()
}

/// What a conditional interaction says to one: what it matches could change under other locks than its own.
pub(super) fn in_criteria() -> Fault {
    Fault::unsupported(
        "a conditional interaction takes no chain and no `_has`; search by the reference itself or by `:identifier`.",
    )
}

/// Reads one.
///
/// # Errors
/// Whatever is not understood wholly, naming the parameter.
pub(super) fn parse(kinds: &[ResourceType], pair: &Pair, now: Timestamp) -> Result<Clause, Issue> {
    let way = Way {
        whole: pair,
        now,
        left: MAX_CHAIN_STEPS,
    };
    way.read(kinds, pair)
}

/// A chain while its steps are read.
#[derive(Clone, Copy)]
struct Way<'p> {
    /// The parameter: a fault names all of it.
    whole: &'p Pair,
    now: Timestamp,
    /// Steps that may still follow.
    left: usize,
}

impl Way<'_> {
    /// The next step.
    fn read(self, kinds: &[ResourceType], pair: &Pair) -> Result<Clause, Issue> {
        let Some(left) = self.left.checked_sub(1) else {
            let text = format!(
                "it follows more than {MAX_CHAIN_STEPS} references. Search by fewer, and by what you found after that."
            );
            return Err(about(self.whole, Fault::unsupported(text)));
        };
        let way = Way { left, ..self };
        if pair.name == HAS {
            has(kinds, pair, way)
        } else {
            chained(kinds, pair, way)
        }
    }

    /// What the chain demands of the resource that it has come to: one parameter of its type, or a further step.
    fn inner(self, kind: ResourceType, rest: String, value: &str) -> Result<Criteria, Issue> {
        let (name, modifier) = match rest.split_once(':') {
            Some((name, modifier)) => (name.to_owned(), Some(modifier.to_owned())),
            None => (rest, None),
        };
        let inner = Pair {
            name,
            modifier,
            value: value.to_owned(),
        };
        let clause = if is_one(&[kind], &inner) {
            self.read(&[kind], &inner)?
        } else {
            let definition = shared_by(&[kind]).find(|row| row.name == inner.name);
            let definition = definition.ok_or_else(|| {
                let text = format!(
                    "`{}` is no search parameter of {kind}. {}",
                    clip(&inner.name),
                    valid_names(&[kind])
                );
                about(self.whole, Fault::unsupported(text))
            })?;
            clause(definition, &inner, self.now, self.whole)?
        };
        Ok(Criteria {
            kind,
            clauses: vec![clause],
        })
    }
}

fn chained(kinds: &[ResourceType], pair: &Pair, way: Way<'_>) -> Result<Clause, Issue> {
    let Some(step) = step(kinds, pair) else {
        return Err(unknown(kinds, pair));
    };
    let param = step.reference.param;
    let stored = param
        .refers_to()
        .filter(|kind| step.target.is_none_or(|named| named == kind.as_str()));
    let Some(kind) = stored else {
        return Err(about(way.whole, leads_nowhere(step.reference, step.target)));
    };
    let inner = way.inner(kind, step.rest, &pair.value)?;
    let test = Test::Chain(Box::new(inner));
    Ok(Clause { param, test })
}

/// A step of a chain.
struct Step<'p> {
    reference: &'static Definition,
    /// `general-practitioner:Practitioner.…`
    target: Option<&'p str>,
    /// What the chain goes on with, its modifier included.
    rest: String,
}

fn step<'p>(kinds: &[ResourceType], pair: &'p Pair) -> Option<Step<'p>> {
    let (name, target, rest) = match (pair.name.split_once('.'), pair.modifier.as_deref()) {
        (Some((name, rest)), None) => (name, None, rest.to_owned()),
        (Some((name, rest)), Some(modifier)) => (name, None, format!("{rest}:{modifier}")),
        (None, modifier) => {
            let (target, rest) = modifier?.split_once('.')?;
            (pair.name.as_str(), Some(target), rest.to_owned())
        }
    };
    let reference = shared_by(kinds).find(|row| row.kind == ParamType::Reference && row.name == name)?;
    Some(Step {
        reference,
        target,
        rest,
    })
}

fn leads_nowhere(reference: &Definition, target: Option<&str>) -> Fault {
    let name = reference.name;
    let Some(of) = reference.param.refers_to() else {
        return Fault::unsupported(format!(
            "`{name}` leads to nothing that is stored here, and nothing can be asked of that. Search by `{name}` itself."
        ));
    };
    let named = target.map_or(String::new(), |target| format!(", not to `{}`", clip(target)));
    Fault::unsupported(format!(
        "`{name}` leads to {of}{named}. Write `{name}:{of}.` before a parameter of {of}."
    ))
}

/// `_has:Patient:general-practitioner:identifier=…`
fn has(kinds: &[ResourceType], pair: &Pair, way: Way<'_>) -> Result<Clause, Issue> {
    let modifier = pair.modifier.as_deref().unwrap_or_default();
    let mut parts = modifier.splitn(3, ':');
    let (kind, name) = (parts.next().unwrap_or_default(), parts.next());
    let (Some(name), Some(rest)) = (name, parts.next()) else {
        let text = "write `_has:Type:reference:parameter=value`, such as `_has:Patient:link:identifier=…`.";
        return Err(about(way.whole, Fault::value(text)));
    };
    let reference = followed().find(|row| row.name == name && row.on.iter().any(|on| on.as_str() == kind));
    let fits = reference.filter(|row| kinds.iter().all(|kind| row.param.refers_to() == Some(*kind)));
    let (Some(reference), Some(source)) = (fits, ResourceType::parse(kind)) else {
        let known: Vec<String> = followed()
            .filter_map(|row| {
                row.param
                    .refers_to()
                    .map(|to| format!("Patient:{} leads to {to}", row.name))
            })
            .collect();
        let text = format!(
            "no `{}:{}` leads to {}; {}.",
            clip(kind),
            clip(name),
            listed(kinds),
            known.join(", ")
        );
        return Err(about(way.whole, Fault::unsupported(text)));
    };
    let inner = way.inner(source, rest.to_owned(), &pair.value)?;
    Ok(Clause {
        param: reference.param,
        test: Test::Has(Box::new(inner)),
    })
}
