//! What a client sees of an answer, as a text that can be compared.

use testkit::http::Response;

/// What is hidden in an answer before it is compared: a text, and what stands in its place.
pub type Hidden<'h> = (&'h str, &'h str);

/// Status, headers less date and request id, body. What the caller named himself is hidden as he says; in an answer
/// that is no refusal, so are the times and ids that the server gave.
pub fn comparable(answer: &Response, hidden: &[Hidden<'_>]) -> String {
    let request_id = answer.header("X-Request-Id").unwrap_or("(no request id)");
    let served = answer.status < 300;
    let hide = |text: String| {
        let mut text = text.replace(request_id, "(request)");
        for (value, word) in hidden.iter().filter(|(value, _)| !value.is_empty()) {
            text = text.replace(value, word);
        }
        if served { without_given(&text) } else { text }
    };
    let left_out = |name: &str| {
        ["date", "x-request-id"].contains(&name)
            // A time is not always written with the same number of letters.
            || (served && ["last-modified", "content-length"].contains(&name))
    };
    let mut lines: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !left_out(&name.to_ascii_lowercase()))
        .map(|(name, value)| hide(format!("{name}: {}", String::from_utf8_lossy(value))))
        .collect();
    lines.sort();
    lines.insert(0, answer.status.to_string());
    lines.push(hide(answer.text()));
    lines.join("\n")
}

/// A text without the ids and times that a server gives.
fn without_given(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "_-:.+".contains(letter);
    let mut plain = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        plain.push_str(given(word).unwrap_or(word));
        let mut letters = behind.chars();
        plain.extend(letters.next());
        rest = letters.as_str();
    }
    plain
}

/// What a word is that a server gives.
fn given(word: &str) -> Option<&'static str> {
    let bare = word.strip_prefix("urn:uuid:").unwrap_or(word);
    let is_uuid = bare.len() == 36 && bare.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_time = word.len() >= 20 && word.get(4..5) == Some("-") && word.get(10..11) == Some("T");
    match () {
        () if is_uuid => Some("(id)"),
        () if is_time => Some("(time)"),
        () if word.starts_with("pat_") && word.len() == 20 => Some("(patient id)"),
        () if word.starts_with("rec_") => Some("(record id)"),
        () => None,
    }
}
