use serde_json::json;
use testkit::token::{Signer, key_set, token_by_secret};

use super::*;
use crate::mutants;

const ISSUER: &str = "https://auth.example";
const AUDIENCE: &str = "https://fhir.example/fhir";
/// Now, in seconds.
const NOW: i64 = 1_800_000_000;

fn issuer() -> Issuer {
    Issuer {
        name: ISSUER.to_owned(),
        audiences: vec!["https://other.example".to_owned(), AUDIENCE.to_owned()],
        algorithms: Algorithm::SMART.to_vec(),
        client_claims: CLIENT_CLAIMS.map(str::to_owned).to_vec(),
        max_lifetime: MAX_LIFETIME,
        token_endpoint: None,
        keys: Place::Url("https://auth.example/jwks".to_owned()),
    }
}

fn issuers(signers: &[&Signer]) -> Issuers {
    issuers_with(issuer(), &key_set(signers))
}

fn issuers_with(issuer: Issuer, keys: &Value) -> Issuers {
    let keys = KeySet::read(keys.to_string().as_bytes()).expect("a key set");
    Issuers::fixed(vec![(issuer, keys)])
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "the-subject",
        "client_id": "the-client",
        "exp": NOW + 300,
        "iat": NOW,
        "jti": "1",
        "scope": "system/Patient.rs system/Practitioner.read",
    })
}

/// The claims with some set, or taken out by null.
fn with(changes: Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => all.as_object_mut().expect("an object").remove(name),
            value => all
                .as_object_mut()
                .expect("an object")
                .insert(name.clone(), value.clone()),
        };
    }
    all
}

fn check(issuers: &Issuers, token: &str) -> Result<Grant, Rejected> {
    issuers.check(token, NOW * 1_000_000)
}

#[test]
fn a_good_token_is_its_clients() {
    for signer in [Signer::es384("one"), Signer::rsa("two")] {
        let issuers = issuers(&[&signer]);
        let grant = check(&issuers, &signer.token(&claims())).expect("a good token");
        assert_eq!(
            (grant.issuer.as_str(), grant.client.as_str()),
            (ISSUER, "the-client")
        );
        let expected = Scopes::parse(&["system/Patient.rs", "system/Practitioner.rs"]).expect("scopes");
        assert_eq!(grant.scopes, expected);
    }
}

