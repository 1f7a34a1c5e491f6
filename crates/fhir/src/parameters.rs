//! What is given to an operation — <https://hl7.org/fhir/R4/operations.html>, <https://hl7.org/fhir/R4/parameters.html>

use serde_json::{Map, Value};

use crate::outcome::{Issue, IssueCode};
use crate::query::encoding::Pair;

/// One parameter.
#[derive(Clone, PartialEq)]
struct Parameter {
    name: String,
    /// Where it stands: `Parameters.parameter[0]`, nothing in a URL.
    place: Option<String>,
    value: Given,
}

#[derive(Clone, PartialEq)]
enum Given {
    /// Of any primitive type, as it is written.
    Text(String),
    Resource(Map<String, Value>),
}

/// What an operation takes: its names, and what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether it may be given more than once.
    pub repeats: bool,
}

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A primitive value.
    Text,
    /// A resource.
    Resource,
}

/// The parameters of one call, by URL and body together. May hold a person: no `Debug`.
#[derive(Clone, Default, PartialEq)]
pub struct Parameters {
    list: Vec<Parameter>,
}

impl Parameters {
    /// Those of a `Parameters` resource that has passed the guard.
    ///
    /// # Errors
    /// Every part that is not read: 400.
    pub fn of_body(mut tree: Map<String, Value>) -> Result<Parameters, Vec<Issue>> {
        let list = match tree.shift_remove("parameter") {
            None => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => {
                return Err(vec![
                    structure("Parameters.parameter is a list: put the parameter into [ ].")
                        .at("Parameters.parameter"),
                ]);
            }
        };
        let (mut read, mut issues) = (Vec::new(), Vec::new());
        for (position, item) in list.into_iter().enumerate() {
            let place = format!("Parameters.parameter[{position}]");
            match parameter(item, &place) {
                Ok(parameter) => read.push(parameter),
                Err(issue) => issues.push(issue.at(place)),
            }
        }
        if issues.is_empty() {
            Ok(Parameters { list: read })
        } else {
            Err(issues)
        }
    }

    /// Adds those of a query string; `_format` and `_pretty` are for whoever renders the answer.
    pub fn add_query(&mut self, pairs: Vec<Pair>) {
        let given = pairs
            .into_iter()
            .filter(|pair| !["_format", "_pretty"].contains(&pair.name.as_str()));
        self.list.extend(given.map(|pair| Parameter {
            name: pair.full_name(),
            place: None,
            value: Given::Text(pair.value),
        }));
    }

    /// Refuses what the operation does not take: a misspelt parameter must not be left out in silence.
    ///
    /// # Errors
    /// Every parameter that is unknown, holds something else, or is given too often: 400.
    pub fn check(&self, accepted: &[Accepted]) -> Result<(), Vec<Issue>> {
        let mut issues = Vec::new();
        for (position, parameter) in self.list.iter().enumerate() {
            let name = parameter.name.as_str();
            let known = accepted.iter().find(|known| known.name == name);
            let again = self.list.iter().take(position).any(|other| other.name == name);
            let text = match known {
                None => Some((
                    IssueCode::NotSupported,
                    format!(
                        "This operation has no parameter of that name. It takes {}.",
                        listed(accepted)
                    ),
                )),
                Some(known) if again && !known.repeats => Some((
                    IssueCode::Invalid,
                    "This parameter is given more than once. Send it once.".to_owned(),
                )),
                Some(known) => match (known.holds, &parameter.value) {
                    (Holds::Text, Given::Text(_)) | (Holds::Resource, Given::Resource(_)) => None,
                    (Holds::Text, Given::Resource(_)) => Some((
                        IssueCode::Structure,
                        "This parameter holds a value: send value[x], no resource.".to_owned(),
                    )),
                    (Holds::Resource, Given::Text(_)) => Some((
                        IssueCode::Structure,
                        "This parameter holds a resource: send it in the body, in `resource`.".to_owned(),
                    )),
                },
            };
            issues.extend(text.map(|(code, text)| fault(code, text, parameter)));
        }
        if issues.is_empty() { Ok(()) } else { Err(issues) }
    }

    /// Takes the resource of this name out, with its place.
    pub fn take_resource(&mut self, name: &str) -> Option<(Map<String, Value>, String)> {
        let position = self
            .list
            .iter()
            .position(|parameter| parameter.name == name && matches!(parameter.value, Given::Resource(_)))?;
        let parameter = self.list.remove(position);
        match parameter.value {
            Given::Resource(tree) => {
                Some((tree, format!("{}.resource", parameter.place.unwrap_or_default())))
            }
            Given::Text(_) => None,
        }
    }

    /// The value of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// All values of this name.
    pub fn texts<'p>(&'p self, name: &str) -> impl Iterator<Item = &'p str> {
        self.list
            .iter()
            .filter_map(move |parameter| match &parameter.value {
                Given::Text(text) if parameter.name == name => Some(text.as_str()),
                Given::Text(_) | Given::Resource(_) => None,
            })
    }

    /// The value of this name, read.
    ///
    /// # Errors
    /// 400 with `hint`, when `read` does not understand it.
    pub fn value<T>(
        &self,
        name: &str,
        hint: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Vec<Issue>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => {
                let parameter = self.list.iter().find(|parameter| parameter.name == name);
                let issue = Issue::error(
                    IssueCode::Value,
                    format!("{name} has a value that is not understood: {hint}"),
                );
                let place = parameter.and_then(|parameter| parameter.place.clone());
                let issue = issue.with_diagnostics(format!("{name}={text}"));
                Err(vec![match place {
                    Some(place) => issue.at(place),
                    None => issue,
                }])
            }
        }
    }
}

fn fault(code: IssueCode, text: String, parameter: &Parameter) -> Issue {
    let issue = Issue::error(code, text).with_diagnostics(&*parameter.name);
    match &parameter.place {
        Some(place) => issue.at(place),
        None => issue,
    }
}

fn listed(accepted: &[Accepted]) -> String {
    let names: Vec<&str> = accepted.iter().map(|known| known.name).collect();
    names.join(", ")
}

fn structure(text: impl Into<String>) -> Issue {
    Issue::error(IssueCode::Structure, text)
}

fn parameter(item: Value, place: &str) -> Result<Parameter, Issue> {
    let Value::Object(mut item) = item else {
        return Err(structure("A parameter is an object with a name. Write it so."));
    };
    let Some(Value::String(name)) = item.shift_remove("name") else {
        return Err(structure("A parameter has a name. Add it."));
    };
    let value = match item.shift_remove("resource") {
        Some(Value::Object(tree)) => Given::Resource(tree),
        Some(_) => {
            return Err(
                structure("A resource is an object with its resourceType. Send it so.")
                    .with_diagnostics(name),
            );
        }
        None => {
            let value = item.iter().find(|(property, _)| property.starts_with("value"));
            match value {
                Some((_, Value::String(text))) => Given::Text(text.clone()),
                Some((_, value @ (Value::Bool(_) | Value::Number(_)))) => Given::Text(value.to_string()),
                Some(_) => {
                    return Err(structure(
                        "The value is of a datatype that no parameter of this operation has. Send a primitive one.",
                    )
                    .with_diagnostics(name));
                }
                None => {
                    return Err(
                        structure("The parameter holds nothing. Send value[x] or resource.")
                            .with_diagnostics(name),
                    );
                }
            }
        }
    };
    Ok(Parameter {
        name,
        place: Some(place.to_owned()),
        value,
    })
}
