//! Which settings of TLS go together.

use actix_web::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName};
use anyhow::{Context as _, bail};

use super::Settings;
use crate::tls::{Files, Tls};

impl Settings {
    /// The files of TLS, read and checked; `None` when neither TLS nor client certificates are wanted.
    ///
    /// # Errors
    /// A sentence that names the setting or file, and the remedy.
    pub fn tls(&self) -> anyhow::Result<Option<Tls>> {
        let certificate = match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => bail!("tls-certificate needs tls-key, the private key of the certificate"),
            (None, Some(_)) => bail!("tls-key needs tls-certificate, the certificate of the key"),
        };
        let has_header = self.client_certificate_header.is_some();
        if self.tls_client_ca.is_some() && certificate.is_none() && !has_header {
            bail!(
                "tls-client-ca has no use here: no client shows a certificate. Let this server speak TLS \
                 (tls-certificate and tls-key), or take the certificates from a proxy (client-certificate-header and \
                 trusted-proxies)"
            );
        }
        if self.tls_client_ca.is_none() && !self.tls_client_crl.is_empty() {
            bail!("tls-client-crl needs tls-client-ca, the CAs that revoke");
        }
        if certificate.is_none() && !has_header {
            return Ok(None);
        }
        let files = Files {
            certificate,
            client_ca: self.tls_client_ca.clone(),
            client_crl: self.tls_client_crl.clone(),
        };
        Tls::load(files).map(Some)
    }

    /// The header in which proxies name the client's certificate.
    ///
    /// # Errors
    /// A sentence that names the remedy.
    pub fn client_certificate_header(&self) -> anyhow::Result<Option<HeaderName>> {
        let Some(text) = &self.client_certificate_header else {
            return Ok(None);
        };
        let name: HeaderName = text
            .parse()
            .ok()
            .with_context(|| format!("client-certificate-header '{text}' is no name of a header"))?;
        if [AUTHORIZATION, COOKIE, HOST].contains(&name) {
            bail!("client-certificate-header cannot be {name}, which says something else");
        }
        if self.trusted_proxies.is_empty() {
            bail!(
                "client-certificate-header needs trusted-proxies, the addresses that the header is believed from: \
                 anybody else could name any certificate"
            );
        }
        Ok(Some(name))
    }
}
