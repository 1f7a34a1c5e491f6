//! The tables of the database must agree with each other. This is the one place of the test kit that knows
//! the schema: what no request can show, such as an index row of a resource that is gone.

use std::process::{Command, Stdio};

use crate::postgres::Postgres;
use crate::server::{Backend, Server};

/// Each: what must not be, and how many there are of it.
const CHECKS: &[(&str, &str)] = &[
    (
        "a resource whose earlier versions are not all there",
        "SELECT count(*) FROM resource r WHERE r.version - 1 <> (SELECT count(*) FROM resource_version v \
         WHERE v.space = r.space AND v.row = r.row AND v.version BETWEEN 1 AND r.version - 1)",
    ),
    (
        "a version of no resource, or above its current one",
        "SELECT count(*) FROM resource_version v WHERE NOT EXISTS (SELECT 1 FROM resource r \
         WHERE r.space = v.space AND r.row = v.row AND r.version > v.version)",
    ),
    (
        "an owning key of no live resource",
        "SELECT count(*) FROM identifier_key k WHERE k.state = 2 AND NOT EXISTS (SELECT 1 FROM resource r \
         WHERE r.space = k.space AND r.row = k.row AND NOT r.deleted)",
    ),
    (
        "a token in the index of no live resource",
        "SELECT count(*) FROM index_token i WHERE NOT EXISTS (SELECT 1 FROM resource r \
         WHERE r.space = i.space AND r.row = i.row AND NOT r.deleted)",
    ),
    (
        "a string in the index of no live resource",
        "SELECT count(*) FROM index_string i WHERE NOT EXISTS (SELECT 1 FROM resource r \
         WHERE r.space = i.space AND r.row = i.row AND NOT r.deleted)",
    ),
    (
        "a live resource without a token in the index",
        "SELECT count(*) FROM resource r WHERE NOT r.deleted AND NOT EXISTS (SELECT 1 FROM index_token i \
         WHERE i.space = r.space AND i.row = r.row)",
    ),
    (
        "a live resource without a string in the index",
        "SELECT count(*) FROM resource r WHERE NOT r.deleted AND NOT EXISTS (SELECT 1 FROM index_string i \
         WHERE i.space = r.space AND i.row = r.row)",
    ),
    (
        "a version that the audit trail does not tell of exactly once",
        "SELECT count(*) FROM (SELECT space, kind, id, version FROM resource \
         UNION ALL SELECT space, kind, id, version FROM resource_version) w \
         LEFT JOIN (SELECT space, kind, id, version, count(*) AS told FROM audit WHERE outcome = 'ok' \
         AND interaction NOT IN ('read', 'vread') GROUP BY space, kind, id, version) a \
         ON a.space = w.space AND a.kind = w.kind AND a.id = w.id AND a.version = w.version \
         WHERE coalesce(a.told, 0) <> 1",
    ),
    (
        "a change in the audit trail that is no version",
        "SELECT count(*) FROM audit a LEFT JOIN (SELECT space, kind, id, version FROM resource \
         UNION ALL SELECT space, kind, id, version FROM resource_version) w \
         ON a.space = w.space AND a.kind = w.kind AND a.id = w.id AND a.version = w.version \
         WHERE a.outcome = 'ok' AND a.version IS NOT NULL AND a.interaction NOT IN ('read', 'vread') \
         AND w.version IS NULL",
    ),
];

/// Checks the tables, and on SQLite the file; what was not checked, when a tool is missing.
///
/// # Panics
/// When something is there that must not be.
pub(super) fn check(server: &Server) -> Option<&'static str> {
    if server.backend() == Backend::Sqlite && !has_sqlite3() {
        return Some("tables and PRAGMA integrity_check were not checked: no sqlite3 program");
    }
    let wrong: Vec<String> = CHECKS
        .iter()
        .filter_map(|(what, sql)| {
            let count = query(server, sql);
            (count != "0").then(|| format!("{what}: {count}"))
        })
        .collect();
    assert!(wrong.is_empty(), "the tables disagree: {wrong:?}");
    if server.backend() == Backend::Sqlite {
        assert_eq!(query(server, "PRAGMA integrity_check"), "ok");
        assert_eq!(query(server, "PRAGMA foreign_key_check"), "");
    }
    None
}

/// Whether the program `sqlite3` is there.
pub(super) fn has_sqlite3() -> bool {
    let version = Command::new("sqlite3")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

#[track_caller]
fn query(server: &Server, sql: &str) -> String {
    let mut command = match server.database_url() {
        Some(url) => Postgres::shared().psql_at(&url, sql),
        None => {
            let mut sqlite3 = Command::new("sqlite3");
            // The server writes its audit trail meanwhile.
            sqlite3
                .args(["-readonly", "-cmd", ".timeout 10000"])
                .arg(server.data_folder().join("passerelle.db"))
                .arg(sql)
                .stdin(Stdio::null());
            sqlite3
        }
    };
    let output = command.output().expect("sqlite3 or psql runs");
    assert!(
        output.status.success(),
        "{sql}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
