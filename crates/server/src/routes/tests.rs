use super::*;

#[test]
fn no_two_rows_have_the_same_method_and_pattern() {
    for (position, row) in ROUTES.iter().enumerate() {
        let twin = ROUTES
            .iter()
            .skip(position + 1)
            .any(|other| other.method == row.method && other.pattern == row.pattern);
        assert!(!twin, "{} {}", row.method, row.pattern);
    }
}

#[test]
fn only_health_and_what_is_said_to_newcomers_is_open_to_anybody() {
    let open: Vec<&str> = ROUTES
        .iter()
        .filter(|row| matches!(row.handler, Handler::Open(_)))
        .map(|row| row.pattern)
        .collect();
    let smart = [smart::CONFIGURATION_PATH, smart::ROOT_CONFIGURATION_PATH];
    assert_eq!(open[..3], ["/health/live", "/health/ready", "/fhir/metadata"]);
    assert_eq!(open[3..], smart);
}

#[test]
fn allow_lists_the_methods_of_a_pattern_and_head_with_get() {
    assert_eq!(allowed("/fhir/{type}/{id}"), "GET, HEAD, PUT, PATCH, DELETE");
    assert_eq!(allowed("/fhir/{type}/_search"), "POST");
}

#[test]
fn a_pattern_with_a_fixed_segment_stands_before_the_one_that_would_swallow_it() {
    let place = |pattern: &str| patterns().iter().position(|known| *known == pattern);
    assert!(place("/fhir/metadata") < place("/fhir/{type}"));
    assert!(place(smart::CONFIGURATION_PATH) < place("/fhir/{type}/{id}"));
    assert!(place(conformance::TYPE_PATH) < place("/fhir/{type}"));
    assert!(place(conformance::SEARCH_PATH) < place(conformance::RESOURCE_PATH));
    assert!(place(conformance::RESOURCE_PATH) < place("/fhir/{type}/{id}"));
    assert!(place("/fhir/{type}/_search") < place("/fhir/{type}/{id}"));
}
