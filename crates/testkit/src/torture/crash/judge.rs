//! After a crash: resource, versions, keys and index must tell the same story as the journal.

use super::record::{Content, Record, family};
use super::writer::{Doors, Writer};
use crate::http::{Client, Response};
use crate::server::Server;
use crate::torture::mix::refused_for_owner;
use crate::torture::{content, found, search};

/// What became of unanswered writes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    pub landed: usize,
    pub lost: usize,
}

/// Looks at every record that was touched since the last crash, and notes what became of unanswered writes.
pub(super) fn settle(server: &Server, writer: &mut Writer) -> Settled {
    let doors = Doors::of(server);
    let mut settled = Settled::default();
    let touched: Vec<usize> = (0..writer.records.len())
        .filter(|index| writer.records[*index].touched)
        .collect();
    for index in touched {
        let spare = writer.fresh();
        let record = &mut writer.records[index];
        if let Some(pending) = record.pending.take() {
            if has_landed(record, pending, doors.ehr()) {
                settled.landed += 1;
                record.versions.push(pending);
            } else {
                settled.lost += 1;
                leaves_no_trace(record, pending, doors.ehr());
            }
        }
        if record.versions.is_empty() {
            // Nothing of it exists: its key must be free.
            let answer = doors
                .client(record.subject)
                .post(format!("/{}", record.subject.kind()))
                .json(&record.body(spare))
                .send();
            assert_eq!(
                answer.status, 201,
                "an absent resource blocks its key: {record:?}\n{answer:?}"
            );
            record.id = Some(answer.id());
            record.versions.push(Content::Value(spare));
        }
        agrees(record, &doors);
        record.touched = false;
    }
    settled
}

/// Reads the current version of every record.
pub(super) fn reread(server: &Server, writer: &Writer) {
    let client = server.client("fhir");
    for record in &writer.records {
        current_is_the_last(record, &client);
    }
}

/// The numbers of resources that searches count are those of the journal.
pub(super) fn count<'r>(server: &Server, records: impl Iterator<Item = &'r Record>) {
    let client = server.client("fhir");
    let mut live = std::collections::BTreeMap::from([("Patient", 0_u64), ("Practitioner", 0)]);
    for record in records.filter(|record| !record.is_deleted()) {
        *live.entry(record.subject.kind()).or_default() += 1;
    }
    for (kind, wanted) in live {
        let bundle = client
            .get(format!("/{kind}?_summary=count"))
            .send()
            .expect(200)
            .json();
        assert_eq!(
            bundle["total"].as_u64(),
            Some(wanted),
            "{kind}: resources nobody wrote, or too few"
        );
    }
}

/// Whether an unanswered write is there; learns the id of an unanswered creation.
fn has_landed(record: &mut Record, pending: Content, client: &Client) -> bool {
    let Some(path) = record.path() else {
        let ids = found(client, record.subject.kind(), &record.named());
        assert!(
            ids.len() <= 1,
            "an unanswered creation exists twice: {record:?}: {ids:?}"
        );
        record.id = ids.into_iter().next();
        return record.id.is_some();
    };
    let before = record.versions.len() as u64;
    let answer = client.get(path).send();
    if answer.status == 410 {
        assert_eq!(
            pending,
            Content::Deletion,
            "deleted by nobody: {record:?}\n{answer:?}"
        );
        return true;
    }
    assert_eq!(
        answer.status, 200,
        "an acknowledged resource is gone: {record:?}\n{answer:?}"
    );
    let version = answer.version();
    assert!(
        version == before || (version == before + 1 && pending != Content::Deletion),
        "version {version} after {before} acknowledged ones: {record:?} pending {pending:?}\n{answer:?}"
    );
    version == before + 1
}

/// A lost write is in no index.
fn leaves_no_trace(record: &Record, pending: Content, client: &Client) {
    if let Content::Value(value) = pending {
        let ids = by_family(record, value, client);
        assert!(
            ids.is_empty(),
            "a lost write is found by its family: {record:?}: {ids:?}"
        );
    }
}

fn by_family(record: &Record, value: u64, client: &Client) -> Vec<String> {
    search(
        client,
        record.subject.kind(),
        &format!("family:exact={}", family(value)),
    )
}

/// Current version, every earlier version, index and key all say what the journal says.
fn agrees(record: &Record, doors: &Doors) {
    let client = doors.ehr();
    current_is_the_last(record, client);
    let (Some(path), Some(id), Some(last)) = (record.path(), &record.id, record.versions.last()) else {
        panic!("settled records exist: {record:?}")
    };
    for (index, version) in record.versions.iter().enumerate() {
        let answer = client.get(format!("{path}/_history/{}", index + 1)).send();
        holds(record, *version, index as u64 + 1, &answer);
    }
    let beyond = client
        .get(format!("{path}/_history/{}", record.versions.len() + 1))
        .send();
    assert_eq!(
        beyond.status, 404,
        "a version that nobody wrote: {record:?}\n{beyond:?}"
    );
    let own: &[&str] = if record.is_deleted() { &[] } else { &[id] };
    assert_eq!(
        found(client, record.subject.kind(), &record.named()),
        own,
        "by identifier: {record:?}"
    );
    for version in &record.versions {
        if let Content::Value(value) = version {
            let wanted = if version == last { own } else { &[] };
            assert_eq!(
                by_family(record, *value, client),
                wanted,
                "by family {value}: {record:?}"
            );
        }
    }
    if let Content::Value(value) = last {
        let answer = doors
            .client(record.subject)
            .post(format!("/{}", record.subject.kind()))
            .json(&record.body(*value))
            .send();
        refused_for_owner(&format!("{record:?}"), record.subject, &answer, id);
    }
}

fn current_is_the_last(record: &Record, client: &Client) {
    let (Some(path), Some(last)) = (record.path(), record.versions.last()) else {
        return;
    };
    let answer = client.get(path).send();
    holds(record, *last, record.versions.len() as u64, &answer);
}

fn holds(record: &Record, wanted: Content, version: u64, answer: &Response) {
    match wanted {
        Content::Deletion => assert_eq!(answer.status, 410, "{record:?}\n{answer:?}"),
        Content::Value(value) => {
            assert!(
                answer.status == 200 && answer.try_version() == Some(version),
                "version {version} is not there: {record:?}\n{answer:?}"
            );
            assert_eq!(
                content(&answer.json()),
                content(&record.body(value)),
                "version {version} is not what was sent: {record:?}"
            );
        }
    }
}
