//! What criteria say about locks, and that the table of parameters is whole.

use super::param::{DEFINITIONS, ParamType};
use super::parse::{NameCase, criteria};
use super::*;

fn parsed(query: &str) -> Criteria {
    criteria(ResourceType::Patient, query, NameCase::Exact, sample::now()).unwrap()
}

#[test]
fn every_parameter_has_its_row_at_its_place() {
    for (position, row) in DEFINITIONS.iter().enumerate() {
        assert_eq!(row.param as usize, position, "{}", row.name);
        assert_eq!(row.param.definition().name, row.name);
        assert_eq!(
            row.kind == ParamType::Reference,
            !row.param.targets().is_empty(),
            "{}",
            row.name
        );
        assert!(row.definition.starts_with("http://hl7.org/fhir/SearchParameter/"));
    }
    assert_eq!(SearchParam::Communication as usize, DEFINITIONS.len() - 1);
}

#[test]
fn identifier_criteria_lock_their_values() {
    for (query, expected) in [
        ("identifier=urn:a|1", Some(vec!["1"])),
        ("identifier=2,urn:a|1,|2", Some(vec!["1", "2"])),
        ("identifier=1&name=x", Some(vec!["1"])),
        ("identifier=1,2&identifier=3", Some(vec!["3"])),
        ("identifier:of-type=urn:t|MR|7", Some(vec!["7"])),
        ("identifier=urn:a|", None),
        ("identifier=1,urn:a|", None),
        ("identifier:not=1", None),
        ("identifier:missing=false", None),
        ("name=x", None),
        ("_id=1", None),
        ("phone=1", None),
        ("link:identifier=urn:a|1", None),
        ("identifier=urn:a|&identifier=4", Some(vec!["4"])),
    ] {
        let expected = expected.map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parsed(query).lock_values(), expected, "{query}");
    }
}

#[test]
fn a_single_identifier_is_one_clause_with_one_system_and_value() {
    let identifier = parsed("identifier=urn:a|x\\|y").single_identifier().unwrap();
    assert_eq!(
        (identifier.system.as_str(), identifier.value.as_str()),
        ("urn:a", "x|y")
    );
    assert_eq!(
        Criteria::by_identifier(ResourceType::Patient, &identifier),
        parsed("identifier=urn:a|x\\|y")
    );
    for query in [
        "identifier=1",
        "identifier=|1",
        "identifier=urn:a|",
        "identifier=urn:a|1,urn:a|2",
        "identifier:not=urn:a|1",
        "identifier=urn:a|1&gender=male",
        "_tag=urn:a|1",
    ] {
        assert_eq!(parsed(query).single_identifier(), None, "{query}");
    }
}

#[test]
fn search_values_do_not_print() {
    let printed = format!("{:?}", parsed("identifier=urn:a|285057800608436&name=Dupont"));
    assert!(
        !printed.contains("2850") && !printed.contains("upont"),
        "{printed}"
    );
}

#[test]
fn samples_are_the_same_every_time_and_differ_by_seed() {
    assert!(sample::resource(7) == sample::resource(7));
    assert!(sample::resource(7) != sample::resource(8));
    assert_eq!(
        sample::query_string(7, ResourceType::Patient),
        sample::query_string(7, ResourceType::Patient)
    );
    let ids: std::collections::BTreeSet<_> = (0..100).map(sample::id).collect();
    assert!(ids.len() > 3, "every id of the vocabulary is one");
}
