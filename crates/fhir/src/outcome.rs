//! Issues and the OperationOutcome they make — <https://hl7.org/fhir/R4/operationoutcome.html>

use serde_json::{Value, json};

use crate::limits::MAX_ISSUES;

/// How bad an issue is — <https://hl7.org/fhir/R4/valueset-issue-severity.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The request failed and the check could not go on.
    Fatal,
    /// The request failed because of this.
    Error,
    /// The request succeeded; a person should look at this.
    Warning,
    /// Nothing is wrong.
    Information,
}

impl Severity {
    /// The FHIR code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

/// What kind of issue it is — <https://hl7.org/fhir/R4/valueset-issue-type.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the FHIR codes, each documented by the value set above
pub enum IssueCode {
    Invalid,
    Structure,
    Required,
    Value,
    Invariant,
    CodeInvalid,
    BusinessRule,
    Duplicate,
    MultipleMatches,
    Conflict,
    NotFound,
    Deleted,
    NotSupported,
    TooLong,
    TooCostly,
    Timeout,
    Throttled,
    Login,
    Forbidden,
    Transient,
    NoStore,
    Exception,
    Informational,
}

impl IssueCode {
    /// All codes, in the order of their declaration: `ALL[code as usize]` is `code`.
    pub const ALL: [IssueCode; 23] = [
        IssueCode::Invalid,
        IssueCode::Structure,
        IssueCode::Required,
        IssueCode::Value,
        IssueCode::Invariant,
        IssueCode::CodeInvalid,
        IssueCode::BusinessRule,
        IssueCode::Duplicate,
        IssueCode::MultipleMatches,
        IssueCode::Conflict,
        IssueCode::NotFound,
        IssueCode::Deleted,
        IssueCode::NotSupported,
        IssueCode::TooLong,
        IssueCode::TooCostly,
        IssueCode::Timeout,
        IssueCode::Throttled,
        IssueCode::Login,
        IssueCode::Forbidden,
        IssueCode::Transient,
        IssueCode::NoStore,
        IssueCode::Exception,
        IssueCode::Informational,
    ];

    /// The FHIR code.
    pub const fn as_str(self) -> &'static str {
        match self {
            IssueCode::Invalid => "invalid",
            IssueCode::Structure => "structure",
            IssueCode::Required => "required",
            IssueCode::Value => "value",
            IssueCode::Invariant => "invariant",
            IssueCode::CodeInvalid => "code-invalid",
            IssueCode::BusinessRule => "business-rule",
            IssueCode::Duplicate => "duplicate",
            IssueCode::MultipleMatches => "multiple-matches",
            IssueCode::Conflict => "conflict",
            IssueCode::NotFound => "not-found",
            IssueCode::Deleted => "deleted",
            IssueCode::NotSupported => "not-supported",
            IssueCode::TooLong => "too-long",
            IssueCode::TooCostly => "too-costly",
            IssueCode::Timeout => "timeout",
            IssueCode::Throttled => "throttled",
            IssueCode::Login => "login",
            IssueCode::Forbidden => "forbidden",
            IssueCode::Transient => "transient",
            IssueCode::NoStore => "no-store",
            IssueCode::Exception => "exception",
            IssueCode::Informational => "informational",
        }
    }
}

/// One issue: what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// Of what kind.
    pub code: IssueCode,
    /// For a person: what is wrong and what to do about it. Never carries a lower error's text.
    pub text: String,
    /// The value or the criteria that the text speaks of, for whoever looks into it.
    pub diagnostics: Option<String>,
    /// The place in the resource as FHIRPath (`Patient.name[0].given[1]`); nothing outside a resource.
    pub expression: Option<String>,
}

impl Issue {
    /// An error of this kind.
    pub fn error(code: IssueCode, text: impl Into<String>) -> Issue {
        Issue {
            severity: Severity::Error,
            code,
            text: text.into(),
            diagnostics: None,
            expression: None,
        }
    }

    /// A warning of this kind.
    pub fn warning(code: IssueCode, text: impl Into<String>) -> Issue {
        Issue {
            severity: Severity::Warning,
            ..Issue::error(code, text)
        }
    }

    /// An information.
    pub fn information(text: impl Into<String>) -> Issue {
        Issue {
            severity: Severity::Information,
            ..Issue::error(IssueCode::Informational, text)
        }
    }

    /// With the value or criteria it speaks of.
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: impl Into<String>) -> Issue {
        self.diagnostics = Some(diagnostics.into());
        self
    }

    /// With the place in the resource.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Issue {
        self.expression = Some(expression.into());
        self
    }

    /// Whether it makes the request fail.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Fatal | Severity::Error)
    }
}

/// The OperationOutcome resource of these issues. `details.text` and `diagnostics` are both filled
/// (clients read one or the other). Past [`MAX_ISSUES`] the rest is only counted.
pub fn operation_outcome(issues: &[Issue]) -> Value {
    let mut list: Vec<Value> = issues.iter().take(MAX_ISSUES).map(render).collect();
    if issues.len() > MAX_ISSUES {
        let more = format!(
            "{} more issues are not listed; fix these first.",
            issues.len() - MAX_ISSUES
        );
        list.push(render(&Issue::information(more)));
    }
    json!({ "resourceType": "OperationOutcome", "issue": list })
}

fn render(issue: &Issue) -> Value {
    let mut object = json!({
        "severity": issue.severity.as_str(),
        "code": issue.code.as_str(),
        "details": { "text": issue.text },
        "diagnostics": issue.diagnostics.as_deref().unwrap_or(&issue.text),
    });
    if let (Some(expression), Some(map)) = (&issue.expression, object.as_object_mut()) {
        map.insert("expression".to_owned(), json!([expression]));
    }
    object
}
