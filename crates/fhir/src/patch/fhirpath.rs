//! FHIRPath Patch — <https://hl7.org/fhir/R4/fhirpatch.html>

mod evaluate;
mod expression;
mod given;
mod operation;
mod place;

use serde_json::{Map, Value};

use self::operation::Operation;
use super::work::Work;
use super::{Emptied, malformed};
use crate::codec::{Format, decode_tree};
use crate::limits::MAX_PATCH_OPERATIONS;
use crate::outcome::{Issue, IssueCode};
use crate::resource::ResourceType;

/// The operations of a Parameters resource.
pub(super) struct FhirPathPatch {
    operations: Vec<Operation>,
}

impl FhirPathPatch {
    pub(super) fn read(bytes: &[u8], format: Format) -> Result<FhirPathPatch, Vec<Issue>> {
        FhirPathPatch::of(&decode_tree(bytes, format, "Parameters")?)
    }

    pub(super) fn of(tree: &Map<String, Value>) -> Result<FhirPathPatch, Vec<Issue>> {
        let parameters = match tree.get("parameter") {
            Some(Value::Array(parameters)) => parameters.as_slice(),
            None => &[],
            Some(_) => {
                return Err(vec![
                    malformed("Parameters.parameter is a list: put the operation into [ ].")
                        .at("Parameters.parameter"),
                ]);
            }
        };
        if parameters.len() > MAX_PATCH_OPERATIONS {
            let text = format!(
                "The patch has {} operations; at most {MAX_PATCH_OPERATIONS} are taken. Split it.",
                parameters.len()
            );
            return Err(vec![Issue::error(IssueCode::TooLong, text)]);
        }
        let mut operations = Vec::with_capacity(parameters.len());
        let mut issues = Vec::new();
        for (position, parameter) in parameters.iter().enumerate() {
            match read_operation(parameter) {
                Ok(operation) => operations.push(operation),
                Err(fault) => {
                    let text = format!("Operation {position} of the patch {fault}.");
                    issues.push(malformed(text).at(format!("Parameters.parameter[{position}]")));
                }
            }
        }
        if issues.is_empty() {
            Ok(FhirPathPatch { operations })
        } else {
            Err(issues)
        }
    }

    pub(super) fn apply(&self, kind: ResourceType, root: &mut Value) -> Result<Emptied, Issue> {
        let mut work = Work::new();
        for (position, operation) in self.operations.iter().enumerate() {
            operation.apply(kind, root, &mut work).map_err(|issue| {
                let what = operation.to_string();
                Issue {
                    text: format!("Operation {position} of the patch ({what}): {}", issue.text),
                    ..issue
                }
                .with_diagnostics(format!("Parameters.parameter[{position}]: {what}"))
                .at(operation.written())
            })?;
        }
        Ok(Emptied::ByRemoval)
    }
}

fn read_operation(parameter: &Value) -> Result<Operation, String> {
    let object = parameter.as_object().ok_or("is no object")?;
    if object.get("name").and_then(Value::as_str) != Some("operation") {
        return Err("is not named \"operation\", as each parameter of a FHIRPath Patch is".to_owned());
    }
    let parts = match object.get("part") {
        Some(Value::Array(parts)) => parts.as_slice(),
        _ => return Err("has no parts: it needs at least type and path".to_owned()),
    };
    let mut found: Map<String, Value> = Map::new();
    for part in parts {
        let part = part.as_object().ok_or("has a part that is no object")?;
        let name = match part.get("name") {
            Some(Value::String(name)) => name,
            _ => return Err("has a part without a name".to_owned()),
        };
        const KNOWN: [&str; 7] = ["type", "path", "name", "value", "index", "source", "destination"];
        if !KNOWN.contains(&name.as_str()) {
            return Err(format!(
                "has a part of an unknown name. The parts are {}",
                KNOWN.join(", ")
            ));
        }
        if found.insert(name.clone(), Value::Object(part.clone())).is_some() {
            return Err(format!("has the part {name} twice: keep one"));
        }
    }
    Operation::read(&Parts { found })
}

/// The parts of an operation by name.
struct Parts {
    found: Map<String, Value>,
}

impl Parts {
    /// The text of a part, as `code` or `string`.
    fn text(&self, name: &str) -> Result<&str, String> {
        let part = self.found.get(name).ok_or(format!("has no part {name}"))?;
        ["valueString", "valueCode"]
            .iter()
            .find_map(|property| part.get(*property).and_then(Value::as_str))
            .ok_or(format!(
                "has the part {name}, which is no string: send it as valueString"
            ))
    }

    /// The number of a part.
    fn position(&self, name: &str) -> Result<usize, String> {
        let part = self.found.get(name).ok_or(format!("has no part {name}"))?;
        ["valueInteger", "valueUnsignedInt", "valuePositiveInt"]
            .iter()
            .find_map(|property| part.get(*property).and_then(Value::as_number))
            .and_then(|number| number.as_str().parse().ok())
            .ok_or(format!(
                "has the part {name}, which is no position from 0: send it as valueInteger"
            ))
    }
}
