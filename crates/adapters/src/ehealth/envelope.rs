//! `{meta,data}` around every answer (`adapters.md` 2.6).

use serde::Serialize;

use super::wire::Preperson;

/// What an answer says of its request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Scheme, authority and path as the public sees them, without a query.
    pub url: &'a str,
    /// The value of the `x-request-id` header of the answer.
    pub id: &'a str,
    /// The value of the `x-idempotency-key` header of the answer, if there is one.
    pub idempotency_key: Option<&'a str>,
}

/// `meta`
#[derive(Serialize)]
pub(super) struct Meta<'a> {
    code: u16,
    url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

impl<'a> Meta<'a> {
    pub(super) fn new(request: &Request<'a>, code: u16, url: String) -> Meta<'a> {
        Meta {
            code,
            url,
            kind: "object",
            request_id: request.id,
            idempotency_key: request.idempotency_key,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    meta: Meta<'a>,
    data: &'a Preperson,
}

/// The answer 201 as JSON text; its URL is that of the new preperson.
pub fn created(request: &Request<'_>, preperson: &Preperson) -> String {
    let url = format!("{}/{}", request.url.trim_end_matches('/'), preperson.id);
    text(&Body {
        meta: Meta::new(request, 201, url),
        data: preperson,
    })
}

/// The answer 200 as JSON text.
pub fn ok(request: &Request<'_>, preperson: &Preperson) -> String {
    text(&Body {
        meta: Meta::new(request, 200, request.url.to_owned()),
        data: preperson,
    })
}

pub(super) fn text(body: &impl Serialize) -> String {
    // Structs with text keys cannot fail to be written; an empty answer would show that they did.
    serde_json::to_string(body).unwrap_or_default()
}
