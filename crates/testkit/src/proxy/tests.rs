use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Admission, Direction, Mode, Proxy};
use crate::wait::wait_for;

const LIMIT: Duration = Duration::from_secs(10);

/// Sends back what it gets, and notes it.
fn echo() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(read) = stream.read(&mut buffer) {
                    noted.lock().unwrap().extend_from_slice(&buffer[..read]);
                    if read == 0 || stream.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, heard)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

fn is_ended(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_))
}

#[test]
fn bytes_pass_slowly_or_not_at_all_as_told() {
    let proxy = Proxy::before(echo().0);
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "hello"), "hello");
    let pause = Duration::from_millis(20);
    proxy.set(Direction::ToServer, Mode::Drip { piece: 1, pause });
    let start = Instant::now();
    assert_eq!(ask(&mut stream, "drip"), "drip");
    assert!(start.elapsed() >= pause * 3);
    proxy.set(Direction::ToServer, Mode::Pass);
    proxy.set(Direction::ToClient, Mode::Delay(pause));
    let start = Instant::now();
    assert_eq!(ask(&mut stream, "delay"), "delay");
    assert!(start.elapsed() >= pause);
    proxy.set(Direction::ToClient, Mode::Swallow);
    stream.write_all(b"gone").unwrap();
    stream.set_read_timeout(Some(pause)).unwrap();
    assert!(stream.read(&mut [0; 4]).is_err());
}

#[test]
fn a_server_goes_away_and_comes_back() {
    let proxy = Proxy::before(echo().0);
    let mut before = connect(&proxy);
    assert_eq!(ask(&mut before, "hello"), "hello");
    assert_eq!(proxy.connections(), 1);
    proxy.go_away();
    assert!(is_ended(&mut before));
    assert!(is_ended(&mut connect(&proxy)));
    wait_for(LIMIT, "the connections to go", || {
        (proxy.connections() == 0).then_some(())
    });
    proxy.come_back();
    assert_eq!(ask(&mut connect(&proxy), "again"), "again");
    proxy.admit(Admission::Refuse);
    assert!(is_ended(&mut connect(&proxy)));
}

#[test]
fn the_answer_to_the_chosen_request_is_lost_and_the_request_is_not() {
    let (server, heard) = echo();
    let proxy = Proxy::before(server);
    proxy.lose_answer_after(b"COMMIT", 1);
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "first COMMIT"), "first COMMIT");
    // The needle comes in two parts.
    assert_eq!(ask(&mut stream, "second COM"), "second COM");
    stream.write_all(b"MIT;").unwrap();
    assert!(is_ended(&mut stream));
    assert_eq!(proxy.lost(), 1);
    assert_eq!(heard.lock().unwrap().as_slice(), b"first COMMITsecond COMMIT;");
    assert_eq!(ask(&mut connect(&proxy), "third COMMIT"), "third COMMIT");
}
