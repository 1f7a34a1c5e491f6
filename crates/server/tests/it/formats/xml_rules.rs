//! What an XML body may hold.

use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    dangerous_or_malformed_xml_is_refused,
    harmless_variations_are_understood,
    faults_in_xml_are_reported_with_their_fhirpath,
    narrative_and_newlines_survive,
];

const NS: &str = r#"xmlns="http://hl7.org/fhir""#;

fn refused_bodies() -> Vec<String> {
    let laughs: String = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let attributes: String = (0..80_000).map(|n| format!(" a{n}=\"\"")).collect();
    let namespaces: String = (0..20_000).map(|n| format!(" xmlns:n{n}=\"urn:n{n}\"")).collect();
    vec![
        String::new(),
        "Patient".into(),
        "<".into(),
        "<Patient".into(),
        format!("<Patient {NS}>"),
        format!("<Patient {NS}/><Patient {NS}/>"),
        format!("<Patient {NS}/>x"),
        format!("<Patient {NS}><active value=\"true\"></Patient>"),
        format!("<Patient {NS}><active value=\"true\"/></Practitioner>"),
        format!("<Patient {NS}><active value=true/></Patient>"),
        format!("<Patient {NS}><active value=\"true\" value=\"true\"/></Patient>"),
        "<Patient><active value=\"true\"/></Patient>".into(),
        "<Patient xmlns=\"http://hl7.org/FHIR\"><active value=\"true\"/></Patient>".into(),
        "<Patient xmlns=\"urn:hl7-org:v3\"/>".into(),
        format!("<Practitioner {NS}/>"),
        format!("<!DOCTYPE Patient><Patient {NS}/>"),
        format!("<!DOCTYPE Patient SYSTEM \"file:///etc/passwd\"><Patient {NS}/>"),
        format!(
            "<!DOCTYPE p [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Patient {NS}><language value=\"&x;\"/></Patient>"
        ),
        format!("<!DOCTYPE p [<!ENTITY % x SYSTEM \"http://127.0.0.1:1/\">%x;]><Patient {NS}/>"),
        format!(
            "<!DOCTYPE p [<!ENTITY l0 \"ha\">{laughs}]><Patient {NS}><language value=\"&l9;\"/></Patient>"
        ),
        format!("<?xml-stylesheet href=\"x\"?><Patient {NS}/>"),
        format!("<Patient {NS}><?php x ?></Patient>"),
        format!("<Patient {NS}><language value=\"&unknown;\"/></Patient>"),
        format!("<Patient {NS}><language value=\"&nbsp;\"/></Patient>"),
        format!("<Patient {NS}><language value=\"&#0;\"/></Patient>"),
        format!("<Patient {NS}><language value=\"&#xD800;\"/></Patient>"),
        format!("<Patient {NS}><language value=\"a & b\"/></Patient>"),
        format!("<Patient {NS}><language value=\"a < b\"/></Patient>"),
        format!("<Patient {NS}>text<active value=\"true\"/></Patient>"),
        format!(
            "<Patient {NS}><xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/></Patient>"
        ),
        format!("<Patient {NS}><active value=\"\"/></Patient>"),
        format!("<Patient {NS}><active/></Patient>"),
        format!("<Patient {NS}><name/></Patient>"),
        format!("<Patient {NS}><active Value=\"true\"/></Patient>"),
        format!("<Patient {NS}><active value=\"true\" x=\"y\"/></Patient>"),
        format!("<Patient {NS}><nom value=\"x\"/></Patient>"),
        format!("<Patient {NS}><active value=\"yes\"/></Patient>"),
        format!("<Patient {NS}><active value=\"true\"/><active value=\"false\"/></Patient>"),
        format!("<Patient {NS}><x:active xmlns:x=\"urn:x\" value=\"true\"/></Patient>"),
        format!("<Patient {NS}{attributes}/>"),
        format!("<Patient {NS}{namespaces}/>"),
        format!("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><Patient {NS}/>"),
        format!("<?xml version=\"1.1\"?><Patient {NS}><language value=\"&#1;\"/></Patient>"),
        format!(" <?xml version=\"1.0\"?><Patient {NS}/>"),
    ]
}

