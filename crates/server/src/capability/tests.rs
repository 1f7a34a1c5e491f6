use super::*;

fn told() -> Value {
    statement(
        &Base::for_tests("https://h/fhir"),
        "2026-11-21T00:00:00Z",
        crate::smart::security(&crate::auth::token::Issuers::default()),
        &Catalogue::new(adapters::naming::Naming::DEFAULT_BASE),
    )
}

#[test]
fn the_statement_lists_what_the_route_table_has() {
    let statement = told();
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["implementation"]["url"], "https://h/fhir");
    assert_eq!(
        statement["rest"][0]["interaction"],
        json!([
            { "code": "transaction" },
            { "code": "batch" },
            { "code": "search-system" },
            { "code": "history-system" },
        ])
    );
    let resources = statement["rest"][0]["resource"].as_array().expect("resources");
    // The audit trail comes last.
    assert_eq!(resources.len(), ResourceType::ALL.len() + Kind::ALL.len() + 1);
    for resource in resources.iter().take(ResourceType::ALL.len()) {
        let mut told: Vec<&str> = resource["interaction"]
            .as_array()
            .expect("interactions")
            .iter()
            .filter_map(|interaction| interaction["code"].as_str())
            .collect();
        let stored = ROUTES.iter().filter(|row| row.pattern.starts_with(STORED));
        let mut routed: Vec<&str> = stored.filter_map(|row| row.interaction).collect();
        told.sort_unstable();
        routed.sort_unstable();
        routed.dedup();
        assert_eq!(told, routed);
        assert_eq!(resource["conditionalUpdate"], true);
        assert_eq!(resource["conditionalCreate"], true);
        assert_eq!(resource["conditionalDelete"], "single");
    }
}

#[test]
fn every_search_parameter_is_told_of_the_types_that_have_it() {
    let statement = told();
    for (position, kind) in ResourceType::ALL.into_iter().enumerate() {
        let params = &statement["rest"][0]["resource"][position]["searchParam"];
        let told = params.as_array().expect("parameters").len();
        assert_eq!(
            told,
            DEFINITIONS
                .iter()
                .filter(|definition| definition.on.contains(&kind))
                .count()
        );
    }
}

#[test]
fn what_is_published_is_told_with_its_interactions_and_parameters() {
    let statement = told();
    for (position, kind) in Kind::ALL.into_iter().enumerate() {
        let resource = &statement["rest"][0]["resource"][ResourceType::ALL.len() + position];
        assert_eq!(resource["type"], kind.as_str());
        assert_eq!(
            resource["interaction"],
            json!([{ "code": "read" }, { "code": "search-type" }])
        );
        let params = resource["searchParam"].as_array().expect("parameters");
        let names: Vec<&str> = params.iter().filter_map(|param| param["name"].as_str()).collect();
        let of_kind = PARAMETERS.iter().filter(|parameter| parameter.on.contains(&kind));
        assert_eq!(names, of_kind.map(|parameter| parameter.name).collect::<Vec<_>>());
        assert!(names.contains(&"_id") && names.contains(&"name") && names.contains(&"url"));
    }
}

#[test]
fn the_statement_has_an_xml_form() {
    let xml = media::Answer {
        format: fhir::codec::Format::Xml,
        ..media::Answer::default()
    };
    let (_, text) = respond::render(&told(), xml)
        .map_err(|failure| failure.refusal)
        .expect("XML");
    assert!(text.contains("<CapabilityStatement xmlns=\"http://hl7.org/fhir\">"));
}

#[test]
fn no_profile_is_told_twice_and_that_of_accounts_is_told() {
    let statement = told();
    let practitioner = &statement["rest"][0]["resource"][1];
    let mut profiles: Vec<&str> = practitioner["supportedProfile"]
        .as_array()
        .expect("profiles")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        profiles.contains(&fhir::validate::regulator::PROFILE),
        "{profiles:?}"
    );
    let told = profiles.len();
    profiles.sort_unstable();
    profiles.dedup();
    assert_eq!(profiles.len(), told, "{profiles:?}");
}
