//! The statements of searches, and what the databases make of them.

use std::sync::Arc;
use std::time::Duration;

use fhir::ResourceType;
use fhir::query::Query;
use serde_json::json;
use store::SpaceStore;
use testkit::wait::poll;

use crate::bench::{Bench, Case, Database, SPACE};
use crate::cases;
use crate::fixture::{PATIENT, insert, new, resource, search};

cases![
    common_searches_use_an_index,
    the_statements_read_as_in_the_snapshot,
];

/// The case of PostgreSQL alone: SQLite prefers the index with more columns by itself.
pub const SERVER_CASES: &[Case] = &[Case {
    name: "a_read_by_id_uses_its_key_from_the_first_writes_on",
    on: &[Database::Postgres],
    run: |bench| Box::pin(a_read_by_id_uses_its_key_from_the_first_writes_on(bench)),
    alone: false,
}];

async fn a_read_by_id_uses_its_key_from_the_first_writes_on(bench: Arc<Bench>) {
    let space = bench.open_space();
    // Nobody else analyses them.
    for table in ["resource", "index_token"] {
        bench.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = false)"));
    }
    for number in 0..1_024 {
        let tree = json!({"identifier": [{"system": "urn:s", "value": format!("{number}")}]});
        insert(&space, &format!("{number}"), new(&resource(PATIENT, tree))).await;
    }
    // Analysed early, and again when they had grown: the plan for a few pages is not that for many.
    let outgrown = "SELECT count(*) AS number FROM pg_class \
         WHERE relname IN ('resource', 'index_token') AND relkind = 'r' AND reltuples < 1024 / 4";
    let known = poll(Duration::from_secs(30), || {
        (bench.number(outgrown) == 0).then_some(())
    });
    assert!(
        known.is_some(),
        "{} tables are known as they began",
        bench.number(outgrown)
    );
    let space = SPACE.0;
    let plan = bench.plan(&format!(
        "SELECT row FROM resource WHERE space = {space} AND kind = 1 AND id = '7' FOR UPDATE"
    ));
    assert!(plan.contains("resource_space_kind_id_key"), "{plan}");
}

async fn common_searches_use_an_index(bench: Arc<Bench>) {
    let space = bench.open_space();
    let fill: Vec<_> = (0..16)
        .map(|part| {
            let space = space.clone();
            tokio::spawn(async move {
                for number in 0..125 {
                    let tree = json!({
                        "identifier": [{"system": "urn:s", "value": format!("{part}-{number}")}],
                        "name": [{"family": format!("Family {part} {number}")}],
                        "birthDate": format!("19{:02}-{:02}-{:02}", number % 100, part % 12 + 1, number % 28 + 1),
                        "telecom": [{"system": "phone", "value": format!("{part}{number}")}],
                        "generalPractitioner": [{"reference": format!("Practitioner/{part}-{number}")}],
                        "link": [{"other": {"reference": format!("Patient/{number}-{part}")}, "type": "seealso"}],
                    });
                    let name = format!("{part}-{number}");
                    insert(&space, &name, new(&resource(PATIENT, tree))).await;
                    let tree = json!({
                        "identifier": [{"system": "urn:p", "value": format!("{part}-{number}")}],
                        "name": [{"family": format!("Doctor {part} {number}")}],
                    });
                    insert(&space, &name, new(&resource(ResourceType::Practitioner, tree))).await;
                }
            })
        })
        .collect();
    for part in fill {
        part.await.unwrap();
    }
    // A database that has just been filled has few statistics yet, or none.
    let sure = match bench.database {
        Database::Sqlite => SEARCHES.len(),
        Database::Postgres => SURE,
    };
    each_uses_its_index(&bench, &space, &SEARCHES[..sure]).await;
    bench.execute("ANALYZE");
    each_uses_its_index(&bench, &space, &SEARCHES).await;
    for (kind, query, indexes) in FURTHER {
        let plan = plan(&space, search(kind, query)).await;
        if std::env::var_os("SHOW_PLANS").is_some() {
            println!("{query}\n{plan}\n");
        }
        for index in indexes {
            assert!(plan.contains(index), "{query}:\n{plan}");
        }
        assert!(!is_full_scan(&bench, &plan), "{query}:\n{plan}");
    }
}

/// Searches and the index that drives each.
const SEARCHES: [(&str, &str); 8] = [
    ("identifier=urn:s|1-1", "index_token_by_code"),
    ("identifier=1-1", "index_token_by_code"),
    ("phone=11", "index_token_by_code"),
    ("family=family 1 1", "index_string_by_text"),
    ("family:exact=Family 1 1", "index_string_by_text"),
    ("birthdate=1901-02-02", "index_date_by_range"),
    ("family=family 1 1&birthdate=1901-02-02", "index_date_by_range"),
    ("general-practitioner=1-1", "index_reference_by_target"),
];
/// So many of them do so on a PostgreSQL without statistics too.
const SURE: usize = 7;

