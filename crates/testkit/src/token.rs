//! Access tokens (JWTs), good and bad, signed with keys of the tests' own; and a server that shows the public ones.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{Value, json};

/// A key of the tests alone: everybody can read it. Made once, since making one takes seconds.
const TEST_ONLY_RSA: &[u8] = include_bytes!("../keys/test-only-rsa-2048.pkcs8.der");

/// A private key that signs tokens.
pub struct Signer {
    id: String,
    pair: Pair,
}

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    /// A new key on P-384, for ES384.
    pub fn es384(id: &str) -> Signer {
        Signer {
            id: id.to_owned(),
            pair: Pair::P384(curve(&ECDSA_P384_SHA384_FIXED_SIGNING)),
        }
    }

    /// A new key on P-256, for ES256.
    pub fn es256(id: &str) -> Signer {
        Signer {
            id: id.to_owned(),
            pair: Pair::P256(curve(&ECDSA_P256_SHA256_FIXED_SIGNING)),
        }
    }

    /// The RSA key of the tests, for RS384 and RS256.
    pub fn rsa(id: &str) -> Signer {
        let pair = RsaKeyPair::from_pkcs8(TEST_ONLY_RSA).expect("the key of the tests");
        Signer {
            id: id.to_owned(),
            pair: Pair::Rsa(Box::new(pair)),
        }
    }

    /// `alg` of its tokens.
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Rsa(_) => "RS384",
        }
    }

    /// The public half, as a JWK.
    pub fn jwk(&self) -> Value {
        match &self.pair {
            Pair::P256(pair) => self.point("P-256", pair),
            Pair::P384(pair) => self.point("P-384", pair),
            Pair::Rsa(pair) => {
                let key = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "kid": self.id, "use": "sig", "n": base64url(&key.n), "e": base64url(&key.e) })
            }
        }
    }

    fn point(&self, curve: &str, pair: &EcdsaKeyPair) -> Value {
        // An uncompressed point: 4, x, y.
        let coordinates = &pair.public_key().as_ref()[1..];
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        json!({ "kty": "EC", "crv": curve, "kid": self.id, "use": "sig", "x": base64url(x), "y": base64url(y) })
    }

    /// The header of an honest token.
    pub fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": self.algorithm(), "kid": self.id })
    }

    /// An honest token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.token_under(&self.header(), claims)
    }

    /// A token under any header. It is signed with this key, whatever the header says; an RSA key by SHA-256 when `alg`
    /// says RS256.
    pub fn token_under(&self, header: &Value, claims: &Value) -> String {
        let random = SystemRandom::new();
        let by_sha256 = header["alg"] == "RS256";
        compact(header, claims, |signed| match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, signed).expect("a signature").as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let padding = if by_sha256 {
                    &RSA_PKCS1_SHA256
                } else {
                    &RSA_PKCS1_SHA384
                };
                pair.sign(padding, &random, signed, &mut signature)
                    .expect("a signature");
                signature
            }
        })
    }
}

/// A token under any header whose signature is the HMAC of a secret: SHA-384 for `HS384`, else SHA-256.
pub fn token_by_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let way = if header["alg"] == "HS384" {
        hmac::HMAC_SHA384
    } else {
        hmac::HMAC_SHA256
    };
    compact(header, claims, |signed| {
        hmac::sign(&hmac::Key::new(way, secret), signed).as_ref().to_vec()
    })
}

/// Header and claims with whatever signature.
pub fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    );
    let signature = base64url(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn curve(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key")
}

/// The JWK Set of these keys.
pub fn key_set(signers: &[&Signer]) -> Value {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() })
}

/// An HTTP server that shows a key set, and counts how often it was asked. Lives until the process ends.
pub struct KeyServer {
    url: String,
    certificate: Option<String>,
    shown: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    /// Shows this; `None`: answers 500.
    pub fn start(shown: Option<&Value>) -> KeyServer {
        KeyServer::listen("http", shown, None, |stream, answer| answer(Box::new(stream)))
    }

    /// The same over TLS, under a new certificate of its own.
    pub fn start_tls(shown: Option<&Value>) -> KeyServer {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("a certificate");
        let config = Arc::new(config);
        KeyServer::listen("https", shown, Some(own.cert.pem()), move |stream, answer| {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            answer(Box::new(StreamOwned::new(connection, stream)));
        })
    }

    fn listen(
        scheme: &str,
        shown: Option<&Value>,
        certificate: Option<String>,
        with: impl Fn(TcpStream, &dyn Fn(Box<dyn Stream>)) + Send + 'static,
    ) -> KeyServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = KeyServer {
            url: format!("{scheme}://{address}/jwks.json"),
            certificate,
            shown: Arc::new(Mutex::new(shown.map(Value::to_string))),
            asked: Arc::default(),
        };
        let (shown, asked) = (Arc::clone(&server.shown), Arc::clone(&server.asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                with(stream, &|stream| answer(stream, &shown, &asked));
            }
        });
        server
    }

    /// Its certificate, in PEM.
    pub fn certificate(&self) -> &str {
        self.certificate.as_deref().expect("it speaks TLS")
    }

    /// Where the keys are.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on shows this; `None`: answers 500.
    pub fn show(&self, shown: Option<&Value>) {
        *self.shown.lock().expect("the keys") = shown.map(Value::to_string);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// Answers one request, when one comes.
fn answer(mut stream: Box<dyn Stream>, shown: &Mutex<Option<String>>, asked: &AtomicUsize) {
    let lines = BufReader::new(&mut stream).lines();
    // The head of the request; nobody sends a body.
    let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    if head.count() == 0 {
        return;
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let (status, body) = match &*shown.lock().expect("the keys") {
        Some(body) => ("200 OK", body.clone()),
        None => ("500 Internal Server Error", String::new()),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Who asks may have gone.
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.flush();
}
