//! Where in a resource the parser stands, as FHIRPath — <https://hl7.org/fhir/R4/fhirpath.html>

use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest element name shown in an expression, in characters: a hostile name must not fill the answer.
const MAX_NAME_CHARACTERS: usize = 64;

/// One step down.
#[derive(Clone, Debug)]
enum Step<'a> {
    Name(Cow<'a, str>),
    Index(usize),
}

/// A place in a resource.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    root: &'a str,
    steps: Vec<Step<'a>>,
}

impl<'a> Place<'a> {
    /// The root of a resource of this type.
    pub fn root(name: &'a str) -> Place<'a> {
        Place {
            root: name,
            steps: Vec::with_capacity(16),
        }
    }

    /// Goes down to a property.
    pub fn push_name(&mut self, name: Cow<'a, str>) {
        self.steps.push(Step::Name(name));
    }

    /// Goes down to an item, counted from 0.
    pub fn push_index(&mut self, index: usize) {
        self.steps.push(Step::Index(index));
    }

    /// Goes up one step.
    pub fn pop(&mut self) {
        self.steps.pop();
    }

    /// Whether the last two steps are these properties.
    pub fn ends_with(&self, parent: &str, child: &str) -> bool {
        matches!(self.steps.as_slice(),
            [.., Step::Name(above), Step::Name(below)] if above == parent && below == child)
    }

    /// The FHIRPath of the place. The sibling `_given` of a primitive is the primitive's own place.
    pub fn expression(&self) -> String {
        let mut path = self.root.to_owned();
        for step in &self.steps {
            match step {
                Step::Name(name) => {
                    path.push('.');
                    path.push_str(&shown_name(name));
                }
                // Writing to a String cannot fail.
                Step::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
            }
        }
        path
    }

    /// The FHIRPath of a property of this place.
    pub fn child(&self, name: &str) -> String {
        format!("{}.{}", self.expression(), shown_name(name))
    }
}

/// A name as it may be shown: the underscore of a primitive's sibling taken off, what is no FHIR name
/// between back-ticks and shortened.
pub(crate) fn shown_name(name: &str) -> Cow<'_, str> {
    let name = name.strip_prefix('_').unwrap_or(name);
    if is_property_name(name) && name.len() <= MAX_NAME_CHARACTERS {
        return Cow::Borrowed(name);
    }
    let shown: String = name
        .chars()
        .take(MAX_NAME_CHARACTERS)
        .map(|character| match character {
            '`' => '\'',
            other if other.is_control() => '\u{FFFD}',
            other => other,
        })
        .collect();
    Cow::Owned(format!("`{shown}`"))
}

/// Whether a property could bear the name at all: letters and digits, a letter first.
pub(crate) fn is_property_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
