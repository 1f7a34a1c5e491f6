//! The tables `[[issuers]]` of the configuration file: the authorization servers whose access tokens are taken
//! (`access.md` 2).

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use toml::Value;

use super::Settings;
use crate::auth::token::{self, Algorithm, Issuer, Place};

#[cfg(test)]
mod tests;

/// The bounds of `max-lifetime`, in seconds: a minute and a day.
const LIFETIME_BOUNDS: (u64, u64) = (60, 24 * 60 * 60);

/// `[[issuers]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IssuerTable {
    /// `iss` of its tokens, to the letter.
    issuer: String,
    /// A file with its JWK Set, or the URL of one.
    jwks: String,
    /// `aud` that its tokens have for this server, or several.
    audience: Option<Value>,
    /// How its tokens may be signed.
    algorithms: Option<Vec<String>>,
    /// The claims that may name the client.
    client_claims: Option<Vec<String>>,
    /// How long its tokens may live, in seconds.
    max_lifetime: Option<u64>,
    /// Where clients get its tokens: told in smart-configuration.
    token_endpoint: Option<String>,
}

impl Settings {
    /// The authorization servers whose tokens are taken.
    ///
    /// # Errors
    /// A sentence that names the first setting that makes no sense, and what it takes.
    pub fn issuers(&self) -> anyhow::Result<Vec<Issuer>> {
        let mut issuers: Vec<Issuer> = Vec::new();
        for table in &self.issuers {
            let issuer = table
                .read()
                .with_context(|| format!("the table of the issuer \"{}\" is wrong", table.issuer))?;
            if issuers.iter().any(|known| known.name == issuer.name) {
                bail!(
                    "the issuer \"{}\" is configured twice: one table for each",
                    issuer.name
                );
            }
            issuers.push(issuer);
        }
        Ok(issuers)
    }
}

impl IssuerTable {
    fn read(&self) -> anyhow::Result<Issuer> {
        if self.issuer.trim().is_empty() {
            bail!("issuers.issuer is empty: write what its tokens have as iss, to the letter");
        }
        Ok(Issuer {
            name: self.issuer.clone(),
            audiences: self.audiences()?,
            algorithms: self.algorithms()?,
            client_claims: self.claims()?,
            max_lifetime: self.lifetime()?,
            token_endpoint: self.token_endpoint.as_deref().map(endpoint).transpose()?,
            keys: place(&self.jwks)?,
        })
    }

    fn audiences(&self) -> anyhow::Result<Vec<String>> {
        let written: Vec<Option<&str>> = match &self.audience {
            Some(Value::String(one)) => vec![Some(one)],
            Some(Value::Array(several)) => several.iter().map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let audiences = written.iter().map(|one| {
            let text = one.filter(|text| !text.trim().is_empty());
            text.map(str::to_owned)
        });
        audiences
            .collect::<Option<Vec<String>>>()
            .filter(|all| !all.is_empty())
            .context(
                "issuers.audience is missing: write what tokens for this server have as aud, such as \
                 \"https://fhir.example.org/fhir\", or a list of such texts. Without it a token that was meant for \
                 another server would work here",
            )
    }

    fn algorithms(&self) -> anyhow::Result<Vec<Algorithm>> {
        let Some(names) = &self.algorithms else {
            return Ok(Algorithm::SMART.to_vec());
        };
        let known = Algorithm::ALL.map(Algorithm::as_str).join(", ");
        if names.is_empty() {
            bail!("issuers.algorithms is empty: write one or more of {known}, or leave it out");
        }
        let read = |name: &String| {
            Algorithm::parse(name).with_context(|| {
                format!(
                    "issuers.algorithms has \"{name}\": write one or more of {known}; no other is safe here"
                )
            })
        };
        names.iter().map(read).collect()
    }

    fn claims(&self) -> anyhow::Result<Vec<String>> {
        match &self.client_claims {
            None => Ok(token::CLIENT_CLAIMS.map(str::to_owned).to_vec()),
            Some(names) if names.is_empty() || names.iter().any(String::is_empty) => bail!(
                "issuers.client-claims is empty: write the claims that may name the client, such as [\"azp\"], or leave it \
                 out"
            ),
            Some(names) => Ok(names.clone()),
        }
    }

    fn lifetime(&self) -> anyhow::Result<Duration> {
        let (shortest, longest) = LIFETIME_BOUNDS;
        match self.max_lifetime {
            None => Ok(token::MAX_LIFETIME),
            Some(seconds) if (shortest..=longest).contains(&seconds) => Ok(Duration::from_secs(seconds)),
            Some(seconds) => bail!(
                "issuers.max-lifetime is {seconds}: write the longest life of a token, from {shortest} to {longest} seconds"
            ),
        }
    }
}

fn place(text: &str) -> anyhow::Result<Place> {
    if text.trim().is_empty() {
        bail!("issuers.jwks is empty: write a file with the JWK Set of the issuer, or the https URL of one");
    }
    if text.contains("://") {
        return url(text).map(Place::Url).with_context(|| {
            format!(
                "issuers.jwks is \"{text}\": write an https URL without user and password (http is taken for 127.0.0.1 and \
                 localhost alone), or a file"
            )
        });
    }
    Ok(Place::File(PathBuf::from(text)))
}

fn endpoint(text: &str) -> anyhow::Result<String> {
    url(text).with_context(|| format!("issuers.token-endpoint is \"{text}\": write an https URL"))
}

/// An https URL; http only to this machine: whoever sits between could send keys of his own.
fn url(text: &str) -> anyhow::Result<String> {
    let parsed: actix_web::http::Uri = text.parse().context("it is no URL")?;
    let host = parsed.host().unwrap_or_default();
    let has_user = parsed
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    let is_safe = match parsed.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => ["localhost", "127.0.0.1", "[::1]"].contains(&host),
        _ => false,
    };
    if !is_safe || has_user {
        bail!("it is not one that can be trusted");
    }
    Ok(text.to_owned())
}
