//! Listening, and a clean end: readiness goes red, no more is accepted, what was accepted is finished.

use std::future::Future;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::rt::time::sleep;
use engine::Engine;
use socket2::SockRef;

use crate::app::{App, Settings};
use crate::auth::Authenticator;
use crate::{admin, panic, routes};

/// How long connections that were accepted last have to send their request, before idle ones are closed.
const SETTLING: Duration = Duration::from_millis(300);

/// Why serving ended otherwise than by a stop signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listening socket cannot be used.
    #[error("the listening socket cannot be used: {0}")]
    Socket(std::io::Error),
    /// The handlers of SIGTERM and SIGINT cannot be installed.
    #[error("the signal handlers cannot be installed: {0}")]
    Signals(std::io::Error),
    /// The server broke off.
    #[error("the server broke off: {0}")]
    BrokeOff(std::io::Error),
}

/// Serves until SIGTERM or SIGINT, metrics and health at `admin` as well; panics leave no more than their place in the log. The store is the caller's to drain and close afterwards.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    admin: Option<TcpListener>,
    engine: Engine,
    auth: Authenticator,
    settings: Settings,
    on_ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    panic::log_places_only();
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let stop = async move {
        let (terminated, interrupted) = (terminate.recv(), interrupt.recv());
        futures_util::future::select(std::pin::pin!(terminated), std::pin::pin!(interrupted)).await;
    };
    serve_until(stop, listener, admin, engine, auth, settings, on_ready).await
}

/// As [`serve`], until `stop` is over.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve_until(
    stop: impl Future<Output = ()> + Send + 'static,
    listener: TcpListener,
    admin: Option<TcpListener>,
    engine: Engine,
    auth: Authenticator,
    settings: Settings,
    on_ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Socket)?;
    let door = listener.try_clone().map_err(ServeError::Socket)?;
    let (notice, grace) = (settings.shutdown_notice, settings.shutdown_grace);
    let (workers, header_timeout, keep_alive) =
        (settings.workers, settings.header_timeout, settings.keep_alive);
    let app = Arc::new(App::new(settings, engine, auth, address));
    let (served, stopping, ended) = (Arc::clone(&app), Arc::clone(&app), Arc::clone(&app));
    let admin = admin
        .map(|listener| admin::start(listener, app))
        .transpose()
        .map_err(ServeError::Socket)?;

    let server =
        HttpServer::new(move || actix_web::App::new().configure(|config| routes::register(&served, config)))
            .workers(workers.max(1))
            .client_request_timeout(header_timeout)
            .keep_alive(keep_alive)
            .shutdown_timeout(grace.as_secs())
            .shutdown_signal(async move {
                stop.await;
                // Balancers see it, and open connections end with their next answer.
                stopping.stop();
                sleep(notice).await;
                refuse_connections(&door);
                sleep(SETTLING).await;
                tracing::info!("stopping: finishing what was accepted");
            })
            .listen(listener)
            .map_err(ServeError::Socket)?
            .run();
    on_ready(address);
    let result = server.await.map_err(ServeError::BrokeOff);
    if let Some(spans) = &ended.spans {
        spans.close();
    }
    // Last: until here somebody may want to see how the end goes.
    if let Some(admin) = admin {
        admin.stop(false).await;
    }
    result
}

/// From now on a connection is refused by the kernel, while those that are open live on. actix can only
/// close both together, and would drop who has connected and is about to send.
fn refuse_connections(door: &TcpListener) {
    if let Err(error) = SockRef::from(door).shutdown(Shutdown::Read) {
        tracing::warn!(%error, "the listening socket cannot be shut");
    }
}
