//! Why an interaction was refused. One closed error, one exhaustive [`Error::refusal`]: the HTTP edge, Bundle
//! entries and every door's error shape read it there.

use std::time::Duration;

use fhir::{Issue, IssueCode, Target, VersionId};
use store::StoreError;

use crate::scope::Lacking;

/// Why an interaction was refused.
#[derive(Debug)]
pub enum Error {
    /// The resource breaks FHIR's rules: 400 when it is malformed, 422 when only a rule of content is
    /// broken, by the codes of the issues.
    Invalid(Vec<Issue>),
    /// The resource breaks a rule of a profile, a policy or the business: 422.
    Rule(Vec<Issue>),
    /// The request contradicts itself (body id and URL, criteria and body): 400.
    Request(Issue),
    /// Nothing of this type and id that the caller may see.
    NotFound(Target),
    /// The trail of the space has no row, or no more, at this position.
    NoAuditEvent(i64),
    /// The resource exists, this version of it does not.
    NoVersion {
        /// Which resource.
        target: Target,
        /// Which version.
        version: VersionId,
    },
    /// The resource, or this version of it, is a deletion.
    Gone {
        /// Which.
        target: Target,
        /// The version that is the deletion.
        version: VersionId,
    },
    /// The resource was erased: nothing of it comes back.
    Erased(Target),
    /// An identifier is owned by another resource.
    Duplicate {
        /// The identifier's system.
        system: String,
        /// What is taken.
        issue: Box<Issue>,
        /// The owner, when the caller may see it.
        owner: Option<(Target, VersionId)>,
        /// Under which rule: accounts answer 422, key systems 409.
        rule: store::Policy,
    },
    /// The id that the body names is in use.
    IdInUse(Target),
    /// Criteria match several resources.
    ManyMatches {
        /// The interaction's name.
        interaction: &'static str,
    },
    /// Criteria match nothing, and the interaction needs one.
    NoMatch {
        /// The interaction's name.
        interaction: &'static str,
    },
    /// A conditional reference does not match exactly one resource.
    Reference {
        /// Where it stands in the resource.
        place: String,
        /// The reference as it was sent.
        text: String,
        /// What it matches.
        matches: Unresolved,
    },
    /// An identifier cannot be translated into those of other domains.
    CrossReference(CrossReference),
    /// `If-Match` or `If-None-Match` does not hold.
    Precondition {
        /// What was demanded and what is there.
        text: String,
    },
    /// The caller may not do this.
    Forbidden(String),
    /// The caller's scopes do not allow this.
    Scope(Lacking),
    /// The store failed.
    Store(StoreError),
}

/// Why a question about identifiers of a domain has no answer — <https://profiles.ihe.net/ITI/PIXm/ITI-83.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrossReference {
    /// Nobody knows identifiers of this system.
    SourceDomain(String),
    /// The system is known, the value is nobody's.
    Identifier,
    /// Several patients share the identifier.
    Several,
    /// Nobody knows identifiers of this wanted system.
    TargetDomain(String),
    /// Nobody knows identifiers of this system that a search is restricted to (PDQm ITI-78).
    Domain(String),
}

/// What a conditional reference matches that cannot be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// Nothing.
    Nothing,
    /// Several resources.
    Several,
}

impl From<StoreError> for Error {
    // The one conversion: what a store failure means is said by its variants.
    fn from(error: StoreError) -> Error {
        Error::Store(error)
    }
}

/// How loudly a refusal is logged, where it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// The caller's mistake.
    Debug,
    /// The operator should know.
    Warn,
    /// A bug or a broken machine.
    Error,
}

/// A refusal as every edge renders it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What the client sees. Never empty.
    pub issues: Vec<Issue>,
    /// Who holds what the caller wanted.
    pub location: Option<(Target, VersionId)>,
    /// After how long it makes sense to try again.
    pub retry_after: Option<Duration>,
    /// What the caller's scopes do not allow.
    pub lacks: Option<Lacking>,
    /// How loudly to log it.
    pub log: LogLevel,
    /// For the log only: a lower error's text.
    pub internal: Option<String>,
}

