//! What lies in the files: the server's certificate and key, the CAs of clients, what they revoked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;

use super::{ClientCertificate, Loaded};

/// From when on the operator is told that a file ends.
const SOON: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the files lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The server's certificate and key. `None`: this server does not speak TLS itself.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The CAs whose certificates clients may show. `None`: nobody is asked for one in the handshake.
    pub client_ca: Option<PathBuf>,
    /// What these CAs revoked.
    pub client_crl: Vec<PathBuf>,
}

impl Files {
    /// Each file.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        let own = self
            .certificate
            .iter()
            .flat_map(|(certificate, key)| [certificate, key]);
        let all = own.chain(&self.client_ca).chain(&self.client_crl);
        all.map(PathBuf::as_path)
    }

    /// Reads them all.
    ///
    /// # Errors
    /// A sentence that names the file and the remedy.
    pub(super) fn read(&self, generation: u64) -> anyhow::Result<Loaded> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut ends = Vec::new();
        let verifier = match &self.client_ca {
            Some(ca) => Some(self.verifier(ca, &provider, &mut ends)?),
            None => None,
        };
        let config = match &self.certificate {
            Some((certificate, key)) => {
                let config = config(certificate, key, verifier.as_ref(), &provider, &mut ends)?;
                Some(Arc::new(config))
            }
            None => None,
        };
        Ok(Loaded {
            config,
            verifier,
            ends,
            generation,
        })
    }

    /// Requests a certificate, and judges one that is shown; who shows none is let in, and has to tell otherwise
    /// who it is.
    fn verifier(
        &self,
        ca: &Path,
        provider: &Arc<CryptoProvider>,
        ends: &mut Vec<End>,
    ) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca, "tls-client-ca")? {
            End::note(ends, ca, "a CA of clients", end_of(&certificate));
            roots.add(certificate).map_err(|error| {
                anyhow::anyhow!(
                    "tls-client-ca {}: one of its certificates cannot be trusted as a CA ({error}). Put the PEM or \
                     DER certificates of the CAs into it, and nothing else",
                    ca.display()
                )
            })?;
        }
        let mut crls = Vec::new();
        for path in &self.client_crl {
            for crl in revocations(path)? {
                End::note(ends, path, "a list of revoked certificates", end_of_list(&crl));
                crls.push(crl);
            }
        }
        // Two CRLs of one name cannot be told apart in this error: the files are named together.
        let names: Vec<String> = self
            .client_crl
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(crls)
            .enforce_revocation_expiration()
            .allow_unauthenticated();
        builder.build().map_err(|error| {
            anyhow::anyhow!(
                "tls-client-crl {}: {error}. Fetch the CRL anew from its CA",
                names.join(", ")
            )
        })
    }
}

fn config(
    certificate: &Path,
    key: &Path,
    verifier: Option<&Arc<dyn ClientCertVerifier>>,
    provider: &Arc<CryptoProvider>,
    ends: &mut Vec<End>,
) -> anyhow::Result<ServerConfig> {
    let chain = certificates(certificate, "tls-certificate")?;
    if let Some(leaf) = chain.first() {
        End::note(ends, certificate, "the certificate of this server", end_of(leaf));
    }
    let private = private_key(key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .context("TLS 1.2 and 1.3 are not to be had")?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, private).map_err(|error| {
        anyhow::anyhow!(
            "tls-certificate {} and tls-key {} do not go together ({error}). Give the certificate of this key first \
             in the file, then those of its CAs",
            certificate.display(),
            key.display()
        )
    })?;
    // HTTP/2 would bring another set of deadlines and another end; every client of ours speaks HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    // A session that is taken up again brings its certificate along unchecked: what was revoked would work on.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The certificate of a client, as an operator has it in a file.
///
/// # Errors
/// A sentence that names the file and the remedy.
pub fn read_client_certificate(path: &Path, option: &str) -> anyhow::Result<ClientCertificate> {
    let chain = certificates(path, option)?;
    ClientCertificate::read(chain).map_err(|fault| wrong(path, option, fault.text(), "certificates"))
}

/// The certificates in a PEM file, or the one in a DER file.
fn certificates(path: &Path, setting: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let bytes = bytes_of(path, setting)?;
    let found = match is_pem(&bytes) {
        true => CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(path, setting, &error.to_string(), "certificates"))?,
        false => vec![CertificateDer::from(bytes)],
    };
    if found.is_empty() {
        return Err(wrong(path, setting, "there is none in it", "certificates"));
    }
    for certificate in &found {
        Certificate::from_der(certificate)
            .map_err(|error| wrong(path, setting, &error.to_string(), "certificates"))?;
    }
    Ok(found)
}

