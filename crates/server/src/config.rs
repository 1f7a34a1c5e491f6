//! Settings: flags beat the environment, the environment beats the file, the file beats the defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use clap::builder::BoolishValueParser;
use serde::Deserialize;

mod audit;
pub mod issuers;
pub mod partner;
#[cfg(test)]
mod tests;
mod tls;

/// Where a server listens when nothing else is said.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The database when nothing else is said.
pub const DEFAULT_DATABASE: &str = "sqlite:passerelle.db";
/// `{B}` of our identifier systems and profiles when nothing else is said.
pub const DEFAULT_NAMING_BASE: &str = "https://fhir-facade.example/ns";

/// How log lines can be written.
const LOG_FORMATS: [&str; 2] = ["text", "json"];

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
    /// PEM file with the certificate of this server and those of its CAs, in this order: TLS 1.2 and 1.3 are spoken,
    /// and nothing else
    #[arg(long, env = "PASSERELLE_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key of that certificate
    #[arg(long, env = "PASSERELLE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// PEM or DER file with the CAs of client certificates: clients are asked for theirs, and may show none
    #[arg(long, env = "PASSERELLE_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// PEM or DER files with what these CAs revoked (CRLs, one for each of them), comma-separated
    #[arg(
        long,
        env = "PASSERELLE_TLS_CLIENT_CRL",
        value_name = "FILES",
        value_delimiter = ','
    )]
    #[serde(default)]
    pub tls_client_crl: Vec<PathBuf>,
    /// Header in which the trusted proxies name the client's certificate (URL-encoded PEM, or as RFC 9440 says), such
    /// as X-Client-Cert
    #[arg(long, env = "PASSERELLE_CLIENT_CERTIFICATE_HEADER", value_name = "NAME")]
    pub client_certificate_header: Option<String>,
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
    #[arg(long, env = "PASSERELLE_LOG_FORMAT", value_name = "FORMAT", value_parser = LOG_FORMATS)]
    pub log_format: Option<String>,
    /// Collector that gets a span for each request (OTLP over HTTP, without TLS), such as http://127.0.0.1:4318
    /// [default: none]
    #[arg(long, env = "PASSERELLE_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Start on a PostgreSQL server that does not flush commits to disk (fsync or synchronous_commit off):
    /// answered writes can then be lost in a crash
    // An option and no plain switch: "false" in the environment beats "true" in the file.
    #[arg(long, env = "PASSERELLE_UNSAFE_DURABILITY", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_name = "true|false", value_parser = BoolishValueParser::new())]
    pub unsafe_durability: Option<bool>,
    /// File of the key that signs the audit trail (Ed25519, PEM); made at the first start, keep it apart from the database
    /// and its backups [default: beside the SQLite file; none on PostgreSQL: not signed]
    #[arg(long, env = "PASSERELLE_AUDIT_KEY", value_name = "FILE")]
    pub audit_key: Option<PathBuf>,
    /// File outside the database to which the heads of the audit trail are appended, so that a cut of its end is seen
    /// [default: beside the SQLite file; none on PostgreSQL]
    #[arg(long, env = "PASSERELLE_AUDIT_HEADS", value_name = "FILE")]
    pub audit_heads: Option<PathBuf>,
    /// Remove rows of the audit trail that are older, in whole sealed blocks [default: keep them for ever]
    #[arg(long, env = "PASSERELLE_AUDIT_RETENTION_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..))]
    pub audit_retention_days: Option<u64>,
    /// File that keeps who was erased, outside the database and its backups: a restored database is erased again from
    /// it. All servers of a database share one. Without it, on PostgreSQL, erasures are refused
    /// [default with SQLite: the database file's name and .erasures]
    #[arg(long, env = "PASSERELLE_ERASURE_LEDGER", value_name = "FILE")]
    pub erasure_ledger: Option<PathBuf>,
    /// Start although the erasure ledger of this database is missing, damaged or shorter than it was: who was erased
    /// after the backup that this database was restored from may be back then
    #[arg(long, env = "PASSERELLE_WITHOUT_ERASURE_LEDGER", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_name = "true|false", value_parser = BoolishValueParser::new())]
    pub without_erasure_ledger: Option<bool>,
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
    /// Authorization servers whose access tokens are taken; in the file alone.
    #[arg(skip)]
    #[serde(default)]
    pub issuers: Vec<issuers::IssuerTable>,
}