impl Refusal {
    /// A refusal with one issue, the caller's mistake.
    pub fn new(status: u16, issue: Issue) -> Refusal {
        Refusal::with_issues(status, vec![issue])
    }

    /// A refusal with these issues, the caller's mistake.
    pub fn with_issues(status: u16, issues: Vec<Issue>) -> Refusal {
        Refusal {
            status,
            issues,
            location: None,
            retry_after: None,
            lacks: None,
            log: LogLevel::Debug,
            internal: None,
        }
    }

    /// The code of the first issue that is an error: the outcome in audit and log.
    pub fn code(&self) -> IssueCode {
        self.issues
            .iter()
            .find(|issue| issue.is_error())
            .map_or(IssueCode::Exception, |issue| issue.code)
    }
}

impl Error {
    /// The issue code that a client sees first: the outcome in audit and log.
    pub fn code(&self) -> IssueCode {
        self.refusal().code()
    }

    /// Status, issues, log level and advice of this error.
    pub fn refusal(&self) -> Refusal {
        match self {
            Error::Invalid(issues) => Refusal::with_issues(status_of(issues), issues.clone()),
            Error::Rule(issues) => Refusal::with_issues(422, issues.clone()),
            Error::Request(issue) => Refusal::new(400, issue.clone()),
            Error::NotFound(target) => Refusal::new(
                404,
                Issue::error(IssueCode::NotFound, format!("There is no {target}. Search for it by identifier, or create it."))
                    .with_diagnostics(target.to_string()),
            ),
            Error::NoAuditEvent(position) => Refusal::new(
                404,
                Issue::error(IssueCode::NotFound, "There is no AuditEvent of that id. Search for it by date, entity or agent; what was done is there within two seconds.")
                    .with_diagnostics(format!("AuditEvent/{position}")),
            ),
            Error::NoVersion { target, version } => Refusal::new(
                404,
                Issue::error(IssueCode::NotFound, format!("There is no version {version} of {target}. GET {target}/_history lists those that there are."))
                    .with_diagnostics(format!("{target}/_history/{version}")),
            ),
            Error::Gone { target, version } => Refusal::new(
                410,
                Issue::error(
                    IssueCode::Deleted,
                    format!("{target} was deleted in version {version}. Earlier versions can be read; a PUT to it brings it back."),
                )
                .with_diagnostics(format!("{target}/_history/{version}")),
            ),
            Error::Erased(target) => Refusal::new(
                409,
                Issue::error(
                    IssueCode::Conflict,
                    format!("{target} was erased for good, and its id is not used again. Create the person anew, under another id."),
                )
                .with_diagnostics(target.to_string()),
            ),
            Error::Duplicate { issue, owner, rule, .. } => {
                let status = match rule {
                    store::Policy::Account => 422,
                    store::Policy::KeySystem => 409,
                };
                Refusal { location: owner.clone(), ..Refusal::new(status, Issue::clone(issue)) }
            }
            Error::IdInUse(target) => Refusal::new(
                409,
                Issue::error(
                    IssueCode::Conflict,
                    format!(
                        "The criteria match nothing, and the body's id names {target}, which exists. Nothing was \
                         written. Leave the id out, or update {target} itself."
                    ),
                )
                .at(format!("{}.id", target.kind)),
            ),
            Error::ManyMatches { interaction } => Refusal::new(
                412,
                Issue::error(
                    IssueCode::MultipleMatches,
                    format!("The criteria of this {interaction} match several resources. Nothing was written. Make the criteria more specific."),
                ),
            ),
            Error::NoMatch { interaction } => Refusal::new(
                404,
                Issue::error(
                    IssueCode::NotFound,
                    format!("The criteria of this {interaction} match nothing. Nothing was written. Correct them, or create the resource."),
                ),
            ),
            Error::Reference { place, text, matches } => {
                let (status, code, what) = match matches {
                    Unresolved::Nothing => (404, IssueCode::NotFound, "matches nothing. Create what it means first, or in this transaction"),
                    Unresolved::Several => (412, IssueCode::MultipleMatches, "matches several resources. Make its criteria more specific"),
                };
                let told = format!("This conditional reference {what}. Nothing was written.");
                Refusal::new(status, Issue::error(code, told).at(place.clone()).with_diagnostics(text.clone()))
            }
            Error::CrossReference(problem) => cross_reference_refusal(problem),
            Error::Precondition { text } => Refusal::new(412, Issue::error(IssueCode::Conflict, text.clone())),
            Error::Forbidden(text) => Refusal::new(403, Issue::error(IssueCode::Forbidden, text.clone())),
            Error::Scope(lacking) => {
                let text = format!(
                    "This client, or its access token, lacks the scope {lacking}. Ask the operator to grant it, or get a token that has it.",
                );
                Refusal {
                    lacks: Some(*lacking),
                    ..Refusal::new(403, Issue::error(IssueCode::Forbidden, text))
                }
            }
            Error::Store(error) => store_refusal(error),
        }
    }
}

