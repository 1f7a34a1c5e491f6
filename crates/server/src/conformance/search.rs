//! Which of the published resources a search means — <https://hl7.org/fhir/R4/search.html>

use fhir::query::encoding::{self, Pair};
use fhir::query::param::{ParamType, fold_string};
use fhir::query::parse::Handling;
use fhir::{Issue, IssueCode};
use serde_json::Value;

use super::{Kind, Published};

const WITH_URL: &[Kind] = &[
    Kind::StructureDefinition,
    Kind::ConceptMap,
    Kind::CodeSystem,
    Kind::ValueSet,
    Kind::SearchParameter,
    Kind::OperationDefinition,
];
const NAMING_SYSTEM: &[Kind] = &[Kind::NamingSystem];

/// A search parameter of the published types.
pub struct Parameter {
    /// Its name in a query string.
    pub name: &'static str,
    /// Its type: token (an id or code), URI (the whole) or string (the beginning, without regard to case and accents).
    pub kind: ParamType,
    /// On which types it exists.
    pub on: &'static [Kind],
    /// Canonical URL of the defining SearchParameter, where FHIR has one.
    pub definition: Option<&'static str>,
    value: fn(&Published) -> &str,
}

/// All parameters.
pub static PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "_id",
        kind: ParamType::Token,
        on: &Kind::ALL,
        definition: Some("http://hl7.org/fhir/SearchParameter/Resource-id"),
        value: Published::id,
    },
    Parameter {
        name: "name",
        kind: ParamType::String,
        on: &Kind::ALL,
        definition: Some("http://hl7.org/fhir/SearchParameter/conformance-name"),
        value: |published| published.text("name"),
    },
    Parameter {
        name: "url",
        kind: ParamType::Uri,
        on: WITH_URL,
        definition: Some("http://hl7.org/fhir/SearchParameter/conformance-url"),
        value: |published| published.text("url"),
    },
    Parameter {
        name: "code",
        kind: ParamType::Token,
        on: &[Kind::SearchParameter],
        definition: Some("http://hl7.org/fhir/SearchParameter/SearchParameter-code"),
        value: |published| published.text("code"),
    },
    Parameter {
        name: "code",
        kind: ParamType::Token,
        on: &[Kind::OperationDefinition],
        definition: Some("http://hl7.org/fhir/SearchParameter/OperationDefinition-code"),
        value: |published| published.text("code"),
    },
    // A NamingSystem of R4 has no url. Who looks for a system by what it is called elsewhere finds it so too.
    Parameter {
        name: "url",
        kind: ParamType::Uri,
        on: NAMING_SYSTEM,
        definition: None,
        value: unique_id,
    },
    Parameter {
        name: "value",
        kind: ParamType::String,
        on: NAMING_SYSTEM,
        definition: Some("http://hl7.org/fhir/SearchParameter/NamingSystem-value"),
        value: unique_id,
    },
];

fn unique_id(published: &Published) -> &str {
    let value = published.tree.pointer("/uniqueId/0/value");
    value.and_then(Value::as_str).unwrap_or_default()
}

impl Parameter {
    fn accepts(&self, published: &Published, wanted: &str) -> bool {
        let value = (self.value)(published);
        match self.kind {
            ParamType::String => fold_string(value).starts_with(&fold_string(wanted)),
            _ => value == wanted,
        }
    }
}

/// The parameters of a type.
fn parameters(kind: Kind) -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS
        .iter()
        .filter(move |parameter| parameter.on.contains(&kind))
}

/// A search, parsed.
pub struct Search {
    /// The type searched.
    pub kind: Kind,
    /// All must hold; of the values of one, some.
    clauses: Vec<(&'static Parameter, Vec<String>)>,
    /// What was applied, encoded, for the self link.
    applied: Vec<String>,
}

impl Search {
    /// Reads the search of a type from its pairs.
    ///
    /// # Errors
    /// A modifier or an empty value, and under [`Handling::Strict`] every parameter that is not known. Each issue
    /// names the parameter; all mean status 400.
    pub fn parse(kind: Kind, pairs: &[Pair], handling: Handling) -> Result<Search, Vec<Issue>> {
        let mut search = Search {
            kind,
            clauses: Vec::new(),
            applied: Vec::new(),
        };
        let mut issues = Vec::new();
        for pair in pairs {
            let known = parameters(kind).find(|parameter| parameter.name == pair.name);
            match known {
                Some(parameter) => match alternatives_of(pair) {
                    Ok(values) => {
                        search.clauses.push((parameter, values));
                        search.apply(pair);
                    }
                    Err(issue) => issues.push(issue),
                },
                // Their values are for whoever renders the answer.
                None if matches!(pair.name.as_str(), "_format" | "_pretty") => search.apply(pair),
                None if handling == Handling::Strict => issues.push(unknown(kind, pair)),
                None => {}
            }
        }
        if issues.is_empty() {
            Ok(search)
        } else {
            Err(issues)
        }
    }

    /// Whether a resource, of the type searched, is meant.
    pub fn matches(&self, published: &Published) -> bool {
        self.clauses
            .iter()
            .all(|(parameter, values)| values.iter().any(|wanted| parameter.accepts(published, wanted)))
    }

    /// The query string of what was applied.
    pub fn link(&self) -> String {
        self.applied.join("&")
    }

    fn apply(&mut self, pair: &Pair) {
        let (name, value) = (encoding::encode(&pair.name), encoding::encode(&pair.value));
        self.applied.push(format!("{name}={value}"));
    }
}

fn alternatives_of(pair: &Pair) -> Result<Vec<String>, Issue> {
    if pair.modifier.is_some() {
        let text = format!(
            "Parameter `{}` takes no modifier here. Send it without.",
            pair.name
        );
        return Err(Issue::error(IssueCode::NotSupported, text).with_diagnostics(shown(pair)));
    }
    let values = alternatives(&pair.value);
    if values.is_empty() {
        let text = format!(
            "Parameter `{}` is empty. Send a value, or leave it out.",
            pair.name
        );
        return Err(Issue::error(IssueCode::Value, text).with_diagnostics(shown(pair)));
    }
    Ok(values)
}

/// The values between commas, unless a backslash stands before one; empty ones are passed over.
fn alternatives(value: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut escaped = false;
    for character in value.chars() {
        match character {
            ',' if !escaped => all.push(String::new()),
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            other => all.last_mut().into_iter().for_each(|last| last.push(other)),
        }
        escaped = false;
    }
    all.retain(|value| !value.is_empty());
    all
}

fn unknown(kind: Kind, pair: &Pair) -> Issue {
    let names: Vec<&str> = parameters(kind).map(|parameter| parameter.name).collect();
    let kind = kind.as_str();
    let text = format!(
        "Parameter `{}` is not supported on {kind}. {kind} is searched by: {}.",
        shown(pair),
        names.join(", ")
    );
    Issue::error(IssueCode::NotSupported, text).with_diagnostics(shown(pair))
}

/// The parameter's name, short enough for a message.
fn shown(pair: &Pair) -> String {
    const SHOWN_CHARS: usize = 200;
    let name = pair.full_name();
    name.chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_CHARS)
        .collect()
}
