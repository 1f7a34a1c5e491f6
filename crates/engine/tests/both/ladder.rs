//! Find or create by a ladder of rungs.

use engine::reply::WriteReply;
use engine::{Error, Reply, Session, Written};
use fhir::interaction::{Looked, Many, Rung, Verdict};
use fhir::query::{Clause, Criteria, SearchParam, StringTest, Test};
use fhir::{Identifier, Interaction, Resource, ResourceType};
use serde_json::{Value, json};

use crate::stage::Stage;

const KIND: ResourceType = ResourceType::Patient;

/// A test by the promise it keeps.
type Named = (&'static str, fn(&'static Stage));

pub const TESTS: &[Named] = &[
    ("the_first_rung_that_holds_wins", the_first_rung_that_holds_wins),
    (
        "several_accepted_candidates_mean_what_the_rung_says",
        several_accepted_candidates_mean_what_the_rung_says,
    ),
    (
        "candidates_that_are_near_are_told_of",
        candidates_that_are_near_are_told_of,
    ),
    (
        "equal_ladders_at_once_create_one",
        equal_ladders_at_once_create_one,
    ),
];

fn patient(family: &str, given: &str, value: &str) -> Resource {
    let Value::Object(tree) = json!({
        "identifier": [{ "system": "urn:s", "value": value }],
        "name": [{ "family": family, "given": [given] }],
    }) else {
        unreachable!("an object")
    };
    Resource::from_guarded(KIND, tree)
}

fn by_identifier(value: &str) -> Rung {
    let identifier = Identifier {
        system: "urn:s".to_owned(),
        value: value.to_owned(),
    };
    Rung {
        criteria: Criteria::by_identifier(KIND, &identifier),
        many: Many::Refuse,
        accept: Box::new(|_| Verdict::Accept),
    }
}

/// Who is called `given` is accepted, a namesake of another first name is near.
fn by_family(family: &str, given: &'static str, many: Many) -> Rung {
    let test = Test::String(vec![StringTest::StartsWith(family.to_lowercase())]);
    Rung {
        criteria: Criteria {
            kind: KIND,
            clauses: vec![Clause {
                param: SearchParam::Family,
                test,
            }],
        },
        many,
        accept: Box::new(move |candidate| {
            match Value::Object(candidate.tree().clone())
                .pointer("/name/0/given/0")
                .and_then(Value::as_str)
            {
                Some(name) if name == given => Verdict::Accept,
                Some(_) => Verdict::Near,
                None => Verdict::Pass,
            }
        }),
    }
}

async fn climb(session: &Session, ladder: Vec<Rung>, resource: Resource) -> Result<WriteReply, Error> {
    match session
        .run(Interaction::FindOrCreate {
            ladder,
            resource,
            id: None,
        })
        .await?
    {
        Reply::Written(reply) => Ok(reply),
        _ => panic!("no reply of a write"),
    }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

fn the_first_rung_that_holds_wins(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let made = climb(&session, vec![by_identifier("1")], patient("Martin", "Anne", "1"))
            .await
            .unwrap();
        assert_eq!(made.written, Written::Created);
        assert_eq!(made.ladder, [Looked::default()]);
        let ladder = vec![by_identifier("2"), by_family("Martin", "Anne", Many::Pass)];
        let found = climb(&session, ladder, patient("Martin", "Anne", "2"))
            .await
            .unwrap();
        assert_eq!(found.written, Written::Found);
        assert_eq!(found.stored.target, made.stored.target);
        assert_eq!(
            found.stored.version, made.stored.version,
            "finding changes nothing"
        );
        assert_eq!(found.ladder, [Looked::default(), Looked { accepted: 1, near: 0 }]);
    });
}

fn several_accepted_candidates_mean_what_the_rung_says(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let first = climb(&session, Vec::new(), patient("Petit", "Luc", "1"))
            .await
            .unwrap();
        climb(&session, Vec::new(), patient("Petit", "Luc", "2"))
            .await
            .unwrap();
        let ask = async |many, value| {
            let ladder = vec![by_family("Petit", "Luc", many)];
            climb(&session, ladder, patient("Petit", "Luc", value)).await
        };
        let oldest = ask(Many::Oldest, "3").await.unwrap();
        assert_eq!(oldest.stored.target, first.stored.target);
        assert!(matches!(
            ask(Many::Refuse, "3").await,
            Err(Error::ManyMatches { .. })
        ));
        let passed = ask(Many::Pass, "3").await.unwrap();
        assert_eq!(passed.written, Written::Created);
        assert_eq!(passed.ladder, [Looked { accepted: 2, near: 0 }]);
    });
}

fn candidates_that_are_near_are_told_of(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        climb(&session, Vec::new(), patient("Roux", "Zoé", "1"))
            .await
            .unwrap();
        let ladder = vec![by_family("Roux", "Emma", Many::Pass)];
        let made = climb(&session, ladder, patient("Roux", "Emma", "2"))
            .await
            .unwrap();
        assert_eq!(made.written, Written::Created);
        assert_eq!(made.ladder, [Looked { accepted: 0, near: 1 }]);
    });
}

fn equal_ladders_at_once_create_one(stage: &'static Stage) {
    let space = stage.space();
    block(async {
        let all: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn(async move {
                    let session = stage.session(space);
                    let ladder = vec![by_family("Blanc", "Paul", Many::Pass)];
                    climb(&session, ladder, patient("Blanc", "Paul", "same"))
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut created = 0;
        let mut ids = std::collections::BTreeSet::new();
        for one in all {
            let reply = one.await.unwrap();
            created += usize::from(reply.written == Written::Created);
            ids.insert(reply.stored.target.id.to_string());
        }
        assert_eq!((created, ids.len()), (1, 1));
    });
}
