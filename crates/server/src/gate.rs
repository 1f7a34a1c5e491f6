//! The way of every request: request id → panic guard → log → permit → credential → admission → handler.
//!
//! All of it stands in one function around the handlers, not in actix middleware: so it holds for the
//! router's own 404 and 405 as well, and costs one future.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use engine::{Caller, Door, LogLevel, Refusal};
use fhir::ResourceType;
use futures_util::FutureExt;
use store::audit::Audited;

use crate::app::App;
use crate::ask::{Ask, Visit};
use crate::auth::CallerHeaders;
use crate::base::Base;
use crate::error::{self, Failure};
use crate::media::{self, Answer};
use crate::routes::{Handler, Row};
use crate::spans::{Parent, Span, Spans};
use crate::{body, cors, meters, partner, proxy, tls, wakes};

#[cfg(test)]
mod tests;
mod turned_away;

pub use turned_away::TurnedAway;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// What the audit trail calls a refusal before anything began.
const ADMIT: &str = "admit";
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_SPACE: HeaderName = HeaderName::from_static("x-space");
/// Digits of the shortest number by which persons are known: that of a telephone.
const SHORTEST_NUMBER: usize = 9;
/// Hexadecimal digits of the API-key at the eHealth door.
const API_KEY_DIGITS: usize = 64;
/// Characters of a NIR: without its key, with one digit of it, with both.
const NIR_LENGTHS: RangeInclusive<usize> = 13..=15;
/// Where the department stands in a NIR, counted from 0.
const NIR_DEPARTMENT: RangeInclusive<usize> = 5..=6;
/// How our API keys begin.
const KEY_PREFIX: &str = "sk_";

/// What is learnt of a request on its way, for its log line.
#[derive(Default)]
pub struct Trace {
    caller: OnceCell<Arc<Caller>>,
    /// The client that was recognised and may not come in.
    denied: OnceCell<String>,
    /// How the answer is to be written; the form of a search may still change it.
    pub answer: Cell<Answer>,
    /// Bytes of the body, after inflation.
    pub received: Cell<usize>,
    /// Whether the log has no line of it.
    is_untold: Cell<bool>,
}

/// Answers one request.
pub async fn answer(
    app: Arc<App>,
    row: &'static Row,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let started = Instant::now();
    let request_id = request_id(&request);
    let negotiated = media::answer(request.headers(), request.query_string());
    let trace = Trace::default();
    trace.answer.set(negotiated.as_ref().copied().unwrap_or_default());
    let mut payload = RefCell::new(payload);
    let visit = Visit {
        app: &app,
        request: &request,
        answer: &trace.answer,
        request_id: &request_id,
    };

    let way = async {
        let answer = negotiated.map_err(Failure::from);
        handle(visit, row, started, answer, &payload, &trace).await
    };
    let result = match AssertUnwindSafe(way).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(panicked(&*panic)),
    };
    record(&visit, row, &trace, result.as_ref().err());
    let (mut response, failure) = match result {
        Ok(response) => (response, None),
        Err(failure) => {
            let response = match partner::door_of(request.path()) {
                Door::Fhir => error::response(
                    &failure,
                    trace.answer.get(),
                    || Base::of(&app, &request),
                    &request_id,
                ),
                door => partner::refused(door, &failure, visit),
            };
            if !must_close(response.status()) {
                body::discard(request.headers(), payload.get_mut()).await;
            }
            (closing_if_unread(response, payload), Some(failure))
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    if app.is_stopping() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    cors::allow(
        &app.settings.cors_origins,
        request.headers(),
        response.headers_mut(),
    );
    Answered {
        row,
        request: &request,
        status: response.status(),
        sent: match response.body().size() {
            BodySize::Sized(bytes) => bytes,
            BodySize::None | BodySize::Stream => 0,
        },
        took: started.elapsed(),
        request_id: &request_id,
        trace: &trace,
        failure: failure.as_ref(),
    }
    .note(&app);
    response
}

async fn handle<'a>(
    visit: Visit<'a>,
    row: &'static Row,
    now: Instant,
    negotiated: Result<Answer, Failure>,
    payload: &'a RefCell<web::Payload>,
    trace: &'a Trace,
) -> Result<HttpResponse, Failure> {
    match row.handler {
        Handler::Open(handler) => handler(visit).await,
        Handler::Known(handler) => {
            let permit = visit.app.permit(now);
            let _permit = permit.ok_or_else(|| turned_away(&visit, row.door, trace, now))?;
            let caller = Arc::new(authenticate(&visit, row, trace)?);
            // Nobody has set it before: this is the request's one way.
            let _ = trace.caller.set(Arc::clone(&caller));
            admit(&visit, &caller)?;
            if row.door == Door::Fhir {
                negotiated?;
            }
            let ask = Ask {
                visit,
                caller,
                payload,
                trace,
            };
            wakes::gathered(handler(ask)).await
        }
    }
}

