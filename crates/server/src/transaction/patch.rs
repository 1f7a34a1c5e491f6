//! The patch that an entry brings: a Binary with its media type and bytes, or Parameters —
//! <https://hl7.org/fhir/R4/http.html#transaction>

use fhir::base64;
use fhir::bundle::Body;
use fhir::patch::Patch;
use fhir::{Issue, IssueCode};
use serde_json::{Map, Value};

use super::entry::check_size;
use crate::ask::Ask;
use crate::error::{self, Failure};
use crate::{body, media};

/// What a Binary has in R4.
const OF_BINARY: [&str; 7] = [
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "contentType",
    "data",
];

/// Reads it.
///
/// # Errors
/// 400 of no patch or a malformed one, 413 of one that is too large alone, 415 of a Binary whose type is none of a
/// patch.
pub fn read(ask: &Ask<'_>, sent: Option<Body>) -> Result<Patch, Failure> {
    let sent = sent.ok_or_else(error::entry_without_patch)?;
    let is_binary = sent.kind == "Binary";
    if !is_binary && sent.kind != "Parameters" {
        return Err(error::entry_without_patch().into());
    }
    let tree = sent
        .content
        .map_err(|malformed| Failure::from(malformed.into_issues()))?;
    check_size(ask, &tree)?;
    if is_binary {
        binary(ask, &tree)
    } else {
        Ok(Patch::parameters(&tree)?)
    }
}

fn binary(ask: &Ask<'_>, tree: &Map<String, Value>) -> Result<Patch, Failure> {
    let mut issues = Vec::new();
    let is_known = |name: &str| OF_BINARY.contains(&name) || name == "securityContext";
    for name in tree.keys().filter(|name| !is_known(name.trim_start_matches('_'))) {
        let shown: String = name.chars().take(64).collect();
        let text = "FHIR R4 has no such property in a Binary: remove it, or correct its name.";
        issues.push(Issue::error(IssueCode::Structure, text).at(format!("Binary.{shown}")));
    }
    let mut text = |name: &str, what: &str| {
        let found = tree.get(name).and_then(Value::as_str);
        if found.is_none() {
            let text = format!("The Binary has no {name}: {what}.");
            issues.push(Issue::error(IssueCode::Required, text).at(format!("Binary.{name}")));
        }
        found.unwrap_or_default()
    };
    let media_type = text(
        "contentType",
        "say what kind of patch it is, as the Content-Type alone would",
    );
    let data = text("data", "send the patch in it, as base64");
    if !issues.is_empty() {
        return Err(issues.into());
    }
    let format = media::patch_named(media_type)?;
    let bytes = base64::decode(data).ok_or_else(|| {
        let issue = Issue::error(
            IssueCode::Value,
            "The data of the Binary is not base64. Encode the bytes of the patch.",
        );
        vec![issue.at("Binary.data")]
    })?;
    let limit = ask.visit.app.settings.max_body_bytes;
    if bytes.len() > limit {
        return Err(error::body_too_long(limit).into());
    }
    if bytes.is_empty() {
        return Err(error::entry_without_patch().into());
    }
    body::patch(&bytes, format)
}
