//! A few dozen invented people: patients with test INS identities, regulators with SAS accounts.

use fhir::ResourceType;
use fhir::validate::nir;
use fhir::validate::regulator::{IDNPS_SYSTEM, INTRN_SYSTEM, PROFILE, SOURCE};
use serde_json::{Value, json};

/// The system of the SAS technical id.
pub(crate) const INTRN: &str = INTRN_SYSTEM;
/// The value in the copy-paste example.
pub(crate) const TRY_VALUE: &str = "0b8f6a52-6a0e-4f5e-9f6c-2f1f2d1c7a11";
/// INS identities for tests only (`patient-identity.md` 1).
const INS_TEST: &str = "urn:oid:1.2.250.1.213.1.4.10";
const FR_TYPES: &str = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203";
const FR_TYPES_OLD: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";

/// A sample and the identifier by which it is found again.
pub(crate) struct Person {
    pub(crate) kind: ResourceType,
    pub(crate) system: String,
    pub(crate) value: String,
    pub(crate) resource: Value,
}

/// All samples.
pub(crate) fn all() -> Vec<Person> {
    let patients = PATIENTS
        .iter()
        .enumerate()
        .map(|(number, row)| patient(number, row));
    let regulators = REGULATORS
        .iter()
        .enumerate()
        .map(|(number, row)| regulator(number, row));
    patients.chain(regulators).collect()
}

/// An account for the copy-paste example, as one line.
pub(crate) fn regulator_to_try() -> String {
    account(INTRN_SYSTEM, TRY_VALUE, "INTRN", "Kervella", "Nolwenn").to_string()
}

type PatientRow = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// Family, given (space between several), gender, birth date, city, postal code.
const PATIENTS: &[PatientRow] = &[
    (
        "Lefèvre",
        "Amélie Jeanne",
        "female",
        "1984-03-12",
        "Lille",
        "59000",
    ),
    ("Moreau", "Théo", "male", "1991-11-30", "Nantes", "44000"),
    ("Benali", "Yasmine", "female", "1976-07-04", "Marseille", "13003"),
    ("Garnier", "Étienne Paul", "male", "1949-01-22", "Dijon", "21000"),
    ("Rousseau", "Léa", "female", "2003-09-15", "Rennes", "35000"),
    ("Nguyen", "Minh Anh", "female", "1988-05-27", "Paris", "75013"),
    ("Fontaine", "Gérard", "male", "1938-12-02", "Limoges", "87000"),
    ("Chevalier", "Océane", "female", "1999-02-18", "Bordeaux", "33000"),
    (
        "Da Silva",
        "João",
        "male",
        "1967-08-09",
        "Clermont-Ferrand",
        "63000",
    ),
    ("Le Goff", "Maëlle", "female", "1995-10-21", "Quimper", "29000"),
    ("Perrin", "Hugo", "male", "2012-06-06", "Annecy", "74000"),
    ("Dubreuil", "Simone", "female", "1931-04-14", "Tours", "37000"),
    ("Haddad", "Karim", "male", "1980-01-31", "Lyon", "69008"),
    ("Masson", "Clémence", "female", "1972-11-08", "Besançon", "25000"),
    ("Kowalski", "Piotr", "male", "1958-03-03", "Lens", "62300"),
    ("Gauthier", "Inès", "female", "2019-12-24", "Toulouse", "31500"),
    ("Barthélemy", "Noël", "male", "1944-12-25", "Nancy", "54000"),
    (
        "Traoré",
        "Fatoumata",
        "female",
        "1993-06-17",
        "Montreuil",
        "93100",
    ),
    ("Roux", "Mathis", "male", "2007-08-28", "Nîmes", "30000"),
    ("Lemaître", "Odile", "female", "1953-05-19", "Caen", "14000"),
    ("Vasseur", "Antoine", "male", "1986-09-05", "Amiens", "80000"),
    ("Orsini", "Letizia", "female", "1979-07-23", "Ajaccio", "20000"),
    ("Bonnet", "Sacha", "other", "2001-01-11", "Grenoble", "38000"),
    (
        "Delacroix",
        "Marguerite",
        "female",
        "1926-02-28",
        "Rouen",
        "76000",
    ),
];

