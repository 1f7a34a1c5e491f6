//! Many clients at once: no duplicate, no lost version, nobody refused without a reason.

use std::sync::atomic::{AtomicBool, Ordering};

use testkit::harness::{Context, Test};
use testkit::history::check_consecutive;
use testkit::http::Response;
use testkit::server::Server;
use testkit::tests;
use testkit::torture::if_match::Contested;
use testkit::torture::{
    CLIENTS, Crowd, Key, Subject, content, found, mix, post_unless, put_by, refused, same_id, statuses,
    upsert,
};

/// Tests that run on both databases.
pub const TESTS: &[Test] = tests![
    p01_identical_if_none_exist_at_once_create_one,
    p02_identical_conditional_puts_at_once_create_one,
    p02_conditional_puts_with_different_bodies_make_versions_without_a_gap,
    p05_a_repeated_conditional_put_is_never_refused,
    p06_after_a_delete_the_same_condition_creates_again,
    p07_two_conditional_puts_to_one_identity_both_count,
    p09_under_cpu_load_there_is_still_one,
    p11_a_conditional_request_sees_the_write_just_answered,
    p12_mixed_writes_on_a_key_leave_one_resource,
    p12_mixed_writes_of_an_account_leave_one,
    p12_mixed_writes_without_a_key_never_add_a_second_conditionally,
    p13_a_plain_post_of_an_owned_key_is_refused_with_its_owner,
    p16_nobody_is_refused_on_different_identifiers,
    p20_one_id_written_by_all_stays_writable_with_every_version,
    p36_unguarded_updates_at_once_are_never_a_version_clash,
    t3_one_of_many_writers_passes_the_same_if_match,
];

/// Tests of several processes on one database.
pub const SEVERAL_PROCESSES: &[Test] = tests![
    p03_two_processes_create_one_together,
    p12_mixed_writes_through_two_processes_leave_one,
];

const ROUNDS: u64 = 10;

fn crowd(server: &Server, subject: Subject) -> Crowd {
    Crowd::new(&[server], subject.door(), CLIENTS)
}

fn p01_identical_if_none_exist_at_once_create_one(context: &Context) {
    let server = context.server();
    for subject in [
        Subject::Practitioner,
        Subject::Patient,
        Subject::Keyed(Key::BuiltIn),
    ] {
        let crowd = crowd(&server, subject);
        for number in 0..ROUNDS {
            upsert::identical_creates(&crowd, subject, number);
        }
    }
}

fn p02_identical_conditional_puts_at_once_create_one(context: &Context) {
    let server = context.server();
    for subject in Subject::PLAIN {
        let crowd = crowd(&server, subject);
        for number in 0..ROUNDS {
            upsert::identical_puts(&crowd, subject, number);
        }
    }
}

fn p02_conditional_puts_with_different_bodies_make_versions_without_a_gap(context: &Context) {
    let server = context.server();
    for subject in Subject::PLAIN {
        let crowd = crowd(&server, subject);
        for number in 0..ROUNDS / 2 {
            upsert::different_puts(&crowd, subject, number);
        }
    }
}

fn p03_two_processes_create_one_together(context: &Context) {
    let first = context.server();
    let second = first.second();
    for subject in Subject::PLAIN {
        let crowd = Crowd::new(&[&first, &second], subject.door(), CLIENTS);
        for number in 0..ROUNDS {
            upsert::identical_puts(&crowd, subject, 3 * number);
            upsert::different_puts(&crowd, subject, 3 * number + 1);
            if subject != Subject::Account {
                upsert::identical_creates(&crowd, subject, 3 * number + 2);
            }
        }
    }
}

fn p05_a_repeated_conditional_put_is_never_refused(context: &Context) {
    let server = context.server();
    for subject in Subject::PLAIN {
        let client = server.client(subject.door());
        let (named, body) = (subject.named(1), subject.body(1));
        let first = put_by(&client, subject.kind(), &named, &body).expect(201);
        for _ in 0..3 {
            let again = put_by(&client, subject.kind(), &named, &body).expect(200);
            assert_eq!((again.id(), again.version()), (first.id(), 1));
        }
    }
}

