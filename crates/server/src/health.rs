//! Liveness and readiness (`access.md` 5), for whoever runs the process.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use crate::ask::Visit;
use crate::error::Failure;

/// The process answers.
pub async fn live(_: Visit<'_>) -> Result<HttpResponse, Failure> {
    Ok(said(StatusCode::OK, r#"{"status":"live"}"#))
}

/// The database answers, its schema is ours, and nobody told the server to stop.
pub async fn ready(visit: Visit<'_>) -> Result<HttpResponse, Failure> {
    if visit.app.is_stopping() {
        return Ok(said(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"stopping"}"#));
    }
    Ok(match visit.app.engine.store().ready().await {
        Ok(()) => said(StatusCode::OK, r#"{"status":"ready"}"#),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            said(
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"status":"database unavailable"}"#,
            )
        }
    })
}

fn said(status: StatusCode, body: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    if status != StatusCode::OK {
        response.insert_header((RETRY_AFTER, HeaderValue::from_static("2")));
    }
    response.body(body)
}
