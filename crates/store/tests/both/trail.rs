//! The chain over the audit trail: what is tampered with is named, and nothing else is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir::Timestamp;
use store::trail::{Finding, Keys, Report, Sealer, SealerOptions, Signer, SpaceReport, read_heads};
use store::{AuditEntry, SpaceKey, Store};
use testkit::random::Random;

use crate::bench::{Bench, Case, Database, SPACE};
use crate::cases;
use crate::fixture::{entry, id};

cases![
    t40_whatever_is_tampered_with_is_named,
    t40_a_tail_that_is_cut_with_its_seals_is_told_by_the_heads_outside,
    a_trail_is_sealed_within_a_second_while_it_grows,
    two_sealers_make_one_chain,
    retention_cuts_at_a_signed_head_and_the_rest_verifies,
    nobody_without_the_key_can_cut_or_seal,
    a_damaged_seal_holds_up_no_other_space,
    a_row_that_is_left_unsealed_is_told,
];

pub const SERVER_CASES: &[Case] = &[
    Case {
        name: "a_row_that_appears_late_is_sealed_all_the_same",
        on: &[Database::Postgres],
        run: |bench| Box::pin(a_row_that_appears_late_is_sealed_all_the_same(bench)),
        alone: false,
    },
    Case {
        name: "two_sealers_that_finish_at_once_do_not_write_over_each_other",
        on: &[Database::Postgres],
        run: |bench| {
            Box::pin(two_sealers_that_finish_at_once_do_not_write_over_each_other(
                bench,
            ))
        },
        alone: false,
    },
];

/// Where the key and the heads of a case lie.
struct Outside(PathBuf);

