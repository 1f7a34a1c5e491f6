//! HTTP/1.1 over TLS. actix-web's own would fix certificate and CA at start, and speak HTTP/2 beside.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::sleep;
use futures_util::future::select;

use crate::app::App;
use crate::routes;
use crate::tls::{Tls, accept};

/// How long the end of a connection may take, and a handshake that is under way when the server stops.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Listens with TLS. `builder` knows workers and end already.
///
/// # Errors
/// When the socket cannot be used.
pub fn listen(
    builder: ServerBuilder,
    listener: TcpListener,
    app: &Arc<App>,
    tls: &Tls,
) -> std::io::Result<Server> {
    let stopping = builder.graceful_shutdown_signal();
    let (app, tls) = (Arc::clone(app), tls.clone());
    let name = format!("tls-{}", app.address);
    let builder = builder.listen(name, listener, move || {
        let (served, settings) = (Arc::clone(&app), &app.settings);
        let (ending, handshake) = (stopping.clone(), settings.header_timeout);
        let stopping = stopping.clone();
        let routes = actix_web::App::new()
            .configure(|config| routes::register(&served, config))
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .secure()
            .local_addr(app.address)
            .client_request_timeout(settings.header_timeout)
            .client_disconnect_timeout(DISCONNECT)
            .keep_alive(settings.keep_alive)
            .on_connect_ext(accept::on_connect)
            .h1(map_config(routes, |()| AppConfig::default()));
        let (tls, app) = (tls.clone(), Arc::clone(&app));
        fn_service(move |stream: TcpStream| {
            let (tls, app, ending) = (tls.clone(), Arc::clone(&app), ending.clone());
            async move {
                let deadline = time_for_handshake(handshake, &ending);
                let proxies = &app.settings.trusted_proxies;
                let accepted = accept::accept(&tls, &app.auth, proxies, stream, deadline);
                accepted.await.ok_or(())
            }
        })
        // What the connection came to is in the log, a line for each request.
        .and_then(http.map_err(drop::<actix_http::error::DispatchError>))
    })?;
    Ok(builder.run())
}

/// Over after this time, or a moment after the server began to stop.
async fn time_for_handshake(time: Duration, stopping: &GracefulShutdownSignal) {
    let stopped = async {
        stopping.notified().await;
        sleep(DISCONNECT).await;
    };
    select(pin!(sleep(time)), pin!(stopped)).await;
}
