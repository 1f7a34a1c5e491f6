//! What a request belongs to — <https://www.w3.org/TR/trace-context/#traceparent-header>

use uuid::Uuid;

/// The span of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The whole trace.
    pub trace_id: Uuid,
    /// The caller's span in it.
    pub span_id: u64,
    /// Whether the caller records it: then so do we.
    pub sampled: bool,
}

impl Parent {
    /// Reads a `traceparent`; `None` for what is none, which is then as if nothing had been sent.
    pub fn parse(header: &str) -> Option<Parent> {
        let mut parts = header.split('-');
        let [version, trace_id, span_id, flags] =
            [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        // A later version may have more parts; 00 has four, and ff is none.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        hex(version, 2)?;
        let trace_id = hex(trace_id, 32)?;
        let span_id = u64::try_from(hex(span_id, 16)?).ok()?;
        let flags = hex(flags, 2)?;
        (trace_id != 0 && span_id != 0).then_some(Parent {
            trace_id: Uuid::from_u128(trace_id),
            span_id,
            sampled: flags & 1 == 1,
        })
    }
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let fits = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}
