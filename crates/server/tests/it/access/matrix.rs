//! T20: every route × every verb × everybody who may ask. What each is answered stands in `fixtures/access/matrix.txt`,
//! a line for each route and method.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p server --test it -- t20` writes the table anew: read it before you keep it.
//! T21 holds what must be true of any such table, and that no route is without a line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use server::routes;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use super::calls::{Call, KINDS, Words, at, call};
use super::compare::comparable;
use super::world::{About, OTHER_BRAND, OTHER_TRUST_SPACE, SECRET, World};
use crate::partner::cross::{BRAND, TRUST_SPACE};

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t20_every_route_answers_everybody_as_the_table_says_and_another_spaces_id_as_a_missing_one,
    t20_a_verb_that_a_path_does_not_take_is_refused_alike_whoever_asks_about_whatever,
    t21_every_route_has_its_line_and_no_line_lets_in_who_must_not,
];

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/access/matrix.txt");

const HEADING: &str = "\
# What each route answers to whom: nobody, a wrong key, a client of another space (with every scope there, about an id of
# this one), a client of this space without a scope, its own client with one. Written and checked by
# crates/server/tests/it/access/matrix.rs. A GET answers HEAD alike.
";

/// Who asks, in the order of the columns.
const COLUMNS: [&str; 5] = ["nobody", "wrong", "other", "scopeless", "own"];

const OWN: Words = Words {
    trust_space: TRUST_SPACE,
    brand: BRAND,
};
const OTHER: Words = Words {
    trust_space: OTHER_TRUST_SPACE,
    brand: OTHER_BRAND,
};

/// A route, and the type that is asked for there.
#[derive(Clone, Copy)]
struct Route {
    method: &'static str,
    pattern: &'static str,
    kind: &'static str,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of a {}", self.method, self.pattern, self.kind)
    }
}

/// Each route, once for each type that can be asked for there.
fn all_routes() -> Vec<Route> {
    let kinds = |pattern: &str| match pattern {
        _ if pattern.contains("{type}") => &KINDS[..],
        "/fhir" | "/fhir/_search" => &KINDS,
        _ => &KINDS[..1],
    };
    let each = |(method, pattern)| {
        let of = move |kind: &&'static str| Route {
            method,
            pattern,
            kind,
        };
        kinds(pattern).iter().map(of)
    };
    routes().into_iter().flat_map(each).collect()
}

type Line = [u16; 5];

/// The lines of the table: method and pattern, and what each column is answered.
fn table() -> BTreeMap<String, Line> {
    let text = std::fs::read_to_string(TABLE).unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut table = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [statuses @ .., method, pattern] = &words[..] else {
            panic!("no line of the table: {line}")
        };
        let statuses: Vec<u16> = statuses.iter().map(|word| word.parse().expect(line)).collect();
        let statuses: Line = statuses.try_into().unwrap_or_else(|_| panic!("{line}"));
        let before = table.insert(format!("{method} {pattern}"), statuses);
        assert!(before.is_none(), "two lines for {method} {pattern}");
    }
    table
}

fn write_table(told: &[(Route, Line)]) {
    let columns: String = COLUMNS.map(|column| format!("{column:<10}")).concat();
    let mut text = format!("{HEADING}# {}\n", columns.trim_end());
    for (Route { method, pattern, .. }, line) in told.iter().filter(|(route, _)| route.kind == KINDS[0]) {
        let statuses: String = line.map(|status| format!("{status:<10}")).concat();
        text.push_str(&format!("  {statuses}{method:<7} {pattern}\n"));
    }
    let folder = std::path::Path::new(TABLE).parent().expect("a folder");
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(TABLE, text).expect("the table is written");
}

fn asked(route: Route, about: &About, words: Words) -> Call {
    let asked = call((route.method, route.pattern), route.kind, about, words);
    asked.unwrap_or_else(|| panic!("{route} is asked nowhere: say how in access/calls.rs"))
}

/// A client with a wrong key, from an address of its own.
fn wrong(client: &Client) -> Client {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let [_, a, b, c] = CALLS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    client
        .clone()
        .without_header("Authorization")
        .with_bearer("sk_test_000000000000_wrong")
        .with_header("X-Forwarded-For", format!("10.{a}.{b}.{c}"))
}

fn anonymous(client: &Client) -> Client {
    client
        .clone()
        .without_header("Authorization")
        .without_header("API-key")
}

/// Asserts that an answer tells nothing of the demo's space.
#[track_caller]
fn tells_nothing(answer: &Response, about: &str) {
    let text = answer.text();
    assert!(
        !text.contains(SECRET) && !text.contains("Кетцалькоатль"),
        "{about}: {answer:?}"
    );
}

