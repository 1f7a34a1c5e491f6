//! Searches: what is ignored, what shapes the answer, and the self link.

use super::*;

#[test]
fn a_search_is_lenient_towards_unknown_parameters_only() {
    let query = lenient("identifer=1&gender=male&_filter=x&_contained=true").unwrap();
    assert_eq!(query.criteria.clauses.len(), 1);
    assert_eq!(query.link(None), "gender=male");
    for bad in [
        "gender:text=x",
        "active=x",
        "birthdate=x",
        "name=",
        "_count=x",
        "link:Foo=1",
        "_has:X:y:z=1",
        "_sort=nonsense",
        "_include=nonsense",
        "_elements=nonsense",
        "general-practitioner.nonsense=x",
    ] {
        refused(lenient(bad), bad.split('=').next().unwrap());
    }
}

#[test]
fn p46_a_strict_search_refuses_what_it_does_not_do() {
    for bad in [
        "identifer=1",
        "_filter=x",
        "_contained=true",
        "_query=x",
        "_list=x",
        "_text=x",
    ] {
        let name = bad.split(['=', ':']).next().unwrap();
        refused(strictly(&format!("gender=male&{bad}")), name);
    }
    let query = strictly("_tag=a|b&_profile=http://p&_security=c&_source=urn:d").unwrap();
    assert_eq!(
        query.link(None),
        "_tag=a%7Cb&_profile=http://p&_security=c&_source=urn:d"
    );
    assert_eq!(query.criteria.clauses.len(), 4);
}

#[test]
fn a_sort_takes_every_parameter_with_an_order_once() {
    let query = strictly("_sort=-birthdate,family,_id").unwrap();
    let keys: Vec<(SearchParam, Direction)> =
        query.sort.iter().map(|key| (key.param, key.direction)).collect();
    assert_eq!(
        keys,
        [
            (SearchParam::Birthdate, Direction::Descending),
            (SearchParam::Family, Direction::Ascending),
            (SearchParam::Id, Direction::Ascending),
        ]
    );
    assert_eq!(query.link(None), "_sort=-birthdate,family,_id");
    for row in DEFINITIONS
        .iter()
        .filter(|row| row.on.contains(&ResourceType::Patient))
    {
        let sorted = strictly(&format!("_sort={}", row.name));
        assert_eq!(sorted.is_ok(), row.kind != ParamType::Reference, "{}", row.name);
    }
    for bad in [
        "_sort=",
        "_sort=family,",
        "_sort=link",
        "_sort=communication",
        "_sort=family,-family",
        "_sort=--family",
        "_sort=_score",
        "_sort:desc=family",
        "_sort=family&_sort=given",
        "_sort=family,given,name,email,phone",
    ] {
        refused(lenient(bad), "_sort");
    }
}

#[test]
fn a_chain_is_read_step_by_step() {
    let of = |text: &str| strictly(text).unwrap().criteria.clauses.remove(0);
    for text in [
        "general-practitioner.identifier=urn:s|1",
        "general-practitioner:Practitioner.identifier=urn:s|1",
    ] {
        let clause = of(text);
        let Test::Chain(inner) = &clause.test else {
            panic!("{text}");
        };
        assert_eq!(clause.param, SearchParam::GeneralPractitioner);
        assert_eq!(
            **inner,
            criteria_of(ResourceType::Practitioner, "identifier=urn:s|1")
        );
    }
    let Test::Chain(inner) = of("link:Patient.family:exact=x").test else {
        panic!("no chain");
    };
    assert_eq!(*inner, criteria_of(ResourceType::Patient, "family:exact=x"));
    let Test::Has(inner) = of("_has:Patient:link:identifier:of-type=s|c|v").test else {
        panic!("no _has");
    };
    assert_eq!(
        *inner,
        criteria_of(ResourceType::Patient, "identifier:of-type=s|c|v")
    );
    assert_eq!(
        strictly("_has:Patient:link:family=x&link:Patient.name:exact=y")
            .unwrap()
            .link(None),
        "_has:Patient:link:family=x&link:Patient.name:exact=y"
    );
    for bad in [
        "organization.name=x",
        "link:RelatedPerson.name=x",
        "general-practitioner:Organization.name=x",
        "link.link.link.link.family=x",
        "link.general-practitioner.link.family=x",
        "link.link._has:Patient:link:link.family=x",
        "_has=x",
        "_has:Patient:link=x",
        "_has:Patient:general-practitioner:family=x",
        "_has:Patient:link:nonsense=x",
        "_has:Patient:link:_has:Patient:link:_has:Patient:link:_has:Patient:link:family=x",
        "link.link.organization.name=x",
        "link.link.nonsense=x",
        "link.link.family:of-type=x",
        "link.family:of-type=x",
        "link.birthdate=x",
        "link.family=",
    ] {
        let name = bad.split(['=', ':', '.']).next().unwrap();
        refused(lenient(bad), name);
    }
}

