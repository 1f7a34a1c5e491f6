//! One connection: bytes out, an answer in, buffers kept.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, HandshakeKind, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::Response;
use crate::tls::Tls;

/// Most header lines accepted in an answer.
const MAX_HEADERS: usize = 100;
/// Longest head accepted, in bytes.
const MAX_HEAD_BYTES: usize = 256 * 1024;

/// At which point an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No connection was made: the server saw nothing.
    Connecting,
    /// The request was not sent whole: the server may have acted on what it got.
    Sending,
    /// The request was sent and no whole answer came: the server may have acted on it.
    Receiving,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How far the exchange got.
    pub stage: Stage,
    /// True when a deadline passed, as opposed to a closed or broken connection.
    pub timed_out: bool,
    /// What happened, for people.
    pub message: String,
}

impl Failure {
    fn new(stage: Stage, error: &std::io::Error) -> Failure {
        // A socket with a read timeout reports WouldBlock.
        let timed_out = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        Failure {
            stage,
            timed_out,
            message: error.to_string(),
        }
    }

    fn receiving(message: &str) -> Failure {
        Failure {
            stage: Stage::Receiving,
            timed_out: false,
            message: message.to_owned(),
        }
    }

    /// True when nobody can say whether the server acted on the request.
    pub fn outcome_unknown(&self) -> bool {
        self.stage != Stage::Connecting
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.timed_out { "timed out" } else { "failed" };
        write!(formatter, "{:?} {kind}: {}", self.stage, self.message)
    }
}

impl std::error::Error for Failure {}

/// Deadlines of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the connection to be made.
    pub connect: Duration,
    /// For each write.
    pub write: Duration,
    /// For each read.
    pub read: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(5),
            write: Duration::from_secs(30),
            read: Duration::from_secs(30),
        }
    }
}

/// Whether the answer to this request has a body to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// As its headers say.
    Announced,
    /// Never, whatever its headers say: the request was HEAD.
    Never,
}

/// One step of sending a request slowly.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits this long before the next piece.
    Pause(Duration),
}

/// A keep-alive connection. After a failure it must be dropped.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Bytes received and not consumed yet: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// False once either side has announced the end.
    reusable: bool,
}