impl World {
    /// What the other space's client is answered about somebody of this space: the same as about nobody.
    #[track_caller]
    fn strange(&self, route: Route, method: &'static str, theirs: &About, missing: &About) -> u16 {
        let client = at(&self.other, route.pattern);
        let ask = |about: &About| {
            let call = asked(route, about, OTHER);
            let answer = match method == route.method {
                true => call.send(client),
                false => call.by(method).send(client),
            };
            (comparable(&answer, &about.hidden()), answer)
        };
        let (expected, _) = ask(missing);
        let (told, answer) = ask(theirs);
        let about = format!("{method} {} of a {}", route.pattern, route.kind);
        assert_eq!(told, expected, "{about}: of another space, and of nobody");
        tells_nothing(&answer, &about);
        answer.status
    }

    /// A line of the table, and that nobody but the owner has changed anything.
    #[track_caller]
    fn line(&self, route: Route) -> Line {
        let Route { method, pattern, .. } = route;
        let theirs = About::somebody(&self.own);
        let own = at(&self.own, pattern);
        let call = asked(route, &theirs, OWN);
        let before = self.states(&theirs);
        let nobody = call.send(&anonymous(own));
        let wrong_key = call.send(&wrong(own));
        let strange = self.strange(route, method, &theirs, &About::nobody());
        if pattern.contains("{id}") {
            // Who was there and is deleted is no less missing.
            let gone = About::somebody(&self.own).deleted(&self.own);
            let told = self.strange(route, method, &gone, &About::nobody());
            assert_eq!(told, strange, "{route}: of who is deleted in another space");
        }
        let scopeless = self.refused_unseen(route, &theirs);
        for answer in [&nobody, &wrong_key, &scopeless] {
            tells_nothing(answer, &route.to_string());
            // RFC 6750: a credential that is missing or wrong, or one without a scope that FHIR knows.
            let challenge = answer.header("WWW-Authenticate");
            let fits = match (answer.status, challenge) {
                (401, Some(_)) => true,
                (403, Some(challenge)) => challenge.contains("error=\"insufficient_scope\""),
                (status, challenge) => status != 401 && challenge.is_none(),
            };
            assert!(fits, "{route}: {answer:?}");
        }
        if method == "GET" {
            self.head(
                route,
                &theirs,
                [&nobody, &wrong_key, &scopeless].map(|a| a.status),
            );
        }
        assert_eq!(
            self.states(&theirs),
            before,
            "{route} was refused and changed something"
        );
        let own = call.send(own).status;
        [nobody.status, wrong_key.status, strange, scopeless.status, own]
    }

    /// What a client without a scope is answered about somebody of its space: the same as about nobody.
    #[track_caller]
    fn refused_unseen(&self, route: Route, theirs: &About) -> Response {
        let client = at(&self.scopeless, route.pattern);
        let ask = |about: &About| asked(route, about, OWN).send(client);
        let nobody = About::nobody();
        let (told, missing) = (ask(theirs), ask(&nobody));
        assert_eq!(
            comparable(&told, &theirs.hidden()),
            comparable(&missing, &nobody.hidden()),
            "{route} without a scope"
        );
        told
    }

    /// HEAD is answered as GET is, without a body.
    #[track_caller]
    fn head(&self, route: Route, theirs: &About, [nobody, wrong_key, scopeless]: [u16; 3]) {
        let Route { pattern, .. } = route;
        let call = asked(route, theirs, OWN).by("HEAD");
        let own = at(&self.own, pattern);
        let answers = [
            (call.send(&anonymous(own)), nobody),
            (call.send(&wrong(own)), wrong_key),
            (call.send(at(&self.scopeless, pattern)), scopeless),
            (call.send(own), asked(route, theirs, OWN).send(own).status),
        ];
        for (answer, as_get) in &answers {
            assert_eq!(
                (answer.status, answer.body.len()),
                (*as_get, 0),
                "HEAD {pattern}: {answer:?}"
            );
        }
        self.strange(route, "HEAD", theirs, &About::nobody());
    }

    /// All that the owner sees of somebody.
    fn states(&self, about: &About) -> [String; 3] {
        let all = [
            ("Patient", &about.fhir),
            ("Practitioner", &about.practitioner),
            ("Patient", &about.registry),
        ];
        all.map(|(kind, id)| {
            let history = self.own.fhir.get(format!("/{kind}/{id}/_history"));
            let bundle = history.send().expect(200).json();
            format!("{} {}", bundle["total"], bundle["entry"])
        })
    }
}

