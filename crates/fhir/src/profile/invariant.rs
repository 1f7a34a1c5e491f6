//! Invariants: FHIRPath of `profiles/` — <https://hl7.org/fhir/R4/conformance-rules.html#constraints>
//!
//! Expressions come from what is published, never from a request; length and nesting are bounded all the same,
//! since the evaluator recurses.

use std::fmt;

use rh_fhirpath::{EvaluationContext, FhirPathEvaluator, FhirPathExpression, FhirPathParser, FhirPathValue};
use serde_json::Value;

/// Longest expression, in bytes.
pub(super) const MAX_EXPRESSION: usize = 4096;
/// Deepest nesting of brackets in an expression.
pub(super) const MAX_BRACKETS: usize = 16;
/// Most operators and calls in an expression: each may be a level of the evaluator's recursion.
pub(super) const MAX_OPERATORS: usize = 128;

/// A compiled invariant.
pub(super) struct Constraint {
    pub(super) key: String,
    pub(super) human: String,
    pub(super) is_error: bool,
    expression: FhirPathExpression,
}

// The syntax tree says nothing that the text of the definition does not.
impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Constraint({})", self.key)
    }
}

impl Constraint {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn compile(key: &str, human: &str, is_error: bool, text: &str) -> Result<Constraint, String> {
        bounded(text)?;
        let expression = FhirPathParser::new()
            .parse(text)
            .map_err(|error| format!("is no FHIRPath that can be read: {error}"))?;
        Ok(Constraint {
            key: key.to_owned(),
            human: human.to_owned(),
            is_error,
            expression,
        })
    }

    /// Whether it holds; `None` when that cannot be told.
    pub(super) fn holds(&self, context: &EvaluationContext) -> Option<bool> {
        FhirPathEvaluator::new()
            .evaluate(&self.expression, context)
            .ok()
            .map(|value| is_true(&value))
    }
}

/// What constraints of one value are evaluated in.
pub(super) fn context(root: &Value, value: &Value) -> EvaluationContext {
    let context = EvaluationContext::new(root.clone());
    if std::ptr::eq(root, value) {
        context
    } else {
        context.with_current(value.clone())
    }
}

fn is_true(value: &FhirPathValue) -> bool {
    match value {
        FhirPathValue::Collection(items) | FhirPathValue::UnorderedCollection(items) => {
            matches!(items.as_slice(), [one] if one.is_truthy())
        }
        other => other.is_truthy(),
    }
}

fn bounded(text: &str) -> Result<(), String> {
    if text.len() > MAX_EXPRESSION {
        return Err(format!("is longer than {MAX_EXPRESSION} bytes"));
    }
    let (mut open, mut operators) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'.' | b'|' | b'+' | b'-' | b'*' | b'/' | b'=' | b'<' | b'>' | b'&' | b' ' => operators += 1,
            _ => {}
        }
        if open > MAX_BRACKETS {
            return Err(format!("nests brackets more than {MAX_BRACKETS} deep"));
        }
    }
    if operators > MAX_OPERATORS {
        return Err(format!("has more than {MAX_OPERATORS} operators and spaces"));
    }
    Ok(())
}
