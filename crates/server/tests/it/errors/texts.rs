//! Finds what the sources say to a caller, so that no text of an error is left out of the pages that are read aloud.

use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Where texts for callers of `/fhir` are written. SQL, the command line and the doors' own shapes are elsewhere.
const SOURCES: [&str; 3] = ["crates/fhir/src", "crates/engine/src", "crates/server/src"];

/// What in these folders says nothing to a caller of `/fhir`, and why.
const SILENT: &[(&str, &str)] = &[
    ("server/src/cli", "the command line"),
    ("server/src/config", "what stops the start"),
    ("server/src/start.rs", "what stops the start"),
    ("server/src/serve.rs", "what stops the start"),
    ("server/src/demo", "the command line"),
    ("server/src/admin", "the operator's address"),
    (
        "server/src/auth/token",
        "the log: the sender of a token is told no reason",
    ),
    ("server/src/auth/directory.rs", "the log"),
    ("server/src/erasures.rs", "what stops the start"),
    ("server/src/log.rs", "what stops the start"),
    ("server/src/panic.rs", "the log"),
    ("server/src/routes/clocks.rs", "tests"),
    ("server/src/smart.rs", "what is published"),
    ("server/src/spans", "the log"),
    ("server/src/tls/header.rs", "no text: a frame around base64"),
    ("server/src/transaction/four_ways.rs", "tests"),
    ("engine/src/check.rs", "the command line"),
    ("server/src/tls/files.rs", "what stops the start"),
    ("server/src/tls/watch.rs", "the log"),
    ("server/src/tls.rs", "what stops the start"),
    ("server/src/rate.rs", "what stops the start"),
    ("server/src/proxy.rs", "what stops the start"),
    (
        "server/src/partner",
        "the doors' own shapes: their fixtures hold them",
    ),
    ("server/src/conformance/parameters.rs", "what is published"),
    ("server/src/capability.rs", "what is published"),
    ("server/src/cors.rs", "lists of headers"),
    ("server/src/damage.rs", "tests"),
    ("server/src/mutants.rs", "tests"),
    ("fhir/src/query/sample.rs", "tests"),
    ("fhir/src/profile/definition.rs", "what stops the start"),
    ("fhir/src/profile/element.rs", "what stops the start"),
    ("fhir/src/profile/invariant.rs", "what stops the start"),
    ("fhir/src/profile/slicing.rs", "what stops the start"),
    ("engine/src/scope.rs", "the command line"),
];

/// Texts that nothing is known to bring about, or that another test shows, by how they begin.
pub const SPARE: &[(&str, &str)] = &[
    (
        "The client certificate is that of more than one client",
        "`what_is_said_of_a_certificate_reads_as_on_its_page`",
    ),
    (
        "The server cannot check access tokens yet",
        "`keys_are_fetched_from_a_url_and_a_new_one_is_looked_for`",
    ),
    ("an access token was refused", "the log"),
    (
        "\"This port speaks TLS only",
        "`plain_http_is_told_to_use_tls_on_the_port_of_tls`",
    ),
    ("HTTP/1.1 400 Bad Request", "no text: the head of that answer"),
    ("{head}Content-Length", "no text: the head of that answer"),
    (
        "The body cannot be read as a",
        "a belt: no body is known that gets there",
    ),
    (
        "The XML is not well-formed",
        "a belt: what the XML library calls by no other name",
    ),
    (
        "A transaction cannot hold a",
        "a belt: no entry is read as such an interaction",
    ),
    ("an entry of a batch failed", "the log"),
    (
        "nothing stands above it",
        "a belt: what stands above was found before",
    ),
    (
        "No realm means a space of this client.",
        "the eHealth door, whose fixtures show it",
    ),
    ("No API-key was sent.", "the eHealth door, whose fixtures show it"),
    ("The API-key is not", "the eHealth door, whose fixtures show it"),
    (
        "version {} cannot be shown",
        "`p51_one_damaged_row_never_fails_a_search_page`",
    ),
    (
        "More than {MAX_INCLUDED} resources belong",
        "`more_than_can_be_included_is_told`",
    ),
    (
        "A resource is an object with its resourceType",
        "a belt: the guard refuses it before",
    ),
    (
        "Whether {} holds on",
        "a belt: the published profiles have no such invariant",
    ),
    (
        "Write digits with a point",
        "a belt: both formats refuse such a number before",
    ),
    (
        "the path leads into something that is no element",
        "a belt: the path was followed to an element before",
    ),
];

/// What marks a literal that no caller sees, on its line or the one before.
const UNSEEN: [&str; 13] = [
    "reason = ",
    ".expect(",
    "info!(",
    "warn!(",
    "error!(",
    "debug!(",
    "panic!(",
    "broken(",
    "Internal(",
    "internal: ",
    "#[error(",
    "internal(",
    "write!(f",
];

/// A text of a source.
pub struct Text {
    /// File and line.
    pub place: String,
    /// Its pieces: what a format fills in stands between them.
    pub pieces: Vec<String>,
}

