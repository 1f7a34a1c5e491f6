//! Patches that nobody should send: read or refused at once, and never more work than one request may cause.

use std::fs;
use std::time::{Duration, Instant};

use crate::cases::{ada, folders, patch_of, read, resource};
use crate::mutate::{Random, mutate_bytes, mutate_text, mutate_tree};
use fhir::codec::{Format, decode};
use fhir::limits::{MAX_PATCH_OPERATIONS, MAX_PATCH_PATH_CHARS, MAX_PATCH_PATH_DEPTH, MAX_PATCH_WORK};
use fhir::patch::Patch;
use fhir::validate::validate;
use fhir::{Issue, IssueCode, Resource};
use serde_json::{Map, Value, json};

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

/// The longest that one small patch may take.
const LONGEST: Duration = Duration::from_millis(50);

/// Reads and applies a patch. Says whether it was accepted.
fn check(seed: u64, before: &Resource, bytes: &[u8], name: &str) -> bool {
    let shown = || format!("seed {seed}: {}", String::from_utf8_lossy(bytes));
    let run = || read(bytes, name).and_then(|patch| patch.apply(before));
    let mut started = Instant::now();
    let mut outcome = run();
    // The machine may have been busy elsewhere: only what is slow each time is slow.
    for _ in 0..3 {
        if started.elapsed() > LONGEST {
            started = Instant::now();
            outcome = run();
        }
    }
    assert!(started.elapsed() <= LONGEST, "slow, {}", shown());
    match outcome {
        Err(issues) => {
            assert!(!issues.is_empty(), "refused without a word, {}", shown());
            for issue in issues {
                assert!(
                    issue.text.len() > 15 && issue.text.len() < 4_000,
                    "{issue:?}, {}",
                    shown()
                );
            }
            false
        }
        Ok(after) => {
            assert_eq!(after.kind(), before.kind(), "{}", shown());
            assert_eq!(after.get("id"), before.get("id"), "{}", shown());
            // What came out could have come in.
            let text = Value::Object(after.tree().clone()).to_string();
            let again = decode(text.as_bytes(), Format::Json, after.kind());
            assert_eq!(again.unwrap(), after, "{}", shown());
            let _ = validate(&after);
            true
        }
    }
}

#[test]
fn p68_mutated_patches_never_panic_and_what_they_make_could_have_been_sent() {
    on_a_small_stack(|| {
        let corpus: Vec<(Resource, String, Vec<u8>)> = folders()
            .iter()
            .map(|folder| {
                let (name, bytes) = patch_of(folder);
                (
                    resource(&fs::read(folder.join("resource.json")).unwrap()),
                    name,
                    bytes,
                )
            })
            .collect();
        let donors: Vec<(String, Map<String, Value>)> = corpus
            .iter()
            .map(|(before, _, _)| (before.kind().to_string(), before.tree().clone()))
            .collect();
        let (mut accepted, mut refused) = (0, 0);
        for seed in 0..10_000 {
            let random = &mut Random::new(seed);
            let (before, name, bytes) = random.pick(&corpus);
            let brackets = if name.ends_with(".xml") {
                ['<', '>']
            } else {
                ['{', '}']
            };
            let tree: Option<Value> = serde_json::from_slice(bytes).ok();
            let mutant = match (random.below(3), tree) {
                (0, _) => mutate_bytes(random, bytes.clone()),
                (1, Some(mut tree)) => {
                    mutate_tree(random, &mut tree, &donors);
                    tree.to_string().into_bytes()
                }
                _ => mutate_text(random, &String::from_utf8_lossy(bytes), brackets).into_bytes(),
            };
            if check(seed, before, &mutant, name) {
                accepted += 1;
            } else {
                refused += 1;
            }
        }
        assert!(accepted > 300 && refused > 3_000, "{accepted} and {refused}");
    });
}

