//! A client's certificate as a proxy passes it on: URL-encoded PEM (`$ssl_client_escaped_cert` of nginx,
//! `X-Amzn-Mtls-Clientcert`), or as `Client-Cert` of RFC 9440 says.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use fhir::query::encoding;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::CertificateFault;

#[cfg(test)]
mod tests;

/// What RFC 9440 passes the certificates between in.
const CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// Most certificates of a chain.
const MAX_CHAIN: usize = 10;

/// The chain that the proxy names; `None` when the client showed no certificate.
///
/// # Errors
/// When the header is there more than once, or holds no certificate.
pub fn chain(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Result<Option<Vec<CertificateDer<'static>>>, CertificateFault> {
    let mut lines = headers.get_all(name).filter(|line| !line.is_empty());
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    // A proxy that adds its line to the client's own would let the client name any certificate.
    if lines.next().is_some() {
        return Err(CertificateFault::Repeated);
    }
    let text = text(line)?;
    let chain = match text.strip_prefix(':') {
        Some(_) => {
            let mut chain = vec![byte_sequence(text)?];
            for line in headers.get_all(CHAIN) {
                let between = self::text(line)?
                    .split(',')
                    .filter(|item| !item.trim().is_empty());
                chain.extend(between.map(byte_sequence).collect::<Result<Vec<_>, _>>()?);
            }
            chain
        }
        None => pem(text)?,
    };
    match chain.len() {
        1..=MAX_CHAIN => Ok(Some(chain)),
        _ => Err(CertificateFault::Unreadable),
    }
}

fn text(line: &HeaderValue) -> Result<&str, CertificateFault> {
    let text = line.to_str().map_err(|_| CertificateFault::Unreadable)?;
    Ok(text.trim())
}

/// `:` base64 `:` (RFC 8941 3.3.5)
fn byte_sequence(text: &str) -> Result<CertificateDer<'static>, CertificateFault> {
    let text = text.trim();
    let base64 = text.strip_prefix(':').and_then(|text| text.strip_suffix(':'));
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        base64.ok_or(CertificateFault::Unreadable)?
    );
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| CertificateFault::Unreadable)
}

fn pem(text: &str) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let decoded = encoding::percent_decode(text).ok_or(CertificateFault::Unreadable)?;
    CertificateDer::pem_slice_iter(decoded.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| CertificateFault::Unreadable)
}
