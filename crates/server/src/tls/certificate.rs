//! What a client's certificate says of its holder.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{DirectoryString, GeneralName};
use x509_cert::name::{Name, RelativeDistinguishedName};

#[cfg(test)]
mod tests;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// What is wrong with a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is no certificate.
    Unreadable,
    /// The proxy's header came more than once.
    Repeated,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Its CA revoked it.
    Revoked,
    /// None of the CAs that are trusted here issued it.
    Untrusted,
    /// Whether it was revoked cannot be told: a CRL is missing or its time is over.
    RevocationUnknown,
    /// It was issued for something else than telling who a client is, or is malformed.
    Unfit,
}

impl CertificateFault {
    /// What the verifier's error comes to.
    pub fn of(error: &rustls::Error) -> CertificateFault {
        let rustls::Error::InvalidCertificate(error) = error else {
            return CertificateFault::Unfit;
        };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                CertificateFault::NotYetValid
            }
            CertificateError::Revoked => CertificateFault::Revoked,
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => CertificateFault::RevocationUnknown,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateFault::Untrusted,
            CertificateError::BadEncoding => CertificateFault::Unreadable,
            _ => CertificateFault::Unfit,
        }
    }

    /// What its holder is told.
    pub fn text(self) -> &'static str {
        match self {
            CertificateFault::Unreadable => {
                "The client certificate cannot be read. Present another; a proxy in front sends it as URL-encoded PEM or as RFC 9440 says."
            }
            CertificateFault::Repeated => {
                "More than one client certificate was named. The proxy in front has to replace the header, not add to it."
            }
            CertificateFault::Expired => "The client certificate has expired. Present a new one.",
            CertificateFault::NotYetValid => {
                "The client certificate is not valid yet. Present one that is, or check the clocks."
            }
            CertificateFault::Revoked => "The client certificate is revoked. Present a new one.",
            CertificateFault::Untrusted => {
                "The client certificate is of no CA that is trusted here. Present one of the agreed CA, with its \
                 intermediate certificates."
            }
            CertificateFault::RevocationUnknown => {
                "Whether the client certificate is revoked cannot be told now. Ask the operator to renew the lists \
                 of its CA."
            }
            CertificateFault::Unfit => {
                "The client certificate cannot be used here. Present one that is made for client authentication."
            }
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Whose a certificate is. It does not print: a CN may be a person's name.
pub struct Identity {
    /// The CN; of several the most specific, the last.
    pub common_name: Option<String>,
    /// Every OU.
    pub units: Vec<String>,
    /// The DNS names and URIs among the subject's alternative names.
    pub alternatives: Vec<String>,
    /// The issuer's name, part by part, the most general first.
    pub issuer: Vec<String>,
}

/// By what and when a certificate was found good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// That of the files.
    pub generation: u64,
    /// Seconds since the epoch.
    pub at: u64,
}

/// A certificate that a client showed, with those between it and its CA.
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    identity: Identity,
    /// Seconds since the epoch.
    not_before: u64,
    not_after: u64,
    checked: Mutex<Option<Checked>>,
}

impl ClientCertificate {
    /// Reads a chain, the client's own certificate first.
    ///
    /// # Errors
    /// When the first is no certificate.
    pub fn read(chain: Vec<CertificateDer<'static>>) -> Result<ClientCertificate, CertificateFault> {
        let leaf = chain.first().ok_or(CertificateFault::Unreadable)?;
        let parsed = Certificate::from_der(leaf).map_err(|_| CertificateFault::Unreadable)?;
        let body = parsed.tbs_certificate();
        let alternatives = body
            .get_extension::<SubjectAltName>()
            .map_err(|_| CertificateFault::Unreadable)?;
        let alternatives = alternatives.map(|(_, names)| names.0).unwrap_or_default();
        let identity = Identity {
            common_name: texts(body.subject(), COMMON_NAME).pop(),
            units: texts(body.subject(), ORGANIZATIONAL_UNIT),
            alternatives: alternatives.iter().filter_map(alternative).collect(),
            issuer: body.issuer().iter_rdn().map(ToString::to_string).collect(),
        };
        let validity = body.validity();
        Ok(ClientCertificate {
            identity,
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
            checked: Mutex::new(None),
            chain,
        })
    }

    /// Whose it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// # Errors
    /// When its time is over or has not come.
    pub(super) fn in_time(&self, now: UnixTime) -> Result<(), CertificateFault> {
        match now.as_secs() {
            now if now < self.not_before => Err(CertificateFault::NotYetValid),
            now if now > self.not_after => Err(CertificateFault::Expired),
            _ => Ok(()),
        }
    }

    pub(super) fn leaf(&self) -> &CertificateDer<'static> {
        // `read` takes no empty chain.
        self.chain.first().unwrap_or(&NOTHING)
    }

    pub(super) fn intermediates(&self) -> &[CertificateDer<'static>] {
        self.chain.get(1..).unwrap_or_default()
    }

    /// When it was found good last; `None`: never yet.
    pub(super) fn checked(&self) -> Option<Checked> {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_checked(&self, checked: Checked) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = Some(checked);
    }
}

static NOTHING: CertificateDer<'static> = CertificateDer::from_slice(&[]);

/// The values of an attribute in a name, in its order.
fn texts(name: &Name, attribute: ObjectIdentifier) -> Vec<String> {
    let of_kind = name.iter().filter(|part| part.oid == attribute);
    of_kind.filter_map(text).collect()
}

fn text(part: &AttributeTypeAndValue) -> Option<String> {
    let text = DirectoryString::try_from(&part.value).ok()?;
    Some(text.value().into_owned())
}

fn alternative(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
        _ => None,
    }
}

/// A distinguished name as people write it, part by part: `CN=CA,O=ASIP,C=FR`, with or without spaces.
///
/// # Errors
/// The part that is none.
pub fn distinguished_name(text: &str) -> Result<Vec<String>, String> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut is_escaped = false;
    for character in text.chars() {
        match parts.last_mut() {
            Some(last) if is_escaped || character != ',' => last.push(character),
            _ => parts.push(String::new()),
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    if is_escaped {
        return Err(parts.pop().unwrap_or_default());
    }
    parts.iter().map(|part| normal(part)).collect()
}

/// One part, as it is written of a certificate.
fn normal(part: &str) -> Result<String, String> {
    let (name, value) = part.split_once('=').ok_or_else(|| part.to_owned())?;
    let written = format!("{}={}", name.trim(), value.trim());
    let parsed: RelativeDistinguishedName = written.parse().map_err(|_| part.to_owned())?;
    Ok(parsed.to_string())
}

/// Whether two names are the same, in whichever of the two orders that tools write them in.
pub fn is_same_name(wanted: &[String], found: &[String]) -> bool {
    let same = |(wanted, found): (&String, &String)| wanted == found;
    wanted.len() == found.len()
        && (wanted.iter().zip(found).all(same) || wanted.iter().zip(found.iter().rev()).all(same))
}
