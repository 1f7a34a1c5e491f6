//! The key that signs heads: Ed25519, in a file outside the database.
//!
//! Not HMAC: whoever checks a trail need not be able to forge one, so an auditor gets the public key alone. The files are
//! PEM as `openssl genpkey -algorithm ed25519` writes it (RFC 8410), so that any tool can check a signature.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// What stands before the 32 bytes of a private key (PKCS #8, RFC 8410).
const PRIVATE_DER: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// What stands before the 32 bytes of a public key (SubjectPublicKeyInfo, RFC 8410).
const PUBLIC_DER: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// Signs heads. Does not print itself.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    id: String,
}

impl Signer {
    /// The key in this file; made, readable by its owner alone, when there is no file, with the public key beside it
    /// (`.pub` at the end of the name).
    ///
    /// # Errors
    /// A sentence for the operator; also when a public key says that there was a private one.
    pub fn load_or_make(path: &Path) -> Result<Signer, String> {
        match Signer::load(path)? {
            Some(signer) => Ok(signer),
            None => Signer::make(path),
        }
    }

    /// The key in this file; `None`: there is no such file.
    ///
    /// # Errors
    /// A sentence for the operator; also when others than its owner can read it.
    pub fn load(path: &Path) -> Result<Option<Signer>, String> {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |error| format!("cannot read the audit key {}: {error}", path.display());
        let mut file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!(
                "others than its owner can read or write the audit key {0}, and could sign what they like: chmod 600 {0}",
                path.display()
            ));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let signer = Signer::read(&text)
            .ok_or_else(|| format!("{} holds no Ed25519 private key in PEM", path.display()))?;
        Ok(Some(signer))
    }

    /// What to do about a key that is not where it was.
    pub fn lost(path: &Path) -> String {
        format!(
            "Put it back; when it is lost, move {0}.pub aside (audit verify wants it still) and make a new key with: umask 077; \
             openssl genpkey -algorithm ed25519 -out {0}",
            path.display()
        )
    }

    fn read(text: &str) -> Option<Signer> {
        let seed = blocks(text, PRIVATE).find_map(|der| after(&der, &PRIVATE_DER))?;
        Some(Signer::of(SigningKey::from_bytes(&seed)))
    }

    fn of(key: SigningKey) -> Signer {
        let id = key_id(&key.verifying_key());
        Signer { key, id }
    }

    fn make(path: &Path) -> Result<Signer, String> {
        let public_path = named(path, ".pub");
        if public_path.exists() {
            // Or another server made both just now.
            return Signer::load(path)?.ok_or_else(|| {
                format!(
                    "the audit key {} is gone, and {} says that there was one. {}",
                    path.display(),
                    public_path.display(),
                    Signer::lost(path)
                )
            });
        }
        let mut seed = Sha256::new();
        // Each random UUID brings 122 bits.
        for _ in 0..3 {
            seed.update(uuid::Uuid::new_v4().as_bytes());
        }
        let seed: [u8; 32] = seed.finalize().into();
        let signer = Signer::of(SigningKey::from_bytes(&seed));
        let failed =
            |error: std::io::Error| format!("cannot write the audit key {}: {error}", path.display());
        // Two servers that start together must not end with two keys: whoever comes second reads the first one's. The
        // file is whole before it has its name.
        let beside = named(path, &format!(".{}", uuid::Uuid::new_v4().simple()));
        write_private(&beside, &pem(PRIVATE, &[&PRIVATE_DER[..], &seed].concat())).map_err(failed)?;
        let linked = std::fs::hard_link(&beside, path);
        let _ = std::fs::remove_file(&beside);
        match linked {
            Ok(()) => {
                let public = pem(
                    PUBLIC,
                    &[&PUBLIC_DER[..], signer.key.verifying_key().as_bytes()].concat(),
                );
                let mut file = std::fs::OpenOptions::new();
                let file = file.write(true).create_new(true).open(&public_path);
                file.and_then(|mut file| file.write_all(public.as_bytes()))
                    .map_err(failed)?;
                Ok(signer)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Signer::load_or_make(path),
            Err(error) => Err(failed(error)),
        }
    }

    /// By which a signature names its key: the beginning of the public key's hash, hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).to_bytes().to_vec()
    }
}

/// The keys whose signatures are believed.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    known: Vec<(String, VerifyingKey)>,
}

impl Keys {
    /// The keys in a file: public ones, or private ones, one after the other.
    ///
    /// # Errors
    /// A sentence for the operator: the file cannot be read or holds none.
    pub fn load(path: &Path) -> Result<Keys, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read the audit key {}: {error}", path.display()))?;
        let private = blocks(&text, PRIVATE)
            .filter_map(|der| after(&der, &PRIVATE_DER))
            .map(|seed| SigningKey::from_bytes(&seed).verifying_key());
        let public = blocks(&text, PUBLIC)
            .filter_map(|der| after(&der, &PUBLIC_DER))
            .filter_map(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let known: Vec<_> = private.chain(public).map(|key| (key_id(&key), key)).collect();
        if known.is_empty() {
            return Err(format!("{} holds no Ed25519 key in PEM", path.display()));
        }
        Ok(Keys { known })
    }

    /// Whether there is none: then no signature can be checked.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether this is a signature of any known key.
    pub(super) fn accept_any(&self, message: &[u8], signature: &[u8]) -> bool {
        self.known
            .iter()
            .any(|(id, _)| self.accept(id, message, signature))
    }

    /// Whether this is a signature of a known key.
    pub(super) fn accept(&self, id: &str, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else {
            return false;
        };
        self.known
            .iter()
            .any(|(known, key)| known == id && key.verify_strict(message, &signature).is_ok())
    }
}

fn key_id(key: &VerifyingKey) -> String {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    super::head::hex(hash.iter().take(8))
}

fn named(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn pem(label: &str, der: &[u8]) -> String {
    // 48 bytes at most: one line.
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        fhir::base64::encode(der)
    )
}

/// The contents of the PEM blocks of this label.
fn blocks<'t>(text: &'t str, label: &str) -> impl Iterator<Item = Vec<u8>> + use<'t> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&begin)?;
        let (body, behind) = behind.split_once(&end)?;
        rest = behind;
        Some(fhir::base64::decode(body).unwrap_or_default())
    })
}

fn after(der: &[u8], prefix: &[u8]) -> Option<[u8; 32]> {
    der.strip_prefix(prefix)?.try_into().ok()
}
