//! One fetch of an issuer's keys: the only connection that the server opens besides its database, and only to a URL
//! that the operator configured.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ureq::Agent;
use ureq::http::header::{ACCEPT, CACHE_CONTROL};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::super::jwks::{KeySet, MAX_SET_BYTES};

/// How long a fetch may take in all, from the name of the host to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long keys are held for fresh when the answer does not say.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// The bounds of what an answer may say of that: a key that was withdrawn must not open anything for days.
const FRESH_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(60 * 60));

/// What was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// The keys.
    pub keys: KeySet,
    /// When to fetch them again.
    pub fresh_for: Duration,
}

/// Fetches the keys at this URL. Redirects are not followed: the keys are where the operator said, or nowhere.
///
/// # Errors
/// What went wrong.
pub fn keys(url: &str) -> anyhow::Result<Fetched> {
    let answer = agent(url)?
        .get(url)
        .header(ACCEPT, "application/json")
        .call()
        .context("no answer came")?;
    let status = answer.status();
    if status != 200 {
        bail!("the answer has the status {status}, where 200 was expected");
    }
    let told = answer
        .headers()
        .get(CACHE_CONTROL)
        .and_then(|value| value.to_str().ok());
    let fresh_for = fresh_for(told);
    let body = answer
        .into_body()
        .into_with_config()
        .limit(MAX_SET_BYTES)
        .read_to_vec()
        .context("the answer did not come whole")?;
    let keys = KeySet::read(&body).context("the answer is no JWK Set of use")?;
    Ok(Fetched { keys, fresh_for })
}

fn agent(url: &str) -> anyhow::Result<Agent> {
    let config = Agent::config_builder()
        .timeout_global(Some(DEADLINE))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .user_agent(concat!("passerelle/", env!("CARGO_PKG_VERSION")));
    let config = match url.starts_with("https:") {
        true => config.https_only(true).tls_config(tls()?),
        // On this machine: no proxy reaches it.
        false => config.proxy(None),
    };
    Ok(config.build().new_agent())
}

/// TLS that trusts whom the system trusts, as it is now.
fn tls() -> anyhow::Result<TlsConfig> {
    let system = rustls_native_certs::load_native_certs();
    if system.certs.is_empty() {
        let errors: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
        bail!(
            "the system's trusted certificates cannot be read ({}). Install them (the package ca-certificates), or name \
             them in SSL_CERT_FILE",
            errors.join("; ")
        );
    }
    let roots = system
        .certs
        .iter()
        .map(|one| Certificate::from_der(one).to_owned());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::from(roots.collect::<Vec<_>>()))
        .build())
}

/// How long an answer is fresh, by its `Cache-Control` (RFC 9111, 5.2.2).
pub fn fresh_for(cache_control: Option<&str>) -> Duration {
    let (shortest, longest) = FRESH_BOUNDS;
    let Some(told) = cache_control else { return FRESH };
    let directives = || told.split(',').map(|one| one.trim().to_ascii_lowercase());
    if directives().any(|one| one == "no-store" || one == "no-cache") {
        return shortest;
    }
    let age = directives().find_map(|one| one.strip_prefix("max-age=")?.trim_matches('"').parse().ok());
    age.map_or(FRESH, |seconds| {
        Duration::from_secs(seconds).clamp(shortest, longest)
    })
}
