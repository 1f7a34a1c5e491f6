//! The tables `[medicapp]`, `[patient-graph]` and `[ehealth]` of the configuration file: the switches of
//! `adapters.md` 10, each with the words it takes.

use std::fmt;

use actix_web::http::StatusCode;
use adapters::medicapp::{
    self, CloudGet, FutureBirth, KeyConflict, LockedFields, MatchIns, NirSystem, PerPageOver, TemplateFhir,
};
use adapters::{ehealth, patient_graph};
use anyhow::{Context as _, bail};
use chrono::FixedOffset;
use serde::Deserialize;
use toml::Value;

use super::Settings;
use crate::partner::settings::PartnerSettings;

#[cfg(test)]
mod tests;

/// The furthest that any clock is from UTC, in minutes.
const MAX_OFFSET_MINUTES: i32 = 14 * 60;

/// `[medicapp]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Medicapp {
    find_status: Option<Value>,
    strict_key_conflict: Option<Value>,
    locked_fields: Option<Value>,
    cloud_get_full: Option<Value>,
    per_page_over: Option<Value>,
    reject_future_birth: Option<Value>,
    template_fhir: Option<Value>,
    match_ins: Option<Value>,
    nir_system: Option<Value>,
}

/// `[patient-graph]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PatientGraph {
    duplicate_email: Option<Value>,
    get_by_id: Option<Value>,
    #[serde(default)]
    required_scopes: Vec<String>,
}

/// `[ehealth]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ehealth {
    patch_note: Option<Value>,
    death_deactivates: Option<Value>,
    external_id_pattern: Option<Value>,
    strict_names: Option<Value>,
    allow_suspended_le: Option<Value>,
    array_path: Option<Value>,
    #[serde(rename = "404-message")]
    not_found_message: Option<Value>,
    public_url: Option<String>,
    timezone: Option<String>,
}

impl Settings {
    /// What the partner doors heed.
    ///
    /// # Errors
    /// A sentence that names the first setting with a word that it does not take, and those it takes.
    pub fn partner(&self) -> anyhow::Result<PartnerSettings> {
        let defaults = PartnerSettings::default();
        Ok(PartnerSettings {
            medicapp: self.medicapp.switches(defaults.medicapp)?,
            medicapp_find_status: choose(
                "medicapp.find-status",
                self.medicapp.find_status.as_ref(),
                defaults.medicapp_find_status,
                &[
                    (Word::Number(200), StatusCode::OK),
                    (Word::Number(201), StatusCode::CREATED),
                ],
            )?,
            patient_graph: self.patient_graph.switches(defaults.patient_graph)?,
            patient_graph_required_scopes: self.patient_graph.scopes()?,
            ehealth: self.ehealth.switches(defaults.ehealth)?,
            ehealth_public_url: self.ehealth.public_url()?,
            ehealth_time_zone: match self.ehealth.timezone.as_deref() {
                None => defaults.ehealth_time_zone,
                Some(text) => offset(text).with_context(|| {
                    format!("ehealth.timezone is \"{text}\": write an offset from UTC such as \"+02:00\"")
                })?,
            },
        })
    }
}

impl Medicapp {
    fn switches(&self, defaults: medicapp::Switches) -> anyhow::Result<medicapp::Switches> {
        Ok(medicapp::Switches {
            future_birth: choose(
                "medicapp.reject-future-birth",
                self.reject_future_birth.as_ref(),
                defaults.future_birth,
                &flag(FutureBirth::Refuse, FutureBirth::Take),
            )?,
            key_conflict: choose(
                "medicapp.strict-key-conflict",
                self.strict_key_conflict.as_ref(),
                defaults.key_conflict,
                &flag(KeyConflict::Refuse, KeyConflict::Warn),
            )?,
            locked_fields: choose(
                "medicapp.locked-fields",
                self.locked_fields.as_ref(),
                defaults.locked_fields,
                &[
                    (Word::Text("reject-if-different"), LockedFields::RefuseDifferent),
                    (Word::Text("reject-always"), LockedFields::RefuseAlways),
                    (Word::Text("ignore"), LockedFields::Ignore),
                ],
            )?,
            cloud_get: choose(
                "medicapp.cloud-get-full",
                self.cloud_get_full.as_ref(),
                defaults.cloud_get,
                &flag(CloudGet::Full, CloudGet::Keys),
            )?,
            per_page_over: choose(
                "medicapp.per-page-over",
                self.per_page_over.as_ref(),
                defaults.per_page_over,
                &[
                    (Word::Text("clamp"), PerPageOver::Clamp),
                    (Word::Text("reject"), PerPageOver::Refuse),
                ],
            )?,
            template_fhir: choose(
                "medicapp.template-fhir",
                self.template_fhir.as_ref(),
                defaults.template_fhir,
                &flag(TemplateFhir::Offered, TemplateFhir::Refused),
            )?,
            match_ins: choose(
                "medicapp.match-ins",
                self.match_ins.as_ref(),
                defaults.match_ins,
                &flag(MatchIns::On, MatchIns::Off),
            )?,
            nir_system: choose(
                "medicapp.nir-system",
                self.nir_system.as_ref(),
                defaults.nir_system,
                &[
                    (Word::Text(".13"), NirSystem::Nss),
                    (Word::Text(".8"), NirSystem::Ins),
                ],
            )?,
        })
    }
}

impl PatientGraph {
    fn switches(&self, defaults: patient_graph::Switches) -> anyhow::Result<patient_graph::Switches> {
        Ok(patient_graph::Switches {
            duplicate_email: choose(
                "patient-graph.duplicate-email",
                self.duplicate_email.as_ref(),
                defaults.duplicate_email,
                &flag(true, false),
            )?,
            get_by_id: choose(
                "patient-graph.get-by-id",
                self.get_by_id.as_ref(),
                defaults.get_by_id,
                &flag(true, false),
            )?,
        })
    }

