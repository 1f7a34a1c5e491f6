use std::time::Duration;

use actix_web::dev::{self, Payload};
use actix_web::error::PayloadError;
use actix_web::test::TestRequest;
use actix_web::{FromRequest, HttpRequest};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;

use super::*;
use crate::mutants;

const LIMIT: usize = 1000;

async fn read_from(request: HttpRequest, mut payload: dev::Payload) -> Result<Bytes, u16> {
    let mut payload = web::Payload::from_request(&request, &mut payload)
        .await
        .expect("a payload");
    let deadline = Duration::from_millis(20);
    read(request.headers(), &mut payload, LIMIT, deadline)
        .await
        .map_err(|failure| failure.refusal.status)
}

async fn read_whole(body: &[u8]) -> Result<Bytes, u16> {
    let (request, payload) = TestRequest::default().set_payload(body.to_vec()).to_http_parts();
    read_from(request, payload).await
}

async fn read_encoded(encoding: &[u8], body: Vec<u8>) -> Result<Bytes, u16> {
    let request = TestRequest::default()
        .insert_header((CONTENT_ENCODING, encoding))
        .set_payload(body);
    let (request, payload) = request.to_http_parts();
    read_from(request, payload).await
}

async fn read_chunks(chunks: Vec<Result<Bytes, PayloadError>>) -> Result<Bytes, u16> {
    let (request, _) = TestRequest::default().to_http_parts();
    read_from(
        request,
        Payload::Stream {
            payload: Box::pin(stream::iter(chunks)),
        },
    )
    .await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

#[actix_web::test]
async fn t16_the_limit_itself_is_taken_and_one_byte_more_is_not() {
    assert_eq!(read_whole(&[b'x'; LIMIT]).await.map(|body| body.len()), Ok(LIMIT));
    assert_eq!(read_whole(&[b'x'; LIMIT + 1]).await, Err(413));
    assert_eq!(read_whole(b"").await.map(|body| body.len()), Ok(0));
}

#[actix_web::test]
async fn t16_chunks_are_counted_together() {
    let half = || Ok(Bytes::from(vec![b'x'; LIMIT / 2]));
    assert_eq!(
        read_chunks(vec![half(), half()]).await.map(|body| body.len()),
        Ok(LIMIT)
    );
    assert_eq!(
        read_chunks(vec![half(), half(), Ok(Bytes::from_static(b"x"))]).await,
        Err(413)
    );
}

#[actix_web::test]
async fn t16_a_body_that_announces_too_much_is_not_read() {
    let request = TestRequest::default().insert_header((CONTENT_LENGTH, "10000000000"));
    let (request, _) = request.to_http_parts();
    let endless: dev::Payload = Payload::Stream {
        payload: Box::pin(stream::pending()),
    };
    assert_eq!(read_from(request, endless).await, Err(413));
}

#[actix_web::test]
async fn a_body_that_does_not_arrive_in_time_is_408() {
    let (request, _) = TestRequest::default().to_http_parts();
    let dripping = stream::iter([Ok(Bytes::from_static(b"{"))]).chain(stream::pending());
    assert_eq!(
        read_from(
            request,
            Payload::Stream {
                payload: Box::pin(dripping)
            }
        )
        .await,
        Err(408)
    );
}

#[actix_web::test]
async fn a_body_that_breaks_off_is_400() {
    let broken = vec![Ok(Bytes::from_static(b"{")), Err(PayloadError::Incomplete(None))];
    assert_eq!(read_chunks(broken).await, Err(400));
}

#[actix_web::test]
async fn gzip_is_inflated_and_counted_after_inflation() {
    let body = vec![b'x'; LIMIT];
    for name in ["gzip", "GZIP", "x-gzip"] {
        assert_eq!(
            read_encoded(name.as_bytes(), gzip(&body))
                .await
                .map(|body| body.len()),
            Ok(LIMIT),
            "{name}"
        );
    }
    assert_eq!(read_encoded(b"gzip", gzip(&[b'x'; LIMIT + 1])).await, Err(413));
    assert_eq!(
        read_encoded(b"gzip", gzip(&vec![0; 10 * 1024 * 1024])).await,
        Err(413)
    );
}

#[actix_web::test]
async fn a_gzip_stream_that_is_cut_followed_or_none_is_400() {
    let whole = gzip(b"{\"resourceType\":\"Patient\"}");
    let cut = whole.iter().copied().take(whole.len() - 3).collect();
    let followed = whole.iter().copied().chain(*b"more").collect();
    assert_eq!(read_encoded(b"gzip", cut).await, Err(400));
    assert_eq!(read_encoded(b"gzip", followed).await, Err(400));
    assert_eq!(read_encoded(b"gzip", b"{}".to_vec()).await, Err(400));
}

#[actix_web::test]
async fn other_encodings_are_415() {
    for encoding in [&b"br"[..], b"deflate", b"gzip, gzip", b"zstd", b"\xff"] {
        assert_eq!(
            read_encoded(encoding, b"{}".to_vec()).await,
            Err(415),
            "{encoding:?}"
        );
    }
    assert_eq!(
        read_encoded(b"identity", b"{}".to_vec())
            .await
            .map(|body| body.len()),
        Ok(2)
    );
}

#[test]
fn t12_a_mutated_content_encoding_is_known_or_415() {
    let count = mutants::each("Content-Encoding", &["gzip", "identity", "br"], |headers| {
        let encoding = Encoding::of(headers).map(drop);
        encoding.inspect_err(|refusal| assert_eq!(refusal.status, 415))
    });
    assert!(count.taken > 10 && count.refused > 1_000, "{count:?}");
}
