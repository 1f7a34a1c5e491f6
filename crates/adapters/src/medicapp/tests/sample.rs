//! Patients and requests made of a seed. Small alphabets, so that values meet.

use serde_json::{Map, Value, json};

/// A xorshift generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 11).expect("53 bits") % limit
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub(crate) fn one<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }
}

const NAMES: [&str; 12] = [
    "Jean",
    "Marie",
    "Jean-Paul Marie",
    " Zoé",
    "Zoe\u{301}",
    "O’Neil",
    "Łukasz",
    "Іванов",
    "李",
    "👩‍⚕️",
    "a\tb",
    "\u{200f}שרה",
];
const DAYS: [&str; 6] = [
    "1988-11-03",
    "2000-02-29",
    "1900-01-01",
    "2026-11-21",
    "1985-03-15",
    "0001-01-01",
];
const EMAILS: [&str; 4] = ["a@x.fr", "b@x.fr", "jürgen+t@bücher.example", "c@y"];
const PHONES: [&str; 4] = ["+33612345678", "+33712345678", "+33123456789", "+12"];
const EXTERNAL: [&str; 4] = ["EMP-1", "emp-1", " EMP 1 ", "#1234"];
/// The two spellings of three NIRs.
const NIRS: [(&str, &str); 3] = [
    ("1881103750016", "188110375001686"),
    ("185052A004123", "185052A00412356"),
    ("2690549588157", "269054958815780"),
];
const PARTS: [&str; 6] = ["Paris", "12 rue X", "12 rue X\nBât B", "a\n\nb", "", "75002"];

/// A full key: NIR in one of its spellings and perhaps a rank.
pub(crate) fn key(random: &mut Random) -> Value {
    let (short, long) = NIRS[random.below(NIRS.len())];
    let nir = if random.chance(2) { short } else { long };
    match random.below(4) {
        0 => json!({ "nir": nir }),
        1 => json!({ "nir": nir.to_ascii_lowercase(), "rang": "1" }),
        _ => json!({ "nir": nir, "rang": random.one(&["01", "02", "99"]) }),
    }
}

/// An address in the connect door's words; some parts missing, some null.
pub(crate) fn address(random: &mut Random) -> Value {
    let mut address = Map::new();
    for part in ["street", "city", "postalCode", "country"] {
        match random.below(4) {
            0 => {}
            1 => {
                address.insert(part.to_owned(), Value::Null);
            }
            _ => {
                address.insert(part.to_owned(), json!(random.one(&PARTS)));
            }
        }
    }
    Value::Object(address)
}

/// A value that a door takes for a field.
pub(crate) fn field(random: &mut Random, name: &str) -> Value {
    match name {
        "firstName" | "lastName" => json!(random.one(&NAMES)),
        "birthDate" => json!(random.one(&DAYS)),
        _ if random.chance(3) => Value::Null,
        "email" => json!(random.one(&EMAILS)),
        "phone" => json!(random.one(&PHONES)),
        "externalId" => json!(random.one(&EXTERNAL)),
        "identificationKey" => key(random),
        "gender" => json!(random.one(&["M", "F", "O"])),
        _ => address(random),
    }
}

/// A POST of one of the doors.
pub(crate) fn create(random: &mut Random, fields: &[&str]) -> Map<String, Value> {
    let mut body = Map::new();
    for name in fields {
        let value = field(random, name);
        if !value.is_null() || random.chance(2) {
            body.insert((*name).to_owned(), value);
        }
    }
    body
}

fn period(random: &mut Random, element: &mut Value) {
    if random.chance(5) {
        element["period"] = json!({ "end": random.one(&["2020", "2026-11-20", "2026-11", "2030-01-01"]) });
    }
}

fn kind(random: &mut Random, element: &mut Value, of: &[&str]) {
    if !random.chance(3) {
        element["use"] = json!(random.one(of));
    }
}

