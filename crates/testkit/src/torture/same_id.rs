//! Many clients write the same id again and again, without `If-Match`.

use super::{Crowd, Subject, content};
use crate::history::check_consecutive;

/// `writes` PUTs of one id in all, shared among the clients: each makes a version, none is refused, each
/// version can be read as it was written, and the resource can still be written afterwards.
#[track_caller]
pub fn hammer(crowd: &Crowd, subject: Subject, id: &str, writes: usize) {
    let what = format!("{writes} PUTs of {}/{id}", subject.kind());
    let target = format!("/{}/{id}", subject.kind());
    let body = |writer: usize, turn: usize| {
        let mut body = subject.body_called(0, &format!("Ecriture{writer}x{turn}"));
        body["id"] = id.into();
        body
    };
    let written = crowd.race(|writer, client| {
        let turns = writes / crowd.count() + usize::from(writer < writes % crowd.count());
        (0..turns)
            .map(|turn| {
                let answer = client.put(&target).json(&body(writer, turn)).send();
                assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
                (answer.version(), writer, turn, answer.status)
            })
            .collect::<Vec<_>>()
    });
    let written = written.concat();
    let versions: Vec<u64> = written.iter().map(|(version, ..)| *version).collect();
    if let Err(problem) = check_consecutive(&versions) {
        panic!("{what}: {problem}");
    }
    let creations = written.iter().filter(|(.., status)| *status == 201);
    assert!(
        creations.map(|(version, ..)| *version).eq([1]),
        "{what}: one write created it, as version 1"
    );
    for (version, writer, turn, _) in &written {
        let stored = crowd
            .any()
            .get(format!("{target}/_history/{version}"))
            .send()
            .expect(200);
        assert_eq!(
            content(&stored.json()),
            content(&body(*writer, *turn)),
            "{what}: version {version}"
        );
    }
    let last = crowd
        .any()
        .put(&target)
        .json(&body(crowd.count(), 0))
        .send()
        .expect(200);
    assert_eq!(
        last.version(),
        writes as u64 + 1,
        "{what}: no longer writable in order"
    );
}
