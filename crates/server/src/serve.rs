//! Listening, and a clean end: readiness goes red, no more is accepted, what was accepted is finished.

use std::future::Future;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_server::{ServerBuilder, ServerHandle};
use actix_web::HttpServer;
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::rt::time::sleep;
use engine::Engine;
#[cfg(target_os = "linux")]
use socket2::SockFilter;
use socket2::SockRef;

use crate::app::{App, Settings};
use crate::auth::Authenticator;
use crate::{admin, log, panic, routes, tls as transport};

mod tls;

/// How long connections that the kernel has taken may wait to be accepted, once no new ones come.
pub(crate) const ACCEPTING: Duration = Duration::from_millis(100);
/// How long connections that were accepted last have to send their request, before idle ones are closed.
pub(crate) const SETTLING: Duration = Duration::from_millis(300);

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

/// A server that answers no more. The store is the caller's to drain and close; the admin address still tells how that goes.
pub struct Ended {
    outcome: Result<(), ServeError>,
    app: Arc<App>,
    admin: Option<ServerHandle>,
}

impl Ended {
    /// Sends the last spans while `closing` closes what is left, then stops the admin address.
    ///
    /// # Errors
    /// [`ServeError::BrokeOff`], beside what came of `closing`.
    pub async fn while_closing<T>(self, closing: impl Future<Output = T>) -> (Result<(), ServeError>, T) {
        let app = Arc::clone(&self.app);
        let last_spans = actix_web::rt::task::spawn_blocking(move || {
            if let Some(spans) = &app.spans {
                spans.close();
            }
        });
        let (closed, _) = futures_util::future::join(closing, last_spans).await;
        // Last: until here somebody may want to see how the end goes.
        if let Some(admin) = self.admin {
            admin.stop(false).await;
        }
        (self.outcome, closed)
    }
}

/// Serves until SIGTERM or SIGINT, metrics and health at `admin` as well; panics leave no more than their place in the log.
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
) -> Result<Ended, ServeError> {
    panic::log_places_only();
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    // Who asks to read again what there is to be read must not end a server without certificates.
    let _hangup = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
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
) -> Result<Ended, ServeError> {
    let address = listener.local_addr().map_err(ServeError::Socket)?;
    let door = listener.try_clone().map_err(ServeError::Socket)?;
    let app = Arc::new(App::new(settings, engine, auth, address));
    let settings = &app.settings;
    let (workers, grace) = (settings.workers.max(1), settings.shutdown_grace.as_secs());
    let admin = admin
        .map(|listener| admin::start(listener, Arc::clone(&app)))
        .transpose()
        .map_err(ServeError::Socket)?;
    let watched = settings
        .tls
        .clone()
        .map(|tls| actix_web::rt::spawn(transport::watch(tls)));
    let stopped = until_stopped(stop, Arc::clone(&app), door);
    let server = match settings.tls.as_ref().filter(|tls| tls.is_spoken()) {
        Some(tls) => {
            let builder = ServerBuilder::new()
                .workers(workers)
                .shutdown_timeout(grace)
                .shutdown_signal(stopped);
            tls::listen(builder, listener, &app, tls).map_err(ServeError::Socket)?
        }
        None => {
            let served = Arc::clone(&app);
            HttpServer::new(move || {
                actix_web::App::new().configure(|config| routes::register(&served, config))
            })
            .workers(workers)
            .client_request_timeout(settings.header_timeout)
            .keep_alive(settings.keep_alive)
            .shutdown_timeout(grace)
            .shutdown_signal(stopped)
            .listen(listener)
            .map_err(ServeError::Socket)?
            .run()
        }
    };
    on_ready(address);
    let outcome = server.await.map_err(ServeError::BrokeOff);
    if let Some(watched) = watched {
        watched.abort();
    }
    Ok(Ended { outcome, app, admin })
}

/// Over when `stop` is, and when everybody who looks has seen it.
async fn until_stopped(stop: impl Future<Output = ()>, app: Arc<App>, door: TcpListener) {
    stop.await;
    // Balancers see it, and open connections end with their next answer.
    app.stop();
    sleep(app.settings.shutdown_notice).await;
    if ignore_new_connections(&door) {
        sleep(ACCEPTING).await;
    }
    refuse_connections(&door);
    sleep(SETTLING).await;
    tracing::info!("stopping: finishing what was accepted");
}

/// From now on the kernel drops what would open a connection, and whoever asks tries again within a second: so
/// those that it has taken are accepted before the door closes. Closing a door resets who still waits behind it, with the
/// request perhaps sent. Whether it works: only Linux can, and nobody is refused anything by not being able to.
#[cfg(target_os = "linux")]
fn ignore_new_connections(door: &TcpListener) -> bool {
    /// Of a packet's TCP header (where the filter's view begins): the flags, with SYN and ACK among them.
    const LOAD_FLAGS: SockFilter = SockFilter::new(0x30, 0, 0, 13);
    const KEEP_SYN_AND_ACK: SockFilter = SockFilter::new(0x54, 0, 0, 0x12);
    const PASS_UNLESS_SYN_ALONE: SockFilter = SockFilter::new(0x15, 0, 1, 0x02);
    const DROP: SockFilter = SockFilter::new(0x06, 0, 0, 0);
    const PASS: SockFilter = SockFilter::new(0x06, 0, 0, u32::MAX);
    let filter = [LOAD_FLAGS, KEEP_SYN_AND_ACK, PASS_UNLESS_SYN_ALONE, DROP, PASS];
    SockRef::from(door).attach_filter(&filter).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn ignore_new_connections(_: &TcpListener) -> bool {
    false
}

/// From now on a connection is refused by the kernel, while those that are open live on. actix can only
/// close both together, and would drop who has connected and is about to send.
fn refuse_connections(door: &TcpListener) {
    log::door_is_shut();
    if let Err(error) = SockRef::from(door).shutdown(Shutdown::Read) {
        tracing::warn!(%error, "the listening socket cannot be shut");
    }
}
