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

thread_local! {
    /// It holds a table of all functions, which takes longer to make than most expressions to evaluate.
    static EVALUATOR: FhirPathEvaluator = FhirPathEvaluator::new();
}

/// A compiled invariant.
pub(super) struct Constraint {
    pub(super) key: String,
    pub(super) human: String,
    pub(super) is_error: bool,
    expression: FhirPathExpression,
    /// Whether it speaks of `%resource`.
    names_resource: bool,
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
            names_resource: text.contains("%resource"),
        })
    }

    /// Whether it holds; `None` when that cannot be told.
    pub(super) fn holds(&self, context: &EvaluationContext) -> Option<bool> {
        let value = EVALUATOR.with(|evaluator| evaluator.evaluate(&self.expression, context));
        value.ok().map(|value| is_true(&value))
    }
}

/// What constraints of one value are evaluated in. The evaluator copies the whole of it at every step, so the resource
/// is there only when one of them asks for it.
pub(super) fn context(constraints: &[Constraint], resource: &Value, value: &Value) -> EvaluationContext {
    let asked = constraints.iter().any(|constraint| constraint.names_resource);
    let mut context = EvaluationContext::new(Value::Null);
    if asked {
        context.root = resource.clone();
    }
    context.current = value.clone();
    context
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
