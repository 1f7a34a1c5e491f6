//! Trees that no sender should send: validation answers with issues, never with a panic.

use serde_json::{Map, Value, json};

use super::{all_tables, nested, patient};
use crate::limits::MAX_DEPTH;
use crate::resource::{Resource, ResourceType};
use crate::validate::{regulator, validate};

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap()
    }
}

/// Property names of the whole table, and some that are in none.
fn names() -> Vec<String> {
    let mut names: Vec<String> = all_tables()
        .iter()
        .flat_map(|table| table.elements.iter().flat_map(|element| element.properties()))
        .collect();
    names.extend(["resourceType", "_", "", "é", "__given", "value", "x`y\\"].map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

const TEXTS: [&str; 24] = [
    "",
    " ",
    "x",
    "#",
    "#o",
    "é",
    "male",
    "2020-02-30",
    "2020-01-01T00:00:00Z",
    "0000",
    "2020-é",
    "1e5",
    "-",
    "urn:oid:1.2.250.1.213.3.6",
    "urn:oid:1.2.250.1.71.4.2.1",
    "urn:oid:1.2.250.1.213.1.4.8",
    "123456789012244",
    "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>",
    "<div><p",
    "&",
    "Organization",
    "Bundle",
    "8é101215225",
    "Patient/1/_history/2",
];

fn arbitrary(random: &mut Random, names: &[String], depth: usize) -> Value {
    match random.below(if depth > 6 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(random.below(2) == 0),
        2 => {
            let numbers = [
                "0",
                "-1",
                "1.50",
                "2147483648",
                "1e400",
                "-0.0",
                "1E-999999999999999999999",
            ];
            serde_json::from_str(numbers[random.below(numbers.len())]).unwrap()
        }
        3 | 4 => Value::from(TEXTS[random.below(TEXTS.len())]),
        5 => (0..random.below(4))
            .map(|_| arbitrary(random, names, depth + 1))
            .collect(),
        _ => object(random, names, depth),
    }
}

fn object(random: &mut Random, names: &[String], depth: usize) -> Value {
    let mut map = Map::new();
    for _ in 0..random.below(6) {
        let mut name = names[random.below(names.len())].clone();
        if random.below(5) == 0 {
            name.insert(0, '_');
        }
        map.insert(name, arbitrary(random, names, depth + 1));
    }
    Value::Object(map)
}

/// Changes one place: replaces, removes, wraps, unwraps, renames or adds.
fn mutate(random: &mut Random, names: &[String], node: &mut Value, depth: usize) {
    let deeper = random.below(4) > 0;
    match node {
        Value::Object(map) if deeper && !map.is_empty() => {
            let at = random.below(map.len());
            let key = map.keys().nth(at).unwrap().clone();
            match random.below(6) {
                0 => {
                    map.shift_remove(&key);
                }
                1 => {
                    let value = map.shift_remove(&key).unwrap();
                    map.insert(names[random.below(names.len())].clone(), value);
                }
                2 => {
                    let value = arbitrary(random, names, depth);
                    map.insert(format!("_{key}"), value);
                }
                _ => mutate(random, names, map.get_mut(&key).unwrap(), depth + 1),
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            mutate(random, names, &mut items[at], depth + 1);
        }
        other => {
            *other = match random.below(3) {
                0 => Value::Array(vec![other.take()]),
                _ => arbitrary(random, names, depth),
            }
        }
    }
}

fn seed_tree() -> Value {
    json!({
        "id": "a", "meta": {"profile": [regulator::PROFILE], "source": regulator::SOURCE},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
        "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}, {"resourceType": "Basic", "id": "b"}],
        "extension": [{"url": "urn:x", "valueTiming": {"repeat": {"period": 1.5, "periodUnit": "d", "when": ["C"]}}},
            {"url": "urn:x", "valueRange": {"low": {"value": 1}, "high": {"value": 2}}}],
        "identifier": [{"type": {"coding": [{"system": "urn:x", "code": "IDNPS"}]}, "system": regulator::IDNPS_SYSTEM,
            "value": "810101215225", "period": {"start": "2020", "end": "2021"}}],
        "active": true, "name": [{"family": "A", "given": ["B", null], "_given": [null, {"id": "x"}]}],
        "telecom": [{"system": "email", "value": "a@example.org"}], "gender": "male", "birthDate": "1980-01-01",
        "photo": [{"contentType": "image/png", "data": "AAAA"}],
    })
}

/// Validates this many changed trees; answers how many had issues.
fn hostile(seed: u64, count: usize) -> usize {
    let mut random = Random(seed);
    let names = names();
    let mut refused = 0;
    for round in 0..count {
        let mut tree = match round % 4 {
            0 => object(&mut random, &names, 0),
            _ => seed_tree(),
        };
        for _ in 0..=random.below(5) {
            mutate(&mut random, &names, &mut tree, 0);
        }
        let Value::Object(tree) = tree else { continue };
        let kind = ResourceType::ALL[round % 2];
        let resource = Resource::from_guarded(kind, tree);
        let _ = regulator::applies(&resource);
        let base = validate(&resource);
        refused += usize::from(!base.is_empty());
        for issue in base.iter().chain(&regulator::shape(&resource)) {
            let place = issue.expression.as_deref().unwrap_or_default();
            assert!(
                place.starts_with(kind.as_str()) || !issue.is_error(),
                "seed {seed} round {round}: {issue:?}"
            );
            assert!(!issue.text.is_empty(), "seed {seed} round {round}: {issue:?}");
        }
    }
    refused
}

#[test]
fn no_tree_makes_validation_panic_and_every_issue_has_its_place() {
    let seed = 0x5eed_0001;
    println!("seed {seed:#x}");
    let refused = hostile(seed, 10_000);
    assert!((5_000..10_000).contains(&refused), "{refused}");
}

#[test]
fn validation_needs_no_more_than_half_a_mebibyte_of_stack() {
    let run = || {
        println!("seed 0x5eed0002");
        hostile(0x5eed_0002, 1_000);
        // As deep as any door lets through, and deeper.
        for levels in [MAX_DEPTH, 200] {
            let _ = validate(&nested(levels));
        }
        levels_of_contained();
    };
    let thread = std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(run)
        .unwrap();
    assert!(thread.join().is_ok());
}

/// Contained resources inside each other, each of a type in the table.
fn levels_of_contained() {
    let mut inner = json!({"resourceType": "Patient", "id": "p"});
    for _ in 0..100 {
        inner = json!({"resourceType": "Patient", "id": "p", "contained": [inner]});
    }
    assert!(validate(&patient(json!({ "contained": [inner] }))).len() > MAX_DEPTH);
}
