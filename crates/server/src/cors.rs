//! Cross-origin reading by browsers — <https://fetch.spec.whatwg.org/#http-cors-protocol>. Off unless origins
//! are configured.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};

const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Last-Modified, Location, Retry-After, X-Request-Id");
const SENDABLE: HeaderValue = HeaderValue::from_static(
    "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, \
     X-Request-Id, X-Space",
);

/// Lets a configured origin read this answer.
pub fn allow(origins: &[String], request: &HeaderMap, response: &mut HeaderMap) {
    if origins.is_empty() {
        return;
    }
    response.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = configured(origins, request) {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// The answer to a preflight of a configured origin.
pub fn preflight(
    origins: &[String],
    request: &HeaderMap,
    method: &Method,
    allowed: &str,
) -> Option<HttpResponse> {
    let asked = method == Method::OPTIONS && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !asked || configured(origins, request).is_none() {
        return None;
    }
    let methods = HeaderValue::from_str(allowed).ok()?;
    let mut response = HttpResponse::NoContent();
    response.insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods));
    response.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, SENDABLE));
    response.insert_header((ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")));
    Some(response.finish())
}

fn configured<'r>(origins: &[String], request: &'r HeaderMap) -> Option<&'r HeaderValue> {
    let origin = request.get(ORIGIN)?;
    origins
        .iter()
        .any(|known| known.as_bytes() == origin.as_bytes())
        .then_some(origin)
}
