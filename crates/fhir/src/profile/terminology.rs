//! Value sets that can be told completely from what is held — <https://hl7.org/fhir/R4/valueset.html#compositions>

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

/// How binding a value set is; the weaker strengths are no rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    Required,
    Extensible,
}

impl Strength {
    pub(super) fn parse(text: &str) -> Option<Strength> {
        match text {
            "required" => Some(Strength::Required),
            "extensible" => Some(Strength::Extensible),
            _ => None,
        }
    }
}

/// All codes of a set, by system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Codes {
    by_system: BTreeMap<String, BTreeSet<String>>,
}

impl Codes {
    fn add(&mut self, system: &str, code: &str) {
        let codes = self.by_system.entry(system.to_owned()).or_default();
        codes.insert(code.to_owned());
    }

    fn merge(&mut self, other: Codes) {
        for (system, codes) in other.by_system {
            self.by_system.entry(system).or_default().extend(codes);
        }
    }

    fn remove(&mut self, other: &Codes) {
        for (system, codes) in &mut self.by_system {
            if let Some(others) = other.by_system.get(system) {
                codes.retain(|code| !others.contains(code));
            }
        }
    }

    fn keep(&mut self, other: &Codes) {
        for (system, codes) in &mut self.by_system {
            let others = other.by_system.get(system);
            codes.retain(|code| others.is_some_and(|others| others.contains(code)));
        }
    }

    /// Whether the code, of this system, is one of them.
    pub(super) fn contains(&self, system: &str, code: &str) -> bool {
        self.by_system
            .get(system)
            .is_some_and(|codes| codes.contains(code))
    }

    /// Whether some system of the set has the code: a `code` element names none.
    pub(super) fn contains_code(&self, code: &str) -> bool {
        self.by_system.values().any(|codes| codes.contains(code))
    }

    /// Some of the codes, for a person.
    pub(super) fn listed(&self) -> String {
        const SHOWN: usize = 12;
        let all: Vec<&str> = self.by_system.values().flatten().map(String::as_str).collect();
        let some: Vec<&str> = all.iter().take(SHOWN).copied().collect();
        let more = if all.len() > SHOWN { ", …" } else { "" };
        format!("{}{more}", some.join(", "))
    }
}

/// The value sets that are held: `None` for one that cannot be told completely.
#[derive(Default)]
pub(super) struct Terminology {
    sets: HashMap<String, Option<Codes>>,
}

/// Longest chain of value sets made of value sets.
const MAX_CHAIN: usize = 16;

/// Most parts of value sets that are looked at when all of them are expanded.
const MAX_PARTS: usize = 10_000;

impl Terminology {
    /// Expands all value sets among these resources.
    pub(super) fn compile<'v>(resources: impl Iterator<Item = &'v Value> + Clone) -> Terminology {
        let by_url = |kind: &'static str| -> HashMap<&'v str, &'v Value> {
            let of_kind = resources
                .clone()
                .filter(|value| text(value, "resourceType") == kind);
            of_kind.map(|value| (text(value, "url"), value)).collect()
        };
        let source = Source {
            systems: by_url("CodeSystem"),
            sets: by_url("ValueSet"),
            work: Cell::new(0),
        };
        let sets = source
            .sets
            .keys()
            .map(|url| ((*url).to_owned(), source.expand(url, MAX_CHAIN)));
        Terminology { sets: sets.collect() }
    }

    /// The codes of a value set, with or without `|version`.
    pub(super) fn codes(&self, set: &str) -> Option<&Codes> {
        self.sets.get(bare(set))?.as_ref()
    }
}

struct Source<'v> {
    systems: HashMap<&'v str, &'v Value>,
    sets: HashMap<&'v str, &'v Value>,
    /// Parts looked at so far: sets of sets of sets may come to very many.
    work: Cell<usize>,
}

impl Source<'_> {
    /// `None` when anything that it is made of is not held, is filtered, or leads back to itself.
    fn expand(&self, url: &str, room: usize) -> Option<Codes> {
        let room = room.checked_sub(1)?;
        let compose = self.sets.get(bare(url))?.get("compose")?;
        let mut codes = Codes::default();
        for include in list(compose, "include") {
            codes.merge(self.part(include, room)?);
        }
        for exclude in list(compose, "exclude") {
            codes.remove(&self.part(exclude, room)?);
        }
        Some(codes)
    }

    fn part(&self, part: &Value, room: usize) -> Option<Codes> {
        self.work.set(self.work.get() + 1);
        if !list(part, "filter").is_empty() || self.work.get() > MAX_PARTS {
            return None;
        }
        let mut found = match text(part, "system") {
            "" => None,
            system => Some(self.of_system(system, list(part, "concept"))?),
        };
        // Several parts of one `include` narrow each other.
        for set in list(part, "valueSet").iter().filter_map(Value::as_str) {
            let codes = self.expand(set, room)?;
            match &mut found {
                None => found = Some(codes),
                Some(found) => found.keep(&codes),
            }
        }
        found
    }

    fn of_system(&self, system: &str, named: &[Value]) -> Option<Codes> {
        let mut codes = Codes::default();
        if !named.is_empty() {
            named
                .iter()
                .for_each(|concept| codes.add(system, text(concept, "code")));
            return Some(codes);
        }
        let held = self.systems.get(system)?;
        if text(held, "content") != "complete" {
            return None;
        }
        let mut open: Vec<&Value> = list(held, "concept").iter().collect();
        while let Some(concept) = open.pop() {
            codes.add(system, text(concept, "code"));
            open.extend(list(concept, "concept"));
        }
        Some(codes)
    }
}

/// A canonical URL without its version.
pub(super) fn bare(canonical: &str) -> &str {
    canonical.split('|').next().unwrap_or_default()
}

/// The text of a property, empty when there is none.
pub(super) fn text<'v>(value: &'v Value, property: &str) -> &'v str {
    value.get(property).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a property, none when it is no list.
pub(super) fn list<'v>(value: &'v Value, property: &str) -> &'v [Value] {
    value
        .get(property)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
