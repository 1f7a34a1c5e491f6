//! Reading a request's body: whole-body deadline, size counted after inflation, gzip.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HeaderMap};
use actix_web::rt::time::timeout;
use actix_web::web::{self, Bytes, BytesMut};
use engine::{ClientPolicy, Refusal};
use fhir::bundle::{self, Bundle};
use fhir::codec::{self, Format};
use fhir::limits::KIB;
use fhir::patch::Patch;
use fhir::validate::{self, regulator};
use fhir::{Issue, Resource, ResourceType};
use flate2::write::GzDecoder;
use futures_util::StreamExt;
use serde_json::{Map, Value};

use crate::error::{self, Failure};
use crate::media::PatchFormat;

#[cfg(test)]
mod tests;

/// Larger bodies are parsed on the blocking pool, in bytes: smaller ones take less time than the way there.
const PARSE_INLINE_BYTES: usize = 32 * KIB;

/// Of what was refused, so much is taken all the same, and for so long: what its sender has most likely sent already.
const DISCARDED_BYTES: u64 = 64 * 1024;
const DISCARD_PATIENCE: Duration = Duration::from_millis(250);

/// Takes the small body of a refused request out of its connection, which can then carry the next: one with an unread
/// body is closed, and whoever is told to come again would have to connect again for it. Who waits to be told to send
/// need not send.
pub async fn discard(headers: &HeaderMap, payload: &mut web::Payload) {
    let is_small = announced(headers).is_some_and(|length| length <= DISCARDED_BYTES);
    if !is_small || headers.contains_key(EXPECT) {
        return;
    }
    let rest = async { while let Some(Ok(_)) = payload.next().await {} };
    // Too slow: the connection is closed.
    let _ = timeout(DISCARD_PATIENCE, rest).await;
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the whole body.
///
/// # Errors
/// 413, 415 (an encoding other than gzip), 408 (slower than the deadline), 400 (cut off or broken).
pub async fn read(
    headers: &HeaderMap,
    payload: &mut web::Payload,
    limit: usize,
    deadline: Duration,
) -> Result<Bytes, Failure> {
    let encoding = Encoding::of(headers)?;
    if announced(headers).is_some_and(|length| length > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(error::body_too_long(limit).into());
    }
    let reading = async {
        match encoding {
            Encoding::Identity => plain(payload, limit).await,
            Encoding::Gzip => inflated(payload, limit).await,
        }
    };
    match timeout(deadline, reading).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(refusal)) => Err(refusal.into()),
        Err(_) => Err(error::body_too_slow(deadline).into()),
    }
}

/// How a body is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Its format.
    pub format: Format,
    /// What it has to be.
    pub expected: ResourceType,
    /// The rules of its sender.
    pub policy: ClientPolicy,
    /// Whether its id means something.
    pub id: BodyId,
}

/// What becomes of the id in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyId {
    /// It is part of the request.
    Counts,
    /// The server gives another: whatever stands there is no fault.
    MeansNothing,
}

/// Parses a body, on the blocking pool when it is large.
///
/// # Errors
/// 400 with every fault of form, and those that validation finds in what could be read of it.
pub async fn decode(body: Bytes, reading: Reading) -> Result<Resource, Failure> {
    parsed_aside(body.len(), move || {
        let parsed = codec::decode(&body, reading.format, reading.expected);
        // A body that is malformed is 400, whatever else is wrong with it (`fhir-rest.md` 8).
        parsed.map_err(|malformed| Failure::from(malformed.all_issues(|rest| faults(rest, reading))))
    })
    .await
}

/// Parses a patch, on the blocking pool when it is large.
///
/// # Errors
/// 400 with every fault of the document.
pub async fn decode_patch(body: Bytes, format: PatchFormat) -> Result<Patch, Failure> {
    parsed_aside(body.len(), move || patch(&body, format)).await
}

/// Parses a patch.
///
/// # Errors
/// 400 with every fault of the document.
pub fn patch(body: &[u8], format: PatchFormat) -> Result<Patch, Failure> {
    let parsed = match format {
        PatchFormat::Json => Patch::json(body),
        PatchFormat::Merge => Patch::merge(body),
        PatchFormat::FhirPath(format) => Patch::fhirpath(body, format),
    };
    parsed.map_err(Failure::from)
}