/// Pieces of paths: every expression that can be made of them is read or refused in no time.
const PIECES: &[&str] = &[
    "Patient",
    ".",
    "name",
    "given",
    "where(",
    "(",
    ")",
    "[",
    "]",
    "0",
    "1",
    "use",
    "=",
    "!=",
    "'official'",
    "'",
    " and ",
    " or ",
    "exists()",
    "empty()",
    ".first()",
    ".last()",
    "extension('urn:x')",
    "$this",
    "`",
    "\\",
    "\\u12",
    "@2020",
    "true",
    "-",
    "1.5",
    ".not()",
    "ofType(",
    "deceased",
    "identifier",
    "value",
    "system",
    "é",
    "\u{2028}",
];

#[test]
fn p68_any_expression_is_read_or_refused_at_once() {
    on_a_small_stack(|| {
        let before = ada();
        let mut accepted = 0;
        for seed in 0..10_000 {
            let random = &mut Random::new(seed);
            let path: String = (0..1 + random.below(14)).map(|_| *random.pick(PIECES)).collect();
            let operation = json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
                { "name": "type", "valueCode": "delete" },
                { "name": "path", "valueString": path },
            ] }] });
            if check(seed, &before, operation.to_string().as_bytes(), "patch.json") {
                accepted += 1;
            }
        }
        assert!(accepted > 5, "{accepted}");
    });
}

fn delete(path: &str) -> Result<Resource, Vec<Issue>> {
    let operation = json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
        { "name": "type", "valueCode": "delete" },
        { "name": "path", "valueString": path },
    ] }] });
    Patch::fhirpath(operation.to_string().as_bytes(), Format::Json).and_then(|patch| patch.apply(&ada()))
}

#[test]
fn p68_brackets_are_nested_up_to_the_limit_and_no_further() {
    on_a_small_stack(|| {
        let nested = |depth: usize| {
            format!(
                "Patient.name.where({}family='f'{}).family",
                "(".repeat(depth - 1),
                ")".repeat(depth - 1)
            )
        };
        assert!(delete(&nested(MAX_PATCH_PATH_DEPTH)).is_ok());
        let issues = delete(&nested(MAX_PATCH_PATH_DEPTH + 1)).unwrap_err();
        assert!(issues[0].text.contains("nests more than"), "{issues:?}");
        for hostile in [
            "(",
            "[",
            "where(",
            "Patient.name.where(",
            "name.",
            "'",
            "extension(",
        ] {
            let path = format!("Patient.name.where({}", hostile.repeat(100));
            assert_eq!(delete(&path).unwrap_err()[0].code, IssueCode::Structure);
        }
    });
}

