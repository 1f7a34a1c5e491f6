//! Which certificate a request came with: that of its connection, or the one that a trusted proxy names.

use std::sync::Arc;

use actix_web::HttpRequest;
use rustls::pki_types::UnixTime;

use super::certificate::{CertificateFault, ClientCertificate};
use super::header;
use crate::app::App;

/// What the handshake of a connection said of the client; one for all requests of the connection.
pub struct Peer(pub Option<Result<Arc<ClientCertificate>, CertificateFault>>);

/// The certificate of a request.
pub enum Presented {
    /// This server takes no certificates.
    Unasked,
    /// None was shown.
    None,
    /// One that is in force.
    Certificate(Arc<ClientCertificate>),
    /// One that cannot tell who asks.
    Faulty(CertificateFault),
}

/// The certificate of this request. From a trusted proxy the header alone counts: the certificate of that
/// connection is the proxy's own. From anybody else the header is not looked at.
pub fn presented(app: &App, request: &HttpRequest) -> Presented {
    let header = &app.settings.client_certificate_header;
    let tls = match &app.settings.tls {
        Some(tls) if tls.asks_for_certificates() || header.is_some() => tls,
        _ => return Presented::Unasked,
    };
    let shown = match header {
        Some(name) if app.is_behind_proxy(request) => match header::chain(request.headers(), name) {
            Ok(chain) => chain.map(|chain| ClientCertificate::read(chain).map(Arc::new)),
            Err(fault) => Some(Err(fault)),
        },
        _ => match request.conn_data::<Peer>() {
            Some(Peer(shown)) => shown.clone(),
            None => None,
        },
    };
    match shown {
        None => Presented::None,
        Some(Err(fault)) => Presented::Faulty(fault),
        // What held at the handshake may hold no more: connections live long.
        Some(Ok(certificate)) => match tls.judge(&certificate, UnixTime::now()) {
            Ok(()) => Presented::Certificate(certificate),
            Err(fault) => Presented::Faulty(fault),
        },
    }
}