fn revocations(path: &Path) -> anyhow::Result<Vec<CertificateRevocationListDer<'static>>> {
    const SETTING: &str = "tls-client-crl";
    let bytes = bytes_of(path, SETTING)?;
    let found = match is_pem(&bytes) {
        true => CertificateRevocationListDer::pem_slice_iter(&bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(path, SETTING, &error.to_string(), "CRLs"))?,
        false => vec![CertificateRevocationListDer::from(bytes)],
    };
    if found.is_empty() {
        return Err(wrong(path, SETTING, "there is none in it", "CRLs"));
    }
    for crl in &found {
        CertificateList::<x509_cert::certificate::Rfc5280>::from_der(crl)
            .map_err(|error| wrong(path, SETTING, &error.to_string(), "CRLs"))?;
    }
    Ok(found)
}

fn private_key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let bytes = bytes_of(path, "tls-key")?;
    let marked = |mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
    if marked(b"ENCRYPTED") {
        bail!(
            "tls-key {} is encrypted, and nobody is there to type its password. Decrypt it (openssl pkey -in … -out …) \
             and let only this server's user read it",
            path.display()
        );
    }
    // What is wrong is not shown: it could be the key.
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        anyhow::anyhow!(
            "tls-key {} holds no private key. Give a PEM file with one of PKCS#8, PKCS#1 or SEC1",
            path.display()
        )
    })
}

fn bytes_of(path: &Path, setting: &str) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        anyhow::anyhow!(
            "{setting} {} cannot be read: {error}. Check the path, and that this server's user may read it",
            path.display()
        )
    })
}

fn wrong(path: &Path, setting: &str, why: &str, what: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{setting} {} is no file of {what}: {why}. Give {what} as PEM, or one as DER",
        path.display()
    )
}

/// DER begins with a SEQUENCE, whose tag no text begins with that holds PEM.
fn is_pem(bytes: &[u8]) -> bool {
    bytes.first() != Some(&0x30)
}

fn end_of(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate().validity().not_after;
    Some(end.to_system_time())
}

fn end_of_list(crl: &CertificateRevocationListDer<'_>) -> Option<SystemTime> {
    let list = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(crl).ok()?;
    Some(list.tbs_cert_list.next_update?.to_system_time())
}

/// When something in a file stops being valid.
pub(super) struct End {
    what: &'static str,
    path: PathBuf,
    at: SystemTime,
}

impl End {
    fn note(ends: &mut Vec<End>, path: &Path, what: &'static str, at: Option<SystemTime>) {
        let path = path.to_owned();
        ends.extend(at.map(|at| End { what, path, at }));
    }

    /// When, in seconds since the epoch.
    pub(super) fn seconds(&self) -> Option<u64> {
        let since = self.at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    }

    /// What the operator should know of it at this time.
    pub(super) fn warning(&self, now: SystemTime) -> Option<String> {
        let path = self.path.display();
        match self.at.duration_since(now) {
            Err(_) => Some(format!("{} in {path} is past its end: replace it", self.what)),
            Ok(left) if left < SOON => Some(format!("{} in {path} ends within a day: replace it", self.what)),
            Ok(_) => None,
        }
    }
}
