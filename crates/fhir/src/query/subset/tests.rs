use super::*;
use crate::query::parse::pairs;

const BODY: &str = r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1"},"implicitRules":"urn:r","language":"fr","text":{"status":"generated","div":"<div/>"},"contained":[{"resourceType":"Organization","id":"o"}],"extension":[{"url":"u","valueDecimal":1.50}],"modifierExtension":[{"url":"m","valueCode":"x"}],"active":true,"_birthDate":{"id":"b"},"birthDate":"1980","deceasedBoolean":false,"maritalStatus":{"text":"x"},"photo":[{"title":"p"}],"link":[{"type":"refer"}]}"#;

fn read(query: &str) -> Result<Option<Subset>, Vec<Issue>> {
    of_read(ResourceType::Patient, &pairs(query)?)
}

/// The properties that are left, and whether they are tagged.
fn left(query: &str) -> String {
    let mut tree: Map<String, Value> = serde_json::from_str(BODY).unwrap();
    let subset = read(query).unwrap_or_else(|issues| panic!("{query}: {issues:?}"));
    if let Some(subset) = subset {
        subset.apply(ResourceType::Patient, &mut tree);
        let tags = tree["meta"]["tag"].clone();
        assert_eq!(
            tags,
            json!([{ "system": TAG_SYSTEM, "code": "SUBSETTED" }]),
            "{query}"
        );
        assert_eq!(tree["meta"]["versionId"], "1");
    }
    let names: Vec<&str> = tree.keys().map(String::as_str).collect();
    names.join(" ").replace("resourceType id meta implicitRules", "…")
}

#[test]
fn each_subset_holds_what_r4_says() {
    let all = "… language text contained extension modifierExtension active _birthDate birthDate deceasedBoolean maritalStatus photo link";
    for (query, expected) in [
        ("", all),
        ("_summary=false", all),
        ("_format=xml&x=y", all),
        (
            "_summary=true",
            "… modifierExtension active _birthDate birthDate deceasedBoolean link",
        ),
        ("_summary=text", "… text modifierExtension"),
        ("_summary=data", &all.replace(" text", "")),
        (
            "_elements=birthDate,photo",
            "… modifierExtension _birthDate birthDate photo",
        ),
        (
            "_elements=deceased&_summary=false",
            "… modifierExtension deceasedBoolean",
        ),
        ("_elements=deceased[x]", "… modifierExtension deceasedBoolean"),
        (
            "_elements=deceasedDateTime",
            "… modifierExtension deceasedBoolean",
        ),
        ("_elements=id", "… modifierExtension"),
        ("_elements=name", "… modifierExtension"),
    ] {
        assert_eq!(left(query), expected, "{query}");
    }
}

#[test]
fn what_is_not_understood_is_refused_and_named() {
    for (query, name) in [
        ("_summary=", "`_summary`"),
        ("_summary=count", "`_summary`"),
        ("_summary=TRUE", "`_summary`"),
        ("_summary=true&_summary=true", "`_summary`"),
        ("_summary:exact=true", "`_summary:exact`"),
        ("_elements=", "`_elements`"),
        ("_elements=name,,photo", "`_elements`"),
        ("_elements=nom", "`_elements`"),
        ("_elements=name.family", "`_elements`"),
        ("_elements=qualification", "`_elements`"),
        ("_summary=true&_elements=name", "`_elements`"),
    ] {
        let issues = read(query).expect_err(query);
        assert_eq!(issues.len(), 1, "{query}: {issues:?}");
        assert!(issues[0].text.contains(name), "{query}: {issues:?}");
    }
    assert_eq!(read("_summary=x&_elements=y").unwrap_err().len(), 2);
}

#[test]
fn the_tag_is_set_once_and_beside_others() {
    let tags = json!([{ "system": "urn:t", "code": "SUBSETTED" }]);
    let mut tree = Map::new();
    tree.insert("meta".to_owned(), json!({ "tag": tags }));
    for _ in 0..2 {
        Subset::Data.apply(ResourceType::Patient, &mut tree);
        assert_eq!(tree["meta"]["tag"].as_array().unwrap().len(), 2);
    }
    let mut bare = Map::new();
    bare.insert("id".to_owned(), json!("a"));
    bare.insert("active".to_owned(), json!(true));
    Subset::Data.apply(ResourceType::Patient, &mut bare);
    assert_eq!(bare.keys().collect::<Vec<_>>(), ["id", "meta", "active"]);
}
