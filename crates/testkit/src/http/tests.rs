use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::{Client, Response, Stage, Timeouts, percent_encode, split_url};

/// Accepts one connection per script; for each of its answers it waits until a request whose text ends
/// in `until` has come, then sends the answer. Closes after the last one. Hands back what it received.
fn responder(scripts: Vec<Vec<(&'static str, &'static [u8])>>) -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (requests, received) = channel();
    std::thread::spawn(move || {
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            for (until, answer) in script {
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(until.as_bytes()) {
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                // The receiver may have seen enough.
                let _ = requests.send(request);
                stream.write_all(answer).unwrap();
            }
        }
    });
    (address, received)
}

const END: &str = "\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_request_goes_out_byte_for_byte() {
    let (address, received) = responder(vec![vec![(END, OK)]]);
    let client = Client::at(&format!("http://{address}/fhir"))
        .with_bearer("secret")
        .with_header("X-A", "1");
    let response = client
        .get("/Patient?identifier=urn:x|a%7Cb/é")
        .header("If-Match", "W/\"1\"")
        .header("If-Match", b"\xff\xfe")
        .without("x-a")
        .send();
    assert_eq!(response.text(), "ok");
    let expected = [
        "GET /fhir/Patient?identifier=urn:x|a%7Cb/é HTTP/1.1\r\n".as_bytes(),
        format!("Host: {address}\r\nAuthorization: Bearer secret\r\nIf-Match: W/\"1\"\r\n").as_bytes(),
        b"If-Match: \xff\xfe\r\n\r\n",
    ]
    .concat();
    assert_eq!(received.recv().unwrap(), expected);
}

#[test]
fn headers_keep_their_order_and_are_found_in_any_case() {
    let answer = b"HTTP/1.1 422 Whatever\r\nX-One: 1\r\nETag: W/\"7\"\r\nx-one:  2 \r\nX-Bytes: \xff\r\n\
        Empty:\r\nContent-Length: 0\r\n\r\n";
    let (address, _) = responder(vec![vec![(END, answer)]]);
    let response = Client::new(address).get("/").send().expect(422);
    assert_eq!(response.header_all("X-ONE"), ["1", "2"]);
    assert_eq!(response.version(), 7);
    assert_eq!(response.header("x-bytes"), None);
    assert_eq!(response.header_bytes("x-bytes"), Some(&b"\xff"[..]));
    assert_eq!(response.header("empty"), Some(""));
    let names: Vec<&str> = response.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["X-One", "ETag", "x-one", "X-Bytes", "Empty", "Content-Length"]
    );
}

#[test]
fn a_connection_is_kept_and_replaced_when_the_server_has_closed_it() {
    let (address, received) = responder(vec![vec![(END, OK), (END, OK)], vec![(END, OK)]]);
    let client = Client::new(address);
    assert_eq!(client.get("/1").send().status, 200);
    assert_eq!(client.get("/2").send().status, 200);
    // The responder closes here; whether the end has arrived yet is for the kernel to say.
    crate::wait::wait_for(Duration::from_secs(5), "the connection to close", || {
        let slot = client.connection.lock().unwrap();
        slot.as_ref().is_some_and(|kept| !kept.is_open()).then_some(())
    });
    assert_eq!(client.get("/3").send().status, 200);
    assert!(received.iter().nth(2).unwrap().starts_with(b"GET /3 "));
}

#[test]
fn chunked_answers_and_interim_answers_are_understood() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
    let (address, _) = responder(vec![vec![(END, answer), (END, OK)]]);
    let client = Client::new(address);
    assert_eq!(client.get("/").send().text(), "abc0123456789");
    assert_eq!(client.get("/").send().text(), "ok");
}

#[test]
fn an_answer_without_length_ends_with_the_connection() {
    let (address, _) = responder(vec![vec![(END, b"HTTP/1.1 200 OK\r\n\r\nall of it")]]);
    assert_eq!(Client::new(address).get("/").send().text(), "all of it");
}