fn p06_after_a_delete_the_same_condition_creates_again(context: &Context) {
    let (server, fhir) = context.fhir();
    for subject in Subject::PLAIN {
        let client = server.client(subject.door());
        let (named, body) = (subject.named(6), subject.body(6));
        let mut made: Vec<String> = Vec::new();
        for _ in 0..3 {
            let created = post_unless(&client, subject.kind(), &named, &body).expect(201);
            let again = post_unless(&client, subject.kind(), &named, &body).expect(200);
            assert_eq!(again.id(), created.id());
            let target = format!("/{}/{}", subject.kind(), created.id());
            fhir.delete(&target).send().expect(204);
            fhir.get(&target).send().expect(410);
            assert!(
                !made.contains(&created.id().to_owned()),
                "an id of its own each time"
            );
            made.push(created.id().to_owned());
        }
        // The same by a conditional PUT.
        let created = put_by(&client, subject.kind(), &named, &body).expect(201);
        fhir.delete(format!("/{}/{}", subject.kind(), created.id()))
            .send()
            .expect(204);
        put_by(&client, subject.kind(), &named, &body).expect(201);
    }
}

fn p07_two_conditional_puts_to_one_identity_both_count(context: &Context) {
    let server = context.server();
    for subject in Subject::PLAIN {
        let client = server.client(subject.door());
        let named = subject.named(1);
        let bodies = ["Premier", "Second"].map(|family| subject.body_called(1, family));
        let created = put_by(&client, subject.kind(), &named, &bodies[0]).expect(201);
        let updated = put_by(&client, subject.kind(), &named, &bodies[1]).expect(200);
        assert_eq!((updated.id(), updated.version()), (created.id(), 2));
        for (index, body) in bodies.iter().enumerate() {
            let target = format!("/{}/{}/_history/{}", subject.kind(), created.id(), index + 1);
            let stored = client.get(target).send().expect(200).json();
            assert_eq!(content(&stored), content(body));
        }
    }
}

fn p09_under_cpu_load_there_is_still_one(context: &Context) {
    let server = context.server();
    let busy = AtomicBool::new(true);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..2 * cores {
            scope.spawn(|| {
                let mut sum = 0_u64;
                while busy.load(Ordering::Relaxed) {
                    sum = std::hint::black_box(testkit::random::mix(sum));
                }
            });
        }
        // The load ends with the rounds, also when one of them fails.
        let _end = Ending(&busy);
        for number in 0..ROUNDS / 2 {
            let subject = Subject::PLAIN[number as usize % 3];
            upsert::identical_puts(&crowd(&server, subject), subject, number);
            upsert::identical_creates(&crowd(&server, Subject::Patient), Subject::Patient, 100 + number);
        }
    });
}

/// Ends the busy threads when it is dropped.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn p11_a_conditional_request_sees_the_write_just_answered(context: &Context) {
    let server = context.server();
    for number in 0..200 {
        let subject = Subject::PLAIN[number as usize % 3];
        let writer = server.client(subject.door());
        // A second connection: another worker of the server, perhaps another database connection.
        let reader = server.client(subject.door());
        let (kind, named, body) = (subject.kind(), subject.named(number), subject.body(number));
        let created = writer.post(format!("/{kind}")).json(&body).send().expect(201);
        let updated = put_by(&reader, kind, &named, &body).expect(200);
        assert_eq!(
            (updated.id(), updated.version()),
            (created.id(), 1),
            "{}",
            subject.name()
        );
        if subject != Subject::Account {
            let again = post_unless(&writer, kind, &named, &body).expect(200);
            assert_eq!(again.id(), created.id(), "{}", subject.name());
        }
        assert_eq!(found(&reader, kind, &named), [created.id()], "{}", subject.name());
        let changed = subject.body_called(number, "Changement");
        put_by(&writer, kind, &named, &changed).expect(200);
        let read = reader.get(format!("/{kind}/{}", created.id())).send().expect(200);
        assert_eq!(read.version(), 2, "{}", subject.name());
    }
}

fn p12_mixed_writes_on_a_key_leave_one_resource(context: &Context) {
    let mut server = context.server();
    mix::declare_key_system(&mut server);
    for (offset, key) in Key::ALL.into_iter().enumerate() {
        let subject = Subject::Keyed(key);
        let crowd = crowd(&server, subject);
        for number in 0..ROUNDS {
            mix::owned(&crowd, subject, 1000 * offset as u64 + number);
        }
    }
}

fn p12_mixed_writes_of_an_account_leave_one(context: &Context) {
    let server = context.server();
    let crowd = crowd(&server, Subject::Account);
    for number in 0..ROUNDS {
        mix::owned(&crowd, Subject::Account, number);
    }
}

