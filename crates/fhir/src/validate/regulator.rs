//! Regulator accounts of the French access-to-care platform SAS: which Practitioners are accounts, and the
//! shape that their profile `FrPractitionerRegul` and the national conformance kit ask of them.

use serde_json::{Map, Value};

use super::path::Path;
use super::primitives::is_uuid;
use super::report::shown;
use crate::limits::MAX_ISSUES;
use crate::outcome::{Issue, IssueCode};
use crate::resource::{Resource, ResourceType};

/// The system of the national id of a health professional (type code `IDNPS`).
pub const IDNPS_SYSTEM: &str = "urn:oid:1.2.250.1.71.4.2.1";
/// The system of the technical id that SAS gives (type code `INTRN`).
pub const INTRN_SYSTEM: &str = "urn:oid:1.2.250.1.213.3.6";
/// The `meta.source` of what SAS sends.
pub const SOURCE: &str = "urn:oid:1.2.250.1.213.3.6";
/// The profile that marks an account; any base and any `|version` will do.
pub const PROFILE: &str =
    "https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrPractitionerRegul";
/// The code systems of `identifier.type`, older and newer, which count as one.
pub const TYPE_SYSTEMS: [&str; 2] = [
    FIRST_TYPE_SYSTEM,
    "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203",
];

/// The one that the profile itself names.
const FIRST_TYPE_SYSTEM: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";

/// The end of [`PROFILE`] by which it is recognised.
const PROFILE_END: &str = "/StructureDefinition/FrPractitionerRegul";

/// Whether the resource marks itself as an account, by `meta.profile` or `meta.source`. A client may be
/// configured to send nothing else: that is for its configuration to say.
pub fn applies(resource: &Resource) -> bool {
    if resource.kind() != ResourceType::Practitioner {
        return false;
    }
    let Some(meta) = resource.meta() else {
        return false;
    };
    let profiles = meta.get("profile").and_then(Value::as_array);
    let named = profiles.is_some_and(|profiles| {
        profiles.iter().filter_map(Value::as_str).any(|profile| {
            let url = profile.split('|').next().unwrap_or_default();
            url.ends_with(PROFILE_END)
        })
    });
    named || meta.get("source").and_then(Value::as_str) == Some(SOURCE)
}

/// The faults of an account against its shape: errors (`required`, `invariant`), then warnings about formats
/// that are never a reason to refuse; at most [`MAX_ISSUES`]. Presumes nothing about base validity.
pub fn shape(resource: &Resource) -> Vec<Issue> {
    let mut account = Account::default();
    let root = Path::root(resource.kind().as_str());
    account.identifiers(resource, &root);
    if !resource.tree().contains_key("active") {
        account.missing(
            &root.child("active"),
            "Say true, or false for a withdrawn account.",
        );
    }
    account.names(resource, &root);
    account.telecoms(resource, &root);
    if let Some(source) = resource.meta().and_then(|meta| meta.get("source"))
        && source.as_str() != Some(SOURCE)
    {
        account.error(
            IssueCode::Invariant,
            &root.child("meta").child("source"),
            format!("The source of an account is {SOURCE}. Write that, or leave it out."),
            Some(source),
        );
    }
    account.errors.append(&mut account.warnings);
    account.errors.truncate(MAX_ISSUES);
    account.errors
}

#[derive(Default)]
struct Account {
    errors: Vec<Issue>,
    warnings: Vec<Issue>,
}

impl Account {
    fn error(&mut self, code: IssueCode, path: &Path<'_>, text: String, value: Option<&Value>) {
        if self.errors.len() >= MAX_ISSUES {
            return;
        }
        let issue = Issue::error(code, text).at(path.expression());
        self.errors.push(match value {
            Some(value) => issue.with_diagnostics(shown(value)),
            None => issue,
        });
    }

    fn missing(&mut self, path: &Path<'_>, advice: &str) {
        let text = format!("An account needs `{}`. {advice}", path.name());
        self.error(IssueCode::Required, path, text, None);
    }

