use super::*;

#[test]
fn a_password_is_in_no_message() {
    let url = "postgres://user:s%40cret@host/db?sslpassword=other&x=1";
    let message =
        "bad s%40cret, bad s@cret, bad other in postgres://user:s%40cret@host/db?sslpassword=other&x=1";
    let clean = without_secrets(message, url);
    assert!(!clean.contains("cret") && !clean.contains("other"), "{clean}");
}

#[test]
fn what_the_url_says_is_not_overruled() {
    let full = with_defaults("postgres://host/db?connect_timeout=9");
    assert!(full.starts_with("postgres://host/db?connect_timeout=9&tcp_user_timeout=2000&"));
    assert!(!full.contains("connect_timeout=2&"));
    assert!(with_defaults("postgres://host/db").starts_with("postgres://host/db?connect_timeout=2&"));
}