fn t20_every_route_answers_everybody_as_the_table_says_and_another_spaces_id_as_a_missing_one(
    context: &Context,
) {
    let world = World::new(context);
    let told: Vec<(Route, Line)> = all_routes()
        .into_iter()
        .map(|route| (route, world.line(route)))
        .collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        write_table(&told);
    }
    let table = table();
    let mut wrong = Vec::new();
    for (route, line) in &told {
        match table.get(&format!("{} {}", route.method, route.pattern)) {
            Some(expected) if expected == line => {}
            expected => wrong.push(format!(
                "{route} answers {line:?} to {COLUMNS:?}, by the table {expected:?}"
            )),
        }
    }
    assert!(told.len() > 60, "{} routes", told.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    eprintln!(
        "{}: {} routes and types × {} callers",
        context.name(),
        told.len(),
        COLUMNS.len()
    );
}

fn t20_a_verb_that_a_path_does_not_take_is_refused_alike_whoever_asks_about_whatever(context: &Context) {
    const VERBS: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
    ];
    let world = World::new(context);
    let routes = routes();
    let mut paths: Vec<Route> = Vec::new();
    for route in all_routes() {
        let is_same = |known: &Route| (known.pattern, known.kind) == (route.pattern, route.kind);
        if !paths.iter().any(is_same) {
            paths.push(route);
        }
    }
    let mut cases = 0;
    for route in paths {
        let Route { pattern, .. } = route;
        let theirs = About::somebody(&world.own);
        let before = world.states(&theirs);
        let taken = |verb: &str| {
            let verb = if verb == "HEAD" { "GET" } else { verb };
            routes.contains(&(verb, pattern))
        };
        for verb in VERBS.into_iter().filter(|verb| !taken(verb)) {
            let call = asked(route, &theirs, OWN).by(verb);
            let own = at(&world.own, pattern);
            let callers = [
                anonymous(own),
                wrong(own),
                at(&world.scopeless, pattern).clone(),
                own.clone(),
            ];
            let strange = world.strange(route, verb, &theirs, &About::nobody());
            for caller in callers {
                let answer = call.send(&caller);
                assert_eq!(answer.status, strange, "{verb} {pattern}: {answer:?}");
                tells_nothing(&answer, &format!("{verb} {pattern}"));
            }
            // The registry knows no such route; `$` is an operation that does not exist.
            let unknown = pattern.starts_with("/api") || pattern.contains('$');
            assert!(
                strange == 405 || (unknown && strange == 404),
                "{verb} {pattern}: {strange}"
            );
            cases += 1;
        }
        assert_eq!(world.states(&theirs), before, "{pattern}");
    }
    assert!(cases > 100, "{cases} verbs");
    eprintln!("{}: {cases} verbs × {} callers", context.name(), COLUMNS.len());
}

/// The routes that anybody may ask. This list may only shrink.
const OPEN: [&str; 5] = [
    "GET /health/live",
    "GET /health/ready",
    "GET /fhir/metadata",
    "GET /fhir/.well-known/smart-configuration",
    "GET /.well-known/smart-configuration",
];
/// Beginnings of the routes that a credential is enough for: what the server publishes of itself. It may only shrink.
const PUBLISHED: &str = "/fhir/{type:";

fn t21_every_route_has_its_line_and_no_line_lets_in_who_must_not(_: &Context) {
    let table = table();
    let names: Vec<String> = routes()
        .iter()
        .map(|(method, pattern)| format!("{method} {pattern}"))
        .collect();
    let without: Vec<&String> = names.iter().filter(|name| !table.contains_key(*name)).collect();
    assert!(without.is_empty(), "no line in {TABLE} for {without:?}");
    let stale: Vec<&String> = table.keys().filter(|name| !names.contains(name)).collect();
    assert!(stale.is_empty(), "lines of {TABLE} without a route: {stale:?}");
    for (name, [nobody, wrong, other, scopeless, own]) in &table {
        let (method, pattern) = name.split_once(' ').expect("a method and a pattern");
        assert!((200..300).contains(own), "{name}: its owner is refused");
        if OPEN.contains(&name.as_str()) {
            assert_eq!([nobody, wrong, other, scopeless], [own; 4], "{name}");
            continue;
        }
        assert_eq!(
            [*nobody, *wrong],
            [401, 401],
            "{name}: let in without a credential"
        );
        if pattern.starts_with(PUBLISHED) {
            assert_eq!([other, scopeless], [own; 2], "{name}");
            continue;
        }
        assert_eq!(*scopeless, 403, "{name}: let in without a scope");
        // By an id of another space there is nobody. What is written or deleted by it is of the asking space.
        let allowed: &[u16] = match (method, pattern) {
            ("PUT", "/fhir/{type}/{id}" | "/fhir/{type}") => &[201],
            ("DELETE", "/fhir/{type}/{id}" | "/fhir/{type}") => &[204],
            // Each space counts its events from 1: the same id is that of another event.
            ("GET", "/fhir/AuditEvent/{id}") => &[200],
            _ if pattern.contains("{id}") => &[404],
            _ => &[200, 201, 400, 404],
        };
        assert!(allowed.contains(other), "{name}: {other}");
    }
}
