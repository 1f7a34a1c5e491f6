//! How long validation takes, base alone and with the profile of patients of qualified identity:
//! `cargo run --release -p fhir --example validate_speed`. Run it from the root of the repository: it reads `profiles/`.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use fhir::profile::Profiles;
use fhir::validate::{regulator, validate};
use fhir::{Issue, Resource, ResourceType};
use serde_json::Value;

/// Rounds of one measurement; the best of five counts.
const ROUNDS: u32 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let account = resource(ResourceType::Practitioner, ACCOUNT)?;
    let patient = resource(ResourceType::Patient, PATIENT)?;
    let mut out = std::io::stdout().lock();
    for (name, bytes, resource, check) in [
        (
            "account, base and shape",
            ACCOUNT.len(),
            &account,
            both as fn(&Resource) -> Vec<Issue>,
        ),
        ("patient, base", PATIENT.len(), &patient, validate),
    ] {
        let issues = check(resource);
        let best = (0..5).map(|_| measure(resource, check)).fold(f64::MAX, f64::min);
        writeln!(
            out,
            "{name}: {bytes} bytes, {} issues, {best:.2} µs",
            issues.len()
        )?;
    }
    with_profile(&mut out)
}

/// Base and profile together, as a write of a patient that claims it does; and what the process holds before and after.
fn with_profile(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut published = Vec::new();
    for folder in [
        "profiles/structure-definitions",
        "profiles/value-sets",
        "profiles/code-systems",
    ] {
        for file in std::fs::read_dir(folder)? {
            published.push(serde_json::from_slice::<Value>(&std::fs::read(file?.path())?)?);
        }
    }
    let profiles = Profiles::compile(published.iter())?;
    let check = |resource: &Resource| {
        let mut issues = validate(resource);
        issues.extend(profiles.claimed(resource, &[]));
        issues
    };
    // The first has an invariant, the second has none.
    for name in ["fr-core-patient-ins", "fr-core-patient"] {
        let text = INSURED.replace("fr-core-patient-ins", name);
        let insured = resource(ResourceType::Patient, &text)?;
        let before = resident();
        let best = (0..5).map(|_| measure(&insured, check)).fold(f64::MAX, f64::min);
        writeln!(
            out,
            "patient, base and {name}: {} bytes, {} issues, {best:.2} µs, {:.0} a second; resident {before} kB before and \
             {} kB after {} runs",
            text.len(),
            check(&insured).len(),
            1e6 / best,
            resident(),
            5 * ROUNDS,
        )?;
    }
    Ok(())
}

/// What the process holds in memory, in kB; 0 where Linux does not tell it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok())
        .unwrap_or_default()
}

fn resource(kind: ResourceType, text: &str) -> Result<Resource, Box<dyn Error>> {
    Ok(Resource::from_guarded(kind, serde_json::from_str(text)?))
}

fn both(resource: &Resource) -> Vec<Issue> {
    let mut issues = validate(resource);
    issues.extend(regulator::shape(resource));
    issues
}

/// Microseconds for one run.
fn measure(resource: &Resource, check: impl Fn(&Resource) -> Vec<Issue>) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(check(black_box(resource)));
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

const ACCOUNT: &str = r#"{"resourceType":"Practitioner","id":"account","meta":{"source":"urn:oid:1.2.250.1.213.3.6",
"profile":["https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrPractitionerRegul"]},
"identifier":[{"use":"official","type":{"coding":[{"system":"http://interopsante.org/fhir/CodeSystem/fr-v2-0203",
"code":"IDNPS","display":"Identifiant national"}],"text":"IDNPS"},"system":"urn:oid:1.2.250.1.71.4.2.1",
"value":"810101215225","period":{"start":"2020-01-01"}},{"type":{"coding":[{
"system":"http://interopsante.org/fhir/CodeSystem/fr-v2-0203","code":"INTRN","display":"Identifiant interne"}]},
"system":"urn:oid:1.2.250.1.213.3.6","value":"1ef5b1c8-4d2a-6f0e-9a3b-2c1d0e9f8a7b"}],"active":true,
"name":[{"use":"official","text":"Alice Durand","family":"Durand","given":["Alice"],"prefix":["Mme"]}],
"telecom":[{"system":"email","value":"alice.durand@example.org","use":"work","rank":1}]}"#;

