//! `passerelle scrub`: of an erased person no byte stays in PostgreSQL's files (`access.md` 4).

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use testkit::harness::{Context, Test};
use testkit::postgres::Postgres;
use testkit::tests;
use testkit::wait::wait_for;

use super::erasure::{CANARIES, person};
use super::*;

pub const TESTS: &[Test] = tests![
    nothing_of_an_erased_person_is_left_in_the_files_after_a_scrub,
    a_scrub_names_who_still_sees_what_was_erased,
    a_scrub_by_who_may_not_names_what_is_left_and_what_to_grant,
];

/// Tables that hold nothing of a person but ids of the server's own. A new one is scrubbed, or joins these.
const WITHOUT_PERSONS: [&str; 11] = [
    "__diesel_schema_migrations",
    "audit",
    "audit_seal",
    "binding",
    "client",
    "client_certificate",
    "client_key",
    "erasure",
    "key_system",
    "setting",
    "space",
];

/// A cluster for what changes roles and looks at sessions.
fn cluster() -> &'static Postgres {
    static CLUSTER: OnceLock<Postgres> = OnceLock::new();
    CLUSTER.get_or_init(|| Postgres::own("roles"))
}

/// A server on a new database of the cluster, which `owner` owns.
fn server_on(context: &Context, cluster: &Postgres, database: &str, owner: &str) -> Server {
    cluster.query(
        "postgres",
        &format!("CREATE DATABASE {database} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0"),
    );
    context
        .settings()
        .database_url(&cluster.url(owner, database))
        .start()
}

fn scrub(context: &Context, server: &Server, patience: &str) -> Output {
    Command::new(context.binary())
        .args([
            "scrub",
            "--patience",
            patience,
            "--database",
            &server.database_argument(),
        ])
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// The canaries in a file. What is no text around one does not hide it: each begins with a byte that begins a character.
fn canaries_in(bytes: &[u8]) -> impl Iterator<Item = &'static str> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    CANARIES.into_iter().filter(move |canary| text.contains(canary))
}

/// Where below a folder a canary stands, with the canary.
fn found(folder: &Path) -> Vec<(String, &'static str)> {
    let mut places = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        if entry.file_type().expect("a type").is_dir() {
            places.extend(found(&path));
            continue;
        }
        // A file may be removed while others are read.
        let bytes = std::fs::read(&path).unwrap_or_default();
        let name = path.display().to_string();
        places.extend(canaries_in(&bytes).map(|canary| (name.clone(), canary)));
    }
    places
}

fn nothing_of_an_erased_person_is_left_in_the_files_after_a_scrub(context: &Context) {
    // Of its own: a scrub of another database overwrites the log of all.
    let cluster = Postgres::own("erasure");
    let server = server_on(context, &cluster, "scrubbed", "postgres");
    let doors = Doors::of(&server);
    let (_, medicapp_id) = person(&doors);
    cluster.query("scrubbed", "ANALYZE");
    let target = format!("/patients/{medicapp_id}");
    doors.connect.delete(&target).send().expect(200);
    cluster.query("scrubbed", "CHECKPOINT");
    let before = found(cluster.folder());
    for part in ["/base/", "/pg_wal/"] {
        let there = before.iter().any(|(path, _)| path.contains(part));
        assert!(
            there,
            "an erasure alone left nothing in {part}: this test sees nothing"
        );
    }
    let sampled = cluster.query(
        "scrubbed",
        "SELECT count(*) FROM pg_stats WHERE concat(histogram_bounds::text, most_common_vals::text) ~* 'канарка|kanari'",
    );
    assert_ne!(sampled, "0", "the statistics hold nobody");
    let output = scrub(context, &server, "60");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "1 erasures: nothing of them is left in the files of this database.\n"
    );
    let tables = cluster.query(
        "scrubbed",
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    );
    for table in tables.lines().filter(|table| !WITHOUT_PERSONS.contains(table)) {
        assert!(
            errors.contains(&format!("rewritten: {table} (")),
            "{table}: {errors}"
        );
    }
    assert_eq!(found(cluster.folder()), []);
    // The server goes on, and the next time counts from here.
    doors
        .connect_post(json!({ "externalId": "IPP-KANARI" }))
        .expect(201);
    let again = scrub(context, &server, "60");
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.starts_with("0 erasures since 20"), "{said}");
}

fn a_scrub_names_who_still_sees_what_was_erased(context: &Context) {
    let server = server_on(context, cluster(), "watched", "postgres");
    let mut reader = Command::new(cluster().psql())
        .args(["-X", "-q", "-U", "postgres", "-d", "watched", "-h"])
        .arg(cluster().folder())
        .args([
            "-c",
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT pg_sleep(600)",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql runs");
    let sees = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'psql' AND datname = 'watched' \
                AND backend_xmin IS NOT NULL AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    wait_for(Duration::from_secs(20), "a reader", || {
        (cluster().query("watched", sees) == "1").then_some(())
    });
    // What it still sees is what somebody changed meanwhile.
    Doors::of(&server)
        .connect_post(json!({ "externalId": "E-1" }))
        .expect(201);
    let refused = scrub(context, &server, "0");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    assert!(
        said.contains("These still see what was erased: session ") && said.contains("(psql)"),
        "{said}"
    );
    reader.kill().expect("psql is killed");
    reader.wait().expect("psql ends");
    cluster().query(
        "watched",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'psql' \
         AND datname = 'watched' AND pid <> pg_backend_pid()",
    );
    let done = scrub(context, &server, "60");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn a_scrub_by_who_may_not_names_what_is_left_and_what_to_grant(context: &Context) {
    cluster().query("postgres", "CREATE ROLE app LOGIN");
    let server = server_on(context, cluster(), "modest", "app");
    let refused = scrub(context, &server, "60");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    for grant in [
        "GRANT pg_monitor TO app",
        "GRANT pg_monitor, pg_checkpoint TO app; GRANT EXECUTE ON FUNCTION pg_switch_wal() TO app",
    ] {
        assert!(said.contains(grant), "{said}");
    }
    cluster().query(
        "modest",
        "GRANT pg_monitor, pg_checkpoint TO app; GRANT EXECUTE ON FUNCTION pg_switch_wal() TO app",
    );
    let done = scrub(context, &server, "60");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
