use actix_web::test::TestRequest;

use super::*;

#[test]
fn a_sane_request_id_is_kept() {
    for sent in ["a", "3f2c-1_x.Y", &"a".repeat(64)] {
        let request = TestRequest::default()
            .insert_header((X_REQUEST_ID, sent))
            .to_http_request();
        assert_eq!(request_id(&request), sent);
    }
}

#[test]
fn any_other_request_id_is_replaced() {
    for sent in ["", "a b", "é", "a\"b", "a\tb", &"a".repeat(65)] {
        let request = TestRequest::default()
            .insert_header((X_REQUEST_ID, sent.as_bytes()))
            .to_http_request();
        let id = request_id(&request);
        assert_ne!(id, sent);
        assert!(is_request_id(&id), "{id}");
    }
    let (one, two) = (
        TestRequest::default().to_http_request(),
        TestRequest::default().to_http_request(),
    );
    assert_ne!(request_id(&one), request_id(&two));
}