    fn warning(&mut self, path: &Path<'_>, text: &str, value: &str) {
        if self.warnings.len() >= MAX_ISSUES {
            return;
        }
        let value = shown(&Value::String(value.to_owned()));
        self.warnings.push(
            Issue::warning(IssueCode::Value, text)
                .at(path.expression())
                .with_diagnostics(value),
        );
    }

    /// 1..*, each with type, system and value; at most one of each of the two systems, of the right type.
    fn identifiers(&mut self, resource: &Resource, root: &Path<'_>) {
        let element = root.child("identifier");
        let items = resource.list("identifier");
        if items.is_empty() {
            self.missing(
                &element,
                "Send the national id (IDNPS), the SAS id (INTRN), or both.",
            );
        }
        let (mut idnps, mut intrn) = (0_usize, 0_usize);
        for (index, item) in items.iter().enumerate() {
            if self.errors.len() >= MAX_ISSUES {
                return;
            }
            let path = element.item(index);
            for (name, advice) in [
                ("type", "Say with coding what kind of identifier it is."),
                ("system", "Name the namespace of the value."),
                ("value", "Send the identifier itself."),
            ] {
                if item.get(name).is_none() {
                    self.missing(&path.child(name), advice);
                }
            }
            let value = text(item, "value");
            match text(item, "system") {
                Some(IDNPS_SYSTEM) => {
                    idnps += 1;
                    self.national(item, value, &path, idnps, "IDNPS");
                    if let Some(value) = value {
                        self.national_format(value, &path);
                    }
                }
                Some(INTRN_SYSTEM) => {
                    intrn += 1;
                    self.national(item, value, &path, intrn, "INTRN");
                    if let Some(value) = value
                        && !is_uuid(&value.to_ascii_lowercase())
                    {
                        self.warning(
                            &path.child("value"),
                            "This technical id (INTRN) is no UUID. Check that it is the right one.",
                            value,
                        );
                    }
                }
                _ => {}
            }
        }
    }

    /// An identifier of one of the two systems: the only one, and typed so.
    fn national(&mut self, item: &Value, value: Option<&str>, path: &Path<'_>, count: usize, code: &str) {
        if count > 1 {
            let shown = value.map(|value| Value::String(value.to_owned()));
            let text = format!("An account has at most one {code} identifier. Keep the right one.");
            self.error(IssueCode::Invariant, path, text, shown.as_ref());
        }
        if item.get("type").is_some() && !has_code(item, code) {
            let text = format!(
                "The type of this identifier is {code} of {}. Add this coding.",
                FIRST_TYPE_SYSTEM
            );
            self.error(IssueCode::Invariant, &path.child("type"), text, None);
        }
    }

    /// Known forms of the national id; others exist, so a warning at most.
    fn national_format(&mut self, value: &str, path: &Path<'_>) {
        let path = path.child("value");
        match national_id(value) {
            NationalId::Rpps(rpps) if !luhn_holds(rpps) => self.warning(
                &path,
                "The check digit of this RPPS number is wrong. Check the number.",
                value,
            ),
            NationalId::Other => self.warning(
                &path,
                "This national id (IDNPS) is no RPPS (8 and 11 digits), ADELI (0 and 9 characters) or structure's (3, FINESS, / and a number). Check it.",
                value,
            ),
            NationalId::Rpps(_) | NationalId::Adeli | NationalId::Structure => {}
        }
    }

    /// 1..*, each with a family name and exactly one given name.
    fn names(&mut self, resource: &Resource, root: &Path<'_>) {
        let element = root.child("name");
        let items = resource.list("name");
        if items.is_empty() {
            self.missing(&element, "Send the regulator's family name and one given name.");
        }
        for (index, item) in items.iter().enumerate() {
            if self.errors.len() >= MAX_ISSUES {
                return;
            }
            let path = element.item(index);
            if item.get("family").is_none() {
                self.missing(&path.child("family"), "Send the family name.");
            }
            let given = path.child("given");
            match item.get("given") {
                None => self.missing(&given, "Send exactly one given name."),
                Some(Value::Array(names)) if names.len() > 1 => {
                    let value = item.get("given");
                    let text =
                        "A name of an account has exactly one given name. Keep the one in use.".to_owned();
                    self.error(IssueCode::Invariant, &given, text, value);
                }
                Some(Value::Array(names)) if !names.iter().any(Value::is_string) => {
                    self.missing(&given, "Send exactly one given name.");
                }
                Some(_) => {}
            }
        }
    }