#[test]
fn a_path_is_as_long_as_the_limit_and_no_longer() {
    let path = |length: usize| format!("Patient.name{}", " ".repeat(length - "Patient.name".len()));
    let issues = delete(&path(MAX_PATCH_PATH_CHARS)).unwrap_err();
    assert!(issues[0].text.contains("2 elements"), "{issues:?}");
    let issues = delete(&path(MAX_PATCH_PATH_CHARS + 1)).unwrap_err();
    assert!(issues[0].text.contains("is longer than"), "{issues:?}");
    let pointer = |length: usize| format!(r#"[{{"op":"remove","path":"/{}"}}]"#, "x".repeat(length - 1));
    let longest = Patch::json(pointer(MAX_PATCH_PATH_CHARS).as_bytes()).map(|_| ());
    assert_eq!(longest, Ok(()));
    let longer = Patch::json(pointer(MAX_PATCH_PATH_CHARS + 1).as_bytes()).map(|_| ());
    assert!(longer.unwrap_err()[0].text.contains("is longer than"));
}

#[test]
fn a_patch_has_as_many_operations_as_the_limit_and_no_more() {
    let operations = |count: usize| {
        json!(vec![
            json!({ "op": "test", "path": "/id", "value": "ada" });
            count
        ])
    };
    let patch = Patch::json(operations(MAX_PATCH_OPERATIONS).to_string().as_bytes()).unwrap();
    assert!(patch.apply(&ada()).is_ok());
    let over = Patch::json(operations(MAX_PATCH_OPERATIONS + 1).to_string().as_bytes()).map(|_| ());
    assert_eq!(over.unwrap_err()[0].code, IssueCode::TooLong);
    let part = json!({ "name": "operation", "part": [
        { "name": "type", "valueCode": "delete" },
        { "name": "path", "valueString": "Patient.photo" },
    ] });
    let parameters =
        |count: usize| json!({ "resourceType": "Parameters", "parameter": vec![part.clone(); count] });
    let all = parameters(MAX_PATCH_OPERATIONS).to_string();
    let patch = Patch::fhirpath(all.as_bytes(), Format::Json).unwrap();
    assert!(patch.apply(&ada()).is_ok());
    let over = parameters(MAX_PATCH_OPERATIONS + 1).to_string();
    let over = Patch::fhirpath(over.as_bytes(), Format::Json).map(|_| ());
    assert_eq!(over.unwrap_err()[0].code, IssueCode::TooLong);
}

#[test]
fn copies_of_copies_end_at_the_limit_of_work() {
    on_a_small_stack(|| {
        let doubling = json!(vec![
            json!({ "op": "copy", "from": "/name", "path": "/name/-" });
            200
        ]);
        let issues = Patch::json(doubling.to_string().as_bytes())
            .unwrap()
            .apply(&ada())
            .unwrap_err();
        assert!(
            matches!(issues[0].code, IssueCode::TooLong | IssueCode::Structure),
            "{issues:?}"
        );
    });
}

#[test]
fn a_condition_over_a_long_list_ends_at_the_limit_of_work() {
    let identifiers: Vec<Value> = (0..2_000).map(|n| json!({ "value": n.to_string() })).collect();
    let before = json!({ "resourceType": "Patient", "id": "many", "identifier": identifiers });
    let before = resource(before.to_string().as_bytes());
    let part = json!({ "name": "operation", "part": [
        { "name": "type", "valueCode": "delete" },
        { "name": "path", "valueString": "Patient.identifier.where(value='x' or value='y' or value='z')" },
    ] });
    let operations = MAX_PATCH_WORK / 2_000 / 10 + 1;
    let parameters = json!({ "resourceType": "Parameters", "parameter": vec![part; operations.min(MAX_PATCH_OPERATIONS)] });
    let patch = Patch::fhirpath(parameters.to_string().as_bytes(), Format::Json).unwrap();
    assert_eq!(patch.apply(&before).unwrap_err()[0].code, IssueCode::TooLong);
}

#[test]
fn what_a_document_says_twice_or_may_not_say_is_refused() {
    let refused = |text: &str| {
        let json = Patch::json(text.as_bytes()).map(|_| ()).unwrap_err();
        assert!(json[0].text.len() > 15, "{json:?}");
        json[0].code
    };
    assert_eq!(
        refused(r#"[{"op":"add","op":"remove","path":"/a"}]"#),
        IssueCode::Structure
    );
    assert_eq!(
        refused("[{\"op\":\"remove\",\"path\":\"/a\\u0000\"}]"),
        IssueCode::Value
    );
    assert_eq!(
        refused(r#"[{"op":"remove","path":"/a\ud800"}]"#),
        IssueCode::Invalid
    );
    assert_eq!(refused(r#"[] []"#), IssueCode::Invalid);
    assert_eq!(refused(""), IssueCode::Structure);
    assert_eq!(refused("{}"), IssueCode::Structure);
    on_a_small_stack(|| {
        let deep = format!(
            "[{{\"op\":\"add\",\"path\":\"/a\",\"value\":{}",
            "[".repeat(100_000)
        );
        let issues = Patch::json(deep.as_bytes()).map(|_| ()).unwrap_err();
        assert!(issues[0].text.contains("deeper"), "{issues:?}");
        let deep = "{\"a\":".repeat(100_000);
        let issues = Patch::merge(deep.as_bytes()).map(|_| ()).unwrap_err();
        assert!(issues[0].text.contains("deeper"), "{issues:?}");
    });
    let twice = Patch::merge(br#"{"gender":"male","gender":"female"}"#)
        .map(|_| ())
        .unwrap_err();
    assert!(twice[0].text.contains("stands twice"), "{twice:?}");
}