const PATIENT: &str = r##"{"resourceType":"Patient","id":"p-1","meta":{"versionId":"3",
"lastUpdated":"2026-11-21T03:34:00.123456Z","profile":["https://example.org/StructureDefinition/patient"]},
"language":"fr","text":{"status":"generated",
"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Alice <b>Durand</b></p></div>"},
"contained":[{"resourceType":"Organization","id":"o1","name":"Clinique du Parc"}],
"extension":[{"url":"https://example.org/birth-place","valueAddress":{"city":"Lyon","country":"FR"}}],
"identifier":[{"use":"official","type":{"coding":[{"system":"http://interopsante.org/fhir/CodeSystem/fr-v2-0203",
"code":"INS-NIR"}]},"system":"urn:oid:1.2.250.1.213.1.4.8","value":"284058832102532"},
{"use":"usual","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"PI"}]},
"system":"urn:oid:1.2.250.1.999.1","value":"000042","period":{"start":"2020-01-01","end":"2030-12-31"}}],
"active":true,"name":[{"use":"official","family":"Durand","given":["Alice","Marie","Jeanne"],
"_given":[null,{"extension":[{"url":"https://example.org/order","valueInteger":2}]},null],"period":{"start":"2005"}},
{"use":"maiden","family":"Martin"}],"telecom":[{"system":"phone","value":"+33102030405","use":"home"},
{"system":"email","value":"alice@example.org"}],"gender":"female","birthDate":"1984-05-12","_birthDate":{
"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1984-05-12T08:30:00Z"}]},
"deceasedBoolean":false,"address":[{"use":"home","type":"both","line":["1 rue de la Paix","Bât. B"],
"city":"Paris","postalCode":"75002","country":"FR"}],"maritalStatus":{"coding":[{
"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]},"multipleBirthInteger":1,
"contact":[{"relationship":[{"text":"soeur"}],"name":{"family":"Durand","given":["Anne"]},
"telecom":[{"system":"phone","value":"+33102030406"}]}],"communication":[{"language":{"coding":[{
"system":"urn:ietf:bcp:47","code":"fr"}]},"preferred":true}],"generalPractitioner":[{"reference":"Practitioner/1"}],
"managingOrganization":{"reference":"#o1"}}"##;

const INSURED: &str = r#"{"resourceType":"Patient","meta":{"profile":[
"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"]},"extension":[
{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"city":"Lyon","country":"FR"}},
{"url":"https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability","extension":[
{"url":"identityStatus","valueCoding":{"code":"VALI"}}]}],"identifier":[{"use":"official","type":{"coding":[{
"system":"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203","code":"INS-NIR"}]},
"system":"urn:oid:1.2.250.1.213.1.4.8","value":"284058832102532"},{"use":"usual","type":{"coding":[{
"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"PI"}]},"system":"urn:oid:1.2.250.1.999.1",
"value":"000042","period":{"start":"2020-01-01","end":"2030-12-31"}}],"active":true,"name":[{"use":"official",
"family":"Durand","given":["Alice"]},{"use":"usual","family":"Martin"}],"telecom":[{"system":"phone",
"value":"+33102030405","use":"home"},{"system":"email","value":"alice@example.org"}],"gender":"female",
"birthDate":"1984-05-12","address":[{"use":"home","line":["1 rue de la Paix"],"city":"Paris","postalCode":"75002",
"country":"FR"}],"maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
"code":"M"}]},"generalPractitioner":[{"reference":"Practitioner/1"}]}"#;
