//! Where the walk stands, as a chain of borrowed links: only a reported issue pays for the text.

/// One step into a resource and the steps before it.
#[derive(Clone, Copy)]
pub(crate) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    name: &'p str,
    index: Option<usize>,
}

impl<'p> Path<'p> {
    /// The resource itself.
    pub(crate) fn root(name: &'p str) -> Path<'p> {
        Path {
            parent: None,
            name,
            index: None,
        }
    }

    /// An element of where we stand.
    pub(crate) fn child(&'p self, name: &'p str) -> Path<'p> {
        Path {
            parent: Some(self),
            name,
            index: None,
        }
    }

    /// One item of a repeating element: `self` is the element.
    pub(crate) fn item(self, index: usize) -> Path<'p> {
        Path {
            index: Some(index),
            ..self
        }
    }

    /// The name of the element we stand on.
    pub(crate) fn name(&self) -> &'p str {
        self.name
    }

    /// The names alone, as definitions write a path: `Patient.name.given`.
    pub(crate) fn names(&self) -> String {
        let mut names = vec![self.name];
        let mut step = self;
        while let Some(parent) = step.parent {
            names.push(parent.name);
            step = parent;
        }
        names.reverse();
        names.join(".")
    }

    /// As FHIRPath: `Patient.name[0].given[1]`. Names that are no FHIRPath identifier are quoted.
    pub(crate) fn expression(&self) -> String {
        let mut steps = vec![self];
        while let Some(parent) = steps.last().and_then(|step| step.parent) {
            steps.push(parent);
        }
        let mut text = String::with_capacity(steps.len() * 16);
        for step in steps.iter().rev() {
            if !text.is_empty() {
                text.push('.');
            }
            push_name(&mut text, step.name);
            if let Some(index) = step.index {
                text.push_str(&format!("[{index}]"));
            }
        }
        text
    }
}

/// Longest part of a sender's own property name that is shown, in characters.
const MAX_SHOWN_NAME: usize = 80;

fn push_name(text: &mut String, name: &str) {
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain && name.len() <= MAX_SHOWN_NAME {
        text.push_str(name);
        return;
    }
    text.push('`');
    for character in name.chars().take(MAX_SHOWN_NAME) {
        match character {
            '`' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('`');
}
