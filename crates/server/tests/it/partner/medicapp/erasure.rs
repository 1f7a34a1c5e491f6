//! An erasure beside others: links to the patient, other DELETEs, PUTs (`adapters.md` 8.1).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::tally;
use testkit::tests;
use testkit::wait::wait_for;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    n22_links_to_an_erased_patient_go_with_it,
    n22_one_of_several_deletes_at_once_erases,
    x15_a_put_beside_a_delete_resurrects_nobody,
];

fn n22_links_to_an_erased_patient_go_with_it(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let (target, linked) = (made(&client, json!({})), made(&client, json!({})));
    let reference = format!("Patient/{}", text(&fhir_of(&fhir, &target), "id"));
    edit(&fhir, &linked, |patient| {
        patient["link"] = json!([{ "other": { "reference": reference }, "type": "seealso" }]);
    });
    shown(client.delete(format!("/patients/{target}")).send(), 200);
    let now = fhir_of(&fhir, &linked);
    assert_eq!(
        (&now["link"], &now["meta"]["versionId"]),
        (&Value::Null, &json!("3"))
    );
}

fn n22_one_of_several_deletes_at_once_erases(context: &Context) {
    let client = connect(context);
    for _ in 0..5 {
        let path = format!("/patients/{}", made(&client, json!({})));
        let answers = race_of(&client, 6, |client, _| client.delete(&path).send().status);
        assert_eq!(tally(answers), [(200, 1), (404, 5)]);
    }
}

fn x15_a_put_beside_a_delete_resurrects_nobody(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    const WRITERS: usize = 4;
    let mut refused_after = 0;
    for _ in 0..6 {
        let id = made(&client, json!({}));
        let resource = text(&fhir_of(&fhir, &id), "id");
        let (gone, wrote) = (AtomicBool::new(false), AtomicBool::new(false));
        let answers = race_of(&client, WRITERS + 1, |client, number| {
            if number == WRITERS {
                wait_for(Duration::from_secs(10), "a write", || {
                    wrote.load(Ordering::SeqCst).then_some(())
                });
                shown(client.delete(format!("/patients/{id}")).send(), 200);
                gone.store(true, Ordering::SeqCst);
                return 0;
            }
            // Until one after the erasure was refused.
            let mut turn = 0;
            loop {
                let was_gone = gone.load(Ordering::SeqCst);
                turn += 1;
                let answer = put(
                    client,
                    &id,
                    &json!({ "email": format!("w{number}t{turn}@example.org") }),
                );
                wrote.store(true, Ordering::SeqCst);
                match answer.status {
                    200 => assert!(!was_gone, "{answer:?}"),
                    _ => {
                        faulty(&answer, 404, "PATIENT_NOT_FOUND");
                        return 1;
                    }
                }
            }
        });
        refused_after += answers.iter().sum::<usize>();
        faulty(&get(&client, &id), 404, "PATIENT_NOT_FOUND");
        refused(fhir.get(format!("/Patient/{resource}")).send(), 410, "deleted");
        let bodies = format!("SELECT count(*) FROM resource_version WHERE id = '{resource}' AND body <> ''");
        assert_eq!(execute(shared(context), &bodies), "0");
    }
    assert_eq!(refused_after, 6 * WRITERS);
}