#[test]
fn head_and_204_have_no_body_to_wait_for() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    let (address, _) = responder(vec![vec![
        (END, head),
        (END, b"HTTP/1.1 204 No Content\r\n\r\n"),
        (END, OK),
    ]]);
    let client = Client::new(address);
    assert_eq!(client.head("/").send().body, b"");
    assert_eq!(client.delete("/").send().status, 204);
    assert_eq!(client.get("/").send().text(), "ok");
}

#[test]
fn chunked_and_dripping_bodies_arrive_whole() {
    let (address, received) = responder(vec![vec![("0\r\n\r\n", OK), ("end", OK)]]);
    let client = Client::new(address);
    client
        .post("/")
        .chunks(vec![b"abc".to_vec(), b"d".to_vec()])
        .send();
    let request = received.recv().unwrap();
    assert!(request.ends_with(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"));
    client
        .post("/")
        .dripping("the end", 2, Duration::from_millis(1))
        .send();
    assert!(
        received
            .recv()
            .unwrap()
            .ends_with(b"Content-Length: 7\r\n\r\nthe end")
    );
}

#[test]
fn an_early_answer_ends_a_dripping_body() {
    let refused = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let (address, _) = responder(vec![vec![(END, refused)]]);
    let start = Instant::now();
    let response = Client::new(address)
        .post("/")
        .dripping("0123456789", 1, Duration::from_secs(10))
        .send();
    assert_eq!(response.status, 408);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_failure_says_how_far_the_request_got() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = Client::new(free).get("/").try_send().unwrap_err();
    assert_eq!(
        (failure.stage, failure.outcome_unknown()),
        (Stage::Connecting, false)
    );

    let (address, _) = responder(vec![vec![(END, b"")]]);
    let failure = Client::new(address).get("/").try_send().unwrap_err();
    assert_eq!((failure.stage, failure.timed_out), (Stage::Receiving, false));
    assert!(failure.outcome_unknown());

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let timeouts = Timeouts {
        read: Duration::from_millis(20),
        ..Timeouts::default()
    };
    let client = Client::new(silent.local_addr().unwrap()).with_timeouts(timeouts);
    assert!(client.get("/").try_send().unwrap_err().timed_out);
}

#[test]
fn a_location_of_this_server_can_be_followed() {
    let (address, received) = responder(vec![vec![(END, OK)]]);
    let client = Client::at(&format!("http://{address}/fhir"));
    client
        .get(format!("http://{address}/fhir/Patient/1/_history/2"))
        .send();
    assert!(
        received
            .recv()
            .unwrap()
            .starts_with(b"GET /fhir/Patient/1/_history/2 HTTP/1.1\r\n")
    );
}

#[test]
fn issues_and_ids_are_read_from_an_answer() {
    let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"required",
        "details":{"text":"t"},"diagnostics":"d","expression":["Patient.name"]}]}"#;
    let answer = format!(
        "HTTP/1.1 422 x\r\nLocation: http://h/fhir/Patient/abc/_history/3\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (address, _) = responder(vec![vec![(END, answer.leak().as_bytes())]]);
    let response = Client::new(address).get("/").send();
    let issues = response.issues();
    assert_eq!(issues.len(), 1);
    assert_eq!(
        (issues[0].code.as_str(), issues[0].text.as_str()),
        ("required", "t")
    );
    assert_eq!(issues[0].expression, ["Patient.name"]);
    assert_eq!(response.id(), "abc");
}

#[test]
fn urls_are_split_and_text_is_percent_encoded() {
    assert_eq!(
        split_url("http://127.0.0.1:80/fhir"),
        ("127.0.0.1:80".parse().unwrap(), "/fhir")
    );
    assert_eq!(percent_encode("urn:a|b/é~"), "urn%3Aa%7Cb%2F%C3%A9~");
}

fn body(text: &str) -> Response {
    Response {
        body: text.as_bytes().to_vec(),
        ..Response::default()
    }
}

#[test]
fn a_deep_body_is_read_whole() {
    let deep = format!("{}{}\n", "[".repeat(200), "]".repeat(200));
    assert_eq!(body(&deep).json().to_string(), deep.trim());
}

#[test]
#[should_panic(expected = "is not one JSON value")]
fn two_values_are_no_body() {
    body("{} {}").json();
}
