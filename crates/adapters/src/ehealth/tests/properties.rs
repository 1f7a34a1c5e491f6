//! The properties that every door keeps (`adapters.md` 5.8), on generated people.

use fhir::{Id, Resource, ResourceType, Severity, Timestamp};
use serde_json::{Map, Value, json};

use super::super::{Body, Kept, create, show, update};
use super::{PREPERSON, World};

const PATIENTS: usize = 2_000;
const SEED: u64 = 0x5eed_0001;

/// xorshift64*, so that a seed gives the same people everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 to `end`, exclusive.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 33) as usize) % end.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }
}

const NAMES: &[&str] = &[
    "Петро",
    "О'Ніл-Гнатюк",
    "Ґалаґан",
    "О’Ніл",
    "Smith",
    " Anne ",
    "أحمد",
    "👩‍👩‍👧",
    "e\u{301}",
    "\u{200f}א",
    "a\tb",
    "李",
    "Jean Paul",
    "\"\\",
];
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const EXTENSIONS: &str = "https://fhir-facade.example/ns/StructureDefinition/";

#[test]
fn what_is_sent_is_read_back() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let world = World::new();
    for round in 0..PATIENTS {
        let sent = request(&mut random);
        let id = Id::parse(PREPERSON).unwrap();
        let patient = create(&body(&sent), &id, &world.context()).unwrap();
        assert_valid(&patient, round);
        let read = shown(&world, &patient);
        for (property, value) in &read {
            let expected = match property.as_str() {
                "id" => json!(PREPERSON),
                "status" => json!("ACTIVE"),
                property => sent.get(property).cloned().unwrap_or_default(),
            };
            assert_eq!(*value, expected, "round {round}, {property}");
        }
        // A second write of the same changes nothing.
        let again = update(PREPERSON, &body(&sent), Some(&patient), &world.context()).unwrap();
        assert!(again == patient, "round {round}");
    }
}

#[test]
fn what_is_read_of_any_patient_can_be_sent_back_and_changes_nothing() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let world = World::new();
    for round in 0..PATIENTS {
        let stored = patient(&mut random);
        assert_valid(&stored, round);
        let sent = sendable(&shown(&world, &stored));
        let after = update(PREPERSON, &body(&sent), Some(&stored), &world.context())
            .unwrap_or_else(|fault| panic!("round {round}: {fault:?}"));
        assert!(after == stored, "round {round}");
        let bytes = |resource: &Resource| Value::Object(resource.tree().clone()).to_string();
        assert_eq!(bytes(&after), bytes(&stored), "round {round}");
    }
}

#[test]
fn a_change_of_one_field_touches_its_element_alone() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let world = World::new();
    for round in 0..PATIENTS {
        let stored = patient(&mut random);
        let before = shown(&world, &stored);
        let (field, value) = change(&mut random);
        let mut sent = Map::new();
        sent.insert(field.to_owned(), value.clone());
        let after = update(PREPERSON, &body(&sent), Some(&stored), &world.context())
            .unwrap_or_else(|fault| panic!("round {round}: {fault:?}"));
        assert_valid(&after, round);
        let now = shown(&world, &after);
        for (property, old) in &before {
            let expected = if property == field { &value } else { old };
            assert_eq!(
                now[property], *expected,
                "round {round}: {field} changed {property}"
            );
        }
        let elements: &[&str] = match field {
            "external_id" => &["identifier"],
            "first_name" | "last_name" | "second_name" => &["name"],
            "gender" => &["gender", "_gender"],
            "birth_date" => &["birthDate", "_birthDate"],
            "death_date" => &["deceasedDateTime", "_deceasedDateTime", "deceasedBoolean"],
            _ => &["contact"],
        };
        let (old, new) = (stored.tree(), after.tree());
        for property in old.keys().chain(new.keys()) {
            let is_free = elements.contains(&property.as_str());
            assert!(
                is_free || old.get(property) == new.get(property),
                "round {round}: {field}: {property}"
            );
        }
        // Of a list no more than one item is changed or added.
        let items = |tree: &Map<String, Value>| tree.get(elements[0]).and_then(Value::as_array).cloned();
        let (old, new) = (items(old).unwrap_or_default(), items(new).unwrap_or_default());
        let changed = new
            .iter()
            .enumerate()
            .filter(|(at, item)| old.get(*at) != Some(*item))
            .count();
        assert!(changed <= 1 && new.len() >= old.len(), "round {round}: {field}");
    }
}

fn body(sent: &Map<String, Value>) -> Body {
    Body::read(Value::Object(sent.clone()).to_string().as_bytes()).unwrap()
}

