//! Reads what `/metrics` says as strictly as Prometheus' own checker does.

use std::collections::{BTreeMap, BTreeSet};

/// A page of metrics.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// The families, by name: what each is (`counter`, `gauge`, `histogram`).
    pub families: BTreeMap<String, String>,
    /// The series as they are written, `name{label="value",…}`: their values.
    series: BTreeMap<String, f64>,
}

impl Metrics {
    /// Reads a page.
    ///
    /// # Panics
    /// When it breaks the format: the message names the line.
    #[track_caller]
    pub fn parse(page: &str) -> Metrics {
        let mut metrics = Metrics::default();
        let mut helped = BTreeSet::new();
        let mut current = String::new();
        assert!(page.ends_with('\n'), "the last line does not end");
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                assert!(
                    !help.trim().is_empty() && helped.insert(name.to_owned()),
                    "{line}"
                );
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(helped.contains(name), "no help before {line}");
                let kinds = ["counter", "gauge", "histogram"];
                assert!(kinds.contains(&kind), "{line}");
                let before = metrics.families.insert(name.to_owned(), kind.to_owned());
                assert!(before.is_none(), "{name} stands there twice");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                current = name.to_owned();
            } else {
                metrics.sample(line, &current);
            }
        }
        metrics.check_histograms();
        metrics
    }

    #[track_caller]
    fn sample(&mut self, line: &str, current: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let name = series.split('{').next().unwrap_or_default();
        let kind = self.families.get(current).map(String::as_str);
        let belongs = match kind {
            Some("histogram") => name
                .strip_prefix(current)
                .is_some_and(|end| ["_bucket", "_sum", "_count"].contains(&end)),
            _ => name == current,
        };
        assert!(belongs, "{line} does not belong to {current}");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(
            self.series.insert(series.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }

    /// The last class of a histogram holds all, and no class less than the one before.
    #[track_caller]
    fn check_histograms(&self) {
        for (series, value) in &self.series {
            if let Some((name, rest)) = series.split_once("_bucket{")
                && let Some((labels, "+Inf\"}")) = rest.split_once("le=\"")
            {
                let labels = labels.trim_end_matches(',');
                let labels = if labels.is_empty() {
                    String::new()
                } else {
                    format!("{{{labels}}}")
                };
                let count = self.series.get(&format!("{name}_count{labels}"));
                assert_eq!(count, Some(value), "{series}");
            }
        }
    }

    /// The value of a series, written as on the page; 0 when it has not appeared yet.
    pub fn value(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or_default()
    }

    /// Whether there is this series.
    pub fn has(&self, series: &str) -> bool {
        self.series.contains_key(series)
    }

    /// The sum of all series of a name.
    pub fn sum(&self, name: &str) -> f64 {
        let of_name = self
            .series
            .iter()
            .filter(|(series, _)| series.split('{').next() == Some(name));
        of_name.map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    const PAGE: &str = "# HELP a_total A.\n# TYPE a_total counter\na_total{door=\"x\"} 2\na_total{door=\"y\"} 3\n\
                        # HELP b_seconds B.\n# TYPE b_seconds histogram\nb_seconds_bucket{le=\"0.5\"} 1\n\
                        b_seconds_bucket{le=\"+Inf\"} 2\nb_seconds_sum 7.5\nb_seconds_count 2\n";

    #[test]
    fn a_page_is_read() {
        let metrics = Metrics::parse(PAGE);
        assert_eq!(metrics.value("a_total{door=\"y\"}"), 3.0);
        assert_eq!(
            (metrics.sum("a_total"), metrics.sum("b_seconds_count")),
            (5.0, 2.0)
        );
        assert!(!metrics.has("a_total") && metrics.families.len() == 2);
    }

    #[test]
    fn what_prometheus_would_refuse_is_refused() {
        let broken = [
            PAGE.replace("b_seconds_count 2", "b_seconds_count 3"),
            PAGE.replace("# HELP a_total A.\n", ""),
            PAGE.replace("a_total{door=\"y\"} 3", "a_total{door=\"x\"} 3"),
            PAGE.replace("7.5", "many"),
            PAGE.replace("b_seconds_sum", "c_seconds_sum"),
            PAGE.trim_end().to_owned(),
        ];
        for page in broken {
            assert!(
                std::panic::catch_unwind(|| Metrics::parse(&page)).is_err(),
                "{page}"
            );
        }
    }
}
