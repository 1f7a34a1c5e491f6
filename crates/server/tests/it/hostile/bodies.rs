//! Bodies that lie about their size, never end, come slowly or explode.

use std::time::{Duration, Instant};

use flate2::{Compress, Compression, FlushCompress};
use testkit::harness::{Context, Test};
use testkit::http::{AnswerBody, Client, Piece, Response};
use testkit::server::Server;
use testkit::tests;

use super::{GROWTH_KIB, memory_kib};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t16_endless_and_exploding_bodies_are_cut_off,
    t16_a_body_that_ends_early_or_late_is_refused,
    t16_a_slow_body_is_given_up_on,
    a_refused_body_costs_its_connection_only_when_it_is_large_or_late,
    t13_deep_nesting_is_refused_everywhere,
    t14_what_a_refused_document_says_is_never_loaded,
    honest_requests_are_answered_beside_slow_ones,
];

/// The server gives a body one second.
fn impatient(context: &Context) -> Server {
    context
        .settings()
        .environment("PASSERELLE_BODY_DEADLINE", "1")
        .start()
}

fn head(fhir: &Client, extra: &str) -> Vec<u8> {
    let request = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json")
        .without("Content-Length");
    let head = String::from_utf8(request.head_bytes()).unwrap();
    head.replace("\r\n\r\n", &format!("\r\n{extra}\r\n\r\n"))
        .into_bytes()
}

fn send(fhir: &Client, pieces: &[Piece]) -> Result<Response, testkit::http::Failure> {
    let mut response = Response::default();
    fhir.connect()?
        .exchange_pieces(pieces, AnswerBody::Announced, &mut response)?;
    Ok(response)
}

/// One mebibyte that inflates to one gibibyte. After a full flush the same block may follow again and again.
fn bomb() -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(1 << 20);
    deflate
        .compress_vec(&vec![b' '; 1 << 20], &mut block, FlushCompress::Full)
        .unwrap();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    [&head[..], &block.repeat(1024)].concat()
}

fn t16_endless_and_exploding_bodies_are_cut_off(context: &Context) {
    let (server, fhir) = context.fhir();
    let prelude = br#"{"resourceType":"Patient","name":[{"text":""#;
    fhir.post("/Patient").json(&patient("1")).send().expect(201);
    let before = memory_kib(&server, "VmHWM");

    let ten_gigabytes = [head(&fhir, "Content-Length: 10000000000"), prelude.to_vec()].concat();
    refused(fhir.raw(&ten_gigabytes).unwrap(), 413, "too-long");
    for absurd in [
        "Content-Length: 99999999999999999999999",
        "Content-Length: -1",
        "Content-Length: 1e3",
        "Content-Length: 0x10",
    ] {
        let answer = fhir.raw(&head(&fhir, absurd)).unwrap();
        assert!((400..500).contains(&answer.status), "{absurd}: {answer:?}");
    }

    let chunk = [
        format!("{:x}\r\n", 65_536).into_bytes(),
        vec![b'x'; 65_536],
        b"\r\n".to_vec(),
    ]
    .concat();
    let mut pieces = vec![Piece::Send(head(&fhir, "Transfer-Encoding: chunked"))];
    pieces.extend((0..1600).map(|_| Piece::Send(chunk.clone())));
    refused(send(&fhir, &pieces).unwrap(), 413, "too-long");

    let bomb = bomb();
    assert!(bomb.len() < 3 << 19, "{} bytes", bomb.len());
    let started = Instant::now();
    let post = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json")
        .header("Content-Encoding", "gzip");
    refused(post.body(bomb).send(), 413, "too-long");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );

    let growth = memory_kib(&server, "VmHWM").saturating_sub(before);
    assert!(growth < GROWTH_KIB, "grown by {growth} KiB at most");
    eprintln!("{}: grown by {growth} KiB at most", context.name());
    fhir.get("/Patient").send().expect(200);
}