#[test]
fn a_chain_may_have_three_steps_either_way() {
    for (text, kinds) in [
        (
            "link.general-practitioner.family=x",
            vec!["Patient", "Practitioner"],
        ),
        (
            "link:Patient.link.general-practitioner:Practitioner.name:exact=x",
            vec!["Patient", "Patient", "Practitioner"],
        ),
        (
            "_has:Patient:link:general-practitioner.name=x",
            vec!["Patient", "Practitioner"],
        ),
        (
            "general-practitioner._has:Patient:general-practitioner:link.family=x",
            vec!["Practitioner", "Patient", "Patient"],
        ),
    ] {
        let query = strictly(text).unwrap();
        let (mut found, mut at) = (Vec::new(), &query.criteria);
        while let [
            Clause {
                test: Test::Chain(inner) | Test::Has(inner),
                ..
            },
        ] = at.clauses.as_slice()
        {
            found.push(inner.kind.as_str());
            at = inner;
        }
        assert_eq!(found, kinds, "{text}");
        // Whoever searches has to be allowed to search at every step.
        assert!(
            kinds
                .iter()
                .all(|kind| query.looks_into().iter().any(|known| known.as_str() == *kind)),
            "{text}"
        );
        assert_eq!(
            strictly(&query.link(None)).unwrap().criteria,
            query.criteria,
            "{text}"
        );
    }
}

#[test]
fn what_is_included_must_be_stored_and_lead_from_or_to_a_match() {
    let of = |kind, text: &str| search(kind, &pairs(text).unwrap(), Handling::Strict, sample::now());
    let (gp, link) = (SearchParam::GeneralPractitioner, SearchParam::Link);
    for (text, expected) in [
        (
            "_include=Patient:general-practitioner",
            vec![Include::Referred(gp)],
        ),
        ("_include=Patient:link:Patient", vec![Include::Referred(link)]),
        ("_include=*", vec![Include::Referred(gp), Include::Referred(link)]),
        (
            "_include=Patient:*",
            vec![Include::Referred(gp), Include::Referred(link)],
        ),
        ("_revinclude=Patient:link", vec![Include::Referring(link)]),
        (
            "_include=Patient:link&_include=Patient:link&_revinclude=*",
            vec![Include::Referred(link), Include::Referring(link)],
        ),
    ] {
        assert_eq!(
            of(ResourceType::Patient, text).unwrap().includes,
            expected,
            "{text}"
        );
    }
    let practitioners = of(ResourceType::Practitioner, "_revinclude=*&_include=*").unwrap();
    assert_eq!(practitioners.includes, [Include::Referring(gp)]);
    // What iterates may start from what is included alone.
    let iterating = of(
        ResourceType::Practitioner,
        "_revinclude=*&_include:iterate=Patient:link",
    )
    .unwrap();
    assert_eq!(iterating.iterated, [Include::Referred(link)]);
    assert_eq!(
        iterating.includes,
        [Include::Referring(gp), Include::Referred(link)]
    );
    for bad in [
        "_include=Patient:organization",
        "_include=Patient:link:RelatedPerson",
        "_include=Practitioner:x",
        "_include=Patient",
        "_include=",
        "_include:iterate=Practitioner:x",
        "_include:recurse=*",
        "_revinclude=Patient:general-practitioner",
        "_revinclude:iterate=Patient:organization",
    ] {
        refused(
            of(ResourceType::Patient, bad),
            bad.split(['=', ':']).next().unwrap(),
        );
    }
    refused(lenient("_include=Patient:link&_summary=text"), "_summary=text");
}

#[test]
fn a_part_of_each_resource_can_be_asked_for() {
    assert_eq!(strictly("_summary=true").unwrap().subset, Some(Subset::Summary));
    assert_eq!(strictly("_summary=data").unwrap().subset, Some(Subset::Data));
    let elements = Subset::Elements(vec!["name", "birthDate"]);
    assert_eq!(
        strictly("_elements=name,birthDate").unwrap().subset,
        Some(elements)
    );
    assert_eq!(strictly("_summary=false").unwrap().subset, None);
    refused(lenient("_summary=true&_elements=name"), "_elements");
    refused(lenient("_elements=name,nom"), "nom");
}

