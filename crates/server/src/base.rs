//! The base URL that clients see — <https://hl7.org/fhir/R4/http.html#general>

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header::HOST;
use fhir::{Target, VersionId};

use crate::app::App;
use crate::proxy::{self, Forwarded};

#[cfg(test)]
mod tests;

/// The path of the FHIR door on this server.
pub const FHIR_PATH: &str = "/fhir";

/// The FHIR base URL, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// The base of the answer to this request: as configured, else as a trusted proxy says, else as the
    /// request itself says.
    pub fn of(app: &App, request: &HttpRequest) -> Base {
        if let Some(configured) = &app.settings.base_url {
            return Base(format!("{}{FHIR_PATH}", configured.trim_end_matches('/')));
        }
        let forwarded = if app.is_behind_proxy(request) {
            proxy::forwarded(request.headers())
        } else {
            Forwarded::default()
        };
        let fallback = app.address.to_string();
        Base::assemble(&forwarded, app.scheme(), host_of(request).unwrap_or(&fallback))
    }

    /// The same without the path of the FHIR door: what the paths of the other doors follow.
    pub fn origin(&self) -> &str {
        self.0.strip_suffix(FHIR_PATH).unwrap_or(&self.0)
    }

    /// `scheme://host[:port][prefix]/fhir`
    fn assemble(forwarded: &Forwarded, own_scheme: &'static str, own_host: &str) -> Base {
        let scheme = forwarded.scheme.unwrap_or(own_scheme);
        let host = forwarded.host.as_deref().unwrap_or(own_host);
        let mut url = format!("{scheme}://{host}");
        let usual = if scheme == "https" { 443 } else { 80 };
        let has_port = host.rsplit(']').next().unwrap_or(host).contains(':');
        if let Some(port) = forwarded.port.filter(|port| *port != usual && !has_port) {
            url.push_str(&format!(":{port}"));
        }
        url.push_str(&forwarded.prefix);
        url.push_str(FHIR_PATH);
        Base(url)
    }

    /// A base that needs no request.
    #[cfg(test)]
    pub fn for_tests(url: &str) -> Base {
        Base(url.to_owned())
    }

    /// The URL of a resource.
    pub fn resource(&self, target: &Target) -> String {
        format!("{}/{}/{}", self.0, target.kind, target.id)
    }

    /// The URL of one version of a resource.
    pub fn version(&self, target: &Target, version: VersionId) -> String {
        format!("{}/{}/{}/_history/{version}", self.0, target.kind, target.id)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host that the client named, when it may stand in a URL.
fn host_of(request: &HttpRequest) -> Option<&str> {
    let named = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(HOST).and_then(|host| host.to_str().ok()),
    };
    named.filter(|host| proxy::is_host(host))
}
