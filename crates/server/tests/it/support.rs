//! Short words for what the tests say often.

use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, not_run};
use testkit::http::{Client, Response, percent_encode};
use testkit::race::race_prepared;
use testkit::server::{Backend, Server};
use testkit::wait::wait_for;

/// The national id of a regulator.
pub const IDNPS: &str = "urn:oid:1.2.250.1.71.4.2.1";
/// The SAS technical id.
pub const INTRN: &str = "urn:oid:1.2.250.1.213.3.6";
/// The profile of regulators' accounts.
pub const PROFILE: &str =
    "https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrPractitionerRegul";
/// FR Core's identifier types, older spelling.
pub const FR_TYPES: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";

/// An identifier as SAS sends it.
pub fn identifier(system: &str, value: &str) -> Value {
    let code = if system == IDNPS { "IDNPS" } else { "INTRN" };
    json!({
        "type": { "coding": [{ "system": FR_TYPES, "code": code }] },
        "system": system,
        "value": value
    })
}

/// A person for the tests: family, given, e-mail.
#[derive(Clone, Copy)]
pub struct Person(pub &'static str, pub &'static str, pub &'static str);

/// The first person of most tests.
pub const MORVAN: Person = Person("Morvan", "Enora", "enora.morvan@sante.example");
/// Somebody else.
pub const PELTIER: Person = Person("Peltier", "Lucas", "lucas.peltier@sante.example");

/// A regulator's account.
pub fn account(person: Person, identifiers: &[(&str, &str)], active: bool) -> Value {
    let identifiers: Vec<Value> = identifiers
        .iter()
        .map(|(system, value)| identifier(system, value))
        .collect();
    json!({
        "resourceType": "Practitioner",
        "id": "one-id-in-every-body",
        "meta": { "source": INTRN, "profile": [PROFILE] },
        "identifier": identifiers,
        "active": active,
        "name": [{ "family": person.0, "given": [person.1] }],
        "telecom": [{ "system": "email", "value": person.2 }]
    })
}

/// An ordinary resource with one identifier and whatever else.
pub fn resource(kind: &str, system: &str, value: &str) -> Value {
    json!({
        "resourceType": kind,
        "identifier": [{ "system": system, "value": value }],
        "name": [{ "family": "Ordinaire", "given": ["Camille"] }]
    })
}

/// Conditional PUT by identifier, percent-encoded.
pub fn put_by(client: &Client, kind: &str, (system, value): (&str, &str), body: &Value) -> Response {
    let criteria = percent_encode(&format!("{system}|{value}"));
    client
        .put(format!("/{kind}?identifier={criteria}"))
        .json(body)
        .send()
}

/// Conditional PUT of an account by one of its identifiers.
pub fn put_account(client: &Client, by: (&str, &str), body: &Value) -> Response {
    put_by(client, "Practitioner", by, body)
}

/// The ids that a search by identifier finds.
pub fn found(client: &Client, kind: &str, (system, value): (&str, &str)) -> Vec<String> {
    let criteria = percent_encode(&format!("{system}|{value}"));
    let bundle = client
        .get(format!("/{kind}?identifier={criteria}"))
        .send()
        .expect(200)
        .json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The path below `/fhir` that a Location names.
pub fn path_of(location: &str) -> String {
    let (_, path) = location
        .split_once("/fhir")
        .unwrap_or_else(|| panic!("{location} is not below /fhir"));
    path.to_owned()
}

/// The id that a Location names.
pub fn id_of(location: &str) -> String {
    path_of(location).split('/').nth(2).unwrap().to_owned()
}

/// Asserts an OperationOutcome with this status and, among its issues, this code.
#[track_caller]
pub fn refused(response: Response, status: u16, code: &str) -> Response {
    let response = response.expect(status);
    let issues = response.issues();
    assert!(!issues.is_empty(), "no OperationOutcome: {response:?}");
    for issue in &issues {
        assert!(
            !issue.severity.is_empty() && !issue.code.is_empty(),
            "an issue lacks severity or code: {response:?}"
        );
        assert!(
            !issue.text.trim().is_empty() && !issue.diagnostics.is_empty(),
            "an issue says nothing: {response:?}"
        );
    }
    assert!(
        issues.iter().any(|issue| issue.code == code),
        "no issue '{code}': {response:?}"
    );
    response
}

/// Asserts that one issue points at this place.
#[track_caller]
pub fn points_at(response: &Response, expression: &str) {
    let issues = response.issues();
    let places: Vec<&String> = issues.iter().flat_map(|issue| &issue.expression).collect();
    assert!(
        places.iter().any(|place| *place == expression),
        "nothing points at {expression}: {places:?}"
    );
}

/// One server per database for all tests that leave each other alone: they name their resources by
/// [`unique`] values and never count everybody. The sweeper ends it with the test process.
pub fn shared(context: &Context) -> &'static Server {
    static SERVERS: [OnceLock<Server>; 2] = [OnceLock::new(), OnceLock::new()];
    let [sqlite, postgres] = &SERVERS;
    let slot = match context.backend() {
        Backend::Sqlite => sqlite,
        Backend::Postgres => postgres,
    };
    slot.get_or_init(|| context.server())
}

/// A client of its own of the shared server's `fhir` door.
pub fn shared_fhir(context: &Context) -> Client {
    shared(context).client("fhir")
}

/// A text that no other test of this process uses: letters and digits.
pub fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("u{}x", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The identifier system of values that nobody else may own and nobody has to.
pub const LOCAL: &str = "urn:oid:1.2.250.9.9.1";

/// A patient with this local number.
pub fn patient(value: &str) -> Value {
    resource("Patient", LOCAL, value)
}

/// Criteria by local number, as they stand in a query string.
pub fn by_local(value: &str) -> String {
    format!("identifier={}", percent_encode(&format!("{LOCAL}|{value}")))
}

/// How many patients carry this local number.
#[track_caller]
pub fn count_local(client: &Client, value: &str) -> usize {
    found(client, "Patient", (LOCAL, value)).len()
}

/// The same resource with another property at the top.
pub fn with(mut resource: Value, name: &str, value: Value) -> Value {
    resource[name] = value;
    resource
}

/// The ids of the matches of a searchset, in its order.
#[track_caller]
pub fn ids(bundle: &Value) -> Vec<String> {
    assert_eq!(bundle["resourceType"], "Bundle", "{bundle}");
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
    matches
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The URL of a Bundle's link, if it has one of this relation.
pub fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array()?;
    let found = links.iter().find(|link| link["relation"] == relation)?;
    found["url"].as_str().map(str::to_owned)
}

/// `passerelle` with these arguments on the database of a server.
pub fn passerelle(context: &Context, server: &Server, arguments: &[&str]) -> Output {
    let mut command = command(context);
    command
        .args(arguments)
        .env("PASSERELLE_DATABASE", database_of(server))
        .env("PASSERELLE_ERASURE_LEDGER", server.erasure_ledger());
    command.output().expect("the binary runs")
}

/// What such a command prints when it succeeds.
#[track_caller]
pub fn succeeds(context: &Context, server: &Server, arguments: &[&str]) -> String {
    let output = passerelle(context, server, arguments);
    assert!(output.status.success(), "passerelle {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The URL of a server's database, as the command line takes it.
pub fn database_of(server: &Server) -> String {
    let file = server.data_folder().join("passerelle.db");
    server
        .database_url()
        .unwrap_or_else(|| format!("sqlite:{}", file.display()))
}

/// Runs SQL in the database of a server, past the server. Ends the test where there is no tool for it.
#[track_caller]
pub fn execute(server: &Server, sql: &str) -> String {
    if let Some(database) = server.postgres_database() {
        return database.query(sql).trim().to_owned();
    }
    let output = Command::new("sqlite3")
        .args(["-cmd", ".timeout 10000"])
        .arg(server.data_folder().join("passerelle.db"))
        .arg(sql)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{sql}: {output:?}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        Err(_) => not_run("no sqlite3 program"),
    }
}

/// Issues a key and gives it back.
#[track_caller]
pub fn issue_key(context: &Context, server: &Server, client: &str) -> String {
    let printed = succeeds(context, server, &["key", "issue", client]);
    let key = printed.split_whitespace().find(|word| word.starts_with("sk_"));
    key.unwrap_or_else(|| panic!("no key in {printed:?}")).to_owned()
}

/// A client of the FHIR door with this key. A new one is accepted within a second: this waits for it.
#[track_caller]
pub fn fhir_with_key(server: &Server, key: &str) -> Client {
    door_with_key(server, "/fhir", "/Patient/nobody", key)
}

/// A client of the door below `mount` with this key, once it is accepted; `target` is any route of the door.
#[track_caller]
pub fn door_with_key(server: &Server, mount: &str, target: &str, key: &str) -> Client {
    let client = server.anonymous().with_prefix(mount).with_bearer(key);
    wait_for(Duration::from_secs(10), "the key to be known", || {
        let answer = client.get(target).send();
        // Wrong credentials are counted: a hasty poll would be shut out.
        std::thread::sleep(Duration::from_millis(60));
        (answer.status != 401).then_some(())
    });
    client
}

/// Like `testkit::race::race`, each runner with a connection of its own: those that share a client take turns.
pub fn race_of<T: Send>(client: &Client, count: usize, act: impl Fn(&Client, usize) -> T + Sync) -> Vec<T> {
    let open = |_| {
        let own = client.clone();
        // Any answer will do: it leaves an open connection.
        own.request_exact("GET", "/health/live").send();
        own
    };
    race_prepared(count, open, |number, own| act(&own, number))
}

/// An XML answer from its root element on.
#[track_caller]
pub fn xml_root(response: &Response) -> String {
    let text = response.text();
    let rest = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, root)| root),
        None => &text,
    };
    assert!(rest.trim_start().starts_with('<'), "no XML: {response:?}");
    rest.trim_start().to_owned()
}

/// The binary, without the developer's wish for backtraces.
pub fn command(context: &Context) -> Command {
    let mut command = Command::new(context.binary());
    command
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE");
    command
}
