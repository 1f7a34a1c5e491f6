//! What the partner doors need beyond FHIR's interactions: find or create, erasure, lists, allocated ids.

use engine::reply::WriteReply;
use engine::{Error, Reply, Session, Written};
use fhir::interaction::{Edit, FindOrCreate, Judge, Judgement, Listing, Precondition, Refusal, Replaced};
use fhir::query::{Clause, Criteria, SearchParam, StringTest, Test};
use fhir::{Identifier, Interaction, Issue, IssueCode, Resource, ResourceType, Target, VersionId};
use serde_json::{Value, json};

use crate::stage::{GENDERED, Stage};

const KIND: ResourceType = ResourceType::Patient;

/// A test by the promise it keeps.
type Named = (&'static str, fn(&'static Stage));

pub const TESTS: &[Named] = &[
    (
        "a_judge_sees_all_candidates_of_all_searches_once",
        a_judge_sees_all_candidates_of_all_searches_once,
    ),
    ("who_is_found_is_left_alone", who_is_found_is_left_alone),
    (
        "what_a_judge_refuses_is_not_written",
        what_a_judge_refuses_is_not_written,
    ),
    (
        "what_breaks_a_claimed_profile_is_not_written_by_a_door",
        what_breaks_a_claimed_profile_is_not_written_by_a_door,
    ),
    (
        "equal_requests_at_once_create_one",
        equal_requests_at_once_create_one,
    ),
    (
        "an_erased_resource_is_gone_with_its_history_and_its_links",
        an_erased_resource_is_gone_with_its_history_and_its_links,
    ),
    ("what_was_erased_is_not_revived", what_was_erased_is_not_revived),
    (
        "who_was_replaced_leaves_its_keys_to_the_survivor",
        who_was_replaced_leaves_its_keys_to_the_survivor,
    ),
    (
        "a_list_hides_the_replaced_and_counts_what_it_shows",
        a_list_hides_the_replaced_and_counts_what_it_shows,
    ),
];

fn resource(tree: Value) -> Resource {
    let Value::Object(tree) = tree else {
        unreachable!("an object")
    };
    Resource::from_guarded(KIND, tree)
}

fn patient(family: &str, given: &str, value: &str) -> Resource {
    resource(json!({
        "identifier": [{ "system": "urn:s", "value": value }],
        "name": [{ "family": family, "given": [given] }],
    }))
}

fn by_identifier(value: &str) -> Criteria {
    let identifier = Identifier {
        system: "urn:s".to_owned(),
        value: value.to_owned(),
    };
    Criteria::by_identifier(KIND, &identifier)
}

fn by_family(family: &str) -> Criteria {
    Criteria {
        kind: KIND,
        clauses: vec![Clause {
            param: SearchParam::Family,
            test: Test::String(vec![StringTest::StartsWith(family.to_lowercase())]),
        }],
    }
}

/// The first candidate is the one; the remark tells how many there were.
fn first() -> Judge {
    Box::new(|candidates| match candidates.len() {
        0 => Judgement::Create { remark: None },
        1 => Judgement::Found {
            position: 0,
            remark: Some("one"),
        },
        2 => Judgement::Found {
            position: 1,
            remark: Some("two"),
        },
        _ => Judgement::Create { remark: Some("many") },
    })
}

fn wanted(searches: Vec<Criteria>, judge: Judge, resource: Resource) -> FindOrCreate {
    FindOrCreate {
        searches,
        judge,
        alone: vec!["by name".to_owned()],
        resource,
        id: None,
    }
}

async fn run(session: &Session, wanted: FindOrCreate) -> Result<WriteReply, Error> {
    match session.run(Interaction::FindOrCreate(wanted)).await? {
        Reply::Written(reply) => Ok(reply),
        _ => panic!("no reply of a write"),
    }
}

async fn create(session: &Session, resource: Resource) -> WriteReply {
    match session.run(Interaction::Create(resource)).await.unwrap() {
        Reply::Written(reply) => reply,
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

fn a_judge_sees_all_candidates_of_all_searches_once(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        create(&session, patient("Martin", "Anne", "1")).await;
        let second = create(&session, patient("Martin", "Luc", "2")).await;
        let searches = || vec![by_identifier("1"), by_family("Martin")];
        let found = run(&session, wanted(searches(), first(), patient("X", "Y", "1")))
            .await
            .unwrap();
        assert_eq!(
            found.remark,
            Some("two"),
            "the first is found twice and counts once"
        );
        assert_eq!(found.stored.target, second.stored.target);
        create(&session, patient("Martin", "Zoé", "3")).await;
        let made = run(&session, wanted(searches(), first(), patient("X", "Y", "4")))
            .await
            .unwrap();
        assert_eq!((made.written, made.remark), (Written::Created, Some("many")));
    });
}