    fn scopes(&self) -> anyhow::Result<Vec<String>> {
        for scope in &self.required_scopes {
            // What a FHIR scope allows is a matter of type and letter; these are compared as they stand.
            if scope.is_empty() || scope.contains(char::is_whitespace) || scope.starts_with("system/") {
                bail!(
                    "patient-graph.required-scopes names \"{scope}\": write scopes as `client add --scope` gave \
                     them, without blanks, such as \"patient-graph:all\"; those of FHIR (system/…) mean nothing \
                     at this door"
                );
            }
        }
        Ok(self.required_scopes.clone())
    }
}

impl Ehealth {
    fn switches(&self, defaults: ehealth::Switches) -> anyhow::Result<ehealth::Switches> {
        use ehealth::{
            ArrayPath, DeathDeactivates, Names, NotFoundMessage, PatchNote, Pattern, SuspendedLegalEntity,
        };
        Ok(ehealth::Switches {
            patch_note: choose(
                "ehealth.patch-note",
                self.patch_note.as_ref(),
                defaults.patch_note,
                &[
                    (Word::Text("same-or-422"), PatchNote::SameOr422),
                    (Word::Text("allow"), PatchNote::Allow),
                    (Word::Text("ignore"), PatchNote::Ignore),
                ],
            )?,
            death_deactivates: choose(
                "ehealth.death-deactivates",
                self.death_deactivates.as_ref(),
                defaults.death_deactivates,
                &flag(DeathDeactivates::Yes, DeathDeactivates::No),
            )?,
            external_id_pattern: choose(
                "ehealth.external-id-pattern",
                self.external_id_pattern.as_ref(),
                defaults.external_id_pattern,
                &flag(Pattern::Enforced, Pattern::Free),
            )?,
            strict_names: choose(
                "ehealth.strict-names",
                self.strict_names.as_ref(),
                defaults.strict_names,
                &flag(Names::Ukrainian, Names::Any),
            )?,
            suspended_legal_entity: choose(
                "ehealth.allow-suspended-le",
                self.allow_suspended_le.as_ref(),
                defaults.suspended_legal_entity,
                &flag(SuspendedLegalEntity::Allow, SuspendedLegalEntity::Refuse),
            )?,
            array_path: choose(
                "ehealth.array-path",
                self.array_path.as_ref(),
                defaults.array_path,
                &[
                    (Word::Text("dotted"), ArrayPath::Dotted),
                    (Word::Text("bracket"), ArrayPath::Bracket),
                ],
            )?,
            not_found_message: choose(
                "ehealth.404-message",
                self.not_found_message.as_ref(),
                defaults.not_found_message,
                &[
                    (Word::Text("Preperson not found"), NotFoundMessage::Stated),
                    (Word::Text("none"), NotFoundMessage::None),
                ],
            )?,
        })
    }

    fn public_url(&self) -> anyhow::Result<Option<String>> {
        let Some(url) = self.public_url.as_deref() else {
            return Ok(None);
        };
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let is_url = rest.is_some_and(|rest| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.contains(|c: char| c.is_whitespace() || "?#".contains(c))
        });
        if !is_url {
            bail!(
                "ehealth.public-url is \"{url}\": write the URL of this server as clients see it, without /api, \
                 such as \"https://registry.example.org\""
            );
        }
        Ok(Some(url.trim_end_matches('/').to_owned()))
    }
}

/// One word that a setting takes.
#[derive(Clone, Copy, Debug)]
enum Word {
    Flag(bool),
    Number(i64),
    Text(&'static str),
}

impl Word {
    fn is(self, value: &Value) -> bool {
        match (self, value) {
            (Word::Flag(word), Value::Boolean(value)) => word == *value,
            (Word::Number(word), Value::Integer(value)) => word == *value,
            (Word::Text(word), Value::String(value)) => word == value,
            _ => false,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Flag(word) => word.fmt(f),
            Word::Number(word) => word.fmt(f),
            Word::Text(word) => write!(f, "\"{word}\""),
        }
    }
}

const fn flag<T: Copy>(on: T, off: T) -> [(Word, T); 2] {
    [(Word::Flag(true), on), (Word::Flag(false), off)]
}

/// What the word behind a setting means.
fn choose<T: Copy>(
    name: &str,
    written: Option<&Value>,
    default: T,
    words: &[(Word, T)],
) -> anyhow::Result<T> {
    let Some(value) = written else {
        return Ok(default);
    };
    if let Some((_, meaning)) = words.iter().find(|(word, _)| word.is(value)) {
        return Ok(*meaning);
    }
    let allowed: Vec<String> = words.iter().map(|(word, _)| word.to_string()).collect();
    bail!(
        "the setting {name} is {}: write {}",
        shown(value),
        allowed.join(" or ")
    )
}

fn shown(value: &Value) -> String {
    match value {
        Value::Boolean(value) => Word::Flag(*value).to_string(),
        Value::Integer(value) => Word::Number(*value).to_string(),
        Value::String(value) => format!("\"{value}\""),
        other => format!("a value of the type {}", other.type_str()),
    }
}

/// `+02:00`, `-03:30`.
fn offset(text: &str) -> Option<FixedOffset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |digits: &str| {
        let is_pair = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_pair.then(|| digits.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= MAX_OFFSET_MINUTES)
        .then(|| FixedOffset::east_opt(sign * total * 60))
        .flatten()
}
