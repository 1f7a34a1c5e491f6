//! Bodies around the limit, in every way of sending one and at every door: the server stays small.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use super::{GROWTH_KIB, memory_kib};
use crate::partner::cross::Doors;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] =
    tests![t16_bodies_around_the_limit_are_taken_or_refused_and_leave_the_server_small];

const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// How a body is sent.
#[derive(Clone, Copy, Debug)]
enum Way {
    Plain,
    Chunked,
    Gzip,
    GzipChunked,
}

impl Way {
    fn send(self, client: &Client, target: &str, kind: &str, body: Vec<u8>) -> Response {
        let request = client.post(target).header("Content-Type", kind);
        let chunks = |body: Vec<u8>| body.chunks(60_000).map(<[u8]>::to_vec).collect();
        match self {
            Way::Plain => request.body(body),
            Way::Chunked => request.chunks(chunks(body)),
            Way::Gzip => request.header("Content-Encoding", "gzip").body(gzip(&body)),
            Way::GzipChunked => request
                .header("Content-Encoding", "gzip")
                .chunks(chunks(gzip(&body))),
        }
        .send()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body of this many bytes: a patient with much white space, which every JSON may have.
fn sized(bytes: usize) -> Vec<u8> {
    let mut body = patient(&unique()).to_string().into_bytes();
    body.resize(bytes, b' ');
    body
}

fn t16_bodies_around_the_limit_are_taken_or_refused_and_leave_the_server_small(context: &Context) {
    const FHIR: &str = "application/fhir+json";
    // Each thread keeps for the next body what it needed for one: there shall be as many everywhere.
    let server = context.settings().environment("PASSERELLE_WORKERS", "2").start();
    let fhir = server.client("fhir");
    let doors = Doors::of(&server);
    // What an honest body of this size takes is no growth: each thread keeps it for the next.
    for _ in 0..4 {
        let answer = Way::Plain.send(&fhir.clone(), "/Patient", FHIR, sized(MAX_BODY_BYTES));
        answer.expect(201);
    }
    let before = memory_kib(&server, "VmHWM");
    let ways = [Way::Plain, Way::Chunked, Way::Gzip, Way::GzipChunked];
    for way in ways {
        for size in [MAX_BODY_BYTES - 1, MAX_BODY_BYTES, MAX_BODY_BYTES + 1] {
            let answer = way.send(&fhir, "/Patient", FHIR, sized(size));
            match size > MAX_BODY_BYTES {
                true => drop(refused(answer, 413, "too-long")),
                false => assert_eq!(answer.status, 201, "{way:?} {size}: {answer:?}"),
            }
        }
        for (client, target) in [
            (&doors.cloud, "/patients"),
            (&doors.connect, "/patients"),
            (&doors.graph, "/patients"),
            (&doors.ehealth, "/prepersons"),
        ] {
            for (size, status) in [(MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)] {
                let mut body = b"{\"metadata\":".to_vec();
                body.resize(size, b' ');
                let answer = way.send(client, target, "application/json", body);
                assert_eq!(answer.status, status, "{way:?} {size} {target}: {answer:?}");
                assert!(
                    !answer.json()["error"].is_null(),
                    "{way:?} {size} {target}: {answer:?}"
                );
            }
        }
    }
    let growth = memory_kib(&server, "VmHWM").saturating_sub(before);
    assert!(growth < GROWTH_KIB, "grown by {growth} KiB at most");
    eprintln!("{}: grown by {growth} KiB at most", context.name());
}
