//! T24: what the time that a wrong key takes tells of it. By the method of dudect (Reparaz, Balasch, Verbauwhede,
//! 2017): samples of two classes in random order, Welch's t over what is left below a percentile. Of the longer programme, since it
//! wants a quiet machine: `cargo test -p server --release --lib -- --ignored --nocapture t24`

use std::hint::black_box;
use std::time::Instant;

use testkit::random::Random;
use testkit::token::{Signer, key_set};

use super::*;

/// Samples of each class.
const SAMPLES: usize = 1_000_000;
/// Beyond this, two classes take different times.
const LIMIT: f64 = 4.5;
/// Samples above these percentiles of all are left out, each in a test of its own: a scheduler's interruptions hide
/// what is looked for. (Per mille.)
const CROPS: [usize; 5] = [500, 800, 900, 990, 1000];

/// Mean and variance, one value after the other.
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn of(samples: impl Iterator<Item = u64>) -> Moments {
        samples.fold(Moments::default(), |mut moments, sample| {
            let sample = sample as f64;
            moments.count += 1.0;
            let before = sample - moments.mean;
            moments.mean += before / moments.count;
            moments.squares += before * (sample - moments.mean);
            moments
        })
    }

    /// Welch's t.
    fn t(&self, other: &Moments) -> f64 {
        let error = |moments: &Moments| moments.squares / (moments.count - 1.0) / moments.count;
        let spread = (error(self) + error(other)).sqrt();
        if spread == 0.0 {
            0.0
        } else {
            (self.mean - other.mean) / spread
        }
    }
}

/// The times of two classes of inputs, in nanoseconds, taken in random order.
fn times(act: impl Fn(&str), classes: [&[String]; 2]) -> [Vec<u64>; 2] {
    let mut random = Random::new(24);
    let mut buffer = String::with_capacity(4096);
    let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    while times.iter().any(|taken| taken.len() < SAMPLES) {
        let class = random.below(2);
        let inputs = classes[class];
        // At one address, whatever the class: where a text lies in memory takes time as well.
        buffer.clear();
        buffer.push_str(&inputs[random.below(inputs.len())]);
        let started = Instant::now();
        act(black_box(&buffer));
        let took = started.elapsed().as_nanos() as u64;
        if times[class].len() < SAMPLES {
            times[class].push(took);
        }
    }
    times
}

/// The largest |t| over all crops.
fn largest_t([one, other]: &[Vec<u64>; 2]) -> f64 {
    let mut all: Vec<u64> = one.iter().chain(other).copied().collect();
    all.sort_unstable();
    let of_crop = |per_mille: &usize| {
        let highest = all[(all.len() * per_mille / 1000).clamp(1, all.len()) - 1];
        let kept = |samples: &[u64]| Moments::of(samples.iter().copied().filter(|sample| *sample <= highest));
        kept(one).t(&kept(other)).abs()
    };
    CROPS.iter().map(of_crop).fold(0.0, f64::max)
}

/// Keys that are wrong in the byte at this place.
fn wrong_at(place: usize) -> Vec<String> {
    let mut random = Random::new(7);
    let others: Vec<char> = "0123456789abcdef".chars().collect();
    (0..64)
        .map(|_| {
            let mut key: Vec<char> = KEY.chars().collect();
            let right = key[place];
            while key[place] == right {
                key[place] = random.pick(&others);
            }
            format!("Bearer {}", key.into_iter().collect::<String>())
        })
        .collect()
}

/// Keys of prefixes that nobody has.
fn unknown_prefixes() -> Vec<String> {
    let mut random = Random::new(8);
    let (_, secret) = KEY.rsplit_once('_').expect("a secret");
    (0..64)
        .map(|_| {
            format!(
                "Bearer sk_live_{:012x}_{secret}",
                random.bits() & 0xffff_ffff_ffff
            )
        })
        .collect()
}

#[test]
#[ignore = "T24, of the longer programme: wants a quiet machine and a release build"]
fn t24_the_time_of_a_wrong_key_tells_nothing_of_it() {
    let (directory, issuers) = (directory(), Issuers::default());
    let act = |authorization: &str| {
        let headers = headers(None, Some(authorization.as_bytes()));
        let refused = holder(&directory, &issuers, Door::Fhir, &headers, 500).is_err();
        assert!(black_box(refused));
    };
    let secret = KEY.len() - KEY.rsplit_once('_').expect("a secret").1.len();
    let (first, last) = (wrong_at(secret), wrong_at(KEY.len() - 1));
    let unknown = unknown_prefixes();
    // A difference that is there shows itself again; one that the machine made seldom does.
    let mut left: Vec<(&str, [&[String]; 2])> = vec![
        ("first byte, last byte", [&first, &last]),
        ("first byte, unknown prefix", [&first, &unknown]),
        ("last byte, unknown prefix", [&last, &unknown]),
    ];
    for attempt in 1..=3 {
        left.retain(|(name, classes)| {
            let t = largest_t(&times(act, *classes));
            println!("{name}: |t| = {t:.2} over {SAMPLES} samples of each (attempt {attempt})");
            t >= LIMIT
        });
    }
    let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
    assert!(
        names.is_empty(),
        "|t| is at least {LIMIT} three times over: {names:?}"
    );
}

/// That the method sees what it looks for: a comparison that ends at the first difference.
#[test]
#[ignore = "T24, of the longer programme"]
fn t24_a_comparison_that_ends_early_is_seen() {
    let known = format!("Bearer {KEY}").repeat(8);
    let (first, last) = (known.replacen('B', "x", 1), {
        let mut known = known.clone();
        known.pop();
        known + "x"
    });
    let act = |sent: &str| {
        let differs = sent
            .bytes()
            .zip(known.bytes())
            .any(|(one, other)| black_box(one) != other);
        assert!(black_box(differs));
    };
    let t = largest_t(&times(act, [&[first], &[last]]));
    println!("a careless comparison: |t| = {t:.2}");
    assert!(t >= LIMIT);
}

/// What a good token costs each request: the first time, and ever after.
#[test]
#[ignore = "a measurement, not a promise"]
fn what_a_good_token_costs() {
    use crate::auth::token::{CLIENT_CLAIMS, MAX_LIFETIME, Place};
    for signer in [Signer::rsa("one"), Signer::es384("one"), Signer::es256("one")] {
        let issuer = token::Issuer {
            name: "https://auth.example".to_owned(),
            audiences: vec!["x".to_owned()],
            algorithms: token::Algorithm::ALL.to_vec(),
            client_claims: CLIENT_CLAIMS.map(str::to_owned).to_vec(),
            max_lifetime: MAX_LIFETIME,
            token_endpoint: None,
            keys: Place::Url(String::new()),
        };
        let keys = token::KeySet::read(key_set(&[&signer]).to_string().as_bytes()).expect("keys");
        let issuers = Issuers::fixed(vec![(issuer, keys)]);
        let tokens: Vec<String> = (0..2_000)
            .map(|number| {
                signer.token(&serde_json::json!({
                    "iss": "https://auth.example", "aud": "x", "client_id": "demo", "exp": 300, "jti": number,
                    "scope": "system/*.cruds",
                }))
            })
            .collect();
        for round in ["first", "again"] {
            let started = Instant::now();
            for token in &tokens {
                assert!(issuers.check(black_box(token), 0).is_ok());
            }
            println!(
                "{} {round}: {:?} each",
                signer.algorithm(),
                started.elapsed() / 2_000
            );
        }
    }
}
