use super::{Durability, answers, check_flushed, connections, events};

/// A write of the log, its flush, and the answer, as the traced server does them. A short thread number is padded.
const GOOD: &str = "\
10    09:00:00.1 pwrite64(7</d/x.db-wal>, \"frame\"..., 24, 0) = 24
10 09:00:00.2 pwrite64(7</d/x.db-wal>, \"page\"..., 4096, 24) = 4096
10 09:00:00.3 fdatasync(7</d/x.db-wal>) = 0
11 09:00:00.4 writev(9<TCP:[1]>, [{iov_base=\"HTTP/1.1 201 Created\\r\\n\"..., iov_len=5}], 1) = 5
";

#[track_caller]
fn judged(traces: &[&str], answered: &[u16]) -> Result<(), String> {
    check_flushed(&events(&traces.concat()), answered, 0)
}

#[test]
fn t7_what_others_commit_beside_an_answer_excuses_so_many_and_no_unflushed_one() {
    let line = |part: &str| {
        let found = GOOD.lines().find(|line| line.contains(part));
        format!("{}\n", found.expect("a line of the good trace"))
    };
    let (page, flush, answer) = (line("page"), line("fdatasync"), line("HTTP"));
    let overtaken = [&page, &flush, &page, &answer].map(String::as_str).concat();
    let trace = events(&[&overtaken, GOOD, &overtaken].map(|part| part as &str).concat());
    assert_eq!(check_flushed(&trace, &[201; 3], 2), Ok(()));
    assert!(check_flushed(&trace, &[201; 3], 1).is_err());
    let early = events(&[page, answer, flush].concat());
    assert!(check_flushed(&early, &[201], 9).is_err());
}

#[test]
fn t7_a_flush_between_the_last_write_and_the_answer_passes() {
    assert_eq!(judged(&[GOOD, GOOD], &[201, 201]), Ok(()));
    // Answers from before the writes began are not judged.
    let health = "11 09:00:00.0 sendto(9<TCP:[1]>, \"HTTP/1.1 200 OK\\r\\n\"..., 30, 0, NULL, 0) = 30\n";
    assert_eq!(judged(&[health, health, GOOD], &[201]), Ok(()));
    // A flush in two lines, with other threads in between.
    let in_two = GOOD.replace(
        "fdatasync(7</d/x.db-wal>) = 0",
        "fdatasync(7</d/x.db-wal> <unfinished ...>\n12 09:00:00.3 fsync(5</d/x.db>) = 0\n\
         10 09:00:00.3 <... fdatasync resumed>) = 0",
    );
    assert_eq!(judged(&[&in_two], &[201]), Ok(()));
}

#[test]
fn t7_an_answer_without_a_good_flush_before_it_is_reported() {
    let line = |part: &str| {
        let found = GOOD.lines().find(|line| line.contains(part));
        format!("{}\n", found.expect("a line of the good trace"))
    };
    let (frame, page, flush, answer) = (line("frame"), line("page"), line("fdatasync"), line("HTTP"));
    let on = |file: &str| flush.replace("/d/x.db-wal", file);
    let ended = |how: &str| flush.replace("= 0", how);
    let begun = flush.replace(") = 0", " <unfinished ...>");
    let over = "10 09:00:00.5 <... fdatasync resumed>) = 0\n";
    let page_begun = page
        .replace(", 24) = 4096", " <unfinished ...>")
        .replace("10 ", "12 ");
    let page_over = "12 09:00:00.5 <... pwrite64 resumed>, 24) = 4096\n";
    let bad: &[(&str, &[&str])] = &[
        ("missing", &[&frame, &page, &answer]),
        ("before the last write", &[&frame, &flush, &page, &answer]),
        (
            "begun before the last write",
            &[&frame, &begun, &page, over, &answer],
        ),
        (
            "begun while the last write was under way",
            &[&frame, &page_begun, &begun, page_over, over, &answer],
        ),
        ("after the answer", &[&frame, &page, &answer, &flush]),
        ("not over at the answer", &[&frame, &page, &begun, &answer, over]),
        ("of the database file", &[&frame, &page, &on("/d/x.db"), &answer]),
        ("of another log", &[&frame, &page, &on("/d/y.db-wal"), &answer]),
        (
            "of something else",
            &[&frame, &page, &on("/d/x.db-wal.tmp"), &answer],
        ),
        (
            "failed",
            &[&frame, &page, &ended("= -1 EIO (Input/output error)"), &answer],
        ),
        (
            "failed in two lines",
            &[
                &frame,
                &page,
                &begun,
                &over.replace("= 0", "= -1 ENOSPC (No space left)"),
                &answer,
            ],
        ),
    ];
    for (flush, trace) in bad {
        let durability = match *flush {
            "before the last write" => Durability::Overtaken,
            _ => Durability::Unflushed,
        };
        for (place, traces) in [(1, [&trace.concat(), GOOD]), (2, [GOOD, &trace.concat()])] {
            let report = judged(&traces, &[201, 201]).expect_err(flush);
            assert_eq!(
                report,
                format!("answered before the flush: answer {place} (201): {durability:?}"),
                "a flush {flush}"
            );
        }
    }
    // A version that was never written at all.
    assert_eq!(
        judged(&[GOOD, &answer], &[201, 201]),
        Err("answered before the flush: answer 2 (201): NothingWritten".to_owned())
    );
}

#[test]
fn t7_a_trace_with_other_answers_than_the_client_got_is_reported() {
    for answered in [&[200][..], &[201, 201]] {
        let report = judged(&[GOOD], answered).expect_err("another client's trace");
        assert!(report.starts_with("the trace shows the answers"), "{report}");
    }
}

#[test]
fn an_answer_before_the_end_of_the_flush_is_unflushed() {
    let trace = "\
10 09:00:00.1 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.2 fdatasync(7</d/x.db-wal> <unfinished ...>
10 09:00:00.3 write(9<TCP:[1]>, \"HTTP/1.1 204 No Content\\r\\n\"..., 30) = 30
11 09:00:00.4 <... fdatasync resumed>)  = 0
10 09:00:00.5 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.6 fdatasync(7</d/x.db-wal>) = 0
11 09:00:00.7 writev(9<TCP:[1]>, [{iov_base=\"HTTP/1.1 201 Created\\r\\n\"..., iov_len=5}], 1) = 5
10 09:00:00.8 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.9 fdatasync(8</d/x.db>) = 0
11 09:00:00.9 fdatasync(7</d/x.db-wal>) = -1 EIO (Input/output error)
10 09:00:01.0 sendto(9<TCP:[1]>, \"HTTP/1.1 200 OK\\r\\n\"..., 30, 0, NULL, 0) = 30
10 09:00:01.1 sendto(9<TCP:[1]>, \"HTTP/1.1 200 OK\\r\\n\"..., 30, 0, NULL, 0) = 30
10 09:00:01.2 +++ exited with 0 +++";
    assert_eq!(
        answers(&events(trace)),
        [
            (204, Durability::Unflushed),
            (201, Durability::Flushed),
            (200, Durability::Unflushed),
            (200, Durability::NothingWritten),
        ]
    );
}

#[test]
fn a_flush_that_began_before_the_last_write_does_not_count() {
    let trace = "\
10 09:00:00.1 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.2 fdatasync(7</d/x.db-wal> <unfinished ...>
10 09:00:00.3 pwrite64(7</d/x.db-wal>, \"abc\"..., 24, 0) = 24
11 09:00:00.4 <... fdatasync resumed>)  = 0
10 09:00:00.5 write(9<TCP:[1]>, \"HTTP/1.1 201 Created\\r\\n\"..., 30) = 30";
    assert_eq!(answers(&events(trace)), [(201, Durability::Unflushed)]);
}

#[test]
fn every_attempt_to_connect_is_seen() {
    let trace = "71 10:00:00.1 connect(9<UNIX-STREAM:[12]>, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 110) = 0\n\
                 72 10:00:00.2 write(2<pipe:[3]>, \"disconnect(\", 11) = 11\n\
                 72 10:00:00.3 connect(10<TCP:[13]>, {sa_family=AF_INET, sin_port=htons(443), \
                 sin_addr=inet_addr(\"192.0.2.1\")}, 16 <unfinished ...>\n\
                 73 10:00:00.4 connect(11<UDP:[14]>, NULL, 0) = -1 EFAULT (Bad address)\n";
    assert_eq!(
        connections(trace),
        [
            "{sa_family=AF_UNIX, sun_path=\"/run/x\"}",
            "{sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr(\"192.0.2.1\")}",
            "11<UDP:[14]>, NULL, 0) = -1 EFAULT (Bad address)",
        ]
    );
}