/// The answer but for what the store knows.
fn shown(world: &World, patient: &Resource) -> Map<String, Value> {
    let at = Timestamp::from_micros(0);
    let kept = Kept {
        created: at,
        created_by: "a",
        updated: at,
        updated_by: "b",
    };
    let shown = show(patient, &kept, &world.context()).unwrap();
    let Value::Object(mut tree) = serde_json::to_value(&shown).unwrap() else {
        panic!("an object");
    };
    tree.retain(|property, _| !property.starts_with("inserted") && !property.starts_with("updated"));
    tree
}

/// What a PATCH takes of an answer: the door knows no null and neither id nor status.
fn sendable(read: &Map<String, Value>) -> Map<String, Value> {
    let mut sent = read.clone();
    sent.retain(|property, value| !value.is_null() && property != "id" && property != "status");
    sent
}

fn assert_valid(patient: &Resource, round: usize) {
    let issues = fhir::validate::validate(patient);
    let errors = issues.iter().filter(|issue| issue.severity == Severity::Error);
    assert_eq!(errors.count(), 0, "round {round}: {issues:?}");
}

fn phones(random: &mut Random) -> Value {
    let mobile = json!({ "type": "MOBILE", "number": format!("+380{:09}", random.below(999_999_999)) });
    let land = json!({ "type": "LAND_LINE", "number": format!("+380{:09}", random.below(999_999_999)) });
    match random.below(3) {
        0 => json!([mobile]),
        1 => json!([land]),
        _ => json!([land, mobile]),
    }
}

fn contact(random: &mut Random) -> Value {
    let mut contact = Map::new();
    contact.insert("first_name".to_owned(), random.pick(NAMES).into());
    contact.insert("last_name".to_owned(), random.pick(NAMES).into());
    if random.chance(50) {
        contact.insert("second_name".to_owned(), random.pick(NAMES).into());
    }
    contact.insert("phones".to_owned(), phones(random));
    Value::Object(contact)
}

fn day(random: &mut Random, from: usize) -> String {
    format!(
        "{}-{:02}-{:02}",
        from + random.below(40),
        1 + random.below(12),
        1 + random.below(28)
    )
}

pub(crate) fn request(random: &mut Random) -> Map<String, Value> {
    let mut sent = Map::new();
    sent.insert("external_id".to_owned(), format!("#{}", random.below(9)).into());
    for property in ["first_name", "last_name", "second_name"] {
        if random.chance(60) {
            sent.insert(property.to_owned(), random.pick(NAMES).into());
        }
    }
    sent.insert("gender".to_owned(), random.pick(&["MALE", "FEMALE"]).into());
    if random.chance(60) {
        sent.insert("birth_date".to_owned(), day(random, 1920).into());
    }
    if random.chance(60) {
        sent.insert("emergency_contact".to_owned(), contact(random));
    }
    if random.chance(60) {
        sent.insert("note".to_owned(), "line one\r\nline two\t ".into());
    }
    sent
}

/// One field with a value that every rule takes.
fn change(random: &mut Random) -> (&'static str, Value) {
    match random.below(8) {
        0 => ("external_id", "#changed".into()),
        1 => ("first_name", "Змінено".into()),
        2 => ("last_name", "Змінено".into()),
        3 => ("second_name", "Змінено".into()),
        4 => ("gender", random.pick(&["MALE", "FEMALE"]).into()),
        5 => ("birth_date", day(random, 1920).into()),
        6 => ("death_date", day(random, 1985).into()),
        _ => ("emergency_contact", contact(random)),
    }
}

