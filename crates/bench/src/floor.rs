//! What the machine allows, measured in the same run: ratios travel, absolute figures do not.

pub mod bare;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use testkit::http::{AnswerBody, Connection, Response, Timeouts};

use crate::report::Floor;
use crate::statistics::Statistics;

/// Size of the canned answer's body, in bytes: about that of an account.
const ANSWER_BYTES: usize = 1024;
/// Size of each append before a flush, in bytes: one page of a write-ahead log.
const APPEND_BYTES: usize = 4096;
/// The request that is sent, about as long as a real read.
const REQUEST: &[u8] = b"GET /fhir/Practitioner/0191a0b0-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    Authorization: Bearer sk_test_00000000_00000000000000000000000000000000\r\nAccept: application/fhir+json\r\n\r\n";

/// This generator against a responder that does nothing: requests per second it can ask for at most.
pub fn responder(connections: u16, duration: Duration) -> Floor {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    let address = listener.local_addr().expect("a bound port has an address");
    let accepting = thread::spawn(move || {
        for stream in listener.incoming().take(usize::from(connections)).flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    let stop_at = Instant::now() + duration;
    let mut statistics = Statistics::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| scope.spawn(move || ask(address, stop_at)))
            .collect();
        for one in threads {
            statistics.merge(one.join().expect("floor threads do not panic"));
        }
    });
    accepting.join().expect("the floor's acceptor does not panic");
    Floor::new("floor-http", connections, duration, &statistics)
}

fn ask(address: SocketAddr, stop_at: Instant) -> Statistics {
    let mut statistics = Statistics::default();
    let mut connection =
        Connection::open(address, Timeouts::default()).expect("the floor's responder listens");
    let mut response = Response::default();
    loop {
        let sent = Instant::now();
        if sent >= stop_at {
            return statistics;
        }
        connection
            .exchange(REQUEST, AnswerBody::Announced, &mut response)
            .expect("the floor's responder answers");
        statistics.answered(response.status, sent.elapsed());
    }
}

/// Answers whatever comes until the end of the connection.
fn answer(mut stream: TcpStream) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {ANSWER_BYTES}\r\n\r\n"
    );
    let canned = [head.as_bytes(), &[b'x'; ANSWER_BYTES]].concat();
    let mut received = [0; 2048];
    let mut filled = 0;
    while let Ok(read) = stream.read(&mut received[filled..]) {
        filled += read;
        if read == 0 {
            return;
        }
        if received[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(&canned).is_err() {
                return;
            }
        }
    }
}

/// Appends of 4 KiB, each flushed with fdatasync, one after the other, in `folder`.
pub fn flush(folder: &Path, duration: Duration) -> Floor {
    let path = folder.join(format!("bench-flush-{}", std::process::id()));
    let mut file = File::create(&path).expect("the data folder can be written to");
    let page = [0x5a; APPEND_BYTES];
    let mut statistics = Statistics::default();
    let stop_at = Instant::now() + duration.min(Duration::from_secs(10));
    let begin = Instant::now();
    while Instant::now() < stop_at {
        let start = Instant::now();
        file.write_all(&page)
            .and_then(|()| file.sync_data())
            .expect("the data folder can be flushed");
        statistics.answered(200, start.elapsed());
    }
    let elapsed = begin.elapsed();
    std::fs::remove_file(&path).expect("own file can be removed");
    Floor::new("floor-flush", 1, elapsed, &statistics)
}
