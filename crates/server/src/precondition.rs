//! `If-Match`, `If-None-Match`, `If-Modified-Since` — <https://hl7.org/fhir/R4/http.html#concurrency>,
//! RFC 9110, 8.8.3 and 13.1

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use actix_web::http::header::{HeaderMap, HttpDate, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use actix_web::http::header::{HeaderName, HeaderValue};
use engine::Refusal;
use fhir::interaction::Precondition;
use fhir::{Issue, IssueCode, VersionId};
use store::Stored;

#[cfg(test)]
mod tests;

/// What a write demands of the current version. A malformed `If-Match` demands what no version fulfils, so
/// that a broken guard never lets a write through.
///
/// # Errors
/// 400 for an `If-None-Match` that is not `*`: nothing sensible can be made of it on a write.
pub fn of_write(headers: &HeaderMap) -> Result<Precondition, Refusal> {
    let if_match = tags(headers, &IF_MATCH);
    let if_none_match = tags(headers, &IF_NONE_MATCH);
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (Some(tags), None) => Ok(demanded(tags)),
        (None, Some(Some(Tags::Any))) => Ok(Precondition::Absent),
        // Both there and not there: no state of the resource fulfils it.
        (Some(_), Some(Some(Tags::Any))) => Ok(Precondition::Versions(Vec::new())),
        (_, Some(_)) => Err(unusable_if_none_match()),
    }
}

/// Whether the sender of a read has this version already.
pub fn is_known(headers: &HeaderMap, stored: &Stored) -> bool {
    match tags(headers, &IF_NONE_MATCH) {
        Some(Some(Tags::Any)) => true,
        Some(Some(Tags::Versions(versions))) => versions.contains(&stored.version),
        // A malformed one is no reason to keep the resource back.
        Some(None) => false,
        None => headers
            .get(IF_MODIFIED_SINCE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| HttpDate::from_str(date).ok())
            .is_some_and(|since| !modified_after(stored, SystemTime::from(since))),
    }
}

/// Whether the sender of a read has what bears this tag already.
pub fn is_known_tag(headers: &HeaderMap, tag: &str) -> bool {
    let lists: Option<Vec<List<'_>>> = headers.get_all(IF_NONE_MATCH).map(list).collect();
    // As above: one line that is malformed spoils the header.
    lists.unwrap_or_default().iter().any(|list| match list {
        List::Any => true,
        List::Tags(tags) => tags.contains(&tag),
    })
}

fn modified_after(stored: &Stored, since: SystemTime) -> bool {
    // HTTP dates have whole seconds: so does the comparison.
    let seconds = u64::try_from(stored.updated.micros() / 1_000_000).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) > since
}

fn demanded(tags: Option<Tags>) -> Precondition {
    match tags {
        Some(Tags::Any) => Precondition::Exists,
        Some(Tags::Versions(versions)) => Precondition::Versions(versions),
        None => Precondition::Versions(Vec::new()),
    }
}

/// A header of entity tags.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    /// The tags that could be versions; others match nothing and are left out.
    Versions(Vec<VersionId>),
}

/// All lines of a header, one list. Outer `None`: there is none; inner: it is malformed.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Option<Tags>> {
    let mut lines = headers.get_all(name).peekable();
    lines.peek()?;
    let mut versions = Vec::new();
    let (mut any, mut tagged) = (0_usize, false);
    for line in lines {
        match list(line) {
            Some(List::Any) => any += 1,
            Some(List::Tags(found)) => {
                tagged = true;
                versions.extend(found.into_iter().filter_map(VersionId::parse));
            }
            None => return Some(None),
        }
    }
    match (any, tagged) {
        (0, true) => Some(Some(Tags::Versions(versions))),
        (1, false) => Some(Some(Tags::Any)),
        _ => Some(None),
    }
}

enum List<'h> {
    Any,
    Tags(Vec<&'h str>),
}

fn list(line: &HeaderValue) -> Option<List<'_>> {
    let mut rest = std::str::from_utf8(line.as_bytes()).ok()?.trim();
    if rest == "*" {
        return Some(List::Any);
    }
    let mut tags = Vec::new();
    while !rest.is_empty() {
        // An empty element between two commas is legal (RFC 9110, 5.6.1).
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            continue;
        }
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, after) = quoted.split_once('"')?;
        if tag.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        tags.push(tag);
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
    (!tags.is_empty()).then_some(List::Tags(tags))
}

fn unusable_if_none_match() -> Refusal {
    Refusal::new(
        400,
        Issue::error(
            IssueCode::NotSupported,
            "On a write If-None-Match is understood as '*' alone (the resource must not exist). To replace a \
             certain version send If-Match: W/\"<version>\".",
        ),
    )
}