impl Outside {
    fn new(bench: &Bench) -> Outside {
        let name: String = bench.url.chars().filter(char::is_ascii_alphanumeric).collect();
        let tail: String = name.chars().rev().take(40).collect();
        let folder = std::env::temp_dir().join(format!("outside-{}-{tail}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Outside(folder)
    }

    fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    fn heads(&self) -> PathBuf {
        self.0.join("heads")
    }

    fn options(&self) -> SealerOptions {
        SealerOptions {
            signer: Some(Signer::load_or_make(&self.key()).unwrap()),
            heads: Some(self.heads()),
            retention: None,
        }
    }

    async fn verify(&self, store: &Store) -> Report {
        let keys = Keys::load(&self.key()).unwrap();
        let heads = read_heads(&self.heads()).unwrap();
        store.verify_trail(&keys, heads, |_| ()).await.unwrap()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is found of the space of the cases.
fn of_space(report: &Report) -> &SpaceReport {
    let own = report.spaces.iter().find(|space| space.space == SPACE.0);
    own.unwrap_or_else(|| panic!("nothing is told of the space: {report:?}"))
}

fn finding(report: &Report) -> Option<&Finding> {
    of_space(report).finding.as_ref()
}

fn row(number: usize) -> AuditEntry {
    AuditEntry {
        time: Timestamp::from_micros(1_700_000_000_000_000 + number as i64 * 1_000),
        request_id: format!("request-{number}"),
        client: format!("client-{}", number % 3),
        id: (!number.is_multiple_of(5)).then(|| id(&format!("id-{}", number % 17))),
        version: number
            .is_multiple_of(2)
            .then(|| fhir::VersionId::new(number as u64 + 1).unwrap()),
        ..entry("ok")
    }
}

async fn wait_for_rows(bench: &Bench, rows: usize) {
    let until = Instant::now() + Duration::from_secs(30);
    let count = format!("SELECT count(*) AS number FROM audit WHERE space = {}", SPACE.0);
    while bench.number(&count) < rows as i64 {
        assert!(Instant::now() < until, "the rows are not written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Seals past the runtime of the case: it blocks.
async fn seal(store: &Store, options: SealerOptions) {
    let store = store.clone();
    tokio::task::spawn_blocking(move || Sealer::seal_now(&store, options).unwrap())
        .await
        .unwrap();
}

/// Rows from one number to another, sealed in some rounds.
async fn fill(bench: &Bench, store: &Store, outside: &Outside, rounds: &[usize]) {
    let mut written = 0;
    for &up_to in rounds {
        for number in written..up_to {
            store.audit_later(row(number)).unwrap();
        }
        written = up_to;
        wait_for_rows(bench, written).await;
        seal(store, outside.options()).await;
    }
}

const ROWS: usize = 300;

/// One way to tamper: SQL, and the position and number that must be named. `None`: any.
struct Tampering {
    sql: String,
    position: Option<i64>,
    number: Option<i64>,
}

fn tampering(bench: &Bench, random: &mut Random, kind: usize) -> Tampering {
    let at = 1 + random.below(ROWS - 20);
    let space = SPACE.0;
    // On PostgreSQL the numbers have gaps: the n-th row is asked for.
    let number_of = |position: usize| {
        bench.number(&format!(
            "SELECT seq AS number FROM audit_copy WHERE space = {space} ORDER BY seq LIMIT 1 OFFSET {}",
            position - 1
        ))
    };
    let number = number_of(at);
    let of = |number: i64| format!("WHERE space = {space} AND seq = {number}");
    let named = |sql: String| Tampering {
        sql,
        position: Some(at as i64),
        number: Some(number),
    };
    let columns = [
        "time",
        "request_id",
        "client",
        "door",
        "interaction",
        "kind",
        "id",
        "version",
        "outcome",
    ];
    match kind {
        0..30 => {
            let values = [
                "17",
                "'other'",
                "'other'",
                "'other'",
                "'other'",
                "2",
                "'other'",
                "9999",
                "'forbidden'",
            ];
            let column = kind % columns.len();
            named(format!(
                "UPDATE audit SET {} = {} {}",
                columns[column],
                values[column],
                of(number)
            ))
        }
        30..50 => named(format!("DELETE FROM audit {}", of(number))),
        50..70 => {
            let other = number_of(at + 1 + random.below(19));
            let take = |from: i64| {
                let each = columns.map(|column| {
                    format!("{column} = (SELECT c.{column} FROM audit_copy AS c WHERE c.space = {space} AND c.seq = {from})")
                });
                each.join(", ")
            };
            named(format!(
                "UPDATE audit SET {} {}; UPDATE audit SET {} {}",
                take(other),
                of(number),
                take(number),
                of(other)
            ))
        }
        // A row before all others; on PostgreSQL in a gap.
        70..80 => {
            let free = match bench.database {
                Database::Sqlite => -(random.below(9) as i64),
                Database::Postgres => bench.number(&format!(
                    "SELECT a.seq + 1 AS number FROM audit_copy AS a WHERE a.space = {space} AND a.seq >= {number} \
                     AND NOT EXISTS (SELECT 1 FROM audit_copy AS b WHERE b.space = {space} AND b.seq = a.seq + 1) \
                     ORDER BY a.seq LIMIT 1"
                )),
            };
            Tampering {
                sql: insert(bench, free),
                position: None,
                number: Some(free),
            }
        }
        // Between two rows: those behind make room.
        80..90 => {
            let behind = "UPDATE audit SET seq = -seq";
            named(format!(
                "{behind} WHERE space = {space} AND seq >= {number}; \
                 {behind} + 1 WHERE space = {space} AND seq < 0; {}",
                insert(bench, number)
            ))
        }
        _ => named(format!(
            "DELETE FROM audit WHERE space = {space} AND seq >= {number}"
        )),
    }
}

fn insert(bench: &Bench, number: i64) -> String {
    let overriding = match bench.database {
        Database::Sqlite => "",
        Database::Postgres => "OVERRIDING SYSTEM VALUE",
    };
    format!(
        "INSERT INTO audit (space, seq, time, request_id, client, door, interaction, outcome) {overriding} \
         VALUES ({}, {number}, 1700000000000000, 'forged', 'client-1', 'fhir', 'read', 'ok')",
        SPACE.0
    )
}

fn restore(bench: &Bench) {
    let overriding = match bench.database {
        Database::Sqlite => "",
        Database::Postgres => "OVERRIDING SYSTEM VALUE",
    };
    bench.execute(&format!(
        "BEGIN; DELETE FROM audit; INSERT INTO audit {overriding} SELECT * FROM audit_copy; \
         DELETE FROM audit_seal; INSERT INTO audit_seal SELECT * FROM audit_seal_copy; COMMIT"
    ));
}

fn copy(bench: &Bench) {
    bench.execute("CREATE TABLE audit_copy AS SELECT * FROM audit");
    bench.execute("CREATE TABLE audit_seal_copy AS SELECT * FROM audit_seal");
}

/// Numbers that no row gets, as those of writes that were taken back.
fn burn(bench: &Bench) {
    if bench.database == Database::Postgres {
        bench.number("SELECT nextval('audit_seq_seq') AS number");
    }
}

async fn t40_whatever_is_tampered_with_is_named(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    for up_to in [80, 180, ROWS] {
        let from = [0, 80, 180][[80, 180, ROWS].iter().position(|end| *end == up_to).unwrap()];
        for number in from..up_to {
            store.audit_later(row(number)).unwrap();
        }
        wait_for_rows(&bench, up_to).await;
        seal(&store, outside.options()).await;
        burn(&bench);
    }
    let whole = outside.verify(&store).await;
    let report = of_space(&whole);
    assert_eq!(
        (
            report.finding.as_ref(),
            report.rows,
            report.heads,
            report.unsealed
        ),
        (None, ROWS as u64, 3, 0)
    );
    copy(&bench);
    if bench.database == Database::Postgres {
        bench.execute("ALTER TABLE audit ALTER COLUMN seq SET GENERATED BY DEFAULT");
    }
    let mut random = Random::new(40);
    for kind in 0..100 {
        let tampering = loop {
            let tampering = tampering(&bench, &mut random, kind);
            // Not in the gap at the very end, where a row is only not sealed yet.
            let last = "SELECT max(seq) AS number FROM audit_copy";
            if tampering.position.is_some() || tampering.number < Some(bench.number(last)) {
                break tampering;
            }
        };
        bench.execute(&tampering.sql);
        let report = outside.verify(&store).await;
        let found = finding(&report).unwrap_or_else(|| panic!("{kind}: unseen: {}", tampering.sql));
        assert_eq!(
            (found.position, found.number),
            (tampering.position, tampering.number),
            "{kind}: {}: {found:?}",
            tampering.sql
        );
        restore(&bench);
    }
    assert_eq!(outside.verify(&store).await, whole);
}

async fn t40_a_tail_that_is_cut_with_its_seals_is_told_by_the_heads_outside(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    fill(&bench, &store, &outside, &[1_024, 1_100, 1_200]).await;
    copy(&bench);
    let space = SPACE.0;
    // The seal of the first block is as good as ever; only what lies outside knows of more.
    bench.execute(&format!(
        "DELETE FROM audit_seal WHERE space = {space} AND block = 2; \
         DELETE FROM audit WHERE space = {space} AND request_id NOT IN \
         (SELECT request_id FROM audit_copy WHERE space = {space} ORDER BY seq LIMIT 1024)"
    ));
    let report = outside.verify(&store).await;
    let found = finding(&report).unwrap();
    assert_eq!(found.position, Some(1_025), "{found:?}");
    assert!(found.what.contains("1200 rows"), "{found:?}");
    let keys = Keys::load(&outside.key()).unwrap();
    let alone = store.verify_trail(&keys, Vec::new(), |_| ()).await.unwrap();
    assert_eq!(finding(&alone), None, "nothing inside tells it");

    // A server goes on over the cut: the heads tell it for good.
    for number in 2_000..2_200 {
        store.audit_later(row(number)).unwrap();
    }
    wait_for_rows(&bench, 1_224).await;
    seal(&store, outside.options()).await;
    let report = outside.verify(&store).await;
    let found = finding(&report).unwrap();
    assert_eq!(found.position, Some(1_025), "{found:?}");

    restore(&bench);
    bench.execute("DELETE FROM audit; DELETE FROM audit_seal");
    let report = outside.verify(&store).await;
    assert_eq!(finding(&report).unwrap().position, Some(1), "a whole space");
}

async fn a_trail_is_sealed_within_a_second_while_it_grows(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    let sealer = store.start_sealer(outside.options()).unwrap();
    for number in 0..500 {
        store.audit_later(row(number)).unwrap();
    }
    wait_for_rows(&bench, 500).await;
    let written = Instant::now();
    let sealed = format!(
        "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) AS number FROM audit_seal WHERE space = {}",
        SPACE.0
    );
    while bench.number(&sealed) < 500 {
        // Ten times the promise: the machine may be busy.
        assert!(
            written.elapsed() < Duration::from_secs(10),
            "the rows are not sealed"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What comes last is sealed when the server ends.
    for number in 500..600 {
        store.audit_later(row(number)).unwrap();
    }
    store.close().await.unwrap();
    tokio::task::spawn_blocking(move || sealer.finish().unwrap())
        .await
        .unwrap();
    assert_eq!(bench.number(&sealed), 600);
    let report = outside.verify(&bench.open()).await;
    let report = of_space(&report);
    assert_eq!((report.finding.as_ref(), report.rows), (None, 600));
    assert!(report.heads >= 2, "{report:?}");
}

async fn two_sealers_make_one_chain(bench: Arc<Bench>) {
    let (one, other) = (bench.open(), bench.open());
    let outside = Outside::new(&bench);
    let sealers = [
        one.start_sealer(outside.options()).unwrap(),
        other.start_sealer(outside.options()).unwrap(),
    ];
    for number in 0..3_000 {
        let store = if number % 2 == 0 { &one } else { &other };
        store.audit_later(row(number)).unwrap();
        if number.is_multiple_of(300) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    wait_for_rows(&bench, 3_000).await;
    one.close().await.unwrap();
    other.close().await.unwrap();
    tokio::task::spawn_blocking(move || sealers.map(|sealer| sealer.finish().unwrap()))
        .await
        .unwrap();
    let report = outside.verify(&bench.open()).await;
    let report = of_space(&report);
    assert_eq!(
        (report.finding.as_ref(), report.rows, report.unsealed),
        (None, 3_000, 0)
    );
}

async fn a_row_that_appears_late_is_sealed_all_the_same(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    let sealer = store.start_sealer(outside.options()).unwrap();
    // Its number is the first, and it is committed after others are sealed.
    let mut connection = <diesel::PgConnection as diesel::Connection>::establish(&bench.url).unwrap();
    let mut run = |sql: &str| {
        diesel::connection::SimpleConnection::batch_execute(&mut connection, sql).unwrap();
    };
    run(
        "BEGIN; INSERT INTO audit (space, time, request_id, client, door, interaction, outcome) \
         VALUES (7, 1700000000000000, 'late', 'client-1', 'fhir', 'read', 'ok')",
    );
    let sealed = "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) AS number FROM audit_seal WHERE space = 7";
    let wait = async |rows: i64| {
        let until = Instant::now() + Duration::from_secs(30);
        while bench.number(sealed) < rows {
            assert!(Instant::now() < until, "{rows} rows are not sealed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // So many rounds that whoever believes that nothing can come any more would believe it now.
    for round in 1..=8 {
        store.audit_later(row(round)).unwrap();
        wait(round as i64).await;
    }
    run("COMMIT");
    wait(9).await;
    for number in 9..19 {
        store.audit_later(row(number)).unwrap();
    }
    wait(19).await;
    drop(sealer);
    let report = outside.verify(&store).await;
    let report = of_space(&report);
    assert_eq!((report.finding.as_ref(), report.rows), (None, 19));
}

async fn two_sealers_that_finish_at_once_do_not_write_over_each_other(bench: Arc<Bench>) {
    let outside = Outside::new(&bench);
    let connect = || <diesel::PgConnection as diesel::Connection>::establish(&bench.url).unwrap();
    let run = |connection: &mut diesel::PgConnection, sql: &str| {
        diesel::connection::SimpleConnection::batch_execute(connection, sql).unwrap();
    };
    let waiting = async |sealers: i64| {
        let until = Instant::now() + Duration::from_secs(8);
        let count = "SELECT count(*) AS number FROM pg_locks WHERE NOT granted AND \
                     database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while bench.number(count) < sealers {
            assert!(Instant::now() < until, "{sealers} sealers do not wait");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let store = bench.open();
    // The row with the first number is committed when one of them has planned, and the other has not.
    let (mut late, mut door) = (connect(), connect());
    run(
        &mut late,
        "BEGIN; INSERT INTO audit (space, time, request_id, client, door, interaction, outcome) \
         VALUES (7, 1700000000000000, 'late', 'client-1', 'fhir', 'read', 'ok')",
    );
    for number in 1..=10 {
        store.audit_later(row(number)).unwrap();
    }
    wait_for_rows(&bench, 10).await;
    run(&mut door, "BEGIN; LOCK TABLE audit_seal IN EXCLUSIVE MODE");
    let finish = || {
        let (store, options) = (bench.open(), outside.options());
        tokio::task::spawn_blocking(move || Sealer::seal_now(&store, options).unwrap())
    };
    let one = finish();
    waiting(1).await;
    run(&mut late, "COMMIT");
    let other = finish();
    waiting(2).await;
    run(&mut door, "COMMIT");
    one.await.unwrap();
    other.await.unwrap();
    let report = outside.verify(&store).await;
    let report = of_space(&report);
    assert_eq!(
        (report.finding.as_ref(), report.rows, report.unsealed),
        (None, 11, 0)
    );
}

async fn retention_cuts_at_a_signed_head_and_the_rest_verifies(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    fill(&bench, &store, &outside, &[2_100]).await;
    let options = SealerOptions {
        retention: Some(Duration::from_secs(86_400)),
        ..outside.options()
    };
    let sealer = store.start_sealer(options).unwrap();
    // The rows are years old: the two whole blocks go, the one that grows stays.
    let rows = format!("SELECT count(*) AS number FROM audit WHERE space = {}", SPACE.0);
    let until = Instant::now() + Duration::from_secs(30);
    while bench.number(&rows) > 100 {
        assert!(Instant::now() < until, "nothing is removed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for number in 2_100..2_200 {
        store.audit_later(row(number)).unwrap();
    }
    store.close().await.unwrap();
    tokio::task::spawn_blocking(move || sealer.finish().unwrap())
        .await
        .unwrap();
    let store = bench.open();
    let whole = outside.verify(&store).await;
    let report = of_space(&whole);
    // The cut has its own row.
    assert_eq!(
        (report.finding.as_ref(), report.cut, report.rows),
        (None, 2_048, 52 + 1 + 100)
    );
    let cut = "SELECT count(*) AS number FROM audit WHERE interaction = 'audit-cut' AND id = '2048'";
    assert_eq!(bench.number(cut), 1);
    // What is left is guarded as before.
    bench.execute("UPDATE audit SET client = 'x' WHERE request_id = 'request-2060'");
    let report = outside.verify(&store).await;
    assert_eq!(finding(&report).unwrap().position, Some(2_061));
}

async fn nobody_without_the_key_can_cut_or_seal(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    fill(&bench, &store, &outside, &[1_100]).await;
    copy(&bench);
    let space = SPACE.0;
    // A cut that looks like one of retention.
    let first = format!(
        "WHERE space = {space} AND request_id IN (SELECT request_id FROM audit_copy ORDER BY seq LIMIT 1024)"
    );
    let empty = match bench.database {
        Database::Sqlite => "x''",
        Database::Postgres => "''",
    };
    bench.execute(&format!(
        "DELETE FROM audit {first}; UPDATE audit_seal SET cut = signature, numbers = {empty}, marks = {empty}, \
         entities = {empty}, clients = {empty} WHERE space = {space} AND block = 1"
    ));
    let report = outside.verify(&store).await;
    let found = finding(&report).unwrap();
    assert_eq!(found.position, Some(1), "{found:?}");
    assert!(found.what.contains("removed"), "{found:?}");
    restore(&bench);
    // One whose head says that it was never signed.
    let zero = match bench.database {
        Database::Sqlite => "x'00'",
        Database::Postgres => "'\\x00'",
    };
    bench.execute(&format!(
        "DELETE FROM audit {first}; UPDATE audit_seal SET signature = {empty}, key_id = '', cut = {zero}, \
         numbers = {empty}, marks = {empty}, entities = {empty}, clients = {empty} WHERE space = {space} AND block = 1"
    ));
    let report = outside.verify(&store).await;
    let found = finding(&report).unwrap_or_else(|| panic!("the oldest block may be removed unseen"));
    assert_eq!(found.position, Some(1), "{found:?}");
    restore(&bench);

    // A row is changed, and all is sealed anew, by another key or by none.
    let other = Outside(outside.0.join("other"));
    std::fs::create_dir_all(&other.0).unwrap();
    for options in [
        SealerOptions {
            heads: None,
            ..other.options()
        },
        SealerOptions::default(),
    ] {
        bench.execute(
            "UPDATE audit SET client = 'x' WHERE request_id = 'request-1050'; DELETE FROM audit_seal",
        );
        seal(&store, options).await;
        let report = outside.verify(&store).await;
        let found = finding(&report).unwrap();
        assert!(found.position.is_some(), "{found:?}");
        restore(&bench);
    }
    // Each part of a seal counts.
    for column in [
        "hash",
        "previous",
        "digest",
        "signature",
        "marks",
        "numbers",
        "entities",
        "key_id",
        "time",
        "latest",
    ] {
        let value = match column {
            "key_id" => "'other'",
            "time" | "latest" => "5",
            _ if bench.database == Database::Sqlite => "zeroblob(32)",
            _ => "decode(repeat('00', 32), 'hex')",
        };
        bench.execute(&format!(
            "UPDATE audit_seal SET {column} = {value} WHERE space = {space} AND block = 2"
        ));
        let report = outside.verify(&store).await;
        let found = finding(&report).unwrap_or_else(|| panic!("{column} may be changed unseen"));
        assert_eq!(found.position, Some(1_025), "{column}: {found:?}");
        restore(&bench);
    }
    let report = outside.verify(&store).await;
    assert_eq!(finding(&report), None);
    assert_eq!(
        report
            .spaces
            .iter()
            .map(|one| SpaceKey(one.space))
            .collect::<Vec<_>>(),
        [SPACE]
    );
}

async fn a_damaged_seal_holds_up_no_other_space(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    fill(&bench, &store, &outside, &[10]).await;
    bench.execute(&format!(
        "UPDATE audit_seal SET size = 11 WHERE space = {}",
        SPACE.0
    ));
    for (number, space) in [
        (10, SPACE),
        (11, SpaceKey(SPACE.0 - 1)),
        (12, SpaceKey(SPACE.0 + 1)),
    ] {
        let entry = AuditEntry {
            space: Some(space),
            ..row(number)
        };
        store.audit_later(entry).unwrap();
    }
    wait_for_rows(&bench, 11).await;
    let both = "SELECT count(*) AS number FROM audit WHERE request_id IN ('request-11', 'request-12')";
    let until = Instant::now() + Duration::from_secs(30);
    while bench.number(both) < 2 {
        assert!(Instant::now() < until, "the rows are not written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seal(&store, outside.options()).await;
    let sealed = format!(
        "SELECT count(*) AS number FROM audit_seal WHERE space <> {}",
        SPACE.0
    );
    assert_eq!(bench.number(&sealed), 2);
    let report = outside.verify(&store).await;
    assert!(finding(&report).unwrap().what.contains("damaged"), "{report:?}");
}

async fn a_row_that_is_left_unsealed_is_told(bench: Arc<Bench>) {
    let store = bench.open();
    let outside = Outside::new(&bench);
    fill(&bench, &store, &outside, &[10]).await;
    let now = AuditEntry {
        time: store.now(),
        ..row(10)
    };
    store.audit_later(now).unwrap();
    wait_for_rows(&bench, 11).await;
    let report = outside.verify(&store).await;
    assert_eq!((finding(&report), of_space(&report).unsealed), (None, 1));
    // Its time is long ago.
    store.audit_later(row(11)).unwrap();
    wait_for_rows(&bench, 12).await;
    let report = outside.verify(&store).await;
    let found = finding(&report).unwrap();
    assert!(
        found.number.is_some() && found.what.contains("not sealed"),
        "{found:?}"
    );
    seal(&store, outside.options()).await;
    let report = outside.verify(&store).await;
    assert_eq!((finding(&report), of_space(&report).rows), (None, 12));
}
