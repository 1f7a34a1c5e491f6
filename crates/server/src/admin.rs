//! The admin address: metrics and health for whoever runs the server. No credential is asked for: it is to be
//! reached by them alone.
//!
//! It has a thread of its own, so that it answers when the workers have too much to do, and until the very end.

mod page;
mod process;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{Handler, HttpResponse, HttpServer, Resource, web};
use measure::Page;

use crate::app::App;
use crate::health::{self, Readiness};

const METRICS: &str = "/metrics";
const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";

/// Begins to answer at the admin address.
///
/// # Errors
/// When the socket cannot be used.
pub fn start(listener: TcpListener, app: Arc<App>) -> std::io::Result<ServerHandle> {
    let server = HttpServer::new(move || {
        let (measured, asked) = (Arc::clone(&app), Arc::clone(&app));
        actix_web::App::new()
            .service(page_at(METRICS, move || metrics(Arc::clone(&measured))))
            .service(page_at(LIVE, async || health::alive()))
            .service(page_at(READY, move || ready(Arc::clone(&asked))))
            .default_service(web::to(async || {
                HttpResponse::NotFound().body(format!("Here are GET {METRICS}, {LIVE} and {READY}.\n"))
            }))
    });
    let server = server.workers(1).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the admin address broke off");
        }
    });
    Ok(handle)
}

/// What GET and HEAD get here; anything else is a 405.
fn page_at<H>(path: &'static str, handler: H) -> Resource
where
    H: Handler<(), Output = HttpResponse> + Clone,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(async || {
            let text = "Only GET and HEAD are offered here.\n";
            HttpResponse::MethodNotAllowed()
                .insert_header((ALLOW, "GET, HEAD"))
                .body(text)
        }))
}

async fn metrics(app: Arc<App>) -> HttpResponse {
    let readiness = Readiness::of(&app).await;
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, Page::CONTENT_TYPE))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(page::of(&app, readiness))
}

async fn ready(app: Arc<App>) -> HttpResponse {
    Readiness::of(&app).await.response()
}