fn t16_a_body_that_ends_early_or_late_is_refused(context: &Context) {
    let server = impatient(context);
    let fhir = server.client("fhir");
    fhir.get("/Patient").send().expect(200);
    let before = memory_kib(&server, "VmHWM");
    let body = patient("short").to_string();
    // Too few bytes: the rest never comes.
    let early = [
        head(&fhir, &format!("Content-Length: {}", body.len() + 10)),
        body.clone().into_bytes(),
    ]
    .concat();
    let answer = fhir.raw(&early).unwrap();
    refused(answer, 408, "timeout");
    // Too many: what follows is no request.
    let late = [
        head(&fhir, &format!("Content-Length: {}", body.len() - 10)),
        body.clone().into_bytes(),
    ]
    .concat();
    let answer = fhir.raw(&late).unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
    let ambiguous = [
        format!(
            "Content-Length: {0}\r\nContent-Length: {1}",
            body.len(),
            body.len() + 1
        ),
        format!("Content-Length: {0}, {1}", body.len(), body.len() + 1),
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked", body.len()),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: gzip".to_owned(),
    ];
    for extra in ambiguous {
        let bytes = [head(&fhir, &extra), body.clone().into_bytes()].concat();
        let answer = fhir.raw(&bytes).unwrap();
        assert!(
            (400..502).contains(&answer.status) && answer.status != 500,
            "{extra}: {answer:?}"
        );
    }
    for broken in [
        "zz\r\nabc\r\n",
        "5\r\nabc",
        "-1\r\n\r\n",
        "ffffffffffffffffff\r\nx\r\n",
        "1\r\nabc\r\n0\r\n\r\n",
    ] {
        let bytes = [
            head(&fhir, "Transfer-Encoding: chunked"),
            broken.as_bytes().to_vec(),
        ]
        .concat();
        let answer = fhir.raw(&bytes).unwrap();
        assert!((400..500).contains(&answer.status), "{broken:?}: {answer:?}");
    }
    assert_eq!(count_local(&fhir, "short"), 0);
    let growth = memory_kib(&server, "VmHWM").saturating_sub(before);
    assert!(growth < GROWTH_KIB, "grown by {growth} KiB at most");
}

fn t16_a_slow_body_is_given_up_on(context: &Context) {
    let server = impatient(context);
    let fhir = server.client("fhir");
    let body = patient("slow").to_string();
    // A byte now and then keeps nobody's patience: the deadline is for the whole body.
    let started = Instant::now();
    let post = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json");
    let answer = post.dripping(body.clone(), 1, Duration::from_millis(200)).send();
    let answer = refused(answer, 408, "timeout");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert!(answer.header("X-Request-Id").is_some());
    assert_eq!(count_local(&fhir, "slow"), 0);
    // In pieces, but in time.
    let post = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json");
    post.dripping(body, 40, Duration::from_millis(2))
        .send()
        .expect(201);
}

fn a_refused_body_costs_its_connection_only_when_it_is_large_or_late(context: &Context) {
    let (_server, fhir) = context.fhir();
    let refused = |extra: &str| {
        let request = fhir
            .put("/Observation/one")
            .header("Content-Type", "application/fhir+json");
        let head = String::from_utf8(request.without("Content-Length").head_bytes()).unwrap();
        head.replace("\r\n\r\n", &format!("\r\n{extra}\r\n\r\n"))
            .into_bytes()
    };
    let mut response = Response::default();
    let mut connection = fhir.connect().unwrap();
    // Refused before anything of the body is looked at; twice, and then something else, all on one connection.
    let small = [refused("Content-Length: 2"), b"{}".to_vec()].concat();
    for _ in 0..2 {
        connection
            .exchange(&small, AnswerBody::Announced, &mut response)
            .unwrap();
        assert_eq!(response.status, 404, "{response:?}");
        assert_eq!(response.header("Connection"), None, "{response:?}");
    }
    let apart = [
        Piece::Send(refused("Content-Length: 2")),
        Piece::Pause(Duration::from_millis(20)),
        Piece::Send(b"{}".to_vec()),
    ];
    connection
        .exchange_pieces(&apart, AnswerBody::Announced, &mut response)
        .unwrap();
    assert_eq!(response.status, 404, "{response:?}");
    let read = fhir.get("/Patient").to_bytes();
    connection
        .exchange(&read, AnswerBody::Announced, &mut response)
        .unwrap();
    assert_eq!(response.status, 200, "{response:?}");
    // Nobody waits for what may be long, or may never come.
    let cases = [
        "Content-Length: 200000",
        "Content-Length: 2",
        "Content-Length: 2\r\nExpect: 100-continue",
    ];
    for unsent in cases {
        let started = Instant::now();
        let answer = send(&fhir, &[Piece::Send(refused(unsent))]).unwrap();
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_eq!(answer.header("Connection"), Some("close"), "{unsent}: {answer:?}");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{unsent}: {:?}",
            started.elapsed()
        );
    }
}

