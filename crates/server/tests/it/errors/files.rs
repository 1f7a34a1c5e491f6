//! Cases of the page that stand in files: `fixtures/fhir/errors/*.http`. A case begins with `## ` and what somebody does,
//! then comes the request: its line, headers, an empty line when there are headers, and the body. `{{3*a*}}` stands for `aaa`,
//! `{{#ff}}` for a byte. `As: sas` sends it as that client. A body of `{`, `[` or `"` is JSON, one of `<` XML, unless a header
//! says otherwise.

use testkit::http::{Client, Request};

/// A case of a file.
pub struct Written {
    /// What somebody does.
    pub heading: String,
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Whose credential is sent, when not that of the page.
    pub client: Option<String>,
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/fhir/errors");

/// All cases of all files, in the order of their names.
///
/// # Panics
/// When a file cannot be read, or a case is not written as it should be.
pub fn all() -> Vec<Written> {
    let files = std::fs::read_dir(FOLDER).expect("the folder of cases is there");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file is listed").path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a file of cases is text");
        let blocks = text.split("\n## ");
        cases.extend(blocks.map(|block| written(block.trim_start_matches("## "))));
    }
    cases
}

fn written(block: &str) -> Written {
    let mut lines = block.trim_end_matches('\n').lines();
    let heading = lines.next().expect("a case has a heading").to_owned();
    let (method, target) = lines
        .next()
        .and_then(|line| line.split_once(' '))
        .unwrap_or_else(|| panic!("'{heading}' has no line such as GET /Patient"));
    let (mut headers, mut client, mut body) = (Vec::new(), None, Vec::new());
    for line in lines.by_ref() {
        if line.starts_with(['{', '[', '<', '"']) {
            body.push(line);
            break;
        }
        match line.split_once(": ") {
            Some(("As", name)) => client = Some(name.to_owned()),
            Some((name, value)) => headers.push((name.to_owned(), expanded(value))),
            None => break,
        }
    }
    body.extend(lines);
    let body = body.join("\n");
    let kind = match body.as_bytes().first() {
        Some(b'<') => Some("application/fhir+xml"),
        Some(b'{' | b'[' | b'"') => Some("application/fhir+json"),
        _ => None,
    };
    if let Some(kind) = kind.filter(|_| !headers.iter().any(|(name, _)| name == "Content-Type")) {
        headers.push(("Content-Type".to_owned(), kind.into()));
    }
    Written {
        heading,
        method: method.to_owned(),
        target: String::from_utf8(expanded(target))
            .expect("a target is text")
            .replace(' ', "%20"),
        headers,
        body: expanded(&body),
        client,
    }
}

/// With what `{{…}}` stands for.
fn expanded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, found)) = rest.split_once("{{") {
        bytes.extend(before.bytes());
        let hexadecimal = found.strip_prefix('#').and_then(|found| found.split_once("}}"));
        let repeated = found.split_once('*').and_then(|(count, found)| {
            let count: usize = count.parse().ok()?;
            let (unit, after) = found.split_once("*}}")?;
            Some((count, unit, after))
        });
        rest = match (hexadecimal, repeated) {
            (Some((digits, after)), _) => {
                bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                after
            }
            (None, Some((count, unit, after))) => {
                bytes.extend(unit.repeat(count).bytes());
                after
            }
            (None, None) => {
                bytes.extend(b"{{");
                found
            }
        };
    }
    bytes.extend(rest.bytes());
    bytes
}

impl Written {
    /// The request, sent by `client`.
    pub fn request<'c>(&self, client: &'c Client) -> Request<'c> {
        let request = client.request(&self.method, &self.target);
        let request = self
            .headers
            .iter()
            .fold(request, |request, (name, value)| request.header(name, value));
        if self.body.is_empty() {
            request
        } else {
            request.body(self.body.clone())
        }
    }
}
