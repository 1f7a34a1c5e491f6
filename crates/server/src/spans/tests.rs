use super::*;

#[test]
fn an_endpoint_is_a_plain_url_with_a_port() {
    for (text, authority, path) in [
        ("http://127.0.0.1:4318", "127.0.0.1:4318", "/v1/traces"),
        ("http://collector:4318/", "collector:4318", "/v1/traces"),
        (
            "http://[::1]:4318/otlp/v1/traces",
            "[::1]:4318",
            "/otlp/v1/traces",
        ),
    ] {
        let endpoint: Endpoint = text.parse().expect("an endpoint");
        assert_eq!(
            (endpoint.authority.as_str(), endpoint.path.as_str()),
            (authority, path)
        );
    }
    for text in [
        "",
        "127.0.0.1:4318",
        "https://collector:4318",
        "http://collector",
        "http://:4318",
        "http://collector:0",
        "http://collector:x",
        "http://user:secret@collector:4318",
        "http://collector:4318/a b",
        "http://collector:4318/\r\nX: y",
    ] {
        let error = text.parse::<Endpoint>().expect_err(text).to_string();
        assert!(error.contains("such as http://127.0.0.1:4318"), "{error}");
    }
}

#[test]
fn a_traceparent_is_read_as_the_specification_says() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let parent = Parent::parse(good).expect("a parent");
    assert_eq!(
        parent.trace_id.simple().to_string(),
        "0af7651916cd43dd8448eb211c80319c"
    );
    assert_eq!((parent.span_id, parent.sampled), (0xb7ad_6b71_6920_3331, true));
    let unsampled = good.replace("-01", "-02");
    assert!(!Parent::parse(&unsampled).expect("a parent").sampled);
    let later = format!("{}-more", good.replacen("00-", "01-", 1));
    assert!(Parent::parse(&later).is_some());
    for bad in [
        "",
        "00",
        "nonsense",
        &format!("{good}-more"),
        &good.replacen("00-", "ff-", 1),
        &good.replace('a', "A"),
        &good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
        &good.replace("b7ad6b7169203331", &"0".repeat(16)),
        &good.replace("b7ad", "b7a"),
        &good.replace("-01", "-é1"),
        &good.replace("-01", "-+1"),
    ] {
        assert_eq!(Parent::parse(bad), None, "{bad}");
    }
}