/// Of many a second that are turned away unread, all but the first leave no trace but in the metrics.
fn turned_away(visit: &Visit<'_>, door: Door, trace: &Trace, now: Instant) -> Failure {
    let App {
        auth, turned_away, ..
    } = visit.app;
    let failure = error::overloaded();
    if turned_away.is_told(door, now) {
        auth.record_unknown(door, visit.request_id, ADMIT, &failure.refusal);
    } else {
        trace.is_untold.set(true);
    }
    failure
}

fn authenticate(visit: &Visit<'_>, row: &Row, trace: &Trace) -> Result<Caller, Failure> {
    let headers = visit.headers();
    let peer = visit.request.peer_addr().map(|peer| peer.ip());
    let recognised = visit.app.auth.authenticate(
        row.door,
        &CallerHeaders {
            authorization: headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
            api_key: headers.get(API_KEY).map(HeaderValue::as_bytes),
            certificate: tls::presented(visit.app, visit.request),
            space: headers.get(X_SPACE).map(HeaderValue::as_bytes),
            peer: proxy::client_address(headers, peer, &visit.app.settings.trusted_proxies),
            request_id: visit.request_id,
        },
    );
    recognised.map_err(|denied| {
        if let Some(known) = &denied.who {
            let _ = trace.denied.set(known.client.clone());
        }
        denied.into()
    })
}

/// What a known caller is held to at its door before the body is read.
fn admit(visit: &Visit<'_>, caller: &Caller) -> Result<(), Failure> {
    let App { settings, auth, .. } = visit.app;
    throttle(visit.app, caller)
        .and_then(|()| partner::admit(caller, &settings.partner))
        .map_err(|refusal| {
            auth.record_request(caller, ADMIT, (None, None), Some(&refusal));
            refusal.into()
        })
}

/// Audits what no interaction has: what the server told of itself, and whatever was refused on the way to one or behind
/// it. Who is not known was audited where that was found.
fn record(visit: &Visit<'_>, row: &Row, trace: &Trace, failure: Option<&Failure>) {
    let Some(caller) = trace.caller.get() else { return };
    let is_recorded = match failure {
        Some(_) => caller.witness.has_refusal(),
        None => caller.witness.has_row(),
    };
    if is_recorded {
        return;
    }
    let segment = |name: &str| visit.request.match_info().get(name);
    let about = match row.door {
        Door::Fhir => {
            let named = segment("type").or_else(|| row.pattern.split('/').nth(2));
            let id = segment("id").and_then(fhir::Id::parse);
            (named.and_then(Audited::parse), id)
        }
        // What stands in a partner's path is the partner's.
        _ => (Some(ResourceType::Patient.into()), None),
    };
    let refusal = failure.map(|failure| &*failure.refusal);
    visit.app.auth.record_request(caller, row.name(), about, refusal);
}

/// Takes a request out of the caller's bucket, whatever becomes of it.
fn throttle(app: &App, caller: &Caller) -> Result<(), Refusal> {
    let Some(rate) = app.auth.rate_of(caller.door, &caller.client) else {
        return Ok(());
    };
    app.limiter
        .take(caller.door, &caller.client, rate, Instant::now())
        .map_err(error::throttled)
}

/// The sender's `X-Request-Id` when it can stand in a log, else one of our own.
fn request_id(request: &HttpRequest) -> String {
    let sent = request
        .headers()
        .get(X_REQUEST_ID)
        .and_then(|id| id.to_str().ok());
    match sent.filter(|id| is_request_id(id)) {
        Some(id) => id.to_owned(),
        None => partner::fresh_request_id(partner::door_of(request.path())),
    }
}

/// What can stand in a log: nothing that may be a person's number, or a key.
fn is_request_id(text: &str) -> bool {
    let is_separator = |byte: &u8| matches!(byte, b'.' | b'_' | b'-');
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits >= SHORTEST_NUMBER && !text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_api_key = text.len() == API_KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || is_separator(&byte))
        && !is_number
        && !is_corsican(text.bytes().filter(|byte| !is_separator(byte)))
        && !is_api_key
        && !text.starts_with(KEY_PREFIX)
}