#[test]
fn a_search_of_the_system_takes_what_its_types_share() {
    let of = |text: &str| search_system(&pairs(text).unwrap(), Handling::Strict, sample::now());
    let both = of("_id=1&family=x").unwrap();
    assert_eq!(
        (both.kinds(), both.level),
        (ResourceType::ALL.to_vec(), Level::System)
    );
    let named = of("_type=Practitioner,Patient&_sort=-_lastUpdated&_elements=birthDate").unwrap();
    assert_eq!(named.kinds(), ResourceType::ALL);
    assert_eq!(
        named.link(None),
        "_type=Practitioner,Patient&_sort=-_lastUpdated&_elements=birthDate"
    );
    let patients = of("_type=Patient&birthdate=1980&link.family=x").unwrap();
    assert_eq!(patients.kinds(), [ResourceType::Patient]);
    for (bad, name) in [
        ("_type=Organization", "_type"),
        ("_type=", "_type"),
        ("_type=Patient&_type=Practitioner", "_type"),
        ("_type:not=Patient", "_type"),
        ("birthdate=1980", "birthdate"),
        ("_type=Patient,Practitioner&birthdate=1980", "birthdate"),
        ("_sort=birthdate", "_sort"),
        ("link.family=x", "link"),
        ("_has:Patient:link:family=x", "_has"),
    ] {
        refused(of(bad), name);
    }
}

#[test]
fn p47_count_0_is_summary_count() {
    for text in [
        "_count=0",
        "_summary=count",
        "_summary=count&_count=5",
        "_count=5&_summary=count",
    ] {
        let query = strictly(text).unwrap();
        assert_eq!(query.count, 0, "{text}");
        assert_eq!(query.link(None), text);
    }
}

#[test]
fn result_parameters_have_defaults_and_limits() {
    let query = strictly("").unwrap();
    assert_eq!(
        (query.count, query.total, query.link(None)),
        (20, Total::Accurate, String::new())
    );
    assert_eq!(strictly("_count=1000").unwrap().count, 1000);
    for more in ["_count=1001", "_count=99999999999999999999"] {
        let query = strictly(more).unwrap();
        assert_eq!((query.count, query.link(None).as_str()), (1000, "_count=1000"));
    }
    assert_eq!(strictly("_total=none").unwrap().total, Total::None);
    assert_eq!(strictly("_total=estimate").unwrap().total, Total::Accurate);
    assert_eq!(strictly("_summary=false").unwrap().count, 20);
    for bad in [
        "_count=",
        "_count=-1",
        "_count=+1",
        "_count=1.5",
        "_total=maybe",
        "_total=",
        "_summary=x",
        "_count=1&_count=2",
        "_count:exact=1",
        "_cursor=",
        "_cursor=a&_cursor=b",
    ] {
        refused(lenient(bad), bad.split(['=', ':']).next().unwrap());
    }
}

#[test]
fn the_cursor_is_kept_apart_from_what_was_applied() {
    let query = strictly("gender=male&_cursor=a%2Bb&_count=7").unwrap();
    assert_eq!(query.cursor.as_deref(), Some("a+b"));
    assert_eq!(query.link(None), "gender=male&_count=7");
    assert_eq!(query.link(Some("c+d")), "gender=male&_count=7&_cursor=c%2Bd");
    assert_eq!(strictly("").unwrap().link(Some("x")), "_cursor=x");
}

#[test]
fn a_self_link_asks_for_the_same_again() {
    for seed in 0..2000 {
        let kind = ResourceType::ALL[usize::from(seed % 2 == 0)];
        let text = format!("{}&unknown=x&_count=7", sample::query_string(seed, kind));
        let parse =
            |text: &str| search(kind, &pairs(text).unwrap(), Handling::Lenient, sample::now()).unwrap();
        let first = parse(&text);
        let link = first.link(None);
        let again = parse(&link);
        assert!(first == again, "seed {seed}: {text}");
        assert_eq!(again.link(None), link, "seed {seed}: {text}");
        assert!(
            link.is_ascii() && !link.contains(['|', ' ', '+', '"', '\\']),
            "{link}"
        );
    }
}
