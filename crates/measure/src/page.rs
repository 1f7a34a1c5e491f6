//! The text format of Prometheus, version 0.0.4 —
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::{self, Write as _};

use crate::Histogram;

/// What a family's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Values by class.
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// All families, one after the other.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// What a scrape is answered with as `Content-Type`.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family. Its name and help are shown even when it has no series yet.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {}", Escaped(help, Quotes::Plain));
        let _ = writeln!(self.0, "# TYPE {name} {}", kind.as_str());
        Family {
            text: &mut self.0,
            name,
        }
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// Series of one name.
#[derive(Debug)]
pub struct Family<'p> {
    text: &'p mut String,
    name: &'static str,
}

impl Family<'_> {
    /// A number without labels.
    pub fn value(&mut self, value: f64) {
        self.labelled(&[], value);
    }

    /// A number with labels.
    pub fn labelled(&mut self, labels: &[(&str, &str)], value: f64) {
        let _ = writeln!(
            self.text,
            "{}{} {}",
            self.name,
            Labels(labels, None),
            Number(value)
        );
    }

    /// A histogram with labels.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let name = self.name;
        let mut count = 0;
        for (bound, below) in histogram.cumulated() {
            let _ = writeln!(self.text, "{name}_bucket{} {below}", Labels(labels, Some(bound)));
            count = below;
        }
        let _ = writeln!(
            self.text,
            "{name}_sum{} {}",
            Labels(labels, None),
            Number(histogram.sum())
        );
        let _ = writeln!(self.text, "{name}_count{} {count}", Labels(labels, None));
    }
}

struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == f64::INFINITY {
            f.write_str("+Inf")
        } else {
            self.0.fmt(f)
        }
    }
}

/// `{door="fhir",le="0.5"}`, or nothing.
struct Labels<'l>(&'l [(&'l str, &'l str)], Option<f64>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Labels(labels, bound) = self;
        let mut before = '{';
        for (name, value) in *labels {
            write!(f, "{before}{name}=\"{}\"", Escaped(value, Quotes::Escaped))?;
            before = ',';
        }
        if let Some(bound) = bound {
            write!(f, "{before}le=\"{}\"", Number(*bound))?;
            before = ',';
        }
        if before == ',' { f.write_char('}') } else { Ok(()) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Plain,
    Escaped,
}

struct Escaped<'t>(&'t str, Quotes);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' if self.1 == Quotes::Escaped => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