/// Sorted searches and searches that follow references, and what finds them. They are promised of a database with
/// statistics.
const FURTHER: [(ResourceType, &str, &[&str]); 19] = [
    (PATIENT, "_sort=birthdate", &["index_date_by_range"]),
    (PATIENT, "_sort=-birthdate&_count=7", &["index_date_by_range"]),
    (PATIENT, "_sort=family", &["index_string_by_text"]),
    (PATIENT, "_sort=-family,birthdate", &["index_string_by_text"]),
    (PATIENT, "_sort=identifier", &["index_token_by_code"]),
    (PATIENT, "_sort=-_lastUpdated", &["resource_by_time"]),
    (PATIENT, "_sort=_id", &["resource"]),
    (
        PATIENT,
        "family=family 1 1&_sort=-birthdate",
        &["index_string_by_text"],
    ),
    (
        PATIENT,
        "identifier=urn:s|1-1&_sort=family",
        &["index_token_by_code"],
    ),
    (
        PATIENT,
        "general-practitioner.identifier=urn:p|1-1",
        &["index_token_by_code", "index_reference_by_target"],
    ),
    (
        PATIENT,
        "general-practitioner:Practitioner.family=doctor 1 1",
        &["index_string_by_text", "index_reference_by_target"],
    ),
    (
        PATIENT,
        "identifier=urn:s|1-1&general-practitioner.active=true",
        &["index_token_by_code"],
    ),
    (
        PRACTITIONER,
        "_has:Patient:general-practitioner:identifier=urn:s|1-1",
        &["index_token_by_code"],
    ),
    (
        PRACTITIONER,
        "identifier=urn:p|1-1&_has:Patient:general-practitioner:gender=male",
        &["index_token_by_code", "index_reference_by_target"],
    ),
    (PATIENT, "link.birthdate=1901-02-02", &["index_date_by_range"]),
    (PATIENT, "language:text=nothing", &["index_string_by_text"]),
    (
        PATIENT,
        "link.general-practitioner.identifier=urn:p|1-1",
        &["index_token_by_code", "index_reference_by_target"],
    ),
    (
        PRACTITIONER,
        "_has:Patient:general-practitioner:link.identifier=urn:s|1-1",
        &["index_token_by_code", "index_reference_by_target"],
    ),
    (
        PATIENT,
        "identifier=urn:s|1-1&link.general-practitioner.active=true",
        &["index_token_by_code"],
    ),
];

const PRACTITIONER: ResourceType = ResourceType::Practitioner;

/// The plan of the first statement.
async fn plan(space: &SpaceStore, query: Query) -> String {
    let explained = space.explain(query).await.unwrap();
    explained[0].1.join("\n")
}

fn is_full_scan(bench: &Bench, plan: &str) -> bool {
    match bench.database {
        Database::Sqlite => plan
            .lines()
            .any(|line| line.starts_with("SCAN") && (line.contains("index_") || line.contains("SCAN r"))),
        Database::Postgres => plan.contains("Seq Scan"),
    }
}

async fn each_uses_its_index(bench: &Bench, space: &SpaceStore, searches: &[(&str, &str)]) {
    for (query, index) in searches.iter().copied() {
        let plan = plan(space, search(PATIENT, query)).await;
        assert!(plan.contains(index), "{query}:\n{plan}");
        assert!(!is_full_scan(bench, &plan), "{query}:\n{plan}");
    }
    if bench.database == Database::Sqlite {
        let plan = plan(space, search(PATIENT, "identifier=urn:s|")).await;
        assert!(plan.contains("index_token_by_system"), "{plan}");
    }
}

/// What is written in the snapshot: one of each kind of statement.
const WRITTEN: [(ResourceType, &str); 10] = [
    (PATIENT, "identifier=urn:s|1"),
    (PATIENT, "family=x&birthdate=1980"),
    (PATIENT, "family=x&_sort=-birthdate"),
    (PATIENT, "_sort=birthdate"),
    (PATIENT, "gender=male&_sort=-family,_id"),
    (PATIENT, "_sort=-_lastUpdated"),
    (PATIENT, "general-practitioner.identifier=urn:p|1"),
    (PATIENT, "identifier=urn:s|1&general-practitioner.active=true"),
    (
        PRACTITIONER,
        "_has:Patient:general-practitioner:identifier=urn:s|1",
    ),
    (
        PRACTITIONER,
        "identifier=urn:p|1&_has:Patient:general-practitioner:gender=male",
    ),
];

async fn the_statements_read_as_in_the_snapshot(bench: Arc<Bench>) {
    let space = bench.open_space();
    let mut page = String::from("# Searches as SQL\n");
    for (kind, query) in WRITTEN {
        let explained = space.explain(search(kind, query)).await.unwrap();
        page.push_str(&format!("\n## `{kind}?{query}`\n"));
        for (text, _) in explained {
            let lines = text
                .replace(" FROM ", "\n  FROM ")
                .replace(" WHERE ", "\n  WHERE ");
            page.push_str(&format!(
                "```sql\n{}\n```\n",
                lines.replace(" AND ", "\n    AND ")
            ));
        }
    }
    let name = match bench.database {
        Database::Sqlite => "searches.sqlite.snap.md",
        Database::Postgres => "searches.postgres.snap.md",
    };
    let path = format!("{}/../../fixtures/store/{name}", env!("CARGO_MANIFEST_DIR"));
    testkit::fixtures::snapshot(std::path::Path::new(&path), &page);
}
