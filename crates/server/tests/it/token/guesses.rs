//! T25 in short: who guesses is slowed down, and the owner gets in.

use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::token::Signer;

use super::{CLIENT, Stage, claims};
use crate::partner::ehealth;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    wrong_tokens_are_slowed_down_and_the_owner_gets_in,
    wrong_api_keys_are_slowed_down_whatever_is_sent_beside_them,
];

/// Those that no database has a part in.
pub const SQLITE: &[Test] = tests![t25_guesses_are_counted_for_each_address_and_the_owner_gets_in];

const ALL: &str = "system/*.cruds";
/// `auth::WRONG_LIMIT`
const WRONG_LIMIT: usize = 100;

fn wrong_tokens_are_slowed_down_and_the_owner_gets_in(context: &Context) {
    let stage = Stage::new(context);
    let (owner, forger) = (stage.fhir(&stage.token(ALL)), Signer::es384("the-key"));
    let mut first = None;
    for number in 1..=300 {
        let guesser = stage.fhir(&forger.token(&claims(CLIENT, ALL)));
        let answer = guesser.get("/Patient").send();
        match answer.status {
            401 => assert_eq!(first, None, "let go on at guess {number}"),
            429 => {
                first = first.or(Some(number));
                assert!(answer.header("Retry-After").is_some());
            }
            other => panic!("guess {number} is answered {other}"),
        }
        if number % 50 == 0 {
            owner.get("/Patient/nobody").send().expect(404);
        }
    }
    let first = first.expect("a 429 within 300 guesses");
    // Nobody else has sent a wrong one but the poll for the client at the start.
    assert!((50..=101).contains(&first), "{first}");
}

fn wrong_api_keys_are_slowed_down_whatever_is_sent_beside_them(context: &Context) {
    let server = context.server();
    let path = "/prepersons/00000000-0000-4000-8000-000000000000";
    let owner = ehealth::door(&server);
    let guesses = |count: usize| -> Vec<u16> {
        let guess = |number: usize| {
            let request = owner.get(path).header("API-key", format!("{number:064x}"));
            match number % 2 {
                0 => request.without("Authorization").send().status,
                _ => request.send().status,
            }
        };
        (0..count).map(guess).collect()
    };
    assert_eq!(guesses(WRONG_LIMIT), vec![401; WRONG_LIMIT]);
    assert_eq!(guesses(4), vec![429; 4]);
    // Who sends none guesses nothing.
    owner.get(path).without("API-key").send().expect(401);
    owner.get(path).send().expect(404);
}

fn t25_guesses_are_counted_for_each_address_and_the_owner_gets_in(context: &Context) {
    let settings = context
        .settings()
        .argument("--trusted-proxies")
        .argument("127.0.0.1");
    let server = settings.start();
    let (owner, nobody) = (server.client("fhir"), server.anonymous().with_prefix("/fhir"));
    let key = server.credential("fhir").bearer.clone();
    let (prefix, secret) = key.rsplit_once('_').expect("a secret");
    let mut random = context.random();
    // The last address varies what a proxy that writes `X-Forwarded-For` alone passes on: it is then the proxy's.
    for number in 1..=51 {
        let address = format!("203.0.113.{number}");
        let mut statuses = Vec::new();
        for guess in 0..WRONG_LIMIT + 5 {
            // Of a known prefix and of unknown ones.
            let wrong = match guess % 2 {
                0 => format!("{prefix}_{:064x}", u128::from(random.bits())),
                _ => format!("sk_test_{:012x}_{secret}", random.bits() & 0xffff_ffff_ffff),
            };
            let request = nobody
                .get("/Patient")
                .header("Authorization", format!("Bearer {wrong}"));
            let request = match number {
                51 => request.header("Forwarded", format!("for=198.51.100.{guess}")),
                _ => request,
            };
            let answer = request.header("X-Forwarded-For", &address).send();
            if answer.status == 429 {
                let wait = answer
                    .header("Retry-After")
                    .and_then(|text| text.parse::<u32>().ok());
                assert!(
                    wait.is_some_and(|seconds| (1..=60).contains(&seconds)),
                    "{answer:?}"
                );
            }
            statuses.push(answer.status);
        }
        // From the n-th on, at each address by itself.
        let (early, late) = statuses.split_at(WRONG_LIMIT);
        assert!(
            early.iter().all(|status| *status == 401),
            "{address}: {statuses:?}"
        );
        assert!(
            late.iter().all(|status| *status == 429),
            "{address}: {statuses:?}"
        );
        let request = owner.get("/Patient").header("X-Forwarded-For", &address);
        request.send().expect(200);
    }
}