#[test]
fn each_claim_is_checked_and_the_leeway_is_small() {
    let signer = Signer::es384("one");
    let issuers = issuers(&[&signer]);
    let of = |changes| check(&issuers, &signer.token(&with(changes))).map(|_| ());
    let lifetime = MAX_LIFETIME.as_secs() as i64;
    for (changes, expected) in [
        (json!({}), Ok(())),
        (json!({ "iss": "https://auth.example/" }), Err(Rejected::Issuer)),
        (json!({ "iss": null }), Err(Rejected::Claim("iss"))),
        (json!({ "iss": [ISSUER] }), Err(Rejected::Claim("iss"))),
        (json!({ "aud": "https://fhir.example" }), Err(Rejected::Audience)),
        (json!({ "aud": null }), Err(Rejected::Claim("aud"))),
        (json!({ "aud": [] }), Err(Rejected::Audience)),
        (json!({ "aud": [1] }), Err(Rejected::Claim("aud"))),
        (json!({ "aud": ["https://x.example", AUDIENCE] }), Ok(())),
        (json!({ "exp": NOW - LEEWAY_SECONDS }), Err(Rejected::Expired)),
        (json!({ "exp": NOW - LEEWAY_SECONDS + 1 }), Ok(())),
        (
            json!({ "exp": NOW - 3600, "iat": NOW - 3700 }),
            Err(Rejected::Expired),
        ),
        (json!({ "exp": null }), Err(Rejected::Claim("exp"))),
        (json!({ "exp": "1800000300" }), Err(Rejected::Claim("exp"))),
        (json!({ "exp": 1_800_000_300.5 }), Ok(())),
        (json!({ "exp": 1e300 }), Err(Rejected::Claim("exp"))),
        (json!({ "exp": i64::MAX }), Err(Rejected::Lifetime)),
        (json!({ "exp": i64::MIN }), Err(Rejected::Expired)),
        (json!({ "exp": -1 }), Err(Rejected::Expired)),
        (json!({ "exp": NOW + 3600 }), Err(Rejected::Lifetime)),
        (json!({ "exp": NOW + 3600, "iat": null }), Err(Rejected::Lifetime)),
        (
            json!({ "exp": NOW + lifetime + LEEWAY_SECONDS + 1 }),
            Err(Rejected::Lifetime),
        ),
        (json!({ "exp": NOW + lifetime + LEEWAY_SECONDS }), Ok(())),
        // An hour's token is none at the end of its hour either.
        (
            json!({ "exp": NOW + 60, "iat": NOW - 3540 }),
            Err(Rejected::Lifetime),
        ),
        (
            json!({ "exp": NOW + 60, "iat": i64::MIN }),
            Err(Rejected::Lifetime),
        ),
        (json!({ "iat": null }), Ok(())),
        (json!({ "iat": NOW + LEEWAY_SECONDS }), Ok(())),
        (json!({ "iat": NOW + LEEWAY_SECONDS + 1 }), Err(Rejected::NotYet)),
        (json!({ "nbf": NOW + LEEWAY_SECONDS }), Ok(())),
        (json!({ "nbf": NOW + LEEWAY_SECONDS + 1 }), Err(Rejected::NotYet)),
        (json!({ "nbf": "now" }), Err(Rejected::Claim("nbf"))),
        (json!({ "cnf": { "jkt": "x" } }), Err(Rejected::Bound)),
        (json!({ "scope": 1 }), Err(Rejected::Claim("scope"))),
        (json!({ "jti": null }), Ok(())),
    ] {
        assert_eq!(of(changes.clone()), expected, "{changes}");
    }
}

#[test]
fn the_first_claim_that_names_a_client_counts() {
    let signer = Signer::es384("one");
    let all = issuers(&[&signer]);
    let of =
        |issuers: &Issuers, changes| check(issuers, &signer.token(&with(changes))).map(|grant| grant.client);
    let named = |name: &str| Ok(name.to_owned());
    assert_eq!(of(&all, json!({ "azp": "b" })), named("the-client"));
    assert_eq!(of(&all, json!({ "client_id": null, "azp": "b" })), named("b"));
    assert_eq!(of(&all, json!({ "client_id": null })), named("the-subject"));
    let nobody = Err(Rejected::Claim("of the client"));
    // What is there and makes no sense is not passed over for the next.
    assert_eq!(of(&all, json!({ "client_id": "" })), nobody);
    assert_eq!(of(&all, json!({ "client_id": 7 })), nobody);
    let only = Issuer {
        client_claims: vec!["azp".to_owned()],
        ..issuer()
    };
    assert_eq!(of(&issuers_with(only, &key_set(&[&signer])), json!({})), nobody);
}

#[test]
fn scopes_are_a_text_or_a_list_of_either_name() {
    let signer = Signer::es384("one");
    let issuers = issuers(&[&signer]);
    let of = |changes| {
        check(&issuers, &signer.token(&with(changes)))
            .expect("a grant")
            .scopes
    };
    let expected = Scopes::parse(&["system/Patient.r", "partner:administrative"]).expect("scopes");
    for changes in [
        json!({ "scope": "system/Patient.r  partner:administrative" }),
        json!({ "scope": ["system/Patient.r", "partner:administrative"] }),
        json!({ "scope": null, "scp": ["system/Patient.r", "partner:administrative"] }),
        json!({ "scope": null, "scp": "system/Patient.r partner:administrative" }),
    ] {
        assert_eq!(of(changes.clone()), expected, "{changes}");
    }
    assert_eq!(of(json!({ "scope": null })), Scopes::default());
}

