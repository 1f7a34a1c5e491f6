//! Who asks by a client certificate (`access.md` 2, `regulator-accounts.md` 6).

use crate::tls::Presented;

use super::directory::{Directory, KnownClient, Mismatch};
use super::{Denial, Denied};

/// The client whose certificate this is; `None` when none was shown.
///
/// # Errors
/// 401 that says what to check, and never what would have been right.
pub fn holder<'d>(
    directory: &'d Directory,
    presented: &Presented,
    now: i64,
) -> Result<Option<&'d KnownClient>, Denied> {
    let certificate = match presented {
        Presented::Unasked | Presented::None => return Ok(None),
        Presented::Faulty(fault) => return Err(Denied::login(Denial::CertificateInvalid, fault.text())),
        Presented::Certificate(certificate) => certificate,
    };
    let found = directory.client_of_certificate(certificate.identity(), now);
    found
        .map(Some)
        .map_err(|mismatch| Denied::login(Denial::CertificateInvalid, text(mismatch)))
}

/// What the holder of one that is nobody's is told.
pub fn text(mismatch: Mismatch) -> &'static str {
    match mismatch {
        Mismatch::CommonName => {
            "The client certificate is no client's: check the CN of its subject, or ask the operator to register it."
        }
        Mismatch::Unit => {
            "The client certificate is no client's: its CN is registered, with another OU. Check the OU of its \
             subject, or ask the operator to register it."
        }
        Mismatch::Rest => {
            "The client certificate is no client's: its CN and OU are registered, with another issuer or alternative \
             name. Check both, or ask the operator to register them."
        }
        Mismatch::Several => {
            "The client certificate is that of more than one client. Ask the operator to register it for one of them \
             alone, by its CN, OU and issuer."
        }
    }
}

/// Two credentials of two clients.
pub fn not_of_token() -> Denied {
    let text = "The client certificate and the credential in Authorization are those of different clients. Send one \
                of them, or both of one client.";
    Denied::login(Denial::CertificateInvalid, text)
}

/// Neither a token nor a certificate.
pub fn nothing_sent(presented: &Presented) -> Denied {
    let text = match presented {
        Presented::Unasked => {
            "No credential was sent. Send your API key or access token as: Authorization: Bearer …"
        }
        _ => {
            "No credential was sent. Present your client certificate, or send your API key or access token as: \
             Authorization: Bearer …"
        }
    };
    Denied::login(Denial::TokenMissing, text)
}
