//! Settings: flags beat the environment, the environment beats the file, the file beats the defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

pub mod partner;
#[cfg(test)]
mod tests;

/// Where a server listens when nothing else is said.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The database when nothing else is said.
pub const DEFAULT_DATABASE: &str = "sqlite:passerelle.db";
/// `{B}` of our identifier systems and profiles when nothing else is said.
pub const DEFAULT_NAMING_BASE: &str = "https://fhir-facade.example/ns";

/// Every setting of a server. All are optional: a file, a flag or the environment may give each.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Address and port to listen on, such as 0.0.0.0:8080 (port 0: any free one) [default: 127.0.0.1:8080]
    #[arg(long, env = "PASSERELLE_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Address and port of metrics and health, such as 127.0.0.1:9464. They are told to anybody who can reach it
    /// [default: none]
    #[arg(long, env = "PASSERELLE_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<String>,
    /// Database: sqlite:PATH, or postgres://user:password@host/name [default: sqlite:passerelle.db]
    #[arg(long, env = "PASSERELLE_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Base URL as clients see it, such as https://fhir.example.org (without /fhir) [default: from the request]
    #[arg(long, env = "PASSERELLE_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    /// Base of this server's own identifier systems and profiles; fixed in the database at first start
    /// [default: https://fhir-facade.example/ns]
    #[arg(long, env = "PASSERELLE_NAMING_BASE", value_name = "URL")]
    pub naming_base: Option<String>,
    /// Addresses of proxies whose Forwarded and X-Forwarded-* headers are believed, comma-separated
    #[arg(
        long,
        env = "PASSERELLE_TRUSTED_PROXIES",
        value_name = "ADDRESSES",
        value_delimiter = ','
    )]
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// Origins that browsers may call from (CORS), comma-separated [default: none]
    #[arg(
        long,
        env = "PASSERELLE_CORS_ORIGINS",
        value_name = "ORIGINS",
        value_delimiter = ','
    )]
    #[serde(default)]
    pub cors_origins: Vec<String>,
    /// Requests served at once; one more is answered 429 [default: 512]
    #[arg(long, env = "PASSERELLE_MAX_CONCURRENT", value_name = "REQUESTS")]
    pub max_concurrent: Option<usize>,
    /// Time for a whole request body to arrive, in seconds [default: 10]
    #[arg(long, env = "PASSERELLE_BODY_DEADLINE", value_name = "SECONDS")]
    pub body_deadline: Option<u64>,
    /// HTTP worker threads [default: one per core]
    #[arg(long, env = "PASSERELLE_WORKERS", value_name = "THREADS")]
    pub workers: Option<usize>,
    /// Database connections for reading (SQLite) or for everything (PostgreSQL) [default: 16]
    #[arg(long, env = "PASSERELLE_CONNECTIONS", value_name = "CONNECTIONS")]
    pub connections: Option<usize>,
    /// Log lines as `text` or `json` [default: text]
    #[arg(long, env = "PASSERELLE_LOG_FORMAT", value_name = "FORMAT", value_parser = ["text", "json"])]
    pub log_format: Option<String>,
    /// Collector that gets a span for each request (OTLP over HTTP, without TLS), such as http://127.0.0.1:4318
    /// [default: none]
    #[arg(long, env = "PASSERELLE_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Start on a PostgreSQL server that does not flush commits to disk (fsync or synchronous_commit off):
    /// answered writes can then be lost in a crash
    #[arg(long, env = "PASSERELLE_UNSAFE_DURABILITY")]
    #[serde(default)]
    pub unsafe_durability: bool,
    /// OIDs of the deployment's own for its identifier systems, by path below the naming base; in the file alone.
    #[arg(skip)]
    #[serde(default)]
    pub naming_oids: BTreeMap<String, String>,
    /// Switches of the Medicapp doors; in the file alone, as those of the other doors.
    #[arg(skip)]
    #[serde(default)]
    pub medicapp: partner::Medicapp,
    /// Switches of the patient-graph door.
    #[arg(skip)]
    #[serde(default)]
    pub patient_graph: partner::PatientGraph,
    /// Switches of the eHealth door.
    #[arg(skip)]
    #[serde(default)]
    pub ehealth: partner::Ehealth,
}

impl Settings {
    /// These settings, completed from a TOML file with the same names.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong in it.
    pub fn with_file(self, path: Option<&PathBuf>) -> anyhow::Result<Settings> {
        let Some(path) = path else { return Ok(self) };
        let file = read(path)?;
        Ok(Settings {
            listen: self.listen.or(file.listen),
            admin_listen: self.admin_listen.or(file.admin_listen),
            database: self.database.or(file.database),
            base_url: self.base_url.or(file.base_url),
            naming_base: self.naming_base.or(file.naming_base),
            trusted_proxies: either(self.trusted_proxies, file.trusted_proxies),
            cors_origins: either(self.cors_origins, file.cors_origins),
            max_concurrent: self.max_concurrent.or(file.max_concurrent),
            body_deadline: self.body_deadline.or(file.body_deadline),
            workers: self.workers.or(file.workers),
            connections: self.connections.or(file.connections),
            log_format: self.log_format.or(file.log_format),
            otlp_endpoint: self.otlp_endpoint.or(file.otlp_endpoint),
            unsafe_durability: self.unsafe_durability || file.unsafe_durability,
            naming_oids: file.naming_oids,
            medicapp: file.medicapp,
            patient_graph: file.patient_graph,
            ehealth: file.ehealth,
        })
    }

    /// The database URL in force.
    pub fn database(&self) -> &str {
        self.database.as_deref().unwrap_or(DEFAULT_DATABASE)
    }

    /// The address in force.
    pub fn listen(&self) -> &str {
        self.listen.as_deref().unwrap_or(DEFAULT_LISTEN)
    }

    /// The naming base in force, without a trailing slash.
    pub fn naming_base(&self) -> &str {
        self.naming_base
            .as_deref()
            .unwrap_or(DEFAULT_NAMING_BASE)
            .trim_end_matches('/')
    }
}

fn read(path: &Path) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("cannot read the configuration file {}: {error}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("the configuration file {} is wrong: {error}", path.display()))
}

fn either(first: Vec<String>, second: Vec<String>) -> Vec<String> {
    if first.is_empty() { second } else { first }
}