fn p12_mixed_writes_through_two_processes_leave_one(context: &Context) {
    let first = context.server();
    let second = first.second();
    for subject in [Subject::Account, Subject::Keyed(Key::National)] {
        let crowd = Crowd::new(&[&first, &second], subject.door(), CLIENTS);
        for number in 0..ROUNDS {
            mix::owned(&crowd, subject, number);
        }
    }
}

fn p12_mixed_writes_without_a_key_never_add_a_second_conditionally(context: &Context) {
    let server = context.server();
    for subject in [Subject::Practitioner, Subject::Patient] {
        let crowd = crowd(&server, subject);
        for number in 0..ROUNDS {
            mix::free(&crowd, subject, number);
        }
    }
}

fn p13_a_plain_post_of_an_owned_key_is_refused_with_its_owner(context: &Context) {
    let mut server = context.server();
    mix::declare_key_system(&mut server);
    for subject in Key::ALL.map(Subject::Keyed).into_iter().chain([Subject::Account]) {
        let client = server.client(subject.door());
        let post = |family: &str| {
            let body = subject.body_called(7, family);
            client.post(format!("/{}", subject.kind())).json(&body).send()
        };
        let owner = post("Premier").expect(201).id();
        // Another content changes nothing: the key decides, not the criteria.
        for family in ["Premier", "Autre"] {
            mix::refused_for_owner(subject.name(), subject, &post(family), &owner);
        }
        assert_eq!(found(&client, subject.kind(), &subject.named(7)), [owner]);
        if subject != Subject::Account {
            let id = found(&client, subject.kind(), &subject.named(7)).remove(0);
            client.delete(format!("/Patient/{id}")).send().expect(204);
            // A deleted owner owns nothing.
            post("Suivant").expect(201);
        }
    }
}

fn p16_nobody_is_refused_on_different_identifiers(context: &Context) {
    let server = context.server();
    for subject in [Subject::Account, Subject::Patient, Subject::Keyed(Key::BuiltIn)] {
        upsert::apart(&crowd(&server, subject), subject, ROUNDS);
    }
}

fn p20_one_id_written_by_all_stays_writable_with_every_version(context: &Context) {
    let server = context.server();
    let crowd = Crowd::new(&[&server], "fhir", CLIENTS);
    same_id::hammer(&crowd, Subject::Patient, "ecrit-par-tous", 1000);
}

fn t3_one_of_many_writers_passes_the_same_if_match(context: &Context) {
    let server = context.server();
    let crowd = Crowd::new(&[&server], "fhir", CLIENTS);
    for subject in [Subject::Practitioner, Subject::Patient] {
        let mut contested = Contested::create(&crowd, subject, 0);
        for _ in 0..ROUNDS {
            contested.round(&crowd);
        }
    }
}

/// Without a precondition there is no version that a write could clash with: each of these is done, on whatever
/// the one before it has left. Those beside them that name the first version are refused by that header alone.
fn p36_unguarded_updates_at_once_are_never_a_version_clash(context: &Context) {
    let server = context.server();
    let crowd = Crowd::new(&[&server], "fhir", 2 * CLIENTS);
    for (number, subject) in (0..).zip([
        Subject::Patient,
        Subject::Practitioner,
        Subject::Keyed(Key::BuiltIn),
    ]) {
        let (kind, named) = (subject.kind(), subject.named(number));
        let created = put_by(crowd.any(), kind, &named, &subject.body(number)).expect(201);
        let by_id = format!("/{kind}/{}", created.id());
        let by_identifier = format!("/{kind}?{}", named.criterion());
        let answers = crowd.race(|writer, client| {
            let mut body = subject.body_called(number, &format!("Ecriture{writer}"));
            body["id"] = created.id().into();
            // Half of them by id, half by identifier; the second half of each with a guard.
            let put = client.put([&by_id, &by_identifier][writer % 2]).json(&body);
            if writer < CLIENTS {
                put.send()
            } else {
                put.header("If-Match", "W/\"0\", W/\"4711\"").send()
            }
        });
        let (unguarded, guarded) = answers.split_at(CLIENTS);
        let what = subject.name();
        statuses(what, unguarded, &[(200, CLIENTS)]);
        let mut versions: Vec<u64> = unguarded.iter().map(Response::version).collect();
        versions.push(created.version());
        assert_eq!(check_consecutive(&versions), Ok(()), "{what}");
        statuses(what, guarded, &[(412, CLIENTS)]);
        for answer in guarded {
            refused(what, answer, 412, "conflict");
        }
        let last = crowd.any().get(&by_id).send().expect(200);
        assert_eq!(last.version(), CLIENTS as u64 + 1, "{what}");
    }
}