fn who_is_found_is_left_alone(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let made = create(&session, patient("Petit", "Luc", "1")).await;
        let found = run(
            &session,
            wanted(vec![by_identifier("1")], first(), patient("Other", "Name", "1")),
        )
        .await
        .unwrap();
        assert_eq!((found.written, found.remark), (Written::Found, Some("one")));
        assert_eq!(found.stored.body, made.stored.body);
    });
}

fn what_breaks_a_claimed_profile_is_not_written_by_a_door(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let with = |gender: Option<&str>| {
            let mut claiming = patient("Roux", "Emma", "1");
            let tree = claiming.tree_mut();
            tree.insert("meta".to_owned(), json!({ "profile": [GENDERED] }));
            gender.map(|gender| tree.insert("gender".to_owned(), json!(gender)));
            claiming
        };
        let place = |error: Error| {
            let refusal = error.refusal();
            (refusal.status, refusal.issues.first().unwrap().expression.clone())
        };
        let expected = (422, Some("Patient.gender".to_owned()));
        let refused = run(&session, wanted(Vec::new(), first(), with(None))).await;
        assert_eq!(refused.err().map(place), Some(expected.clone()));
        let made = create(&session, with(Some("female"))).await;
        let edit: Edit = Box::new(|current| {
            let mut changed = current.clone();
            changed.tree_mut().shift_remove("gender");
            Ok(changed)
        });
        let interaction = Interaction::Edit {
            target: made.stored.target.clone(),
            edit,
            precondition: Precondition::None,
        };
        let refused = session.run(interaction).await;
        assert_eq!(refused.err().map(place), Some(expected));
        match session.run(Interaction::Read(made.stored.target)).await.unwrap() {
            Reply::Resource(now) => assert_eq!(now.version, made.stored.version),
            _ => panic!("no reply of a read"),
        }
    });
}

fn what_a_judge_refuses_is_not_written(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let judge: Judge = Box::new(|_| {
            Judgement::Refuse(Refusal {
                issues: vec![Issue::error(IssueCode::Duplicate, "no")],
            })
        });
        let refused = run(&session, wanted(Vec::new(), judge, patient("Roux", "Emma", "1"))).await;
        assert!(matches!(refused, Err(Error::Rule(_))));
        let made = run(
            &session,
            wanted(vec![by_family("Roux")], first(), patient("Roux", "Emma", "1")),
        )
        .await
        .unwrap();
        assert_eq!(made.written, Written::Created);
    });
}

