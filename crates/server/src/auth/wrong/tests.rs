use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn one_too_many_waits_for_the_end_of_the_window() {
    let (wrong, start) = (WrongCredentials::default(), Instant::now());
    let later = start + Duration::from_secs(20);
    assert!((0..WRONG_LIMIT).all(|_| wrong.count(ip("192.0.2.1"), start).is_none()));
    assert!(wrong.is_over(ip("192.0.2.1"), later) && !wrong.is_over(ip("192.0.2.2"), later));
    assert!(!wrong.is_over(ip("192.0.2.1"), start + WRONG_WINDOW));
    assert_eq!(wrong.count(ip("192.0.2.1"), later), Some(Duration::from_secs(40)));
    assert_eq!(wrong.count(ip("192.0.2.2"), later), None);
    assert_eq!(wrong.count(ip("192.0.2.1"), start + WRONG_WINDOW), None);
}

#[test]
fn the_addresses_of_an_ipv6_network_are_counted_together() {
    for (one, other, together) in [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
    ] {
        assert_eq!(counted(ip(one)) == counted(ip(other)), together, "{one} {other}");
    }
}
