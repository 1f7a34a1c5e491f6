use std::time::Duration;

use super::{Counter, Histogram, Kind, Level, Page};

#[test]
fn a_value_at_a_bound_lies_below_it() {
    let sizes = Histogram::new(&[1, 2, 4]);
    for value in [0, 1, 2, 3, 4, 5, 500] {
        sizes.record(value);
    }
    let counts: Vec<u64> = sizes.cumulated().map(|(_, count)| count).collect();
    assert_eq!(counts, [2, 3, 5, 7]);
    assert_eq!((sizes.count(), sizes.sum()), (7, 515.0));
}

#[test]
fn a_page_is_what_prometheus_reads() {
    let (counter, level) = (Counter::new(), Level::default());
    counter.add();
    counter.add();
    let inside = level.enter();
    let times = Histogram::of_durations(&[500, 1_000_000]);
    times.record_duration(Duration::from_micros(500));
    times.record_duration(Duration::from_millis(2_500));
    let mut page = Page::default();
    page.family("a_total", Kind::Counter, "So \"often\".\nA \\.")
        .labelled(
            &[("door", "fhir"), ("route", "/x/{id}\"\n")],
            counter.get() as f64,
        );
    page.family("b", Kind::Gauge, "Now.").value(level.get() as f64);
    page.family("c_seconds", Kind::Histogram, "Time.")
        .histogram(&[("door", "fhir")], &times);
    page.family("d", Kind::Gauge, "None yet.");
    drop(inside);
    assert_eq!(level.get(), 0);
    let expected = r#"# HELP a_total So "often".\nA \\.
# TYPE a_total counter
a_total{door="fhir",route="/x/{id}\"\n"} 2
# HELP b Now.
# TYPE b gauge
b 1
# HELP c_seconds Time.
# TYPE c_seconds histogram
c_seconds_bucket{door="fhir",le="0.0005"} 1
c_seconds_bucket{door="fhir",le="1"} 1
c_seconds_bucket{door="fhir",le="+Inf"} 2
c_seconds_sum{door="fhir"} 2.5005
c_seconds_count{door="fhir"} 2
# HELP d None yet.
# TYPE d gauge
"#;
    assert_eq!(page.into_text(), expected);
}
