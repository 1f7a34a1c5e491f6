//! What came back: status, headers in order, body, and readers for the FHIR parts of them.

use std::fmt;

use serde_json::Value;

/// An answer. Its buffers can be reused, see [`super::Connection::exchange`].
#[derive(Clone, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body, with any transfer coding undone.
    pub body: Vec<u8>,
    /// The header lines.
    pub headers: Headers,
}

/// Header lines in the order they arrived, names as they were written.
#[derive(Clone, Default)]
pub struct Headers {
    /// The bytes of the whole head.
    head: Vec<u8>,
    /// Where in `head` each line's name and value lie.
    lines: Vec<[usize; 4]>,
}

/// One issue of an OperationOutcome, flattened for assertions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issue {
    /// `fatal`, `error`, `warning` or `information`; empty when missing.
    pub severity: String,
    /// The issue code; empty when missing.
    pub code: String,
    /// `details.text`; empty when missing.
    pub text: String,
    /// `diagnostics`; empty when missing.
    pub diagnostics: String,
    /// The FHIRPath expressions.
    pub expression: Vec<String>,
}

impl Headers {
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.lines.clear();
    }

    /// Takes over a parsed head; `parsed` must be slices of `head`.
    pub(super) fn fill(&mut self, head: &[u8], parsed: &[httparse::Header<'_>]) {
        self.clear();
        self.head.extend_from_slice(head);
        let start = head.as_ptr() as usize;
        for line in parsed {
            let name = line.name.as_ptr() as usize - start;
            let value = if line.value.is_empty() {
                name
            } else {
                line.value.as_ptr() as usize - start
            };
            self.lines
                .push([name, name + line.name.len(), value, value + line.value.len()]);
        }
    }

    /// Every line as name and value bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines.iter().map(|[name, name_end, value, value_end]| {
            let name = std::str::from_utf8(&self.head[*name..*name_end]).expect("httparse checks names");
            (name, &self.head[*value..*value_end])
        })
    }
}

impl Response {
    /// The first header called `name`, case ignored; `None` when absent or not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_bytes(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The bytes of the first header called `name`, case ignored.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The values of every header line called `name`, in order, bad UTF-8 replaced.
    pub fn header_all(&self, name: &str) -> Vec<String> {
        self.headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The body as text, bad UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON; the message shows the whole answer.
    #[track_caller]
    pub fn json(&self) -> Value {
        // A list of resources nests as deep as the deepest of them, and its own levels more.
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        reader.disable_recursion_limit();
        let mut values = reader.into_iter();
        match (values.next(), values.next()) {
            (Some(Ok(value)), None) => value,
            (Some(Err(error)), _) | (_, Some(Err(error))) => {
                panic!("the body is not JSON ({error}):\n{self:?}")
            }
            _ => panic!("the body is not one JSON value:\n{self:?}"),
        }
    }

    /// The issues of the OperationOutcome in a JSON body; empty when the body is something else.
    pub fn issues(&self) -> Vec<Issue> {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else {
            return Vec::new();
        };
        if body["resourceType"] != "OperationOutcome" {
            return Vec::new();
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let issues = body["issue"].as_array().cloned().unwrap_or_default();
        issues
            .iter()
            .map(|issue| Issue {
                severity: text(&issue["severity"]),
                code: text(&issue["code"]),
                text: text(&issue["details"]["text"]),
                diagnostics: text(&issue["diagnostics"]),
                expression: issue["expression"]
                    .as_array()
                    .map(|paths| paths.iter().map(text).collect())
                    .unwrap_or_default(),
            })
            .collect()
    }

    /// The `Location` header.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("no Location in\n{self:?}"))
    }

    /// The resource id: from `Location` or `Content-Location`, else from the body.
    #[track_caller]
    pub fn id(&self) -> String {
        let from_header = self
            .header("location")
            .or_else(|| self.header("content-location"))
            .and_then(|url| url.split("/_history/").next())
            .and_then(|url| url.rsplit('/').next());
        if let Some(id) = from_header {
            return id.to_owned();
        }
        match self.json()["id"].as_str() {
            Some(id) => id.to_owned(),
            None => panic!("no id in\n{self:?}"),
        }
    }

    /// The number in the ETag `W/"n"`.
    #[track_caller]
    pub fn version(&self) -> u64 {
        self.try_version()
            .unwrap_or_else(|| panic!("no ETag of the form W/\"n\" in\n{self:?}"))
    }

    /// The number in the ETag `W/"n"`, when there is one.
    pub fn try_version(&self) -> Option<u64> {
        let tag = self.header("etag")?;
        tag.strip_prefix("W/\"")?.strip_suffix('"')?.parse().ok()
    }

    /// Itself, when the status is `status`.
    ///
    /// # Panics
    /// When it is another one; the message shows the whole answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Response {
        assert!(self.status == status, "expected status {status}:\n{self:?}");
        self
    }
}

/// Longest part of a body that a failure message shows, in bytes.
const SHOWN_BODY_BYTES: usize = 4096;

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "HTTP {}", self.status)?;
        for (name, value) in self.headers.iter() {
            writeln!(formatter, "{name}: {}", String::from_utf8_lossy(value))?;
        }
        let shown = &self.body[..self.body.len().min(SHOWN_BODY_BYTES)];
        writeln!(formatter, "\n{}", String::from_utf8_lossy(shown))?;
        if shown.len() < self.body.len() {
            writeln!(formatter, "… {} bytes in all", self.body.len())?;
        }
        Ok(())
    }
}