/// Whether this may be the NIR of somebody born in Corsica, whole, without its key or with half of it: digits, but one
/// letter in the department (2A, 2B).
fn is_corsican(text: impl Iterator<Item = u8>) -> bool {
    let (mut length, mut letters) = (0_usize, 0_usize);
    for (place, byte) in text.enumerate() {
        length += 1;
        match byte {
            b'0'..=b'9' => {}
            b'A' | b'B' | b'a' | b'b' if NIR_DEPARTMENT.contains(&place) => letters += 1,
            _ => return false,
        }
    }
    NIR_LENGTHS.contains(&length) && letters == 1
}

// What a panic says may hold a person's data: it goes neither to the client nor to the log.
fn panicked(_panic: &(dyn Any + Send)) -> Failure {
    error::panicked().into()
}

/// All that is noted of a request. What its sender wrote is not: of a method that nobody knows only that.
struct Answered<'a> {
    row: &'static Row,
    request: &'a HttpRequest,
    status: StatusCode,
    /// Bytes of the answer's body.
    sent: u64,
    took: Duration,
    request_id: &'a str,
    trace: &'a Trace,
    failure: Option<&'a Failure>,
}

impl Answered<'_> {
    fn note(&self, app: &App) {
        let told = self
            .refusal()
            .map(|refusal| (partner::door_of(self.request.path()), refusal));
        app.meters.answered(self.row, self.status, self.took, told);
        if let Some(spans) = &app.spans {
            self.trace(spans);
        }
        if !self.trace.is_untold.get() {
            self.log();
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        self.failure.map(|failure| &*failure.refusal)
    }

    fn client(&self) -> Option<&str> {
        let caller = self.trace.caller.get().map(|caller| &caller.client);
        caller.or_else(|| self.trace.denied.get()).map(String::as_str)
    }

    fn method(&self) -> &'static str {
        match self.request.method().as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            "OPTIONS" => "OPTIONS",
            _ => "other",
        }
    }

    fn log(&self) {
        let refusal = self.refusal();
        let code = refusal.map(|refusal| refusal.code().as_str());
        let internal = refusal.and_then(|refusal| refusal.internal.as_deref());
        // A target of its own: `RUST_LOG=info,access=warn` leaves out what went well. The levels are constants
        // to tracing: one event each, the same fields.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "access",
                    request_id = self.request_id,
                    method = self.method(),
                    route = self.row.pattern,
                    status = self.status.as_u16(),
                    micros = self.took.as_micros() as u64,
                    received = self.trace.received.get(),
                    sent = self.sent,
                    client = self.client(),
                    code,
                    internal,
                    "request"
                )
            };
        }
        match refusal.map(|refusal| refusal.log) {
            None | Some(LogLevel::Debug) => line!(info),
            Some(LogLevel::Warn) => line!(warn),
            Some(LogLevel::Error) => line!(error),
        }
    }

    /// A span, unless the caller says that it does not record what this belongs to.
    fn trace(&self, spans: &Spans) {
        let header = self.request.headers().get(TRACEPARENT);
        let parent = header.and_then(|header| Parent::parse(header.to_str().ok()?));
        if parent.is_some_and(|parent| !parent.sampled) {
            return;
        }
        spans.send(Span {
            parent,
            start: SystemTime::now() - self.took,
            took: self.took,
            door: meters::door_of(self.row),
            method: self.method(),
            route: self.row.pattern,
            status: self.status.as_u16(),
            client: self.client().map(str::to_owned),
            request_id: self.request_id.to_owned(),
            received: self.trace.received.get(),
            sent: self.sent,
            code: self.refusal().map(|refusal| refusal.code().as_str()),
        });
    }
}

/// An answer given while the body is still on its way closes the connection, after what is on its way has
/// been taken for a bounded time: who sends without end must not keep it, and who is still sending must
/// get to read the answer. actix does so for a body that somebody still holds.
fn closing_if_unread(response: HttpResponse, payload: RefCell<web::Payload>) -> HttpResponse {
    if !must_close(response.status()) {
        return response;
    }
    response
        .map_body(|_, body| HoldingPayload {
            body: body.try_into_bytes().ok(),
            _unread: payload,
        })
        .map_into_boxed_body()
}

/// Whether the sender may still be sending what nobody will read.
fn must_close(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE
    )
}

struct HoldingPayload {
    body: Option<Bytes>,
    _unread: RefCell<web::Payload>,
}

impl MessageBody for HoldingPayload {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(self.body.take().map(Ok))
    }
}