fn dangerous_or_malformed_xml_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let mut wrong = Vec::new();
    for body in refused_bodies() {
        let answer = fhir.post("/Patient").xml(&body).send();
        if answer.status != 400 || answer.issues().is_empty() || answer.text().contains("root:") {
            wrong.push(format!(
                "{}: {answer:?}",
                body.chars().take(160).collect::<String>()
            ));
        }
    }
    let utf16: Vec<u8> = format!("<Patient {NS}/>")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [
        utf16,
        b"<Patient xmlns=\"http://hl7.org/fhir\"><language value=\"\xff\"/></Patient>".to_vec(),
    ] {
        let answer = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+xml")
            .body(bytes)
            .send();
        if answer.status != 400 || answer.issues().is_empty() {
            wrong.push(format!("{answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn harmless_variations_are_understood(context: &Context) {
    let fhir = shared_fhir(context);
    let inner = r#"<active value="true"/>"#;
    let variations = [
        format!("<Patient {NS}>{inner}</Patient>"),
        format!("\u{feff}<Patient {NS}>{inner}</Patient>"),
        format!("<?xml version=\"1.0\"?><Patient {NS}>{inner}</Patient>"),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Patient {NS}>{inner}</Patient>\n"
        ),
        format!(
            "<?xml version='1.0' encoding='utf-8'?><!-- a --><Patient {NS}><!-- b -->{inner}</Patient><!-- c -->"
        ),
        "<f:Patient xmlns:f=\"http://hl7.org/fhir\"><f:active value=\"true\"/></f:Patient>".into(),
        "<f:Patient xmlns:f='http://hl7.org/fhir'>\n\t<f:active\n value = 'true' ></f:active>\n</f:Patient>"
            .into(),
        format!(
            "<Patient {NS} xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://hl7.org/fhir ../fhir-all.xsd\">{inner}</Patient>"
        ),
        format!("<Patient {NS}><active value=\"&#116;r&#x75;e\"/></Patient>"),
    ];
    for body in variations {
        let answer = fhir.post("/Patient").xml(&body).send();
        assert_eq!(
            (answer.status, &answer.json()["active"]),
            (201, &serde_json::json!(true)),
            "{body}: {answer:?}"
        );
    }
    let escaped =
        format!("<Patient {NS}><name><family value=\"&lt;&amp;&gt;&quot;&apos;\"/></name></Patient>");
    assert_eq!(
        fhir.post("/Patient").xml(&escaped).send().expect(201).json()["name"][0]["family"],
        "<&>\"'"
    );
}

fn faults_in_xml_are_reported_with_their_fhirpath(context: &Context) {
    let fhir = shared_fhir(context);
    let body = format!(
        "<Patient {NS}><active value=\"yes\"/><name><family value=\"a\"/></name><name><fammily value=\"b\"/></name><birthDate value=\"1980-13-01\"/></Patient>"
    );
    let answer = fhir.post("/Patient").xml(&body).send().expect(400);
    assert!(!answer.issues().is_empty());
    for issue in answer.issues() {
        let placed = issue.expression.iter().any(|place| place.starts_with("Patient."));
        assert!(placed && !issue.text.is_empty(), "{issue:?}");
    }
    points_at(&answer, "Patient.name[1].fammily");
}

fn narrative_and_newlines_survive(context: &Context) {
    let fhir = shared_fhir(context);
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">\n  <p>One <b>two</b>  three &amp; &lt;four&gt;</p>\n  <table><tr><td>é</td></tr></table>\n</div>";
    let body = format!("<Patient {NS}><text><status value=\"generated\"/>{div}</text></Patient>");
    let created = fhir.post("/Patient").xml(&body).send().expect(201);
    assert_eq!(created.json()["text"]["div"], div);
    let xml = fhir
        .get(format!("{}?_format=xml", path_of(created.location())))
        .send()
        .expect(200)
        .text();
    assert!(xml.contains(div), "{xml}");
    let id = created.id();
    assert_eq!(
        fhir.put(format!("/Patient/{id}"))
            .xml(&xml)
            .send()
            .expect(200)
            .version(),
        1
    );
    // A prefixed narrative means the same and is stored as it is understood.
    let prefixed = format!(
        "<Patient {NS} xmlns:h=\"http://www.w3.org/1999/xhtml\"><text><status value=\"generated\"/><h:div><h:p>x</h:p></h:div></text></Patient>"
    );
    let created = fhir.post("/Patient").xml(&prefixed).send().expect(201).json();
    assert!(
        created["text"]["div"]
            .as_str()
            .unwrap()
            .contains("http://www.w3.org/1999/xhtml"),
        "{created}"
    );
}
