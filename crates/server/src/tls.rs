//! TLS in process, and the certificates of clients (`access.md` 2, `regulator-accounts.md` 6).
//!
//! What the files hold is read whole, checked, and swapped in as one [`Loaded`]; a connection keeps the one it was
//! made with. Who asks is told by a certificate that was checked here, in the handshake or behind a proxy.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;

pub mod accept;
pub mod certificate;
mod files;
mod header;
mod presented;
#[cfg(test)]
mod tests;
mod watch;

use certificate::Checked;
pub use certificate::{CertificateFault, ClientCertificate, Identity};
use files::End;
pub use files::{Files, read_client_certificate};
pub use presented::{Peer, Presented, presented};
pub use watch::watch;

/// How often the files are looked at. A change is in force after this and a moment, or at once after SIGHUP.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// For how long a check of a client's certificate holds: an intermediate that came with it may end, too.
const CHECKED_FOR: Duration = Duration::from_secs(60);

/// The TLS of this server. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    files: Files,
    /// What the files looked like before they were first read.
    seen: watch::Look,
    loaded: RwLock<Arc<Loaded>>,
    generations: AtomicU64,
}

/// What the files held at one moment.
struct Loaded {
    /// How the server speaks TLS; `None`: it does not, a proxy does.
    config: Option<Arc<ServerConfig>>,
    /// Who judges the certificates of clients; `None`: nobody asks for them.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// When what is in the files stops being valid.
    ends: Vec<End>,
    /// Rises with every change.
    generation: u64,
}

impl Loaded {
    /// Whether what was checked then would be found the same now.
    fn still_holds(&self, checked: Checked, now: UnixTime) -> bool {
        let (then, now) = (checked.at, now.as_secs());
        let is_fresh = now
            .checked_sub(then)
            .is_some_and(|age| age < CHECKED_FOR.as_secs());
        let has_ended = |end: &End| end.seconds().is_some_and(|end| (then..=now).contains(&end));
        checked.generation == self.generation && is_fresh && !self.ends.iter().any(has_ended)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.shared.files).finish()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A sentence for the operator that names the file and the remedy.
    pub fn load(files: Files) -> anyhow::Result<Tls> {
        let seen = watch::look_at(&files);
        let loaded = files.read(1)?;
        Ok(Tls {
            shared: Arc::new(Shared {
                files,
                seen,
                loaded: RwLock::new(Arc::new(loaded)),
                generations: AtomicU64::new(1),
            }),
        })
    }

    /// Reads the files again. What was in force stays in force when one of them is wrong; connections stay open
    /// either way.
    ///
    /// # Errors
    /// A sentence for the operator that names the file and the remedy.
    pub fn reload(&self) -> anyhow::Result<()> {
        let generation = self.shared.generations.fetch_add(1, Ordering::AcqRel) + 1;
        let loaded = Arc::new(self.shared.files.read(generation)?);
        *self.shared.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// What the operator should know of the files in force, such as that one of them ends soon.
    pub fn warnings(&self) -> Vec<String> {
        let now = SystemTime::now();
        let loaded = self.loaded();
        loaded.ends.iter().filter_map(|end| end.warning(now)).collect()
    }

    /// Whether this server speaks TLS itself.
    pub fn is_spoken(&self) -> bool {
        self.shared.files.certificate.is_some()
    }

    /// Whether clients are asked for their certificate.
    pub fn asks_for_certificates(&self) -> bool {
        self.shared.files.client_ca.is_some()
    }

    /// How to speak TLS on a connection that begins now.
    pub fn config(&self) -> Option<Arc<ServerConfig>> {
        self.loaded().config.clone()
    }

    /// Whether a certificate may tell who asks now: it is in its time, its issuer is trusted (where a CA is
    /// configured) and nobody revoked it. What was found is kept until the files change, one of the CAs and lists ends,
    /// or [`CHECKED_FOR`] is over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, certificate: &ClientCertificate, now: UnixTime) -> Result<(), CertificateFault> {
        certificate.in_time(now)?;
        let loaded = self.loaded();
        let Some(verifier) = &loaded.verifier else {
            return Ok(());
        };
        let checked = certificate.checked();
        if checked.is_some_and(|checked| loaded.still_holds(checked, now)) {
            return Ok(());
        }
        verifier
            .verify_client_cert(certificate.leaf(), certificate.intermediates(), now)
            .map_err(|error| CertificateFault::of(&error))?;
        certificate.set_checked(Checked {
            generation: loaded.generation,
            at: now.as_secs(),
        });
        Ok(())
    }

    fn files(&self) -> &Files {
        &self.shared.files
    }

    fn loaded(&self) -> Arc<Loaded> {
        let slot = self.shared.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&slot)
    }
}