/// With or without TLS.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// The handshake as far as a client knows it: in TLS 1.3 it is refused after its end.
    fn with_tls(tcp: TcpStream, tls: &Tls) -> std::io::Result<Stream> {
        let name = ServerName::from(tcp.peer_addr()?.ip());
        let session = ClientConnection::new(Arc::clone(&tls.0), name).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(session, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tcp().fmt(formatter)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Stream::Plain(tcp) => tcp.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

impl Connection {
    /// Connects to `address`.
    pub fn open(address: SocketAddr, timeouts: Timeouts) -> Result<Connection, Failure> {
        Connection::speaking(None, address, timeouts, None)
    }

    /// Connects to `address`: from the address `from` of this machine, with TLS, where they are given.
    pub fn speaking(
        from: Option<IpAddr>,
        address: SocketAddr,
        timeouts: Timeouts,
        tls: Option<&Tls>,
    ) -> Result<Connection, Failure> {
        let connect = || {
            let stream: TcpStream = match from {
                None => TcpStream::connect_timeout(&address, timeouts.connect)?,
                Some(from) => {
                    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
                    socket.bind(&SocketAddr::new(from, 0).into())?;
                    socket.connect_timeout(&address.into(), timeouts.connect)?;
                    socket.into()
                }
            };
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(timeouts.write))?;
            stream.set_read_timeout(Some(timeouts.read))?;
            match tls {
                Some(tls) => Stream::with_tls(stream, tls),
                None => Ok(Stream::Plain(stream)),
            }
        };
        let stream = connect().map_err(|error| Failure::new(Stage::Connecting, &error))?;
        Ok(Connection {
            stream,
            buffer: vec![0; 16 * 1024],
            start: 0,
            end: 0,
            reusable: true,
        })
    }

    /// The server's certificate, where TLS is spoken.
    pub fn server_certificate(&self) -> Option<Vec<u8>> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(stream.conn.peer_certificates()?.first()?.to_vec()),
        }
    }

    /// Whether the handshake took up an earlier session instead of showing certificates.
    pub fn is_resumed(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// The protocol that both sides chose in the handshake.
    pub fn protocol(&self) -> Option<Vec<u8>> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => stream.conn.alpn_protocol().map(<[u8]>::to_vec),
        }
    }

    /// Whether another request may be sent: nobody announced the end and the peer has not closed.
    pub fn is_open(&self) -> bool {
        if !self.reusable || self.start != self.end {
            return false;
        }
        // Bytes or an end without a request are both the peer's good-bye.
        matches!(self.peek(), Some(false))
    }

    /// `Some(true)` when there is something to read (or the end), `Some(false)` when there is not yet.
    fn peek(&self) -> Option<bool> {
        let tcp = self.stream.tcp();
        tcp.set_nonblocking(true).ok()?;
        let peeked = tcp.peek(&mut [0]);
        tcp.set_nonblocking(false).ok()?;
        match peeked {
            Ok(_) => Some(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(false),
            Err(_) => None,
        }
    }

    /// Sends the bytes of a whole request and reads the answer into `response`, whose buffers are reused.
    pub fn exchange(
        &mut self,
        request: &[u8],
        answer_body: AnswerBody,
        response: &mut Response,
    ) -> Result<(), Failure> {
        let sent = self.stream.write_all(request).and_then(|()| self.stream.flush());
        self.finish(sent, answer_body, response)
    }

    /// Sends the pieces of a request with their pauses; stops early when the server answers or closes.
    pub fn exchange_pieces(
        &mut self,
        pieces: &[Piece],
        answer_body: AnswerBody,
        response: &mut Response,
    ) -> Result<(), Failure> {
        let mut sent = Ok(());
        for piece in pieces {
            if self.peek() != Some(false) {
                self.reusable = false;
                break;
            }
            match piece {
                Piece::Send(bytes) => sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush()),
                Piece::Pause(length) => self.pause(*length),
            }
            if sent.is_err() {
                break;
            }
        }
        self.finish(sent, answer_body, response)
    }

    /// Sends bytes and reads nothing.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .map_err(|error| Failure::new(Stage::Sending, &error))
    }

    /// Reads one answer.
    pub fn receive(&mut self, answer_body: AnswerBody, response: &mut Response) -> Result<(), Failure> {
        loop {
            self.receive_head(response)?;
            // Interim answers (100, 103) precede the real one.
            if !(100..200).contains(&response.status) {
                break;
            }
        }
        response.body.clear();
        let bodyless = answer_body == AnswerBody::Never || matches!(response.status, 204 | 304);
        if bodyless {
            return Ok(());
        }
        match body_length(response)? {
            BodyLength::Exactly(length) => self.receive_exactly(length, &mut response.body),
            BodyLength::Chunked => self.receive_chunks(&mut response.body),
            BodyLength::UntilClosed => {
                self.reusable = false;
                while self.fill()? > 0 {
                    self.take_buffered(usize::MAX, &mut response.body);
                }
                self.take_buffered(usize::MAX, &mut response.body);
                Ok(())
            }
        }
    }

    fn finish(
        &mut self,
        sent: std::io::Result<()>,
        answer_body: AnswerBody,
        response: &mut Response,
    ) -> Result<(), Failure> {
        let received = self.receive(answer_body, response);
        match (sent, received) {
            (_, Ok(())) if !self.reusable => Ok(()),
            (Ok(()), received) => received,
            // A server may refuse early and close while the body is still on its way.
            (Err(_), Ok(())) => {
                self.reusable = false;
                Ok(())
            }
            (Err(error), Err(_)) => Err(Failure::new(Stage::Sending, &error)),
        }
    }

    /// Waits, but not longer than until the server has something to say.
    fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.peek() != Some(false) {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(5)));
        }
    }

    fn receive_head(&mut self, response: &mut Response) -> Result<(), Failure> {
        loop {
            let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut lines);
            let received = &self.buffer[self.start..self.end];
            match head.parse(received) {
                Ok(httparse::Status::Complete(length)) => {
                    response.status = head.code.unwrap_or_default();
                    response.headers.fill(&received[..length], head.headers);
                    let one_zero = head.version == Some(0);
                    self.start += length;
                    let closing = response.header("connection").is_some_and(|value| {
                        value
                            .split(',')
                            .any(|part| part.trim().eq_ignore_ascii_case("close"))
                    });
                    if closing || one_zero {
                        self.reusable = false;
                    }
                    return Ok(());
                }
                Ok(httparse::Status::Partial) if self.end - self.start > MAX_HEAD_BYTES => {
                    return Err(Failure::receiving("the head of the answer does not end"));
                }
                Ok(httparse::Status::Partial) => {}
                Err(error) => return Err(Failure::receiving(&format!("no HTTP answer: {error}"))),
            }
            if self.fill()? == 0 {
                return Err(Failure::receiving(if self.start == self.end {
                    "closed without an answer"
                } else {
                    "closed within the head of the answer"
                }));
            }
        }
    }

    fn receive_exactly(&mut self, length: usize, body: &mut Vec<u8>) -> Result<(), Failure> {
        let wanted = body.len() + length;
        loop {
            self.take_buffered(wanted - body.len(), body);
            if body.len() == wanted {
                return Ok(());
            }
            if self.fill()? == 0 {
                return Err(Failure::receiving("closed within the body of the answer"));
            }
        }
    }

    fn receive_chunks(&mut self, body: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            let line = self.receive_line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| Failure::receiving(&format!("bad chunk size {line:?}")))?;
            if size == 0 {
                while !self.receive_line()?.is_empty() {}
                return Ok(());
            }
            self.receive_exactly(size, body)?;
            if !self.receive_line()?.is_empty() {
                return Err(Failure::receiving("a chunk is longer than it says"));
            }
        }
    }

    fn receive_line(&mut self) -> Result<String, Failure> {
        loop {
            let received = &self.buffer[self.start..self.end];
            if let Some(length) = received.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&received[..length]).trim_end().to_owned();
                self.start += length + 1;
                return Ok(line);
            }
            if self.fill()? == 0 {
                return Err(Failure::receiving("closed within a chunk line"));
            }
        }
    }

    fn take_buffered(&mut self, most: usize, body: &mut Vec<u8>) {
        let taken = (self.end - self.start).min(most);
        body.extend_from_slice(&self.buffer[self.start..self.start + taken]);
        self.start += taken;
    }

    /// Reads more bytes behind those not consumed yet; 0 at the end.
    fn fill(&mut self) -> Result<usize, Failure> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.end == self.buffer.len() && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::new(Stage::Receiving, &error)),
            }
        }
    }
}

enum BodyLength {
    Exactly(usize),
    Chunked,
    UntilClosed,
}

fn body_length(response: &Response) -> Result<BodyLength, Failure> {
    if response
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        return Ok(BodyLength::Chunked);
    }
    match response.header("content-length") {
        None => Ok(BodyLength::UntilClosed),
        Some(length) => length
            .trim()
            .parse()
            .map(BodyLength::Exactly)
            .map_err(|_| Failure::receiving(&format!("bad Content-Length {length:?}"))),
    }
}
