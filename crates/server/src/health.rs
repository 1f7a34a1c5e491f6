//! Liveness and readiness (`access.md` 5), for whoever runs the process.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use crate::app::App;
use crate::ask::Visit;
use crate::error::Failure;

/// Whether requests should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The database answers, its schema is ours, and nobody told the server to stop.
    Ready,
    /// The server was told to stop.
    Stopping,
    /// The database does not answer, or its schema is not ours.
    NoDatabase,
}

impl Readiness {
    /// How it is with this server; after 2 s at most.
    pub async fn of(app: &App) -> Readiness {
        if app.is_stopping() {
            return Readiness::Stopping;
        }
        match app.engine.store().ready().await {
            Ok(()) => Readiness::Ready,
            Err(error) => {
                tracing::warn!(%error, "not ready");
                Readiness::NoDatabase
            }
        }
    }

    /// As it is told.
    pub fn response(self) -> HttpResponse {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Readiness::Ready => said(StatusCode::OK, r#"{"status":"ready"}"#),
            Readiness::Stopping => said(unavailable, r#"{"status":"stopping"}"#),
            Readiness::NoDatabase => said(unavailable, r#"{"status":"database unavailable"}"#),
        }
    }
}

/// The process answers.
pub async fn live(_: Visit<'_>) -> Result<HttpResponse, Failure> {
    Ok(alive())
}

/// See [`Readiness`].
pub async fn ready(visit: Visit<'_>) -> Result<HttpResponse, Failure> {
    Ok(Readiness::of(visit.app).await.response())
}

/// The process answers, as it is told.
pub fn alive() -> HttpResponse {
    said(StatusCode::OK, r#"{"status":"live"}"#)
}

fn said(status: StatusCode, body: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    if status != StatusCode::OK {
        response.insert_header((RETRY_AFTER, HeaderValue::from_static("2")));
    }
    response.body(body)
}
