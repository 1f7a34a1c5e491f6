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
mod watch;

pub use certificate::{CertificateFault, ClientCertificate, Identity};
use files::End;
pub use files::{Files, read_client_certificate};
pub use presented::{Peer, Presented, presented};
pub use watch::watch;

/// How often the files are looked at. A change is in force after this and a moment, or at once after SIGHUP.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(2);

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
    /// configured) and nobody revoked it. What was found is kept until the files change.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, certificate: &ClientCertificate, now: UnixTime) -> Result<(), CertificateFault> {
        certificate.in_time(now)?;
        let loaded = self.loaded();
        let Some(verifier) = &loaded.verifier else {
            return Ok(());
        };
        if certificate.is_checked_by(loaded.generation) {
            return Ok(());
        }
        verifier
            .verify_client_cert(certificate.leaf(), certificate.intermediates(), now)
            .map_err(|error| CertificateFault::of(&error))?;
        certificate.set_checked_by(loaded.generation);
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
