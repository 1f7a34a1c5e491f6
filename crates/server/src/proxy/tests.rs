use actix_web::http::header::HeaderValue;

use super::*;
use crate::mutants;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    map
}

fn network(text: &str) -> Network {
    text.parse().expect("a network")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_network_contains_its_addresses_and_no_other() {
    for (written, inside, outside) in [
        ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("10.1.2.3", "::ffff:10.1.2.3", "::10.1.2.3"),
        ("192.168.1.128/25", "192.168.1.200", "192.168.1.127"),
        ("0.0.0.0/0", "203.0.113.9", "::1"),
        ("fd00::/8", "fdff::1", "fe00::1"),
        ("::1", "::1", "::2"),
    ] {
        assert!(network(written).contains(ip(inside)), "{written} {inside}");
        assert!(!network(written).contains(ip(outside)), "{written} {outside}");
    }
}

#[test]
fn what_is_no_network_is_refused() {
    for written in [
        "",
        "10.0.0.0/33",
        "::1/129",
        "10.0.0/8",
        "proxy.example",
        "10.0.0.0/-1",
        "10.0.0.0/",
    ] {
        assert!(written.parse::<Network>().is_err(), "{written}");
    }
}

#[test]
fn p53_forwarded_headers_are_understood() {
    let expected = Forwarded {
        scheme: Some("https"),
        host: Some("fhir.example:8443".to_owned()),
        port: None,
        prefix: "/a/b".to_owned(),
    };
    let standard = headers(&[
        (
            "forwarded",
            "for=192.0.2.1;proto=HTTPS;host=\"fhir.example:8443\", for=10.0.0.1;proto=http",
        ),
        ("x-forwarded-prefix", "/a/b/"),
        ("x-forwarded-host", "FHIR.example:8443"),
    ]);
    assert_eq!(forwarded(&standard), expected);
    let plain = headers(&[
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-host", "fhir.example:8443, inner"),
        ("x-forwarded-prefix", "/a/b"),
    ]);
    assert_eq!(forwarded(&plain), expected);
}

#[test]
fn two_families_of_headers_that_contradict_each_other_are_not_believed() {
    let both = headers(&[
        ("forwarded", "for=6.6.6.6;proto=http;host=evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "fhir.example"),
    ]);
    assert_eq!(forwarded(&both), Forwarded::default());
}

#[test]
fn a_forwarded_header_cannot_inject_anything() {
    let hostile = headers(&[
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", "a\"b<c>"),
        ("x-forwarded-port", "80/../"),
        ("x-forwarded-prefix", "//evil.example/\"x"),
    ]);
    assert_eq!(forwarded(&hostile), Forwarded::default());
}

#[test]
fn a_host_is_a_name_or_an_address_with_at_most_a_port() {
    for host in [
        "a",
        "fhir.example.org",
        "h_1:8080",
        "127.0.0.1:80",
        "[::1]",
        "[2001:db8::1]:443",
    ] {
        assert!(is_host(host), "{host}");
    }
    for host in [
        "", ":80", "a:b", "a:99999", "a:", "a b", "a/b", "a@b", "a\"", "[::1", "[x]", "[::1]x", "a:80:80",
        "é",
    ] {
        assert!(!is_host(host), "{host}");
    }
    assert!(!is_host(&"a".repeat(254)));
}

#[test]
fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
    let trusted = [network("10.0.0.0/8")];
    let forwarded = headers(&[("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.0.0.2")]);
    let client = |headers: &HeaderMap, peer: &str| client_address(headers, Some(ip(peer)), &trusted);
    assert_eq!(client(&forwarded, "10.0.0.1"), Some(ip("203.0.113.7")));
    // From elsewhere the header is nobody's word.
    assert_eq!(client(&forwarded, "198.51.100.1"), Some(ip("198.51.100.1")));
    let standard = headers(&[(
        "forwarded",
        "for=\"[2001:db8::7]:4711\";proto=https, for=10.0.0.9",
    )]);
    assert_eq!(client(&standard, "10.0.0.1"), Some(ip("2001:db8::7")));
    let unreadable = headers(&[("x-forwarded-for", "203.0.113.7, unknown")]);
    assert_eq!(client(&unreadable, "10.0.0.1"), Some(ip("10.0.0.1")));
    assert_eq!(client(&HeaderMap::new(), "10.0.0.1"), Some(ip("10.0.0.1")));
}

#[test]
fn a_proxy_that_writes_one_list_and_passes_on_the_other_names_nobody() {
    let trusted = [network("10.0.0.0/8")];
    let client = |headers: &HeaderMap| client_address(headers, Some(ip("10.0.0.1")), &trusted);
    for forged in ["for=6.6.6.6", "for=unknown", "proto=https", "for=10.0.0.7", ""] {
        let both = headers(&[("forwarded", forged), ("x-forwarded-for", "203.0.113.7")]);
        assert_eq!(client(&both), Some(ip("10.0.0.1")), "{forged}");
    }
    // A proxy that writes both.
    let same = headers(&[
        ("forwarded", "for=6.6.6.6, for=\"203.0.113.7:4711\", for=10.0.0.2"),
        ("x-forwarded-for", "6.6.6.6, ::ffff:203.0.113.7"),
    ]);
    assert_eq!(client(&same), Some(ip("203.0.113.7")));
}

/// What came out of a header may stand in a URL.
fn is_harmless(said: &Forwarded) {
    assert!(matches!(said.scheme, None | Some("http" | "https")));
    if let Some(host) = &said.host {
        assert!(is_host(host), "{host}");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_~".contains(&byte);
    assert!(said.prefix.is_empty() || said.prefix.starts_with('/'));
    assert!(said.prefix.len() <= 200 && said.prefix.bytes().all(plain));
}

#[test]
fn t12_mutated_proxy_headers_never_leave_the_url_they_may_shape() {
    let corpora: [(&str, &[&str]); 5] = [
        (
            "Forwarded",
            &[
                "for=192.0.2.1;host=\"fhir.example:8443\";proto=https, for=10.0.0.9",
                "for=\"[2001:db8::7]:4711\"",
            ],
        ),
        (
            "X-Forwarded-For",
            &["203.0.113.7, 10.0.0.2", "[2001:db8::7]:4711"],
        ),
        (
            "X-Forwarded-Host",
            &["fhir.example:8443, inner", "[2001:db8::1]:443"],
        ),
        ("X-Forwarded-Proto", &["https, http"]),
        ("X-Forwarded-Prefix", &["/a/b/"]),
    ];
    for (name, corpus) in corpora {
        let count = mutants::each(name, corpus, |headers| {
            is_harmless(&forwarded(headers));
            let trusted = [network("10.0.0.0/8")];
            let client = |peer: &str| client_address(headers, Some(ip(peer)), &trusted);
            assert!(client("10.0.0.1").is_some());
            // From elsewhere the header is nobody's word.
            assert_eq!(client("198.51.100.1"), Some(ip("198.51.100.1")));
            Ok(())
        });
        // A proxy's slip is no fault of the client's: what is not understood is passed over.
        assert_eq!(count.taken, mutants::MUTANTS);
    }
}

#[test]
fn t12_a_mutated_port_is_a_port_or_none() {
    let count = mutants::each("X-Forwarded-Port", &["8443", "443, 80"], |headers| {
        is_harmless(&forwarded(headers));
        Ok(())
    });
    assert_eq!(count.taken, mutants::MUTANTS);
}