#[test]
fn a_key_is_used_for_what_it_is_for() {
    let (curve, rsa, small) = (Signer::es384("curve"), Signer::rsa("rsa"), Signer::es256("small"));
    let set = key_set(&[&curve, &rsa, &small]);
    let all = issuers_with(
        Issuer {
            algorithms: Algorithm::ALL.to_vec(),
            ..issuer()
        },
        &set,
    );
    for signer in [&curve, &rsa, &small] {
        assert!(check(&all, &signer.token(&claims())).is_ok());
        // Without kid it is the one key of its kind.
        let header = json!({ "alg": signer.algorithm() });
        assert!(check(&all, &signer.token_under(&header, &claims())).is_ok());
        for other in ["curve", "rsa", "small"] {
            for algorithm in [
                "RS256", "RS384", "ES256", "ES384", "none", "HS256", "HS384", "PS384", "rs384", "",
            ] {
                let header = json!({ "alg": algorithm, "kid": other });
                let good = signer.header()["kid"] == other
                    && (signer.algorithm() == algorithm || (other == "rsa" && algorithm == "RS256"));
                let answer = check(&all, &signer.token_under(&header, &claims()));
                assert_eq!(answer.is_ok(), good, "{header} {answer:?}");
            }
        }
    }
    // An issuer's own list of algorithms is obeyed.
    let smart = issuers_with(issuer(), &set);
    assert_eq!(check(&smart, &small.token(&claims())), Err(Rejected::Algorithm));
    let header = json!({ "alg": "RS256", "kid": "rsa" });
    assert_eq!(
        check(&smart, &rsa.token_under(&header, &claims())),
        Err(Rejected::Algorithm)
    );
    // So is the key's.
    let mut only = key_set(&[&rsa]);
    only["keys"][0]["alg"] = json!("RS256");
    assert_eq!(
        check(&issuers_with(issuer(), &only), &rsa.token(&claims())),
        Err(Rejected::Key)
    );
    // Of two without kid nobody can say which.
    let two = issuers(&[&curve, &Signer::es384("another")]);
    let header = json!({ "alg": "ES384" });
    assert_eq!(
        check(&two, &curve.token_under(&header, &claims())),
        Err(Rejected::Key)
    );
}