fn equal_requests_at_once_create_one(stage: &'static Stage) {
    let space = stage.space();
    block(async {
        let all: Vec<_> = (0..20)
            .map(|number| {
                tokio::spawn(async move {
                    let session = stage.session(space);
                    // Nothing but the name makes them equal.
                    let resource = patient("Blanc", "Paul", &format!("own-{number}"));
                    run(&session, wanted(vec![by_family("Blanc")], first(), resource))
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

async fn erase(session: &Session, target: &Target) -> bool {
    match session.run(Interaction::Erase(target.clone())).await.unwrap() {
        Reply::Deleted(deletion) => deletion.is_some(),
        _ => panic!("no reply of an erasure"),
    }
}

fn an_erased_resource_is_gone_with_its_history_and_its_links(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let made = create(&session, patient("Noir", "Ada", "77")).await;
        let target = made.stored.target.clone();
        let update = Interaction::Update {
            target: target.clone(),
            resource: {
                let mut next = patient("Noir", "Ada Maria", "77");
                next.set_id(&target.id);
                next
            },
            precondition: fhir::interaction::Precondition::None,
        };
        session.run(update).await.unwrap();
        let linked = create(
            &session,
            resource(json!({ "link": [
                { "other": { "reference": target.to_string() }, "type": "replaced-by" },
                { "other": { "identifier": { "system": "urn:s", "value": "77" } }, "type": "seealso" },
                { "other": { "reference": "Patient/somebody-else" }, "type": "seealso" },
            ] })),
        )
        .await;
        assert!(erase(&session, &target).await);
        assert!(!erase(&session, &target).await, "there is nothing left to erase");
        for version in 1..=3 {
            let version = VersionId::new(version).unwrap();
            let read = session
                .run(Interaction::VersionRead(target.clone(), version))
                .await;
            assert!(matches!(read, Err(Error::Gone { .. })), "version {version}");
        }
        let read = session
            .run(Interaction::Read(linked.stored.target))
            .await
            .unwrap();
        let Reply::Resource(left) = read else {
            panic!("no resource")
        };
        assert_eq!(left.version, VersionId::new(2).unwrap());
        let left: Value = serde_json::from_str(&left.body).unwrap();
        let links = left.get("link").cloned().unwrap();
        let other = json!([{ "other": { "reference": "Patient/somebody-else" }, "type": "seealso" }]);
        assert_eq!(links, other);
        let again = create(&session, patient("Noir", "Ada", "77")).await;
        assert_ne!(again.stored.target, target, "who comes back is somebody new");
    });
}

fn what_was_erased_is_not_revived(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let target = create(&session, patient("Gris", "Jean", "5")).await.stored.target;
        assert!(erase(&session, &target).await);
        let mut next = patient("Gris", "Jean", "5");
        next.set_id(&target.id);
        let revived = session
            .run(Interaction::Update {
                target: target.clone(),
                resource: next,
                precondition: fhir::interaction::Precondition::None,
            })
            .await;
        assert!(matches!(revived, Err(Error::Erased(erased)) if erased == target));
    });
}

fn who_was_replaced_leaves_its_keys_to_the_survivor(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let keyed = |links: Value| {
            resource(json!({
                "identifier": [{ "system": crate::operation::KEYED, "value": "shared-by-a-merge" }],
                "link": links,
            }))
        };
        let plain = resource(json!({
            "identifier": [{ "system": crate::operation::KEYED, "value": "shared-by-a-merge" }],
        }));
        let source = create(&session, plain.clone()).await.stored.target;
        let taken = session.run(Interaction::Create(plain.clone())).await;
        assert!(matches!(taken, Err(Error::Duplicate { .. })));
        let mut replaced = keyed(json!([{ "other": { "reference": "Patient/x" }, "type": "replaced-by" }]));
        replaced.set_id(&source.id);
        let update = |resource: Resource| Interaction::Update {
            target: source.clone(),
            resource,
            precondition: fhir::interaction::Precondition::None,
        };
        session.run(update(replaced)).await.unwrap();
        create(&session, plain.clone()).await;
        let mut back = plain;
        back.set_id(&source.id);
        let refused = session.run(update(back)).await;
        assert!(
            matches!(refused, Err(Error::Duplicate { .. })),
            "the survivor owns it now"
        );
    });
}

fn a_list_hides_the_replaced_and_counts_what_it_shows(stage: &'static Stage) {
    block(async {
        let session = stage.session(stage.space());
        let first = create(&session, patient("A", "A", "1")).await.stored.target;
        let replaced = json!({ "link": [{ "other": { "reference": "Patient/x" }, "type": "replaced-by" }] });
        let second = create(&session, resource(replaced)).await.stored.target;
        let third = create(&session, patient("C", "C", "3")).await.stored.target;
        let list = async |replaced, offset, count| {
            let listing = Listing {
                kind: KIND,
                created_after: None,
                modified_after: None,
                replaced,
                offset,
                count,
            };
            match session.run(Interaction::List(listing)).await.unwrap() {
                Reply::List(page) => {
                    let targets: Vec<Target> =
                        page.resources.into_iter().map(|stored| stored.target).collect();
                    (targets, page.total)
                }
                _ => panic!("no list"),
            }
        };
        let all = vec![first.clone(), second, third.clone()];
        assert_eq!(list(Replaced::Shown, 0, 10).await, (all, 3));
        assert_eq!(
            list(Replaced::Hidden, 0, 10).await,
            (vec![first.clone(), third.clone()], 2)
        );
        assert_eq!(list(Replaced::Hidden, 1, 1).await, (vec![third], 2));
        assert_eq!(list(Replaced::Hidden, 2, 1).await, (vec![], 2));
        assert!(erase(&session, &first).await);
        assert_eq!(
            list(Replaced::Hidden, 0, 10).await.1,
            1,
            "who is erased is not counted"
        );
    });
}
