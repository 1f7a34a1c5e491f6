//! What every request shares: settings, engine, authenticator, permits, readiness.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use engine::Engine;
use fhir::limits::{MAX_BODY_BYTES, MAX_BUNDLE_BYTES};

use crate::auth::Authenticator;
use crate::conformance::Catalogue;
use crate::gate::TurnedAway;
use crate::health::Probe;
use crate::meters::Meters;
use crate::permits::{Permit, Permits};
use crate::proxy::Network;
use crate::rate::Limiter;
use crate::serve::{ACCEPTING, SETTLING};
use crate::spans::{self, Endpoint, Spans};
use crate::tls::Tls;
use crate::wakes;

pub use crate::partner::settings::PartnerSettings;
pub use crate::serve::{Ended, ServeError, serve, serve_until};

/// How the server serves. [`Settings::default`] is fit for production behind nothing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL of this server as clients see it, without `/fhir`: `https://fhir.example.org`. `None`: told by
    /// each request.
    pub base_url: Option<String>,
    /// The proxies whose `Forwarded` and `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Largest body, in bytes after inflation.
    pub max_body_bytes: usize,
    /// Largest Bundle to be processed, in bytes after inflation.
    pub max_bundle_bytes: usize,
    /// How long a whole body may take to arrive.
    pub body_deadline: Duration,
    /// How long the headers of a connection's first request may take to arrive.
    pub header_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How many requests are worked on at once; more are refused with 429. See [`Permits`].
    pub max_concurrent_requests: usize,
    /// Threads that serve.
    pub workers: usize,
    /// The browser origins that may read answers (CORS), as `https://app.example.org`.
    pub cors_origins: Vec<String>,
    /// How long after a stop signal the server still accepts: not ready, so that balancers turn away.
    pub shutdown_notice: Duration,
    /// How long accepted requests may take to finish after that, in whole seconds.
    pub shutdown_grace: Duration,
    /// Who gets a span for each request.
    pub collector: Option<Endpoint>,
    /// What the partner doors heed.
    pub partner: PartnerSettings,
    /// Certificates: this server's, and what those of clients are judged by. `None`: neither is used.
    pub tls: Option<Tls>,
    /// The header in which trusted proxies name the client's certificate.
    pub client_certificate_header: Option<HeaderName>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            base_url: None,
            trusted_proxies: Vec::new(),
            max_body_bytes: MAX_BODY_BYTES,
            max_bundle_bytes: MAX_BUNDLE_BYTES,
            body_deadline: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            max_concurrent_requests: 512,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            cors_origins: Vec::new(),
            shutdown_notice: Duration::from_millis(200),
            // What [`Settings::longest_end`] leaves of the 10 s that the process has in all.
            shutdown_grace: Duration::from_secs(5),
            collector: None,
            partner: PartnerSettings::default(),
            tls: None,
            client_certificate_header: None,
        }
    }
}

impl Settings {
    /// How long it takes at most from the stop signal to the end of the process, whatever clients, collector and database
    /// do.
    pub fn longest_end(&self) -> Duration {
        let doors = self.shutdown_notice + ACCEPTING + SETTLING + self.shutdown_grace;
        let store = store::CLOSE_TIMEOUT + store::trail::FINISH_TIMEOUT;
        doors + store.max(spans::PATIENCE_AT_END)
    }
}

/// What every request shares.
pub struct App {
    /// How to serve.
    pub settings: Settings,
    /// Who runs interactions.
    pub engine: Engine,
    /// Who tells callers.
    pub auth: Authenticator,
    /// The address listened on: the host of last resort.
    pub address: SocketAddr,
    /// How often clients may ask.
    pub(crate) limiter: Limiter,
    /// The conformance resources, under the naming base in force.
    pub(crate) conformance: Catalogue,
    /// What has been answered.
    pub(crate) meters: Meters,
    /// The way to the collector, when there is one.
    pub(crate) spans: Option<Spans>,
    /// Knows whether the database answers.
    pub(crate) probe: Probe,
    /// Of whom nobody has looked who they are.
    pub(crate) turned_away: TurnedAway,
    permits: Permits,
    stopping: AtomicBool,
}

impl App {
    /// Before the first request.
    pub fn new(settings: Settings, engine: Engine, auth: Authenticator, address: SocketAddr) -> App {
        let spans = settings.collector.clone().and_then(|endpoint| {
            let started = Spans::start(endpoint);
            started
                .inspect_err(|error| tracing::error!(%error, "no spans are sent"))
                .ok()
        });
        let conformance = Catalogue::new(auth.naming_base());
        let probe = Probe::new(engine.store().clone());
        let began = Instant::now();
        let permits = Permits::new(settings.max_concurrent_requests, settings.workers, began);
        App {
            settings,
            engine,
            auth,
            address,
            limiter: Limiter::default(),
            conformance,
            meters: Meters::new(),
            spans,
            probe,
            turned_away: TurnedAway::new(began),
            permits,
            stopping: AtomicBool::new(false),
        }
    }

    /// A permit to work on a request, unless there is too much to do.
    pub fn permit(&self, now: Instant) -> Option<Permit<'_>> {
        let permit = self.permits.take(now, wakes::lateness);
        if permit.is_none() {
            self.engine.store().tell_overload();
        }
        permit
    }

    /// How many requests are worked on.
    pub fn in_flight(&self) -> usize {
        self.permits.in_flight()
    }

    /// How many are let in in any case.
    pub fn in_flight_limit(&self, now: Instant) -> usize {
        self.permits.limit_at(now)
    }

    /// From now on not ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the server is on its way down.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// How clients that come straight to this server speak to it.
    pub fn scheme(&self) -> &'static str {
        match &self.settings.tls {
            Some(tls) if tls.is_spoken() => "https",
            _ => "http",
        }
    }

    /// Whether this request comes from a trusted proxy.
    pub fn is_behind_proxy(&self, request: &HttpRequest) -> bool {
        let trusted = &self.settings.trusted_proxies;
        request
            .peer_addr()
            .is_some_and(|peer| trusted.iter().any(|network| network.contains(peer.ip())))
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Settings};

    #[test]
    fn the_longest_end_is_well_below_ten_seconds() {
        assert!(Settings::default().longest_end() <= Duration::from_millis(9_200));
    }
}
