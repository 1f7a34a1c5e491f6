//! From a TCP connection to one that speaks TLS: the handshake, its deadline, and who was refused in it.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use futures_util::future::{Either, select};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::{CertificateFault, ClientCertificate};
use super::{Peer, Tls};
use crate::auth::Authenticator;
use crate::proxy::Network;

/// What plain HTTP is told on the port of TLS.
const USE_TLS: &str = concat!(
    r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"security","details":{"text":"#,
    r#""This port speaks TLS only. Write https:// in the URL."},"diagnostics":"#,
    r#""This port speaks TLS only. Write https:// in the URL."}]}"#
);

/// Makes the handshake. `None`: there is no connection; why is in the log, and a refused certificate in the audit
/// trail. `deadline` ends with the time that the peer has.
///
/// An address of which too many certificates were refused gets no handshake for the rest of the window: each costs more
/// than a request. A proxy is none of those: it brings everybody's.
pub async fn accept(
    tls: &Tls,
    auth: &Authenticator,
    proxies: &[Network],
    stream: TcpStream,
    deadline: impl Future<Output = ()>,
) -> Option<(TlsStream<TcpStream>, Option<SocketAddr>)> {
    let peer = stream.peer_addr().ok();
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(*address));
    let counted = peer.map(|peer| peer.ip()).filter(|address| !is_proxy(address));
    if counted.is_some_and(|address| auth.closes_to(address)) {
        tracing::debug!(?peer, "closed: too many of its certificates were refused");
        return None;
    }
    let config = tls.config()?;
    // Answers are small and written whole.
    let _ = stream.set_nodelay(true);
    let handshake = async {
        if is_plain_http(&stream).await {
            tell_to_use_tls(&stream).await;
            return Ok(None);
        }
        TlsAcceptor::from(config).accept(stream).await.map(Some)
    };
    match select(pin!(handshake), pin!(deadline)).await {
        Either::Left((Ok(stream), _)) => Some((stream?, peer)),
        Either::Left((Err(error), _)) => {
            refused(auth, (peer, counted), &error);
            None
        }
        Either::Right(_) => {
            tracing::info!(?peer, "no TLS handshake in time: closed");
            None
        }
    }
}

/// A request line begins with a letter, a TLS record does not.
async fn is_plain_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = stream.peek(&mut first).await;
    peeked.is_ok() && first.iter().all(u8::is_ascii_uppercase)
}

/// An answer for who forgot the `s` of `https`. What cannot be sent at once is left out: nothing of it is promised.
async fn tell_to_use_tls(stream: &TcpStream) {
    // What is not read when the connection ends would end it before the answer is seen.
    let mut request = [0; 8 * 1024];
    let _ = stream.try_read(&mut request);
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/fhir+json\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{USE_TLS}", USE_TLS.len());
    let _ = stream.try_write(answer.as_bytes());
}

fn refused(
    auth: &Authenticator,
    (peer, counted): (Option<SocketAddr>, Option<IpAddr>),
    error: &std::io::Error,
) {
    let reason = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match reason {
        Some(reason @ rustls::Error::InvalidCertificate(_)) => {
            auth.record_handshake(counted);
            let fault = CertificateFault::of(reason);
            tracing::warn!(?peer, %fault, reason = %reason, "a client certificate was refused");
        }
        Some(reason) => tracing::info!(?peer, %reason, "no TLS with this peer"),
        // Who looks whether the port is open goes away like this.
        None => tracing::debug!(?peer, %error, "gone before the end of the handshake"),
    }
}

/// Keeps what the handshake said of the client for the requests of the connection.
pub fn on_connect(stream: &TlsStream<TcpStream>, extensions: &mut Extensions) {
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().map(|chain| {
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned());
        ClientCertificate::read(chain.collect()).map(Arc::new)
    });
    extensions.insert(Peer(shown));
}