/// Family, given.
const REGULATORS: &[(&str, &str)] = &[
    ("Aubertin", "Claire"),
    ("Bellanger", "Sofiane"),
    ("Carpentier", "Louise"),
    ("Deschamps", "Olivier"),
    ("Estève", "Manon"),
    ("Ferrand", "Pascal"),
    ("Guilbert", "Aïcha"),
    ("Hamelin", "Victor"),
    ("Imbert", "Solène"),
    ("Joubert", "Rémi"),
    ("Kerleau", "Gwenaëlle"),
    ("Lacombe", "Bruno"),
];

fn patient(number: usize, row: &PatientRow) -> Person {
    let (family, given, gender, birth_date, city, postal_code) = *row;
    let value = ins_value(number, gender, birth_date);
    let given: Vec<&str> = given.split(' ').collect();
    let first = given.first().copied().unwrap_or_default();
    let resource = json!({
        "resourceType": "Patient",
        "identifier": [{
            "use": "official",
            "type": { "coding": [{ "system": FR_TYPES, "code": "INS-NIR-TEST" }] },
            "system": INS_TEST,
            "value": value
        }],
        "active": true,
        "name": [{ "use": "official", "family": family, "given": given }],
        "telecom": [
            { "system": "phone", "value": format!("+336390{number:05}"), "use": "mobile" },
            { "system": "email", "value": mail(first, family) }
        ],
        "gender": gender,
        "birthDate": birth_date,
        "address": [{
            "use": "home",
            "line": [format!("{} rue des Lilas", number + 3)],
            "city": city,
            "postalCode": postal_code,
            "country": "FR"
        }]
    });
    Person {
        kind: ResourceType::Patient,
        system: INS_TEST.to_owned(),
        value,
        resource,
    }
}

/// A test NIR with a right key: sex, year, month, a department, a commune, an order, the key.
fn ins_value(number: usize, gender: &str, birth_date: &str) -> String {
    let sex = if gender == "male" { 1 } else { 2 };
    let (year, month) = (
        birth_date.get(2..4).unwrap_or("00"),
        birth_date.get(5..7).unwrap_or("01"),
    );
    let body = format!(
        "{sex}{year}{month}{:02}{:03}{:03}",
        number + 1,
        number + 100,
        number + 200
    );
    let key = nir::key(&body).unwrap_or_default();
    format!("{body}{key:02}")
}

fn regulator(number: usize, (family, given): &(&str, &str)) -> Person {
    // Half of them have attached their national id, half have the SAS technical id only.
    let (system, value, code) = if number.is_multiple_of(2) {
        (
            IDNPS_SYSTEM,
            format!("81000{:07}", 2_600_000 + number * 137),
            "IDNPS",
        )
    } else {
        (
            INTRN_SYSTEM,
            format!("5d3c1f{number:02x}-77a1-4b0e-8c55-0c6a1f2e9d{number:02x}"),
            "INTRN",
        )
    };
    let resource = account(system, &value, code, family, given);
    Person {
        kind: ResourceType::Practitioner,
        system: system.to_owned(),
        value,
        resource,
    }
}

fn account(system: &str, value: &str, code: &str, family: &str, given: &str) -> Value {
    json!({
        "resourceType": "Practitioner",
        "meta": { "source": SOURCE, "profile": [PROFILE] },
        "identifier": [{
            "type": { "coding": [{ "system": FR_TYPES_OLD, "code": code }] },
            "system": system,
            "value": value
        }],
        "active": true,
        "name": [{ "family": family, "given": [given] }],
        "telecom": [{ "system": "email", "value": mail(given, family) }]
    })
}

/// An address at a domain that can never exist.
fn mail(given: &str, family: &str) -> String {
    let plain = |text: &str| -> String {
        fhir::query::param::fold_string(text)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect()
    };
    format!("{}.{}@sante.example", plain(given), plain(family))
}
