//! Liveness and readiness (`access.md` 5), for whoever runs the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use futures_util::lock::Mutex;
use store::Store;

use crate::app::App;
use crate::ask::Visit;
use crate::error::Failure;

/// How long an answer of the database is told to others.
const KEPT: Duration = Duration::from_millis(250);

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
        app.probe.ask().await
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

/// Asks the database whether it is there, once for all who want to know at a time: anybody may ask, and must not be able to
/// ask much of the database by it.
#[derive(Clone)]
pub struct Probe {
    store: Store,
    last: Arc<Mutex<Option<Last>>>,
}

/// What the database said last.
struct Last {
    at: Instant,
    readiness: Readiness,
}

impl Probe {
    /// Nobody has asked yet.
    pub fn new(store: Store) -> Probe {
        Probe {
            store,
            last: Arc::default(),
        }
    }

    async fn ask(&self) -> Readiness {
        let own = self.clone();
        // On its own: who asks may go away before the answer, and the others must not wait for another one.
        let asked = actix_web::rt::spawn(async move { own.answer().await });
        asked.await.unwrap_or(Readiness::NoDatabase)
    }

    async fn answer(&self) -> Readiness {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.at.elapsed() < KEPT) {
            return last.readiness;
        }
        let was_ready = last.as_ref().map(|last| last.readiness == Readiness::Ready);
        let readiness = match self.store.ready().await {
            Ok(()) => {
                if was_ready == Some(false) {
                    tracing::info!("ready again");
                }
                Readiness::Ready
            }
            Err(error) => {
                // At the turn, and not for everybody who asks.
                if was_ready != Some(false) {
                    tracing::warn!(%error, "not ready");
                }
                Readiness::NoDatabase
            }
        };
        *last = Some(Last {
            at: Instant::now(),
            readiness,
        });
        readiness
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
