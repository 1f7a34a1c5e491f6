//! OpenTelemetry, when it is wanted: one span for each request, sent to a collector as OTLP over HTTP with JSON —
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>
//!
//! A thread of its own sends them in batches. What it cannot send in time is dropped and counted: no request ever
//! waits for a collector. A span holds what a log line holds, and no more.

mod export;
#[cfg(test)]
mod tests;
mod traceparent;

use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use measure::Counter;
use uuid::Uuid;

pub use traceparent::Parent;

/// Spans that wait at most; more are dropped.
const QUEUE: usize = 8_192;
/// How long the end waits for what is still to be sent.
pub(crate) const PATIENCE_AT_END: Duration = Duration::from_millis(500);

/// Where the collector listens: `http://host:port`, with a path or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port.
    authority: String,
    /// Where traces are posted.
    path: String,
}

/// Why a text is no [`Endpoint`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "otlp-endpoint is '{0}': write the URL of a collector that listens for OTLP over HTTP, such as \
     http://127.0.0.1:4318. It is reached without TLS: run one beside this server that passes on what it gets"
)]
pub struct EndpointError(String);

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        let complaint = || EndpointError(text.to_owned());
        let rest = text.strip_prefix("http://").ok_or_else(complaint)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"?#@\"".contains(&byte))
        };
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !has_port || !fits(authority) || !fits(path) {
            return Err(complaint());
        }
        let path = match path.trim_end_matches('/') {
            "" => "/v1/traces".to_owned(),
            path => format!("/{path}"),
        };
        Ok(Endpoint {
            authority: authority.to_owned(),
            path,
        })
    }
}

/// A request that has been answered.
#[derive(Debug)]
pub struct Span {
    /// What it belongs to, when the sender said so.
    pub parent: Option<Parent>,
    /// When it came.
    pub start: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// The door's name.
    pub door: &'static str,
    /// The method.
    pub method: &'static str,
    /// The pattern.
    pub route: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The client's id.
    pub client: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// Bytes of its body, after inflation.
    pub received: usize,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// The code of the first issue of a refusal.
    pub code: Option<&'static str>,
}

impl Span {
    fn trace_id(&self) -> Uuid {
        self.parent.map_or_else(Uuid::new_v4, |parent| parent.trace_id)
    }
}

/// What has become of spans.
#[derive(Debug, Default)]
pub struct Fates {
    /// The collector has taken them.
    pub sent: Counter,
    /// They were dropped: too many waited, or the collector did not take them.
    pub dropped: Counter,
}

/// The way to the collector.
pub struct Spans {
    queue: SyncSender<Span>,
    ending: Arc<AtomicBool>,
    /// Hears when the thread has ended.
    ended: Mutex<Receiver<()>>,
    fates: Arc<Fates>,
}

impl Spans {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(endpoint: Endpoint) -> std::io::Result<Spans> {
        let (queue, waiting) = sync_channel(QUEUE);
        let (tell_ended, ended) = sync_channel(1);
        let (ending, fates) = (Arc::new(AtomicBool::new(false)), Arc::new(Fates::default()));
        let exporter = export::Exporter {
            endpoint,
            waiting,
            ending: Arc::clone(&ending),
            fates: Arc::clone(&fates),
        };
        std::thread::Builder::new()
            .name("spans".to_owned())
            .spawn(move || {
                exporter.run();
                // Nobody may be waiting.
                let _ = tell_ended.send(());
            })?;
        Ok(Spans {
            queue,
            ending,
            ended: Mutex::new(ended),
            fates,
        })
    }

    /// Gives a span to be sent. Never waits.
    pub fn send(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.fates.dropped.add();
        }
    }

    /// What has become of them.
    pub fn fates(&self) -> &Fates {
        &self.fates
    }

    /// Sends what is left, for half a second at most.
    pub fn close(&self) {
        self.ending.store(true, Ordering::Release);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(PATIENCE_AT_END);
    }
}
