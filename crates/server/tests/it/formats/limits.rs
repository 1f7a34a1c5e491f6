//! Size, depth and encoding of bodies, on both sides of each limit.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_body_up_to_the_limit_is_taken_and_one_byte_more_is_not,
    a_chunked_body_has_the_same_limit,
    a_gzip_body_is_taken_and_its_inflated_size_counts,
    a_broken_gzip_body_is_malformed,
    another_encoding_is_unsupported,
    sixty_four_levels_are_taken_and_one_more_is_not,
    an_empty_body_is_named,
];

const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// A patient of exactly this many bytes. No text of it is longer than FHIR allows.
fn sized(bytes: usize) -> (String, Vec<u8>) {
    let number = unique();
    let frame = |filling: &[&str; 3]| {
        let [first, second, third] = filling;
        format!(
            r#"{{"resourceType":"Patient","identifier":[{{"system":"{LOCAL}","value":"{number}"}}],"name":[{{"text":"{first}x"}},{{"text":"{second}x"}},{{"text":"{third}x"}}]}}"#
        )
    };
    let missing = bytes - frame(&["", "", ""]).len();
    let third = "x".repeat(missing / 3);
    let body = frame(&[&third, &third, &"x".repeat(missing - 2 * third.len())]).into_bytes();
    assert_eq!(body.len(), bytes);
    (number, body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn a_body_up_to_the_limit_is_taken_and_one_byte_more_is_not(context: &Context) {
    let fhir = shared_fhir(context);
    let post = |body: Vec<u8>| {
        fhir.post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body(body)
            .send()
    };
    for size in [MAX_BODY_BYTES - 1, MAX_BODY_BYTES] {
        let (_, body) = sized(size);
        let created = post(body).expect(201);
        assert!(fhir.get(created.location()).send().expect(200).body.len() > size);
    }
    let (number, body) = sized(MAX_BODY_BYTES + 1);
    let answer = refused(post(body), 413, "too-long");
    assert!(answer.issues()[0].text.contains("2 MiB"), "{answer:?}");
    assert_eq!(count_local(&fhir, &number), 0);
}

fn a_chunked_body_has_the_same_limit(context: &Context) {
    let fhir = shared_fhir(context);
    for (size, status) in [(MAX_BODY_BYTES, 201), (MAX_BODY_BYTES + 1, 413)] {
        let (_, body) = sized(size);
        let chunks = body.chunks(60_000).map(<[u8]>::to_vec).collect();
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .chunks(chunks);
        assert_eq!(post.send().status, status, "{size}");
    }
    let number = unique();
    let small = patient(&number).to_string().into_bytes();
    let bytes = small.iter().map(|byte| vec![*byte]).collect();
    fhir.post("/Patient")
        .header("Content-Type", "application/fhir+json")
        .chunks(bytes)
        .send()
        .expect(201);
    assert_eq!(count_local(&fhir, &number), 1);
}

fn a_gzip_body_is_taken_and_its_inflated_size_counts(context: &Context) {
    let fhir = shared_fhir(context);
    let post = |body: Vec<u8>, encoding: &str| {
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json");
        post.header("Content-Encoding", encoding).body(gzip(&body)).send()
    };
    let (number, body) = sized(5000);
    post(body, "gzip").expect(201);
    assert_eq!(count_local(&fhir, &number), 1);
    post(sized(300).1, "GZIP").expect(201);
    post(sized(MAX_BODY_BYTES).1, "gzip").expect(201);
    refused(post(sized(MAX_BODY_BYTES + 1).1, "gzip"), 413, "too-long");
    let xml = r#"<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>"#;
    let post = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+xml");
    post.header("Content-Encoding", "gzip")
        .body(gzip(xml.as_bytes()))
        .send()
        .expect(201);
}

fn a_broken_gzip_body_is_malformed(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, body) = sized(5000);
    let whole = gzip(&body);
    let mut flipped = whole.clone();
    let place = flipped.len() - 6;
    flipped[place] ^= 0xff;
    let cut = whole[..whole.len() / 2].to_vec();
    for broken in [body, cut, flipped, b"\x1f\x8b".to_vec()] {
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json");
        let answer = post.header("Content-Encoding", "gzip").body(broken).send();
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(!answer.issues().is_empty());
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn another_encoding_is_unsupported(context: &Context) {
    let fhir = shared_fhir(context);
    let body = patient(&unique()).to_string();
    let post = |encoding: &[u8]| {
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json");
        post.header("Content-Encoding", encoding)
            .body(body.clone())
            .send()
    };
    for encoding in [
        &b"deflate"[..],
        b"br",
        b"zstd",
        b"gzip, gzip",
        b"compress",
        b"\xff",
    ] {
        refused(post(encoding), 415, "not-supported");
    }
    post(b"identity").expect(201);
}

fn sixty_four_levels_are_taken_and_one_more_is_not(context: &Context) {
    let fhir = shared_fhir(context);
    // Each extension holds the next; the resource itself is the first level.
    let json = |extensions: usize| {
        let open = r#"{"url":"urn:x","extension":["#.repeat(extensions - 1);
        let close = "]}".repeat(extensions - 1);
        format!(
            r#"{{"resourceType":"Patient","extension":[{open}{{"url":"urn:x","valueString":"y"}}{close}]}}"#
        )
    };
    let xml = |extensions: usize| {
        let open = r#"<extension url="urn:x">"#.repeat(extensions);
        let close = "</extension>".repeat(extensions);
        format!(r#"<Patient xmlns="http://hl7.org/fhir">{open}<valueString value="y"/>{close}</Patient>"#)
    };
    let status = |extensions: usize, in_xml: bool| {
        let answer = if in_xml {
            fhir.post("/Patient").xml(&xml(extensions)).send()
        } else {
            fhir.post("/Patient")
                .header("Content-Type", "application/fhir+json")
                .body(json(extensions))
                .send()
        };
        assert!(matches!(answer.status, 201 | 400), "{extensions}: {answer:?}");
        assert!(answer.status == 201 || !answer.issues().is_empty(), "{answer:?}");
        answer.status
    };
    for in_xml in [false, true] {
        let deepest = (1..80)
            .take_while(|levels| status(*levels, in_xml) == 201)
            .last()
            .unwrap_or_default();
        // Resource and value are levels as well.
        assert!(
            (62..=64).contains(&deepest),
            "{deepest} levels of extensions (XML: {in_xml})"
        );
        for levels in [128, 1300, 2000, 20_000] {
            assert_eq!(status(levels, in_xml), 400, "{levels}");
        }
    }
    // Both formats count alike: what came in as JSON goes out as XML and comes back.
    let deepest = (1..80)
        .take_while(|levels| status(*levels, false) == 201)
        .last()
        .unwrap_or_default();
    assert_eq!(status(deepest, true), 201);
    assert_eq!(status(deepest + 1, true), 400);
}

fn an_empty_body_is_named(context: &Context) {
    let fhir = shared_fhir(context);
    for body in ["", " ", "\n\t"] {
        for request in [
            fhir.post("/Patient"),
            fhir.put("/Patient/x"),
            fhir.put("/Patient?identifier=x"),
        ] {
            let answer = request
                .header("Content-Type", "application/fhir+json")
                .body(body)
                .send();
            assert_eq!(answer.status, 400, "{body:?}: {answer:?}");
            assert!(!answer.issues()[0].text.is_empty());
        }
    }
}
