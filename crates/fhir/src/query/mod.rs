//! What a search asks, parsed — <https://hl7.org/fhir/R4/search.html>
//!
//! [`parse`] turns a query string into a [`Query`] or [`Criteria`]; `store::search` turns those into SQL;
//! [`matcher`] answers them in memory and is the oracle that the SQL is tested against.

pub mod matcher;
pub mod param;
pub mod parse;

use crate::id::Id;
use crate::resource::ResourceType;

pub use param::{IndexParam, SearchParam};

/// The conditions of a search or a conditional interaction: all of them must hold (AND).
#[derive(Clone, Debug, PartialEq)]
pub struct Criteria {
    /// The type searched.
    pub kind: ResourceType,
    /// The conditions. A conditional interaction has at least one; a search may have none.
    pub clauses: Vec<Clause>,
}

/// One condition: one parameter of the query string.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// The parameter.
    pub param: SearchParam,
    /// What it demands.
    pub test: Test,
}

/// What a parameter demands. Each list is an OR of its items and is never empty.
#[derive(Clone, PartialEq)]
pub enum Test {
    /// `_id`
    Id(Vec<Id>),
    /// A token parameter.
    Token(Vec<TokenTest>),
    /// `:not` of a token parameter: no value of the resource passes any of these; also true when absent.
    NotToken(Vec<TokenTest>),
    /// A string parameter.
    String(Vec<StringTest>),
    /// A date parameter, `_lastUpdated` included.
    Date(Vec<DateTest>),
    /// A reference parameter.
    Reference(Vec<ReferenceTest>),
    /// A URI parameter (`_profile`, `_source`): exact text.
    Uri(Vec<String>),
    /// `:missing=true` (absent) or `:missing=false` (present).
    Missing(bool),
}

// Search values are names and NIRs: they never reach a log by `{:?}`.
impl std::fmt::Debug for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Test::Id(_) => "Id",
            Test::Token(_) => "Token",
            Test::NotToken(_) => "NotToken",
            Test::String(_) => "String",
            Test::Date(_) => "Date",
            Test::Reference(_) => "Reference",
            Test::Uri(_) => "Uri",
            Test::Missing(_) => "Missing",
        };
        write!(f, "Test::{name}(…)")
    }
}

/// One alternative of a token parameter. Compared with the index byte for byte, after [`param::fold_token`]
/// on both sides.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenTest {
    /// `v`: this code under any system or none.
    Code(String),
    /// `s|v`
    SystemCode {
        /// The system.
        system: String,
        /// The code or value.
        code: String,
    },
    /// `|v`: this code, and no system.
    CodeWithoutSystem(String),
    /// `s|`: any code of this system.
    System(String),
}

/// One alternative of a string parameter.
#[derive(Clone, PartialEq, Eq)]
pub enum StringTest {
    /// Starts with this, both folded (case, accents). The text is folded already.
    StartsWith(String),
    /// `:contains`, both folded. The text is folded already.
    Contains(String),
    /// `:exact`: this very text.
    Exact(String),
}

/// A comparison of a date parameter — <https://hl7.org/fhir/R4/search.html#prefix>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatePrefix {
    /// The value's range lies within the parameter's.
    Equal,
    /// Not [`DatePrefix::Equal`].
    NotEqual,
    /// The value's range reaches above the parameter's.
    Greater,
    /// The value's range reaches below the parameter's.
    Less,
    /// [`DatePrefix::Greater`] or [`DatePrefix::Equal`].
    GreaterOrEqual,
    /// [`DatePrefix::Less`] or [`DatePrefix::Equal`].
    LessOrEqual,
    /// The value begins after the parameter ends.
    StartsAfter,
    /// The value ends before the parameter begins.
    EndsBefore,
}

/// One alternative of a date parameter: a comparison with the half-open range `[low, high)` in
/// microseconds since the epoch. `ap` is resolved by the parser into [`DatePrefix::GreaterOrEqual`]-like
/// range tests: it becomes `Overlaps`-free `Equal` on a widened range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTest {
    /// The comparison.
    pub prefix: DatePrefix,
    /// Start of the range, inclusive.
    pub low: i64,
    /// End of the range, exclusive.
    pub high: i64,
}

/// One alternative of a reference parameter.
#[derive(Clone, PartialEq, Eq)]
pub enum ReferenceTest {
    /// `id`: this id under any type.
    Id(String),
    /// `Type/id`
    Typed {
        /// The type's name.
        kind: String,
        /// The id.
        id: String,
    },
    /// An absolute URL, compared as text.
    Url(String),
    /// `:identifier`: the reference's logical identifier.
    Identifier(TokenTest),
}

/// How `Bundle.total` is to be found — `_total`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Count all matches.
    Accurate,
    /// Leave `total` out.
    None,
}

/// A search of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What to find.
    pub criteria: Criteria,
    /// Page size in resources; 0 asks for the total only.
    pub count: u32,
    /// How to count.
    pub total: Total,
    /// The sealed cursor of a following page, as it stood in the URL.
    pub cursor: Option<String>,
    /// The parameters that were applied, in order, as `name=value` in percent-encoded form: the self link.
    pub applied: Vec<(String, String)>,
}
