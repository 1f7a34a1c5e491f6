//! Many clients on one thread: what they need themselves is little, so that what is measured is the server.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use super::load::{Pace, Sample};

/// A request that takes longer than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(30);
/// Header fields of an answer, at most.
const FIELDS: usize = 32;

/// What all clients share.
struct Plan<F> {
    address: SocketAddr,
    pace: Pace,
    stretch: Duration,
    request: F,
    next: Cell<u64>,
}

/// As [`super::load::run`], of requests as bytes: `request` writes number n. Connections are made before the time begins.
///
/// # Panics
/// When a client cannot connect at first.
#[track_caller]
pub fn run(
    clients: usize,
    address: SocketAddr,
    pace: Pace,
    stretch: Duration,
    request: impl Fn(u64) -> Vec<u8> + 'static,
) -> Vec<Sample> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let plan = Rc::new(Plan {
        address,
        pace,
        stretch,
        request,
        next: Cell::new(0),
    });
    let asking = async {
        let mut lines = Vec::with_capacity(clients);
        for _ in 0..clients {
            lines.push(Line::open(address).await.expect("a connection"));
        }
        let begin = Instant::now();
        let mut asking = JoinSet::new();
        for line in lines {
            asking.spawn_local(ask(line, Rc::clone(&plan), begin));
        }
        asking.join_all().await.concat()
    };
    let runtime = runtime.expect("a runtime of one thread");
    LocalSet::new().block_on(&runtime, asking)
}

async fn ask<F: Fn(u64) -> Vec<u8>>(mut line: Line, plan: Rc<Plan<F>>, begin: Instant) -> Vec<Sample> {
    let mut samples = Vec::new();
    loop {
        let number = plan.next.replace(plan.next.get() + 1);
        let due = plan.pace.due(number, begin);
        if due >= plan.stretch {
            return samples;
        }
        if let Some(early) = due.checked_sub(begin.elapsed()) {
            sleep(early).await;
        }
        let bytes = (plan.request)(number);
        let sent = begin.elapsed();
        let status = line.exchange(plan.address, &bytes).await;
        samples.push(Sample::ended(begin, due, sent, status));
    }
}

/// One connection.
struct Line {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Line {
    async fn open(address: SocketAddr) -> io::Result<Line> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Line {
            stream,
            received: Vec::with_capacity(4096),
        })
    }

    /// The status of the answer. A connection that the server had closed while nothing was asked is opened anew; one without an
    /// answer is not used again.
    async fn exchange(&mut self, address: SocketAddr, request: &[u8]) -> Option<u16> {
        for _ in 0..2 {
            if let Ok(Ok(status)) = timeout(PATIENCE, self.try_exchange(request)).await {
                return Some(status);
            }
            let is_stale = self.received.is_empty();
            *self = Line::open(address).await.ok()?;
            if !is_stale {
                return None;
            }
        }
        None
    }

    async fn try_exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.received.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, length)) = head_of(&self.received)?
                && self.received.len() >= length
            {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer and the length of all of it, once its head is there.
fn head_of(received: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(received).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(None);
    };
    let announced = response
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
        .and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    match (response.code, announced) {
        (Some(status), Some(body)) => Ok(Some((status, head + body))),
        _ => Err(io::Error::other("an answer without a length")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::{Duration, Pace, head_of, run};

    #[test]
    fn requests_go_out_by_the_clock_and_each_has_the_status_of_its_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                std::thread::spawn(move || {
                    let mut number = [0_u8; 1];
                    while stream.read_exact(&mut number).is_ok() {
                        let status = if number == [0] { "429 No" } else { "200 Yes" };
                        // In two pieces: an answer is whole when all of its body is there.
                        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{").unwrap();
                        stream.flush().unwrap();
                        stream.write_all(b"}").unwrap();
                    }
                });
            }
        });
        let samples = run(
            2,
            address,
            Pace::Rate(100.0),
            Duration::from_millis(200),
            |number| vec![u8::from(number % 4 != 0)],
        );
        serving.join().unwrap();
        assert_eq!(samples.len(), 20);
        assert_eq!(super::super::load::statuses(&samples), [(200, 15), (429, 5)]);
    }

    #[test]
    fn an_answer_is_as_long_as_its_head_says() {
        let answer = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(head_of(answer).unwrap(), Some((429, answer.len())));
        assert_eq!(head_of(&answer[..20]).unwrap(), None);
        assert!(head_of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
