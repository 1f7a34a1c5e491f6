//! A small blocking HTTP/1.1 client: it sends what it is told, byte for byte, so that a test can be as
//! wrong as the worst client; and it is cheap enough to generate load with.

mod connection;
mod response;
#[cfg(test)]
mod tests;

pub use connection::{AnswerBody, Connection, Failure, Piece, Stage, Timeouts};
pub use response::{Headers, Issue, Response};

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::tls::Tls;

/// A client of one server address. It holds at most one kept-alive connection: a clone has its own, and
/// threads that share one client take turns.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    prefix: String,
    defaults: Vec<(String, Vec<u8>)>,
    timeouts: Timeouts,
    tls: Option<Tls>,
    from: Option<IpAddr>,
    connection: Mutex<Option<Connection>>,
}

impl Clone for Client {
    fn clone(&self) -> Client {
        Client {
            address: self.address,
            prefix: self.prefix.clone(),
            defaults: self.defaults.clone(),
            timeouts: self.timeouts,
            tls: self.tls.clone(),
            from: self.from,
            connection: Mutex::new(None),
        }
    }
}

impl Client {
    /// A client of `address` that sends no header but `Host` (and those a body needs) by itself.
    pub fn new(address: SocketAddr) -> Client {
        Client {
            address,
            prefix: String::new(),
            defaults: Vec::new(),
            timeouts: Timeouts::default(),
            tls: None,
            from: None,
            connection: Mutex::new(None),
        }
    }

    /// A client of a base URL such as `http://127.0.0.1:8080/fhir`; its path goes before each target.
    ///
    /// # Panics
    /// When the URL is not `http://IP:PORT[/path]`.
    pub fn at(url: &str) -> Client {
        let (address, path) = split_url(url);
        Client {
            prefix: path.trim_end_matches('/').to_owned(),
            ..Client::new(address)
        }
    }

    /// Sends this header with each request that does not set it itself.
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Client {
        self.defaults
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.defaults.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// No longer sends this header by default.
    pub fn without_header(mut self, name: &str) -> Client {
        self.defaults
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sends `Authorization: Bearer …` with each request.
    pub fn with_bearer(self, token: &str) -> Client {
        self.with_header("Authorization", format!("Bearer {token}"))
    }

    /// With other deadlines.
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Client {
        self.timeouts = timeouts;
        self
    }

    /// Speaking TLS like this.
    pub fn with_tls(mut self, tls: &Tls) -> Client {
        self.tls = Some(tls.clone());
        self.connection = Mutex::new(None);
        self
    }

    /// Connecting from this address of this machine, such as another of the loopback network's.
    pub fn from_address(mut self, address: IpAddr) -> Client {
        self.from = Some(address);
        self
    }

    /// With another path before each target.
    pub fn with_prefix(mut self, prefix: &str) -> Client {
        self.prefix = prefix.trim_end_matches('/').to_owned();
        self
    }

    /// Where it connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A request. `target` is sent as it is, after the client's prefix; an absolute URL of this server
    /// (a `Location`) is sent without scheme and authority, and without the prefix.
    pub fn request(&self, method: &str, target: impl AsRef<[u8]>) -> Request<'_> {
        let target = target.as_ref();
        let full = match own_path(target, self.address) {
            Some(path) => path.to_vec(),
            None => [self.prefix.as_bytes(), target].concat(),
        };
        self.request_exact(method, full)
    }

    /// A request whose target is sent without the client's prefix, whatever it is.
    pub fn request_exact(&self, method: &str, target: impl AsRef<[u8]>) -> Request<'_> {
        Request {
            client: self,
            method: method.to_owned(),
            target: target.as_ref().to_vec(),
            headers: Vec::new(),
            left_out: Vec::new(),
            body: Body::None,
        }
    }

    /// A GET request.
    pub fn get(&self, target: impl AsRef<[u8]>) -> Request<'_> {
        self.request("GET", target)
    }

    /// A HEAD request.
    pub fn head(&self, target: impl AsRef<[u8]>) -> Request<'_> {
        self.request("HEAD", target)
    }

    /// A POST request.
    pub fn post(&self, target: impl AsRef<[u8]>) -> Request<'_> {
        self.request("POST", target)
    }

    /// A PUT request.
    pub fn put(&self, target: impl AsRef<[u8]>) -> Request<'_> {
        self.request("PUT", target)
    }

    /// A PATCH request.
    pub fn patch(&self, target: impl AsRef<[u8]>) -> Request<'_> {
        self.request("PATCH", target)
    }

    /// A DELETE request.
    pub fn delete(&self, target: impl AsRef<[u8]>) -> Request<'_> {
        self.request("DELETE", target)
    }

    /// Sends exactly these bytes on a fresh connection and reads one answer.
    pub fn raw(&self, bytes: &[u8]) -> Result<Response, Failure> {
        let mut connection = self.connect()?;
        let mut response = Response::default();
        connection.exchange(bytes, AnswerBody::Announced, &mut response)?;
        Ok(response)
    }

    /// A fresh connection, for tests that need it bare.
    pub fn connect(&self) -> Result<Connection, Failure> {
        Connection::speaking(self.from, self.address, self.timeouts, self.tls.as_ref())
    }

    fn run(
        &self,
        mut exchange: impl FnMut(&mut Connection, &mut Response) -> Result<(), Failure>,
    ) -> Result<Response, Failure> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // A kept connection that the server has closed meanwhile is replaced before anything is sent.
        let mut connection = match slot.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let mut response = Response::default();
        exchange(&mut connection, &mut response)?;
        *slot = Some(connection);
        Ok(response)
    }
}

