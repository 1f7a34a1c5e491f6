//! The query parameters of the doors. Unknown ones are nobody's concern; of repeated ones the last counts.

use crate::naming::from_segment;

/// A query string (what stands behind `?`), read as a form: `+` is a blank.
pub(super) struct Parameters<'q>(&'q str);

impl<'q> Parameters<'q> {
    pub(super) fn new(query: &'q str) -> Parameters<'q> {
        Parameters(query)
    }

    /// The value of a parameter; a fault when its escapes are broken.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, &'static str> {
        let last = self.0.split('&').rev().find_map(|pair| {
            let (written, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(written).as_deref() == Some(name)).then_some(value)
        });
        match last {
            None => Ok(None),
            Some(value) => decode(value).map(Some).ok_or("is not percent-encoded UTF-8"),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    from_segment(&text.replace('+', " "))
}