fn name(random: &mut Random) -> Value {
    let mut name = json!({});
    kind(
        random,
        &mut name,
        &["official", "usual", "temp", "nickname", "old", "maiden"],
    );
    match random.below(5) {
        0 => name["text"] = json!("Jean Paul Dupont"),
        1 => {
            name["family"] = json!(random.one(&NAMES));
            name["_family"] = json!({ "extension": [{ "url": "http://x.example", "valueString": "own" }] });
        }
        2 => {
            name["given"] = json!([null, "Paul"]);
            name["_given"] =
                json!([{ "extension": [{ "url": "http://x.example", "valueCode": "masked" }] }, null]);
        }
        _ => {
            name["family"] = json!(random.one(&NAMES));
            name["given"] = json!([random.one(&NAMES), "Paul"]);
            name["text"] = json!("as printed");
        }
    }
    period(random, &mut name);
    name
}

fn telecom(random: &mut Random) -> Value {
    let mut point = json!({ "system": random.one(&["phone", "email", "sms", "fax"]) });
    kind(random, &mut point, &["home", "work", "mobile", "old"]);
    point["value"] = json!(random.one(&["a@x.fr", "b@x.fr", "+33612345678", "01 02 03", "+12"]));
    if random.chance(3) {
        point["rank"] = json!(1 + random.below(3));
    }
    period(random, &mut point);
    point
}

fn fhir_address(random: &mut Random) -> Value {
    let mut address = json!({});
    kind(random, &mut address, &["home", "work", "old"]);
    if random.chance(2) {
        address["line"] = json!(["12 rue X", "Bât B"]);
    }
    if random.chance(2) {
        address["city"] = json!(random.one(&["Paris", "Lyon"]));
    }
    if random.chance(3) {
        address["district"] = json!("75");
    }
    if random.chance(3) || address.as_object().is_some_and(Map::is_empty) {
        address["text"] = json!("12 rue X, Paris");
    }
    period(random, &mut address);
    address
}

fn identifiers(random: &mut Random, base: &str) -> Vec<Value> {
    let mut list = vec![json!({ "system": "http://hospital.example/ipp", "value": "1" })];
    let (short, long) = NIRS[random.below(NIRS.len())];
    if random.chance(2) {
        let rang = random.one(&["01", "02"]);
        list.push(
            json!({ "system": format!("{base}/medicapp/nir-rang"), "value": format!("{short}-{rang}") }),
        );
    }
    if random.chance(2) {
        list.push(json!({ "system": "urn:oid:1.2.250.1.213.1.4.13", "value": long }));
    }
    if random.chance(4) {
        list.push(json!({
            "type": { "coding": [{ "code": "INS-NIR" }] },
            "system": "urn:oid:1.2.250.1.213.1.4.8",
            "value": long,
        }));
    }
    for space in ["trust-space/ts_xxxxxxxxxxxx", "space/main"] {
        if random.chance(2) {
            let system = format!("{base}/medicapp/{space}/external-id");
            list.push(json!({ "system": system, "value": random.one(&EXTERNAL) }));
        }
    }
    list
}

fn several(random: &mut Random, most: usize, make: impl Fn(&mut Random) -> Value) -> Option<Value> {
    let count = random.below(most + 1);
    (count > 0).then(|| (0..count).map(|_| make(random)).collect())
}

/// A Patient as some FHIR client could have written it.
pub(crate) fn patient(random: &mut Random, base: &str) -> Value {
    let mut patient = json!({ "resourceType": "Patient", "identifier": identifiers(random, base) });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            patient[name] = value;
        }
    };
    put("name", several(random, 3, name));
    put("telecom", several(random, 4, telecom));
    put("address", several(random, 3, fhir_address));
    if !random.chance(5) {
        put(
            "gender",
            Some(json!(random.one(&["male", "female", "other", "unknown"]))),
        );
    }
    if !random.chance(5) {
        put(
            "birthDate",
            Some(json!(random.one(&["1988-11-03", "1980-05", "1980"]))),
        );
        put(
            "_birthDate",
            random
                .chance(4)
                .then(|| json!({ "extension": [{ "url": "http://x.example", "valueBoolean": true }] })),
        );
    }
    put(
        "extension",
        random
            .chance(2)
            .then(|| json!([{ "url": "http://x.example", "valueString": "x" }])),
    );
    put("multipleBirthInteger", random.chance(2).then(|| json!(2)));
    patient
}
