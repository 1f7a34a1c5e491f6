//! A stand-in for whoever takes what is posted: an OpenTelemetry collector, for one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What has been posted: the request lines and bodies.
type Posted = Arc<Mutex<Vec<(String, String)>>>;

/// Listens on the loopback until the test process ends, and answers every POST with 200.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    posted: Posted,
}

impl Collector {
    /// Starts it on a free port.
    pub fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let posted = Posted::default();
        let theirs = Arc::clone(&posted);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever breaks off has posted nothing.
                let _ = take(stream, &theirs);
            }
        });
        Collector { address, posted }
    }

    /// Its URL, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All request lines and bodies so far.
    pub fn posted(&self) -> Vec<(String, String)> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn take(stream: TcpStream, posted: &Posted) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    posted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((first.trim().to_owned(), body));
    reader
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
}