impl Text {
    /// Whether a page, its white space folded, says it.
    pub fn stands_on(&self, page: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else {
            return true;
        };
        page.match_indices(first.as_str()).any(|(start, found)| {
            let mut end = start + found.len();
            rest.iter().all(|piece| {
                let window_end = page.len().min(end + LONGEST_FILLING + piece.len());
                let window_end = (window_end..=page.len()).find(|end| page.is_char_boundary(*end));
                let window = page
                    .get(end..window_end.unwrap_or(page.len()))
                    .unwrap_or_default();
                match window.find(piece.as_str()) {
                    Some(position) => {
                        end += position + piece.len();
                        true
                    }
                    None => false,
                }
            })
        })
    }
}

/// Bytes that a format may fill in between two pieces.
const LONGEST_FILLING: usize = 500;
/// A shorter literal is a name, not a text.
const SHORTEST: usize = 25;

/// All texts of the sources.
///
/// # Panics
/// When a source cannot be read.
pub fn all() -> Vec<Text> {
    let mut texts = Vec::new();
    for folder in SOURCES {
        for path in sources(&Path::new(ROOT).join(folder)) {
            let shown = path
                .strip_prefix(ROOT)
                .expect("it lies below")
                .to_string_lossy()
                .into_owned();
            let is_silent =
                |(place, _): &(&str, &str)| shown.trim_start_matches("crates/").starts_with(place);
            if SILENT.iter().any(is_silent) {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source is text");
            texts.extend(texts_of(&shown, &source));
        }
    }
    texts
}

/// What is silent and is not there: an exception that nothing needs.
pub fn unneeded() -> Vec<&'static str> {
    let names = SILENT.iter().map(|(place, _)| *place);
    names
        .filter(|place| {
            let path = Path::new(ROOT).join("crates").join(place);
            !path.exists() && !path.with_extension("rs").exists()
        })
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of sources is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is listed").path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "tests" {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
    found
}

fn texts_of(shown: &str, source: &str) -> Vec<Text> {
    let lines: Vec<&str> = source.lines().collect();
    let code = source
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    literals(code)
        .into_iter()
        .filter(|(_, text)| text.len() >= SHORTEST && text.matches(' ').count() >= 3)
        .filter(|(line, _)| {
            let around = [line.checked_sub(1), Some(*line)].into_iter().flatten();
            let mut around = around.filter_map(|line| lines.get(line));
            !around.any(|line| UNSEEN.iter().any(|mark| line.contains(mark)))
        })
        .filter(|(_, text)| !SPARE.iter().any(|(start, _)| text.starts_with(start)))
        .map(|(line, text)| Text {
            place: format!("{shown}:{}: {text}", line + 1),
            pieces: pieces(&text),
        })
        .collect()
}

/// What stands between the braces of a format.
fn pieces(text: &str) -> Vec<String> {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let mut pieces = Vec::new();
    for (position, part) in text.split('{').enumerate() {
        let plain = if position == 0 {
            part
        } else {
            part.split_once('}').map_or(part, |(_, after)| after)
        };
        let plain = folded(&plain.replace('\u{1}', "{").replace('\u{2}', "}"));
        if !plain.trim().is_empty() {
            pieces.push(plain);
        }
    }
    pieces
}

/// With every run of white space as one space.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        let character = if character.is_whitespace() { ' ' } else { character };
        if character != ' ' || !folded.ends_with(' ') {
            folded.push(character);
        }
    }
    folded
}

/// The string literals of a source, each with its line, escapes resolved.
fn literals(source: &str) -> Vec<(usize, String)> {
    let (mut found, mut line, mut rest) = (Vec::new(), 0, source);
    while let Some(first) = rest.chars().next() {
        let (taken, text) = token(rest, first);
        if let Some(text) = text {
            found.push((line, text));
        }
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    found
}

/// How many bytes the next token takes, and what it says when it is a string.
fn token(rest: &str, first: char) -> (usize, Option<String>) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), None);
    }
    if let Some(raw) = rest.strip_prefix("r\"") {
        let end = raw.find('"').unwrap_or(raw.len());
        return ((end + 3).min(rest.len()), Some(raw[..end].to_owned()));
    }
    if let Some(raw) = rest.strip_prefix("r#\"") {
        let end = raw.find("\"#").unwrap_or(raw.len());
        return ((end + 5).min(rest.len()), Some(raw[..end].to_owned()));
    }
    if first == '\'' {
        // A character, and not a lifetime.
        let mut characters = rest.char_indices().skip(1);
        let is_escaped = characters.next().is_some_and(|(_, character)| character == '\\');
        let close = if is_escaped {
            rest[2..].find('\'').map(|at| at + 2)
        } else {
            characters.next().map(|(at, _)| at)
        };
        let is_one = close.is_some_and(|close| rest[close..].starts_with('\''));
        // A quote behind a backslash is not the closing one.
        let close = match close {
            Some(2) if is_escaped => Some(3),
            other => other,
        };
        return (if is_one { close.unwrap_or_default() + 1 } else { 1 }, None);
    }
    if first != '"' {
        return (first.len_utf8(), None);
    }
    let (mut text, mut characters) = (String::new(), rest.char_indices().skip(1).peekable());
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (position + 1, Some(text)),
            '\\' => match characters.next() {
                Some((_, '\n')) => while characters.next_if(|(_, next)| next.is_whitespace()).is_some() {},
                Some((_, 'n' | 't' | 'r')) => text.push(' '),
                Some((_, other)) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    (rest.len(), Some(text))
}