/// A request being put together.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    client: &'a Client,
    method: String,
    target: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    left_out: Vec<String>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Whole(Vec<u8>),
    Chunked(Vec<Vec<u8>>),
    Dripping {
        bytes: Vec<u8>,
        piece: usize,
        pause: Duration,
    },
}

impl Request<'_> {
    /// Adds a header line; repeated calls send repeated lines, in this order.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Leaves out a header that would be sent by itself: a default one, `Host`, `Content-Length`.
    pub fn without(mut self, name: &str) -> Self {
        self.left_out.push(name.to_owned());
        self
    }

    /// With these bytes as the body and their `Content-Length`.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(bytes.into());
        self
    }

    /// With a JSON body, as `application/fhir+json` unless a `Content-Type` was set before.
    pub fn json(self, value: &Value) -> Self {
        self.typed("application/fhir+json", value.to_string().into_bytes())
    }

    /// With an XML body, as `application/fhir+xml` unless a `Content-Type` was set before.
    pub fn xml(self, text: &str) -> Self {
        self.typed("application/fhir+xml", text.as_bytes().to_vec())
    }

    /// With a form body, as `application/x-www-form-urlencoded`.
    pub fn form(self, text: &str) -> Self {
        self.typed("application/x-www-form-urlencoded", text.as_bytes().to_vec())
    }

    /// With a chunked body: one chunk per item.
    pub fn chunks(mut self, chunks: Vec<Vec<u8>>) -> Self {
        self.body = Body::Chunked(chunks);
        self
    }

    /// With a body that drips: `piece` bytes, a pause, `piece` bytes … with the right `Content-Length`.
    pub fn dripping(mut self, bytes: impl Into<Vec<u8>>, piece: usize, pause: Duration) -> Self {
        self.body = Body::Dripping {
            bytes: bytes.into(),
            piece: piece.max(1),
            pause,
        };
        self
    }

    /// The bytes of the head, up to and with the empty line.
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        head.extend_from_slice(self.method.as_bytes());
        head.push(b' ');
        head.extend_from_slice(&self.target);
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let mut line = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        let left_out = |name: &str| self.left_out.iter().any(|other| other.eq_ignore_ascii_case(name));
        let own = |name: &str| {
            self.headers
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        if !own("host") && !left_out("host") {
            line("Host", self.client.address.to_string().as_bytes());
        }
        for (name, value) in &self.client.defaults {
            if !own(name) && !left_out(name) {
                line(name, value);
            }
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if !own("content-length") && !left_out("content-length") {
            match &self.body {
                Body::Whole(bytes) | Body::Dripping { bytes, .. } => {
                    line("Content-Length", bytes.len().to_string().as_bytes());
                }
                // A POST or PUT without a body says so; a GET says nothing.
                Body::None if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") => {
                    line("Content-Length", b"0");
                }
                Body::None | Body::Chunked(_) => {}
            }
        }
        if matches!(self.body, Body::Chunked(_)) && !own("transfer-encoding") {
            line("Transfer-Encoding", b"chunked");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The bytes of the whole request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head_bytes();
        match &self.body {
            Body::None => {}
            Body::Whole(body) | Body::Dripping { bytes: body, .. } => bytes.extend_from_slice(body),
            Body::Chunked(chunks) => {
                for chunk in chunks {
                    bytes.extend_from_slice(&encode_chunk(chunk));
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }

    /// Sends it and reads the answer.
    ///
    /// # Panics
    /// When there is no answer. Tests that expect that use [`Request::try_send`].
    #[track_caller]
    pub fn send(self) -> Response {
        let line = format!("{} {}", self.method, String::from_utf8_lossy(&self.target));
        match self.try_send() {
            Ok(response) => response,
            Err(failure) => panic!("{line}: {failure}"),
        }
    }

    /// Sends it and reads the answer, or says why there is none.
    pub fn try_send(self) -> Result<Response, Failure> {
        let answer_body = if self.method == "HEAD" {
            AnswerBody::Never
        } else {
            AnswerBody::Announced
        };
        if let Body::Dripping { bytes, piece, pause } = &self.body {
            let mut pieces = vec![Piece::Send(self.head_bytes())];
            for part in bytes.chunks(*piece) {
                pieces.push(Piece::Pause(*pause));
                pieces.push(Piece::Send(part.to_vec()));
            }
            return self
                .client
                .run(|connection, response| connection.exchange_pieces(&pieces, answer_body, response));
        }
        let bytes = self.to_bytes();
        self.client
            .run(|connection, response| connection.exchange(&bytes, answer_body, response))
    }

    fn typed(mut self, media_type: &str, bytes: Vec<u8>) -> Self {
        if !self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            self = self.header("Content-Type", media_type);
        }
        self.body(bytes)
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// One chunk of a chunked body.
fn encode_chunk(chunk: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", chunk.len()).into_bytes();
    bytes.extend_from_slice(chunk);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn own_path(target: &[u8], address: SocketAddr) -> Option<&[u8]> {
    let rest = target
        .strip_prefix(b"http://")
        .or_else(|| target.strip_prefix(b"https://"))?
        .strip_prefix(address.to_string().as_bytes())?;
    rest.starts_with(b"/").then_some(rest)
}

/// Splits `http://IP:PORT/path`, or the same with `https`, into address and path.
///
/// # Panics
/// When the URL has another form: names are not resolved.
pub fn split_url(url: &str) -> (SocketAddr, &str) {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .unwrap_or_else(|| panic!("{url} does not begin with http:// or https://"));
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let address = authority
        .parse()
        .unwrap_or_else(|_| panic!("{authority} in {url} is not IP:PORT"));
    (address, path)
}
