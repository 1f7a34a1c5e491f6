//! The thread that sends spans.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Endpoint, Fates, Span};

/// Spans of one request to the collector.
const BATCH: usize = 512;
/// How long a span waits for others.
const GATHERING: Duration = Duration::from_secs(1);
/// How often the thread looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// For each step of an exchange with the collector.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is read of its answer.
const MOST_ANSWER_BYTES: u64 = 64 * 1024;
/// How often a collector that takes nothing is complained of.
const COMPLAINING: Duration = Duration::from_secs(60);
/// `SPAN_KIND_SERVER` and `STATUS_CODE_ERROR` of OTLP.
const KIND_SERVER: u8 = 2;
const STATUS_ERROR: u8 = 2;

pub(super) struct Exporter {
    pub(super) endpoint: Endpoint,
    pub(super) waiting: Receiver<Span>,
    pub(super) ending: Arc<AtomicBool>,
    pub(super) fates: Arc<Fates>,
}

impl Exporter {
    /// Until it is told to end and nothing is left, or nobody can give it anything any more.
    pub(super) fn run(&self) {
        let mut complained: Option<Instant> = None;
        while let Some(batch) = self.batch() {
            let count = batch.len();
            match self.post(&body(&batch)) {
                Ok(()) => (0..count).for_each(|_| self.fates.sent.add()),
                Err(error) => {
                    (0..count).for_each(|_| self.fates.dropped.add());
                    if complained.is_none_or(|last| last.elapsed() >= COMPLAINING) {
                        complained = Some(Instant::now());
                        tracing::warn!(%error, spans = count, "the collector takes no spans; they are dropped");
                    }
                }
            }
        }
    }

    /// Waits for a first span and gathers those that follow soon.
    fn batch(&self) -> Option<Vec<Span>> {
        let mut batch = Vec::new();
        let mut until = None;
        while batch.len() < BATCH && until.is_none_or(|until| Instant::now() < until) {
            match self.waiting.recv_timeout(LOOK) {
                Ok(span) => {
                    until.get_or_insert_with(|| Instant::now() + GATHERING);
                    batch.push(span);
                }
                Err(RecvTimeoutError::Timeout) if !self.ending.load(Ordering::Acquire) => {}
                Err(_) => break,
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    fn post(&self, body: &Value) -> io::Result<()> {
        let Endpoint { authority, path } = &self.endpoint;
        let body = body.to_string();
        let address = authority.to_socket_addrs()?.next();
        let address = address.ok_or_else(|| io::Error::other("the collector's name has no address"))?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )?;
        // "HTTP/1.1 200"
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        // A connection that is closed with something unread is reset, which a collector might log.
        let _ = stream.take(MOST_ANSWER_BYTES).read_to_end(&mut Vec::new());
        match status.get(9) {
            Some(b'2') => Ok(()),
            _ => Err(io::Error::other("the collector refused them")),
        }
    }
}

/// `ExportTraceServiceRequest`, as JSON.
pub(super) fn body(spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(as_json).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "passerelle"),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ] },
        "scopeSpans": [{ "scope": { "name": "passerelle" }, "spans": spans }]
    }] })
}

fn as_json(span: &Span) -> Value {
    let mut attributes = vec![
        text("http.request.method", span.method),
        text("http.route", span.route),
        number("http.response.status_code", span.status.into()),
        number("http.request.body.size", span.received as u64),
        number("http.response.body.size", span.sent),
        text("passerelle.door", span.door),
        text("passerelle.request_id", &span.request_id),
    ];
    attributes.extend(
        span.client
            .as_deref()
            .map(|client| text("passerelle.client", client)),
    );
    attributes.extend(span.code.map(|code| text("error.type", code)));
    let mut json = json!({
        "traceId": span.trace_id().simple().to_string(),
        "spanId": format!("{:016x}", own_id()),
        "name": format!("{} {}", span.method, span.route),
        "kind": KIND_SERVER,
        "startTimeUnixNano": nanos(span.start).to_string(),
        "endTimeUnixNano": (nanos(span.start) + span.took.as_nanos()).to_string(),
        "attributes": attributes,
    });
    if let Value::Object(fields) = &mut json {
        if let Some(parent) = span.parent {
            fields.insert(
                "parentSpanId".to_owned(),
                format!("{:016x}", parent.span_id).into(),
            );
        }
        if span.status >= 500 {
            fields.insert("status".to_owned(), json!({ "code": STATUS_ERROR }));
        }
    }
    json
}

fn own_id() -> u64 {
    // The lower half of a UUID of version 4: two bits are fixed, so it is never zero.
    Uuid::new_v4().as_u64_pair().1
}

fn nanos(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64-bit integers are texts in this JSON.
fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