fn cross_reference_refusal(problem: &CrossReference) -> Refusal {
    let (status, code, text, named) = match problem {
        CrossReference::SourceDomain(system) => (
            400,
            IssueCode::CodeInvalid,
            "sourceIdentifier Assigning Authority not found: no patient here has an identifier of this system, and none is \
             configured. Check the system of sourceIdentifier.",
            Some(system),
        ),
        CrossReference::Identifier => (
            404,
            IssueCode::NotFound,
            "sourceIdentifier Patient Identifier not found: the system is known, this value is nobody's. Check the value.",
            None,
        ),
        CrossReference::Several => (
            412,
            IssueCode::MultipleMatches,
            "Several patients carry this identifier, so it says of none of them who it is. Ask by an identifier of one \
             person.",
            None,
        ),
        CrossReference::Domain(system) => (
            404,
            IssueCode::NotFound,
            "targetSystem not found: no patient here has an identifier of this system, and none is configured. Check the \
             system before the bar.",
            Some(system),
        ),
        CrossReference::TargetDomain(system) => (
            403,
            IssueCode::CodeInvalid,
            "targetSystem not found: no patient here has an identifier of this system, and none is configured. Check \
             targetSystem.",
            Some(system),
        ),
    };
    let issue = Issue::error(code, text);
    Refusal::new(
        status,
        match named {
            Some(system) => issue.with_diagnostics(system),
            None => issue,
        },
    )
}

/// 400 when anything is malformed, 422 when only rules of content are broken (`fhir-rest.md` 8).
fn status_of(issues: &[Issue]) -> u16 {
    let malformed = issues.iter().filter(|issue| issue.is_error()).any(|issue| {
        matches!(
            issue.code,
            IssueCode::Structure
                | IssueCode::Invalid
                | IssueCode::Required
                | IssueCode::Value
                | IssueCode::NotSupported
                | IssueCode::TooLong
        )
    });
    if malformed { 400 } else { 422 }
}

fn store_refusal(error: &StoreError) -> Refusal {
    let (status, code, text, retry, log) = match error {
        StoreError::Unavailable(_) => (
            503,
            IssueCode::Transient,
            "The database does not answer at the moment. If this was a write, whether it was done is not certain. Send the \
             same request again: a conditional one is safe to repeat.",
            Some(2),
            LogLevel::Warn,
        ),
        StoreError::Contention(_) => (
            503,
            IssueCode::Transient,
            "Too many requests wanted the same record at once. Nothing was written. Send the same request again.",
            Some(1),
            LogLevel::Warn,
        ),
        StoreError::Full(_) => (
            507,
            IssueCode::NoStore,
            "The server's disk is full. Nothing was written; reading still works. Tell the operator.",
            None,
            LogLevel::Error,
        ),
        StoreError::BadCursor => (
            400,
            IssueCode::Value,
            "The page cursor is not one of this search. Follow the links of the Bundle, or start the search anew.",
            None,
            LogLevel::Debug,
        ),
        StoreError::Internal(_) | StoreError::Refused(_) => (
            500,
            IssueCode::Exception,
            "The server failed. Nothing was written. Report the request id to the operator.",
            None,
            LogLevel::Error,
        ),
    };
    Refusal {
        retry_after: retry.map(Duration::from_secs),
        log,
        internal: Some(error.to_string()),
        ..Refusal::new(status, Issue::error(code, text))
    }
}