/// A valid Patient that may hold anything a FHIR client puts there.
fn patient(random: &mut Random) -> Resource {
    let mut tree = Map::new();
    tree.insert("id".to_owned(), PREPERSON.into());
    let mut extensions = vec![
        json!({ "url": format!("{EXTENSIONS}patient-identification-status"), "valueCode": "unidentified" }),
    ];
    extensions
        .push(json!({ "url": format!("{EXTENSIONS}preperson-note"), "valueString": "n".repeat(5_000) }));
    if random.chance(30) {
        extensions.push(json!({ "url": "https://example.com/x", "valueString": "kept" }));
    }
    tree.insert("extension".to_owned(), Value::Array(extensions));
    let mut identifiers = vec![json!({ "system": "https://example.com/mrn", "value": "1" })];
    if random.chance(60) {
        let system = "https://fhir-facade.example/ns/ehealth/legal-entity/4c7b/preperson-external-id";
        identifiers.push(json!({ "use": "secondary", "system": system, "value": "e".repeat(300) }));
    }
    tree.insert("identifier".to_owned(), Value::Array(identifiers));
    let names: Vec<Value> = (0..random.below(4)).map(|_| name(random, true)).collect();
    put(&mut tree, "name", names);
    if random.chance(70) {
        tree.insert(
            "gender".to_owned(),
            random.pick(&["male", "female", "other", "unknown"]).into(),
        );
    }
    let born = ["1930", "1930-05", "1930-05-06"];
    if random.chance(70) {
        tree.insert("birthDate".to_owned(), random.pick(&born).into());
        if random.chance(20) {
            tree.insert("_birthDate".to_owned(), json!({ "id": "b" }));
        }
    }
    let died = ["2018", "2018-11", "2018-11-11", "2018-11-11T23:30:00-05:00"];
    match random.below(4) {
        0 => drop(tree.insert("deceasedBoolean".to_owned(), random.chance(50).into())),
        1 => drop(tree.insert("deceasedDateTime".to_owned(), random.pick(&died).into())),
        _ => {}
    }
    tree.insert("maritalStatus".to_owned(), json!({ "text": "?" }));
    let contacts: Vec<Value> = (0..random.below(4)).map(|_| fhir_contact(random)).collect();
    put(&mut tree, "contact", contacts);
    Resource::from_guarded(ResourceType::Patient, tree)
}

fn put(tree: &mut Map<String, Value>, property: &str, items: Vec<Value>) {
    if !items.is_empty() {
        tree.insert(property.to_owned(), Value::Array(items));
    }
}

fn name(random: &mut Random, with_period: bool) -> Value {
    let mut name = Map::new();
    if random.chance(80) {
        let kinds = [
            "temp",
            "usual",
            "official",
            "nickname",
            "old",
            "maiden",
            "anonymous",
        ];
        name.insert("use".to_owned(), random.pick(&kinds).into());
    }
    if random.chance(30) {
        name.insert("text".to_owned(), "Text".into());
    }
    if random.chance(70) {
        name.insert("family".to_owned(), random.pick(NAMES).into());
    }
    let (mut given, mut about) = (Vec::new(), Vec::new());
    for _ in 0..random.below(4) {
        let is_hole = random.chance(15);
        let flag = json!({ "url": format!("{EXTENSIONS}name-part-kind"), "valueCode": "patronymic" });
        given.push(if is_hole {
            Value::Null
        } else {
            random.pick(NAMES).into()
        });
        about.push(match random.below(4) {
            _ if is_hole => json!({ "extension": [{ "url": ABSENT, "valueCode": "masked" }] }),
            0 => json!({ "extension": [flag] }),
            1 => json!({ "id": "about" }),
            _ => Value::Null,
        });
    }
    if given.iter().any(|item| !item.is_null()) {
        put(&mut name, "given", given);
    }
    if name.contains_key("given") && about.iter().any(|item| !item.is_null()) {
        put(&mut name, "_given", about);
    }
    if with_period && random.chance(20) {
        name.insert(
            "period".to_owned(),
            json!({ "end": random.pick(&["2020", "2030-01-01"]) }),
        );
    }
    if name.is_empty() {
        name.insert("text".to_owned(), "Text".into());
    }
    name.insert("id".to_owned(), "n".into());
    Value::Object(name)
}

fn fhir_contact(random: &mut Random) -> Value {
    let mut contact = Map::new();
    let (system, code) = match random.below(4) {
        0 => ("http://terminology.hl7.org/CodeSystem/v2-0131", "N"),
        1 => ("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "ECON"),
        _ => ("http://terminology.hl7.org/CodeSystem/v2-0131", "C"),
    };
    contact.insert(
        "relationship".to_owned(),
        json!([{ "coding": [{ "system": system, "code": code }] }]),
    );
    if random.chance(20) {
        contact.insert("organization".to_owned(), json!({ "display": "Clinic" }));
        return Value::Object(contact);
    }
    contact.insert("name".to_owned(), name(random, false));
    let mut telecom = Vec::new();
    for _ in 0..random.below(4) {
        let mut point = Map::new();
        point.insert(
            "system".to_owned(),
            random.pick(&["phone", "email", "sms"]).into(),
        );
        point.insert(
            "value".to_owned(),
            random
                .pick(&["0503410870", "+380503410870", "x@example.com"])
                .into(),
        );
        if random.chance(80) {
            point.insert(
                "use".to_owned(),
                random.pick(&["mobile", "home", "work", "old"]).into(),
            );
        }
        telecom.push(Value::Object(point));
    }
    put(&mut contact, "telecom", telecom);
    if random.chance(30) {
        contact.insert("address".to_owned(), json!({ "city": "Київ" }));
    }
    Value::Object(contact)
}
