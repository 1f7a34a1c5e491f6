//! Where the key and the heads of the audit trail lie, and how long its rows are kept.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use store::trail::{SealerOptions, Seals, Signer};

use super::Settings;

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

impl Settings {
    /// The file of the key: `--audit-key`, else beside the SQLite file. `None`: there is no such place.
    pub fn audit_key(&self) -> Option<PathBuf> {
        self.audit_key
            .clone()
            .or_else(|| self.beside_database("audit-key"))
    }

    /// The file of the heads: `--audit-heads`, else beside the SQLite file. `None`: there is no such place.
    pub fn audit_heads(&self) -> Option<PathBuf> {
        self.audit_heads
            .clone()
            .or_else(|| self.beside_database("audit-heads"))
    }

    fn beside_database(&self, end: &str) -> Option<PathBuf> {
        let file = self.database().strip_prefix("sqlite:")?;
        Some(PathBuf::from(format!("{file}.{end}")))
    }

    /// How the audit trail is sealed, in a database with these seals. Makes the key at first start; warns of what is
    /// missing.
    ///
    /// # Errors
    /// A sentence for the operator: the key cannot be read or made, or there was another.
    pub fn sealer(&self, seals: Seals) -> anyhow::Result<SealerOptions> {
        let signer = match self.audit_key() {
            Some(path) => Some(signer(&path, seals).map_err(anyhow::Error::msg)?),
            None => {
                tracing::warn!(
                    "the audit trail is chained but not signed: name a file for its key with --audit-key"
                );
                None
            }
        };
        let heads = self.audit_heads();
        if let Some(path) = &heads {
            if seals != Seals::None && !path.exists() {
                tracing::error!(
                    path = %path.display(),
                    "the heads of the audit trail are missing, and a new file is begun: a cut of its end until now would not be \
                     seen. Put the file back, or keep the old one for audit verify"
                );
            }
            // It is there from the first start on: where it is missing later, somebody took it away.
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| {
                    format!("cannot write the heads of the audit trail to {}", path.display())
                })?;
        } else {
            tracing::warn!(
                "no head of the audit trail is kept outside the database, so that a cut of its end would not be seen: name a \
                 file with --audit-heads"
            );
        }
        Ok(SealerOptions {
            signer,
            heads,
            retention: self
                .audit_retention_days
                .map(|days| Duration::from_secs(days.saturating_mul(DAY_SECONDS))),
        })
    }
}

/// A new key would sign what follows, and nobody would ask for the old one.
fn signer(path: &Path, seals: Seals) -> Result<Signer, String> {
    match Signer::load(path)? {
        Some(signer) => Ok(signer),
        None if seals == Seals::Signed => Err(format!(
            "the audit trail of this database is signed, and there is no key at {}: name where it is with --audit-key. {}",
            path.display(),
            Signer::lost(path)
        )),
        None => Signer::load_or_make(path),
    }
}

#[cfg(test)]
mod tests;