impl Settings {
    /// These settings, completed from a TOML file with the same names.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong in it, or a setting whose value cannot be meant.
    pub fn with_file(self, path: Option<&PathBuf>) -> anyhow::Result<Settings> {
        let merged = match path {
            Some(path) => self.completed_by(read(path)?),
            None => self,
        };
        merged.check()?;
        Ok(merged)
    }

    /// Holds every value to what it may be, wherever it came from.
    fn check(&self) -> anyhow::Result<()> {
        if let Some(format) = self.log_format.as_deref()
            && !LOG_FORMATS.contains(&format)
        {
            bail!("log-format is '{format}': write text or json");
        }
        if self.audit_retention_days == Some(0) {
            bail!(
                "audit-retention-days is 0, which would remove the whole audit trail: write 1 or more, or leave it out to \
                 keep rows for ever"
            );
        }
        let counts = [("workers", self.workers), ("connections", self.connections)];
        let zero = counts.iter().find(|(_, count)| *count == Some(0));
        if let Some((name, _)) = zero.or((self.body_deadline == Some(0)).then_some(&("body-deadline", None)))
        {
            bail!("{name} is 0, and nobody would be served: write 1 or more, or leave it out");
        }
        Ok(())
    }

    fn completed_by(self, file: Settings) -> Settings {
        Settings {
            listen: self.listen.or(file.listen),
            admin_listen: self.admin_listen.or(file.admin_listen),
            database: self.database.or(file.database),
            base_url: self.base_url.or(file.base_url),
            naming_base: self.naming_base.or(file.naming_base),
            trusted_proxies: either(self.trusted_proxies, file.trusted_proxies),
            tls_certificate: self.tls_certificate.or(file.tls_certificate),
            tls_key: self.tls_key.or(file.tls_key),
            tls_client_ca: self.tls_client_ca.or(file.tls_client_ca),
            tls_client_crl: either(self.tls_client_crl, file.tls_client_crl),
            client_certificate_header: self.client_certificate_header.or(file.client_certificate_header),
            cors_origins: either(self.cors_origins, file.cors_origins),
            max_concurrent: self.max_concurrent.or(file.max_concurrent),
            body_deadline: self.body_deadline.or(file.body_deadline),
            workers: self.workers.or(file.workers),
            connections: self.connections.or(file.connections),
            log_format: self.log_format.or(file.log_format),
            otlp_endpoint: self.otlp_endpoint.or(file.otlp_endpoint),
            unsafe_durability: self.unsafe_durability.or(file.unsafe_durability),
            audit_key: self.audit_key.or(file.audit_key),
            audit_heads: self.audit_heads.or(file.audit_heads),
            audit_retention_days: self.audit_retention_days.or(file.audit_retention_days),
            erasure_ledger: self.erasure_ledger.or(file.erasure_ledger),
            without_erasure_ledger: self.without_erasure_ledger.or(file.without_erasure_ledger),
            naming_oids: file.naming_oids,
            medicapp: file.medicapp,
            patient_graph: file.patient_graph,
            ehealth: file.ehealth,
            issuers: file.issuers,
        }
    }

    /// The database URL in force.
    pub fn database(&self) -> &str {
        self.database.as_deref().unwrap_or(DEFAULT_DATABASE)
    }

    /// Where erasures are kept; `None` when nothing was said and the database is no file.
    pub fn erasure_ledger(&self) -> Option<PathBuf> {
        let beside = || {
            let file = self.database().strip_prefix("sqlite:")?;
            Some(PathBuf::from(format!("{file}.erasures")))
        };
        self.erasure_ledger.clone().or_else(beside)
    }

    /// Whether a database that does not flush may be used.
    pub fn unsafe_durability(&self) -> bool {
        self.unsafe_durability.unwrap_or_default()
    }

    /// Whether a ledger may be missing that this database has.
    pub fn without_erasure_ledger(&self) -> bool {
        self.without_erasure_ledger.unwrap_or_default()
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

fn either<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    if first.is_empty() { second } else { first }
}