/// Parses a Bundle to be processed, on the blocking pool when it is large. What is wrong with the form of an entry's
/// resource stays in its entry.
///
/// # Errors
/// 400 (413: too many entries) with every fault of the Bundle itself.
pub async fn decode_bundle(body: Bytes, format: Format) -> Result<Bundle, Failure> {
    parsed_aside(body.len(), move || {
        let (tree, malformed) = match codec::decode_bundle(&body, format) {
            Ok(tree) => (tree, BTreeMap::new()),
            Err(malformed) => malformed.by_entry().map_err(Failure::from)?,
        };
        bundle::read(tree, malformed).map_err(|issues| error::of_issues(issues).into())
    })
    .await
}

/// Runs a parser, on the blocking pool when there is much to parse.
pub async fn parsed_aside<T: Send + 'static>(
    size: usize,
    parse: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if size <= PARSE_INLINE_BYTES {
        return parse();
    }
    match web::block(parse).await {
        Ok(result) => result,
        // The pool lost the task: it panicked.
        Err(lost) => Err(error::broken(&lost.to_string()).into()),
    }
}

/// What the engine would find in the rest of a malformed body.
pub fn faults(rest: Map<String, Value>, reading: Reading) -> Vec<Issue> {
    let mut resource = Resource::from_guarded(reading.expected, rest);
    let governed = match reading.policy {
        ClientPolicy::SasRegulator => resource.kind() == ResourceType::Practitioner,
        ClientPolicy::None => regulator::applies(&resource),
    };
    if governed || reading.id == BodyId::MeansNothing {
        resource.tree_mut().shift_remove("id");
    }
    let mut issues = validate::validate(&resource);
    if governed {
        issues.extend(regulator::shape(&resource));
    }
    issues
}

#[derive(Clone, Copy)]
enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
        let mut named = headers.get_all(CONTENT_ENCODING);
        match (named.next(), named.next()) {
            (None, _) => Ok(Encoding::Identity),
            // Bytes that are no text name no encoding.
            (Some(one), None) => match one.to_str().map(str::trim) {
                Ok(name) if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                    Ok(Encoding::Gzip)
                }
                Ok(name) if name.eq_ignore_ascii_case("identity") || name.is_empty() => {
                    Ok(Encoding::Identity)
                }
                Ok(_) | Err(_) => Err(error::unsupported_encoding()),
            },
            (Some(_), Some(_)) => Err(error::unsupported_encoding()),
        }
    }
}

async fn plain(payload: &mut web::Payload, limit: usize) -> Result<Bytes, Refusal> {
    // Nearly every body is one chunk: it is handed on as it came.
    let first = match payload.next().await {
        None => return Ok(Bytes::new()),
        Some(chunk) => chunk.map_err(|_| error::body_broken())?,
    };
    let Some(second) = payload.next().await else {
        return if first.len() > limit {
            Err(error::body_too_long(limit))
        } else {
            Ok(first)
        };
    };
    let mut body = BytesMut::from(first.as_ref());
    let mut next = Some(second);
    while let Some(chunk) = next {
        let chunk = chunk.map_err(|_| error::body_broken())?;
        if body.len() + chunk.len() > limit {
            return Err(error::body_too_long(limit));
        }
        body.extend_from_slice(&chunk);
        next = payload.next().await;
    }
    Ok(body.freeze())
}

async fn inflated(payload: &mut web::Payload, limit: usize) -> Result<Bytes, Refusal> {
    let mut inflater = GzDecoder::new(Bounded {
        bytes: Vec::new(),
        limit,
    });
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| error::body_broken())?;
        inflater
            .write_all(&chunk)
            .map_err(|failure| inflate_refusal(&failure, limit))?;
    }
    let bounded = inflater
        .finish()
        .map_err(|failure| inflate_refusal(&failure, limit))?;
    Ok(Bytes::from(bounded.bytes))
}

fn inflate_refusal(failure: &io::Error, limit: usize) -> Refusal {
    match failure.kind() {
        io::ErrorKind::FileTooLarge => error::body_too_long(limit),
        _ => error::body_not_gzip(),
    }
}

/// Takes inflated bytes up to a limit: a bomb is cut off while it inflates.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + chunk.len() > self.limit {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
