use engine::LogLevel;
use fhir::Issue;

use super::*;

fn row(pattern: &str, method: &str) -> &'static Row {
    let mut rows = routes::ROUTES.iter();
    rows.find(|row| row.pattern == pattern && row.method.as_str() == method)
        .expect("a route")
}

#[test]
fn every_code_and_door_stands_at_its_own_place() {
    for (place, code) in IssueCode::ALL.iter().enumerate() {
        assert_eq!(*code as usize, place, "{code:?}");
    }
    for (place, door) in Door::ALL.iter().enumerate() {
        assert_eq!(*door as usize, place, "{door}");
    }
}

#[test]
fn an_answer_is_counted_under_its_route_and_class() {
    let meters = Meters::new();
    // What alerts count is there before its first event, at 0.
    let failures = meters
        .answers()
        .map(|answers| (answers.status, answers.times.count()));
    assert!(failures.eq(vec![("5xx", 0); routes::ROUTES.len() + routes::UNROUTED.len()]));
    assert_eq!(meters.refusals().count(), Door::ALL.len() * 5);
    assert!(meters.refusals().all(|(_, _, count)| count == 0));
    let refusal = Refusal {
        log: LogLevel::Debug,
        ..Refusal::new(404, Issue::error(IssueCode::NotFound, "No."))
    };
    let read = row("/v1/patients/{id}", "GET");
    meters.answered(read, StatusCode::OK, Duration::from_millis(3), None);
    let told = Some((Door::PatientGraph, &refusal));
    meters.answered(read, StatusCode::NOT_FOUND, Duration::from_millis(1), told);
    for other in routes::UNROUTED {
        let told = Some((Door::Fhir, &refusal));
        meters.answered(other, StatusCode::NOT_FOUND, Duration::ZERO, told);
    }
    meters.answered(row("/health/live", "GET"), StatusCode::OK, Duration::ZERO, None);
    let answers: Vec<_> = meters
        .answers()
        .filter(|answers| answers.times.count() > 0)
        .map(|answers| {
            (
                answers.door,
                answers.route,
                answers.method,
                answers.status,
                answers.times.count(),
            )
        })
        .collect();
    assert_eq!(
        answers,
        [
            ("none", "/health/live", "GET", "2xx", 1),
            ("patient-graph", "/v1/patients/{id}", "GET", "2xx", 1),
            ("patient-graph", "/v1/patients/{id}", "GET", "4xx", 1),
            ("none", "(no route)", "any", "4xx", 1),
            ("none", "(no method)", "any", "4xx", 1),
        ]
    );
    let refusals: Vec<_> = meters.refusals().filter(|(_, _, count)| *count > 0).collect();
    assert_eq!(
        refusals,
        [("fhir", "not-found", 2), ("patient-graph", "not-found", 1)]
    );
}