#[test]
fn a_header_that_brings_its_own_key_or_demands_more_is_refused() {
    let signer = Signer::es384("one");
    let issuers = issuers(&[&signer]);
    for (member, value) in [
        ("jku", json!("https://evil.example/jwks")),
        ("jwk", signer.jwk()),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("typ", json!("logout+jwt")),
        ("typ", json!("dpop+jwt")),
    ] {
        let mut header = signer.header();
        header[member] = value;
        let answer = check(&issuers, &signer.token_under(&header, &claims()));
        assert!(matches!(answer, Err(Rejected::Header(_))), "{header}: {answer:?}");
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"] {
        let mut header = signer.header();
        header["typ"] = json!(typ);
        assert!(
            check(&issuers, &signer.token_under(&header, &claims())).is_ok(),
            "{typ}"
        );
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let signer = Signer::rsa("one");
    let issuers = issuers(&[&signer]);
    let jwk = signer.jwk();
    let modulus = jwk["n"].as_str().expect("a modulus").to_owned();
    for algorithm in ["HS256", "HS384", "HS512", "RS384"] {
        for secret in [jwk.to_string(), modulus.clone(), String::new()] {
            let header = json!({ "alg": algorithm, "kid": "one" });
            let token = token_by_secret(&header, &claims(), secret.as_bytes());
            assert!(check(&issuers, &token).is_err(), "{algorithm}");
        }
    }
}

#[test]
fn what_was_right_once_is_judged_anew_by_time_keys_and_settings() {
    let signer = Signer::es384("one");
    let token = signer.token(&claims());
    let all = issuers(&[&signer]);
    assert!(check(&all, &token).is_ok());
    let later = |seconds: i64| all.check(&token, (NOW + seconds) * 1_000_000).map(|_| ());
    assert_eq!(later(300), Ok(()));
    assert_eq!(later(300 + LEEWAY_SECONDS), Err(Rejected::Expired));
    // The key was withdrawn, and another one has its id.
    let (_, source) = &all.known[0];
    let other = key_set(&[&Signer::es384("one")]).to_string();
    source.put(KeySet::read(other.as_bytes()).expect("keys"));
    assert_eq!(check(&all, &token), Err(Rejected::Signature));
    source.put(KeySet::read(key_set(&[&signer]).to_string().as_bytes()).expect("keys"));
    assert!(check(&all, &token).is_ok());
    // A change of one character of any part is another token.
    for at in [5, token.len() / 2, token.len() - 5] {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(
            check(&all, &String::from_utf8(bytes).expect("text")).is_err(),
            "{at}"
        );
    }
}

#[test]
fn t12_a_mutated_token_is_refused_and_none_takes_long() {
    let signers = [Signer::es384("one"), Signer::rsa("two")];
    let issuers = issuers(&[&signers[0], &signers[1]]);
    // Of the life of the process: as long as the mutants need them.
    let good: Vec<&'static str> = signers
        .iter()
        .map(|signer| &*Box::leak(signer.token(&claims()).into_boxed_str()))
        .collect();
    let corpus: &'static [&'static str] = Box::leak(good.into_boxed_slice());
    let count = mutants::each("Authorization", corpus, move |headers| {
        let header = headers.get(actix_web::http::header::AUTHORIZATION);
        let sent = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        match check(&issuers, sent) {
            Ok(_) => {
                assert!(corpus.contains(&sent), "{sent}");
                Ok(())
            }
            Err(reason) => Err(*crate::auth::bearer::rejected(reason).refusal),
        }
    });
    assert!(count.refused > mutants::MUTANTS / 2, "{count:?}");
}

#[test]
fn a_key_set_is_read_as_published_and_what_is_of_no_use_is_passed_over() {
    let good = Signer::es384("good");
    let odd = json!([
        good.jwk(),
        { "kty": "oct", "k": "c2VjcmV0", "kid": "secret" },
        { "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
        { "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "short" },
        { "kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA" },
        { "kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA" },
        { "kty": 7 },
        "text",
        null,
        with_member(good.jwk(), "use", json!("enc")),
        with_member(good.jwk(), "key_ops", json!(["encrypt"])),
        with_member(good.jwk(), "alg", json!("ECDH-ES")),
    ]);
    let set = KeySet::read(json!({ "keys": odd }).to_string().as_bytes()).expect("a set");
    assert_eq!(set.count(), 1);
    let refused = |text: &str| KeySet::read(text.as_bytes()).expect_err(text).to_string();
    for (text, says) in [
        ("", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "no list named keys"),
        ("{\"keys\": {}}", "no list named keys"),
        ("{\"keys\": []}", "no key that can be used"),
        (
            "{\"keys\": [{\"kty\": \"oct\", \"k\": \"AA\"}]}",
            "no key that can be used",
        ),
    ] {
        assert!(refused(text).contains(says), "{text}: {}", refused(text));
    }
    let private = json!({ "keys": [with_member(good.jwk(), "d", json!("AAAA"))] }).to_string();
    assert!(refused(&private).contains("private key"));
    let many = json!({ "keys": vec![good.jwk(); 101] }).to_string();
    assert!(refused(&many).contains("101 keys"));
    // A zero in front of a modulus, which some write.
    let rsa = Signer::rsa("zero");
    let mut jwk = rsa.jwk();
    let modulus = jwk["n"].as_str().expect("a modulus").to_owned();
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, modulus).expect("bytes");
    jwk["n"] = json!(testkit::token::base64url(&[&[0][..], &bytes].concat()));
    let issuers = issuers_with(issuer(), &json!({ "keys": [jwk] }));
    assert!(check(&issuers, &rsa.token(&claims())).is_ok());
}

fn with_member(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}
