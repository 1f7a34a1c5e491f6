//! The vocabulary of the samples.

pub(super) const FAMILIES: &[&str] = &[
    "Dupont",
    "DUPOND",
    "Du Pont",
    "Müller",
    "Muller",
    "Œuvrard",
    "L'Hôte",
    "L’Hote",
    "100%",
    "100",
    "a_b",
    "axb",
    "O\"Neil",
    "back\\slash",
    "semi;colon",
    "$dollar",
    "Straße",
    "Шевченко",
    "Шевчук",
    "Йовович",
    "N'Guyen, Anh",
];
pub(super) const GIVENS: &[&str] = &[
    "Jean-Pierre",
    "Jean",
    "Éloïse",
    "eloise",
    "André",
    "Ndréa",
    "Олена",
    "x",
    "x%",
    "_",
];
pub(super) const CITIES: &[&str] = &[
    "Lyon",
    "LYON 3e",
    "Saint-Étienne",
    "L'Haÿ-les-Roses",
    "Paris",
    "par%",
    "P_ris",
];
pub(super) const SYSTEMS: &[&str] = &[
    "urn:oid:1.2.250.1.71.4.2.1",
    "urn:oid:1.2.250.1.213.3.6",
    "http://example.org/a|b",
    "http://example.org/a,b",
    "http://example.org/%_",
];
pub(super) const VALUES: &[&str] = &[
    "1",
    "2",
    "3456780581/11242343",
    "a,b",
    "a|b",
    "a\\b",
    "a$b",
    "a%b",
    "a_b",
    "a'b",
    "a\"b",
    "a;b",
    "a b",
    "a+b",
    "a&b=c",
    "A,B",
    "é",
];
pub(super) const TYPES: &[&str] = &["IDNPS", "INTRN", "M|R"];
pub(super) const TYPE_SYSTEM: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";
pub(super) const PHONES: &[&str] = &[
    "+33612345678",
    "06 12 34 56 78",
    "0612345678",
    "06.12.34.56.78",
    "(04) 72-00-00-00",
];
pub(super) const EMAILS: &[&str] = &[
    "Jean.Dupont@example.org",
    "jean.dupont@EXAMPLE.org",
    "a_b%@example.org",
];
pub(super) const DATES: &[&str] = &[
    "1974",
    "1974-12",
    "1974-12-25",
    "1975",
    "1975-01-01",
    "1988-02",
    "1988-02-29",
    "2024",
    "2024-01-01",
    "2026-11-20",
];
pub(super) const TIMES: &[&str] = &[
    "2024-01-01T00:00:00Z",
    "2024-01-01T00:30:00+01:00",
    "2023-12-31T23:30:00.5Z",
    "2026-11-20T12:00:00.123456+02:00",
];
pub(super) const GENDERS: &[&str] = &["male", "female", "other", "unknown"];
pub(super) const LANGUAGES: &[&str] = &["fr", "uk", "nl-BE"];
pub(super) const LANGUAGE_SYSTEM: &str = "urn:ietf:bcp:47";
pub(super) const PROFILES: &[&str] = &[
    "http://example.org/StructureDefinition/P",
    "http://example.org/StructureDefinition/P|1.0",
    "http://example.org/StructureDefinition/P|2.0",
];
pub(super) const REFERENCES: &[&str] = &[
    "Practitioner/p1",
    "Organization/p1",
    "Patient/p1",
    "Patient/p2",
    "Patient/A-1",
    "Practitioner/p3",
    "Practitioner/a-1",
    "Practitioner/p2/_history/3",
    "https://example.org/fhir/Practitioner/p1",
    "#contained",
    "urn:uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff",
];
/// Ids under which a test may store its samples, so that `_id` finds some.
pub(super) const IDS: &[&str] = &["p1", "p2", "p3", "A-1", "a-1", "1.2.3"];
