//! Validation against profiles — <https://hl7.org/fhir/R4/profiling.html>
//!
//! StructureDefinitions are compiled once into trees of rules ([`Profiles::compile`]); a check is one walk along such
//! a tree. Base R4 is another matter ([`crate::validate`]): what it sees to is not said twice here. A fault of a
//! profile has the profile's URL as its diagnostics.
//!
//! Not followed: `resolve()` in discriminators, profiles of what a reference points to (its type is checked),
//! `contentReference`, and rules of types that nothing stored is made of.

mod check;
mod definition;
mod element;
mod extensions;
mod invariant;
mod node;
mod slicing;
mod terminology;
mod values;

use std::collections::HashMap;

use serde_json::Value;

use crate::outcome::{Issue, IssueCode, Severity};
use crate::resource::Resource;
use crate::validate::path::Path;
use crate::validate::{report, table};
use check::Check;
use definition::{Compiled, Context};
use terminology::{Terminology, bare, text};

pub use definition::Fault;

/// Where the definitions of R4's own types are.
const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// A set of profiles, extensions and value sets, compiled.
#[derive(Default)]
pub struct Profiles {
    compiled: HashMap<String, Compiled>,
    terminology: Terminology,
}

/// Whose wish it is that a profile is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// The resource claims it in `meta.profile`.
    Claimed,
    /// The caller asked for it.
    Asked,
}

impl Profiles {
    /// Compiles the StructureDefinitions, ValueSets and CodeSystems among these resources; others are passed over.
    ///
    /// # Errors
    /// The first definition that cannot be understood, by its URL, and why.
    pub fn compile<'v>(resources: impl Iterator<Item = &'v Value> + Clone) -> Result<Profiles, Fault> {
        let definitions = resources
            .clone()
            .filter(|value| text(value, "resourceType") == "StructureDefinition");
        let by_url: definition::Definitions<'v> = definitions
            .clone()
            .map(|definition| (text(definition, "url"), definition))
            .collect();
        let mut compiled = HashMap::new();
        for definition in definitions {
            if let Some(profile) = definition::compile(definition, &by_url)? {
                compiled.insert(profile.url.clone(), profile);
            }
        }
        Ok(Profiles {
            compiled,
            terminology: Terminology::compile(resources),
        })
    }

    /// Whether a profile is held, with or without `|version`.
    pub fn holds(&self, canonical: &str) -> bool {
        self.find(canonical).is_some()
    }

    /// The faults of a resource against the profiles that it claims and that are held, but for those to leave out. What
    /// is not held is passed over.
    pub fn claimed(&self, resource: &Resource, without: &[&str]) -> Vec<Issue> {
        let claims = claims(resource);
        let mut held = claims
            .iter()
            .filter(|(_, url)| self.holds(url) && !without.contains(&bare(url)))
            .peekable();
        if held.peek().is_none() {
            return Vec::new();
        }
        let wishes: Vec<_> = held.map(|(place, url)| (Wish::Claimed, *place, *url)).collect();
        self.check(resource, &wishes, false)
    }

    /// All that is to be said of a resource: of the profiles that it claims, but for those to leave out, of those
    /// asked for, and of its extensions. A profile that is not held is an issue.
    pub fn validate(&self, resource: &Resource, asked: &[String], without: &[&str]) -> Vec<Issue> {
        let claims = claims(resource);
        let claimed = claims.iter().map(|(place, url)| (Wish::Claimed, *place, *url));
        let asked = asked.iter().map(|url| (Wish::Asked, 0, url.as_str()));
        let wishes: Vec<_> = claimed
            .chain(asked)
            .filter(|(_, _, url)| !without.contains(&bare(url)))
            .collect();
        self.check(resource, &wishes, true)
    }

    fn check(&self, resource: &Resource, wishes: &[(Wish, usize, &str)], whole: bool) -> Vec<Issue> {
        let tree = Value::Object(resource.tree().clone());
        let root = Path::root(resource.kind().as_str());
        let mut check = Check::new(self, &tree);
        let mut done: Vec<&str> = Vec::new();
        for (wish, place, canonical) in wishes {
            if done.contains(&bare(canonical)) {
                continue;
            }
            let url = bare(canonical);
            done.push(url);
            match self.find(canonical) {
                Some(profile) if profile.kind == resource.kind().as_str() => {
                    check.profile(profile, &tree, &root)
                }
                _ if url.strip_prefix(CORE) == Some(resource.kind().as_str()) => {}
                found => {
                    let meta = root.child("meta");
                    let claim = meta.child("profile").item(*place);
                    let at = if *wish == Wish::Claimed { claim } else { root };
                    unusable(&mut check, *wish, canonical, found, &at);
                }
            }
        }
        if whole {
            check.extensions(&tree, table::resource(resource.kind()), &root);
        }
        check.into_issues()
    }

    /// The profile of a canonical URL. One version of each is held, and it stands for all of them.
    fn find(&self, canonical: &str) -> Option<&Compiled> {
        self.compiled.get(bare(canonical))
    }

    fn extension(&self, url: &str) -> Option<&Compiled> {
        self.compiled
            .get(url)
            .filter(|compiled| compiled.kind == "Extension")
    }

    /// The type that a target profile constrains; empty when that is not known.
    fn constrained_type<'s>(&'s self, profile: &'s str) -> &'s str {
        match bare(profile).strip_prefix(CORE) {
            Some(kind) => kind,
            None => self.find(profile).map_or("", |compiled| compiled.kind.as_str()),
        }
    }
}

fn unusable(check: &mut Check<'_>, wish: Wish, canonical: &str, found: Option<&Compiled>, at: &Path<'_>) {
    let url = report::cut(canonical);
    match found {
        Some(profile) => {
            let text = format!(
                "The profile {url} is one of {}, and this is none. Claim one of its own type.",
                profile.kind
            );
            check.report(Severity::Error, IssueCode::Structure, at, text);
        }
        None => {
            let severity = match wish {
                Wish::Claimed => Severity::Warning,
                Wish::Asked => Severity::Error,
            };
            let text = format!(
                "The profile {url} is not held by this server, so it was not checked. GET /fhir/StructureDefinition lists those that are."
            );
            check.report(severity, IssueCode::NotFound, at, text);
        }
    }
}

/// What a resource claims, each with its place in `meta.profile`.
fn claims(resource: &Resource) -> Vec<(usize, &str)> {
    let profiles = resource.meta().and_then(|meta| meta.get("profile")?.as_array());
    let each = profiles.into_iter().flatten().enumerate();
    each.filter_map(|(place, url)| Some((place, url.as_str()?)))
        .collect()
}