fn t13_deep_nesting_is_refused_everywhere(context: &Context) {
    let (mut server, fhir) = context.fhir();
    let json = |open: &str, close: &str, depth: usize| {
        format!(
            r#"{{"resourceType":"Patient","extension":{}1{}}}"#,
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    let before = memory_kib(&server, "VmHWM");
    for depth in [65, 128, 1300, 2000, 20_000, 200_000] {
        let mut bodies = vec![
            (false, json("[", "]", depth)),
            (false, json(r#"[{"url":"u","extension":"#, "}]", depth)),
            (false, json(r#"{"a":"#, "}", depth)),
            (false, "[".repeat(depth)),
            (false, r#"{"resourceType":"Patient","contained":["#.repeat(depth)),
            (
                true,
                format!(
                    "<Patient xmlns=\"http://hl7.org/fhir\">{}",
                    "<extension url=\"u\">".repeat(depth)
                ),
            ),
            (
                true,
                format!(
                    "<Patient xmlns=\"http://hl7.org/fhir\">{}{}</Patient>",
                    "<contained><Patient>".repeat(depth),
                    "</Patient></contained>".repeat(depth)
                ),
            ),
        ];
        if depth > 200 {
            let div = format!(
                "<div xmlns=\"http://www.w3.org/1999/xhtml\">{}{}</div>",
                "<b>".repeat(depth),
                "</b>".repeat(depth)
            );
            bodies.push((true, format!("<Patient xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/>{div}</text></Patient>")));
            let quoted = serde_json::to_string(&div).unwrap();
            bodies.push((
                false,
                format!(r#"{{"resourceType":"Patient","text":{{"status":"generated","div":{quoted}}}}}"#),
            ));
        }
        for (number, (xml, body)) in bodies.iter().enumerate() {
            let kind = if *xml {
                "application/fhir+xml"
            } else {
                "application/fhir+json"
            };
            let too_long = body.len() > 2 << 20;
            let answer = fhir
                .post("/Patient")
                .header("Content-Type", kind)
                .body(body.clone())
                .try_send();
            let answer = answer.unwrap_or_else(|failure| panic!("body {number} at depth {depth}: {failure}"));
            let expected = if too_long { 413 } else { 400 };
            assert_eq!(
                answer.status, expected,
                "body {number} at depth {depth}: {answer:?}"
            );
            assert!(
                !answer.issues().is_empty(),
                "body {number} at depth {depth}: {answer:?}"
            );
        }
    }
    assert!(server.is_running());
    // The bodies are parsed by several threads, each of which keeps for the next what it needed once.
    let growth = memory_kib(&server, "VmHWM").saturating_sub(before);
    assert!(growth < 2 * GROWTH_KIB, "grown by {growth} KiB at most");
}

fn t14_what_a_refused_document_says_is_never_loaded(context: &Context) {
    let fhir = shared_fhir(context);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let documents = [
        format!("<!DOCTYPE Patient SYSTEM \"{url}\"><Patient xmlns=\"http://hl7.org/fhir\"/>"),
        format!(
            "<!DOCTYPE p [<!ENTITY x SYSTEM \"{url}\">]><Patient xmlns=\"http://hl7.org/fhir\"><language value=\"&x;\"/></Patient>"
        ),
        format!("<!DOCTYPE p [<!ENTITY % x SYSTEM \"{url}\"> %x;]><Patient xmlns=\"http://hl7.org/fhir\"/>"),
        format!(
            "<Patient xmlns=\"http://hl7.org/fhir\"><xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{url}\"/></Patient>"
        ),
        format!(
            "<?xml-stylesheet type=\"text/xsl\" href=\"{url}\"?><Patient xmlns=\"http://hl7.org/fhir\"/>"
        ),
    ];
    for document in documents {
        assert_eq!(
            fhir.post("/Patient").xml(&document).send().status,
            400,
            "{document}"
        );
    }
    // Nor is what a resource merely names.
    let body = with(patient(&unique()), "implicitRules", serde_json::json!(url));
    let body = with(body, "meta", serde_json::json!({ "profile": [url] }));
    let body = with(body, "photo", serde_json::json!([{ "url": url }]));
    let answer = fhir.post("/Patient").json(&body).send();
    assert!(answer.status < 500, "{answer:?}");
    assert!(listener.accept().is_err(), "somebody called");
}

fn honest_requests_are_answered_beside_slow_ones(context: &Context) {
    let server = impatient(context);
    let fhir = server.client("fhir");
    let mut slow: Vec<_> = (0..40).map(|_| fhir.connect().unwrap()).collect();
    for (number, connection) in slow.iter_mut().enumerate() {
        let bytes = match number % 3 {
            0 => b"GET /fhir/Patient HTTP/1.1\r\nHost: x".to_vec(),
            1 => [head(&fhir, "Content-Length: 100"), b"{".to_vec()].concat(),
            _ => Vec::new(),
        };
        connection.send(&bytes).unwrap();
    }
    for number in 0..20 {
        let started = Instant::now();
        fhir.post("/Patient")
            .json(&patient(&number.to_string()))
            .send()
            .expect(201);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
}
