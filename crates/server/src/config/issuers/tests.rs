use super::*;

fn read(text: &str) -> Result<Vec<Issuer>, String> {
    let settings: Settings = toml::from_str(text).map_err(|error| error.to_string())?;
    settings.issuers().map_err(|error| format!("{error:#}"))
}

const GOOD: &str =
    "[[issuers]]\nissuer = \"https://a.example\"\njwks = \"https://a.example/jwks\"\naudience = \"x\"\n";

#[test]
fn what_is_not_said_has_its_default() {
    let issuers = read(GOOD).unwrap();
    let [issuer] = &issuers[..] else {
        panic!("{issuers:?}")
    };
    assert_eq!(issuer.name, "https://a.example");
    assert_eq!(issuer.audiences, ["x"]);
    assert_eq!(issuer.algorithms, [Algorithm::Rs384, Algorithm::Es384]);
    assert_eq!(issuer.client_claims, ["client_id", "azp", "sub"]);
    assert_eq!(issuer.max_lifetime, Duration::from_secs(1800));
    assert_eq!(issuer.keys, Place::Url("https://a.example/jwks".to_owned()));
    assert!(read("").unwrap().is_empty());
}

#[test]
fn everything_can_be_said() {
    let text = "[[issuers]]\nissuer = \"https://a.example\"\njwks = \"/etc/keys.json\"\naudience = [\"x\", \"y\"]\n\
                algorithms = [\"RS256\"]\nclient-claims = [\"appid\"]\nmax-lifetime = 86400\n\
                token-endpoint = \"https://a.example/token\"\n[[issuers]]\nissuer = \"https://b.example\"\n\
                jwks = \"http://127.0.0.1:8/jwks\"\naudience = \"x\"\n";
    let issuers = read(text).unwrap();
    assert_eq!(issuers.len(), 2);
    assert_eq!(issuers[0].audiences, ["x", "y"]);
    assert_eq!(issuers[0].algorithms, [Algorithm::Rs256]);
    assert_eq!(issuers[0].client_claims, ["appid"]);
    assert_eq!(issuers[0].max_lifetime, Duration::from_secs(86_400));
    assert_eq!(
        issuers[0].token_endpoint.as_deref(),
        Some("https://a.example/token")
    );
    assert_eq!(issuers[0].keys, Place::File("/etc/keys.json".into()));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_name_and_what_it_takes() {
    let changed = |from: &str, to: &str| GOOD.replace(from, to);
    for (text, says) in [
        (changed("audience = \"x\"\n", ""), "issuers.audience is missing"),
        (changed("\"x\"", "\"\""), "issuers.audience is missing"),
        (changed("\"x\"", "[]"), "issuers.audience is missing"),
        (changed("\"x\"", "[1]"), "issuers.audience is missing"),
        (
            changed("issuer = \"https://a.example\"", "issuer = \"\""),
            "issuers.issuer is empty",
        ),
        (changed("https://a.example/jwks", ""), "issuers.jwks is empty"),
        (
            changed("https://a.example/jwks", "http://a.example/jwks"),
            "write an https URL",
        ),
        (
            changed("https://a.example/jwks", "ftp://a.example/jwks"),
            "write an https URL",
        ),
        (
            changed("https://a.example/jwks", "https://u:p@a.example/"),
            "without user and password",
        ),
        (
            changed("https://a.example/jwks", "http://localhost.evil.example/"),
            "write an https URL",
        ),
        (
            changed("https://a.example/jwks", "https://"),
            "write an https URL",
        ),
        (
            format!("{GOOD}algorithms = [\"HS256\"]"),
            "issuers.algorithms has \"HS256\"",
        ),
        (
            format!("{GOOD}algorithms = [\"none\"]"),
            "issuers.algorithms has \"none\"",
        ),
        (format!("{GOOD}algorithms = []"), "issuers.algorithms is empty"),
        (
            format!("{GOOD}client-claims = []"),
            "issuers.client-claims is empty",
        ),
        (format!("{GOOD}max-lifetime = 59"), "from 60 to 86400"),
        (format!("{GOOD}max-lifetime = 86401"), "from 60 to 86400"),
        (
            format!("{GOOD}token-endpoint = \"a.example\""),
            "issuers.token-endpoint",
        ),
        (format!("{GOOD}{GOOD}"), "configured twice"),
        (format!("{GOOD}audiences = \"x\""), "unknown field `audiences`"),
        (changed("jwks", "keys"), "unknown field `keys`"),
    ] {
        let error = read(&text).expect_err(&text);
        assert!(error.contains(says), "{text}\n{error}");
    }
}