    /// 1..*, each an e-mail address.
    fn telecoms(&mut self, resource: &Resource, root: &Path<'_>) {
        let element = root.child("telecom");
        let items = resource.list("telecom");
        if items.is_empty() {
            self.missing(&element, "Send the regulator's e-mail address.");
        }
        for (index, item) in items.iter().enumerate() {
            if self.errors.len() >= MAX_ISSUES {
                return;
            }
            let path = element.item(index);
            let system = path.child("system");
            match item.get("system") {
                None => self.missing(&system, "Write email."),
                Some(kind) if kind.as_str() != Some("email") => {
                    let text = "The contact points of an account are e-mail addresses. Write system email, or leave this one out.";
                    self.error(IssueCode::Invariant, &system, text.to_owned(), Some(kind));
                }
                Some(_) => {}
            }
            match (item.get("value"), text(item, "value")) {
                (None, _) => self.missing(&path.child("value"), "Send the e-mail address."),
                (_, Some(value)) if text(item, "system") == Some("email") && !looks_like_email(value) => {
                    self.warning(
                        &path.child("value"),
                        "This does not look like an e-mail address. Check it.",
                        value,
                    );
                }
                _ => {}
            }
        }
    }
}

fn text<'v>(node: &'v Value, name: &str) -> Option<&'v str> {
    node.get(name).and_then(Value::as_str)
}

/// Whether `type.coding` holds this code of one of the two code systems, whatever else it holds.
fn has_code(identifier: &Value, code: &str) -> bool {
    let codings = identifier
        .get("type")
        .and_then(|kind| kind.get("coding"))
        .and_then(Value::as_array);
    codings.is_some_and(|codings| {
        codings
            .iter()
            .filter_map(Value::as_object)
            .any(|coding| is_coding(coding, code))
    })
}

fn is_coding(coding: &Map<String, Value>, code: &str) -> bool {
    let text = |name: &str| coding.get(name).and_then(Value::as_str);
    text("code") == Some(code) && text("system").is_some_and(|system| TYPE_SYSTEMS.contains(&system))
}

/// The known forms of a national id.
enum NationalId<'v> {
    /// 11 digits, with or without the 8 in front that marks them.
    Rpps(&'v str),
    /// 0 and nine characters.
    Adeli,
    /// 3, a FINESS number of nine characters, `/` and the structure's own number.
    Structure,
    /// None of these.
    Other,
}

fn national_id(value: &str) -> NationalId<'_> {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let letters =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if digits(value, 11) {
        return NationalId::Rpps(value);
    }
    match (
        value.strip_prefix('8'),
        value.strip_prefix('0'),
        value.strip_prefix('3'),
    ) {
        (Some(rpps), _, _) if digits(rpps, 11) => NationalId::Rpps(rpps),
        (_, Some(adeli), _) if letters(adeli, 9) => NationalId::Adeli,
        (_, _, Some(rest)) => match rest.split_once('/') {
            Some((finess, number)) if letters(finess, 9) && !number.is_empty() => NationalId::Structure,
            _ => NationalId::Other,
        },
        _ => NationalId::Other,
    }
}

/// Luhn's check over all digits, the last one included.
fn luhn_holds(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(position, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            match (position % 2, digit * 2) {
                (0, _) => digit,
                (_, twice) if twice > 9 => twice - 9,
                (_, twice) => twice,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// One `@` with something before it and a dotted name behind it, no spaces.
fn looks_like_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
            && !value.contains(char::is_whitespace)
    })
}
