//! What a search asks, parsed — <https://hl7.org/fhir/R4/search.html>
//!
//! [`parse`] turns a query string into a [`Query`] or [`Criteria`]; `store::search` turns those into SQL;
//! [`matcher`] answers them in memory and is the oracle that the SQL is tested against.

pub mod audit;
mod date;
pub mod encoding;
mod fold;
pub mod history;
pub mod matcher;
pub mod param;
pub mod parse;
pub(crate) mod reference;
#[doc(hidden)]
pub mod sample;
pub mod shape;
mod string;
pub mod subset;
mod token;
mod value;

use crate::id::Id;
use crate::identifier::Identifier;
use crate::limits::DEFAULT_COUNT;
use crate::resource::ResourceType;

pub use param::{IndexParam, SearchParam};
pub use shape::{Direction, Include, SortKey};

use subset::Subset;

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
///
/// A *value* of a parameter is an index row of any of its [`IndexParam`]s. Unless a variant says otherwise,
/// a test holds when **some** value passes **some** item; so it fails on a resource without a value.
#[derive(Clone, PartialEq)]
pub enum Test {
    /// `_id`
    Id(Vec<Id>),
    /// A token parameter.
    Token(Vec<TokenTest>),
    /// `:not` of a token parameter: **no** value passes **any** item; so it holds on a resource without a
    /// value, and fails on one that has the code besides others.
    NotToken(Vec<TokenTest>),
    /// `identifier:of-type`, looked up in the [`IndexParam::IdentifierOfType`] rows.
    OfType(Vec<OfTypeTest>),
    /// A string parameter.
    String(Vec<StringTest>),
    /// `:text` of a token or reference: what stands beside the code for people, looked up in the rows of
    /// [`SearchParam::text_index`].
    Text(Vec<StringTest>),
    /// A date parameter, `_lastUpdated` included. [`DatePrefix::NotEqual`] needs a value like the others do:
    /// a resource without the date fails it.
    Date(Vec<DateTest>),
    /// A reference parameter.
    Reference(Vec<ReferenceTest>),
    /// A chain (`general-practitioner.name=…`): some resource that a reference of this parameter names meets all
    /// of these. The references of a chain are relative ones, and name a live resource.
    Chain(Box<Criteria>),
    /// `_has:Patient:general-practitioner:…`: some resource that meets all of these refers to this one by the
    /// clause's parameter, which is one of *its* parameters.
    Has(Box<Criteria>),
    /// A URI parameter (`_profile`, `_source`): the code of its token rows, byte for byte after
    /// [`param::bounded`], which the parser has applied. A profile named with a version (`url|1.0`) has two
    /// rows: one of them without the version.
    Uri(Vec<String>),
    /// `:missing=true` (no value at all) or `:missing=false` (some value). Never on `_id` and `_lastUpdated`.
    /// An element with nothing to search by (a language of mere text) counts as missing.
    Missing(bool),
}

// Search values are names and NIRs: they never reach a log by `{:?}`.
impl std::fmt::Debug for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Test::Id(_) => "Id",
            Test::Token(_) => "Token",
            Test::NotToken(_) => "NotToken",
            Test::OfType(_) => "OfType",
            Test::String(_) => "String",
            Test::Text(_) => "Text",
            Test::Date(_) => "Date",
            Test::Reference(_) => "Reference",
            Test::Chain(_) => "Chain",
            Test::Has(_) => "Has",
            Test::Uri(_) => "Uri",
            Test::Missing(_) => "Missing",
        };
        write!(f, "Test::{name}(…)")
    }
}

/// One alternative of a token parameter. Systems and codes are as they were asked for (contact points
/// folded); they are compared with the index byte for byte in the form of [`TokenTest::for_index`].
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
    /// `s|`: any code of this system, or none.
    System(String),
}

impl TokenTest {
    /// The same test in the terms of index rows: codes after [`param::fold_token`], systems after
    /// [`param::bounded`]. Idempotent.
    #[must_use]
    pub fn for_index(&self, param: IndexParam) -> TokenTest {
        match self {
            TokenTest::Code(code) => TokenTest::Code(param::fold_token(param, code)),
            TokenTest::SystemCode { system, code } => TokenTest::SystemCode {
                system: param::bounded(system),
                code: param::fold_token(param, code),
            },
            TokenTest::CodeWithoutSystem(code) => {
                TokenTest::CodeWithoutSystem(param::fold_token(param, code))
            }
            TokenTest::System(system) => TokenTest::System(param::bounded(system)),
        }
    }

    /// The code or value it names, if it names one.
    pub fn code(&self) -> Option<&str> {
        match self {
            TokenTest::Code(code)
            | TokenTest::SystemCode { code, .. }
            | TokenTest::CodeWithoutSystem(code) => Some(code),
            TokenTest::System(_) => None,
        }
    }
}

/// One alternative of `identifier:of-type=system|code|value`: an identifier of this value whose type has
/// this coding. All three parts are non-empty.
#[derive(Clone, PartialEq, Eq)]
pub struct OfTypeTest {
    /// `Identifier.type.coding.system`
    pub system: String,
    /// `Identifier.type.coding.code`
    pub code: String,
    /// `Identifier.value`
    pub value: String,
}

impl OfTypeTest {
    /// The `(system, code)` of the [`IndexParam::IdentifierOfType`] row it looks for.
    pub fn row(&self) -> (String, String) {
        (
            param::bounded(&self.system),
            param::of_type_code(&self.code, &self.value),
        )
    }
}

/// One alternative of a string parameter. Only the first [`crate::limits::MAX_INDEXED_CHARS`] folded
/// characters of a string can be found by its beginning or its middle; the parser refuses longer texts.
/// `:exact` knows no such limit.
#[derive(Clone, PartialEq, Eq)]
pub enum StringTest {
    /// Starts with this, both folded (case, accents). The text is folded already.
    StartsWith(String),
    /// `:contains`, both folded. The text is folded already.
    Contains(String),
    /// `:exact`: this very text, after [`param::bounded`].
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
    /// `ap`: the value's range overlaps the parameter's, which the parser has widened by a tenth of its
    /// distance from now, at least a day.
    Approximately,
}

/// One alternative of a date parameter: a comparison of a value, the half-open range `[v, w)` of a
/// [`crate::index::DateRow`], with the parameter, the half-open range `[low, high)`; all in microseconds
/// since the epoch. `_lastUpdated` is the range of its one microsecond.
///
/// | prefix | holds when |
/// |---|---|
/// | `eq` | `low <= v and w <= high` |
/// | `ne` | not `eq` |
/// | `gt` | `w > high` |
/// | `lt` | `v < low` |
/// | `ge` | `gt` or `eq` |
/// | `le` | `lt` or `eq` |
/// | `sa` | `v >= high` |
/// | `eb` | `w <= low` |
/// | `ap` | `v < high and w > low` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTest {
    /// The comparison.
    pub prefix: DatePrefix,
    /// Start of the range, inclusive.
    pub low: i64,
    /// End of the range, exclusive.
    pub high: i64,
}

/// One alternative of a reference parameter. A relative reference and the absolute URL of the same
/// resource are two different things here: this crate does not know the server's own address.
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
    /// An absolute URL, compared as text after [`param::bounded`] with rows whose kind is empty.
    Url(String),
    /// `:identifier`: the reference's logical identifier. A reference without one has the empty system and
    /// the empty value, which pass no test. Compared in the form of [`TokenTest::for_index`].
    Identifier(TokenTest),
}

/// How `Bundle.total` is to be found — `_total`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Count all matches.
    Accurate,
    /// Say it where the page shows all there is; a history that is not limited to a resource is read page by page for as
    /// long as it lasts, and counting it for each page would cost more than the pages.
    WhenWhole,
    /// Leave `total` out.
    None,
}

/// What a search is of — <https://hl7.org/fhir/R4/http.html#search>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `[base]/Patient?…`
    Type,
    /// `[base]?…`
    System,
}

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What to find.
    pub criteria: Criteria,
    /// Further types that the same conditions are put to.
    pub others: Vec<ResourceType>,
    /// What it is a search of.
    pub level: Level,
    /// The order of the matches; equals stand in order of creation, and so does everything without a key.
    pub sort: Vec<SortKey>,
    /// What is shown beside the matches.
    pub includes: Vec<Include>,
    /// Which of these are followed from what is included too, and from there on (`:iterate`).
    pub iterated: Vec<Include>,
    /// Which elements are shown; `None` for all of them.
    pub subset: Option<Subset>,
    /// Page size in resources; 0 asks for the total only.
    pub count: u32,
    /// How to count.
    pub total: Total,
    /// The sealed cursor of a following page, as it stood in the URL.
    pub cursor: Option<String>,
    /// So many matches are passed over, for doors that page by number. `/fhir` pages by cursor.
    pub offset: u64,
    /// The parameters that were applied, in order, percent-encoded; `_cursor` aside. See [`Query::link`].
    pub applied: Vec<(String, String)>,
}

impl Query {
    /// A search by these criteria that asks for nothing else.
    pub fn of(criteria: Criteria) -> Query {
        Query {
            criteria,
            others: Vec::new(),
            level: Level::Type,
            sort: Vec::new(),
            includes: Vec::new(),
            iterated: Vec::new(),
            subset: None,
            count: DEFAULT_COUNT,
            total: Total::Accurate,
            cursor: None,
            offset: 0,
            applied: Vec::new(),
        }
    }

    /// The types whose resources are matches.
    pub fn kinds(&self) -> Vec<ResourceType> {
        std::iter::once(self.criteria.kind)
            .chain(self.others.iter().copied())
            .collect()
    }

    /// The identifier systems that a search of Patients is restricted to: every condition on identifiers names systems alone
    /// (PDQm ITI-78). Empty: it is not.
    pub fn domains(&self) -> Vec<&str> {
        let mut domains = Vec::new();
        let is_of_patients = self.level == Level::Type && self.criteria.kind == ResourceType::Patient;
        let clauses = self.criteria.clauses.iter();
        for clause in clauses.filter(|clause| is_of_patients && clause.param == SearchParam::Identifier) {
            let Test::Token(tests) = &clause.test else {
                return Vec::new();
            };
            for test in tests {
                let TokenTest::System(system) = test else {
                    return Vec::new();
                };
                domains.push(system.as_str());
            }
        }
        domains
    }

    /// Every type that the search looks into: those of the matches, of chains and of what is included.
    pub fn looks_into(&self) -> Vec<ResourceType> {
        let mut kinds = self.kinds();
        self.criteria.leads_to(&mut kinds);
        kinds.extend(self.includes.iter().map(Include::kind));
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The query string of a link to a page of this search: exactly what was applied, and the cursor of
    /// the page. Empty when there is neither.
    pub fn link(&self, cursor: Option<&str>) -> String {
        link(&self.applied, cursor)
    }
}

/// Encoded parameters and a cursor as a query string.
fn link(applied: &[(String, String)], cursor: Option<&str>) -> String {
    let mut link = String::new();
    let sealed = cursor.map(encoding::encode);
    let pairs = applied
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in pairs.chain(sealed.as_deref().map(|sealed| ("_cursor", sealed))) {
        if !link.is_empty() {
            link.push('&');
        }
        link.push_str(name);
        link.push('=');
        link.push_str(value);
    }
    link
}

impl Criteria {
    /// The criteria `identifier=system|value`.
    pub fn by_identifier(kind: ResourceType, identifier: &Identifier) -> Criteria {
        let test = TokenTest::SystemCode {
            system: identifier.system.clone(),
            code: identifier.value.clone(),
        };
        let clause = Clause {
            param: SearchParam::Identifier,
            test: Test::Token(vec![test]),
        };
        Criteria {
            kind,
            clauses: vec![clause],
        }
    }

    /// Identifier values, sorted and distinct, one of which every match must carry: whoever holds a lock on
    /// them all excludes every writer that could make or unmake a match by its identifiers. `None` when the
    /// criteria name no such values; then only a lock on the whole type does.
    pub fn lock_values(&self) -> Option<Vec<String>> {
        let named = self.clauses.iter().filter_map(Clause::identifier_values);
        let mut values = named.min_by_key(Vec::len)?;
        values.sort_unstable();
        values.dedup();
        Some(values)
    }

    /// Adds the types at the other ends of chains, at every step of them.
    fn leads_to(&self, kinds: &mut Vec<ResourceType>) {
        for clause in &self.clauses {
            if let Test::Chain(inner) | Test::Has(inner) = &clause.test {
                kinds.push(inner.kind);
                inner.leads_to(kinds);
            }
        }
    }

    /// The identifier, when the criteria are exactly one `identifier=system|value`.
    pub fn single_identifier(&self) -> Option<Identifier> {
        let [clause] = self.clauses.as_slice() else {
            return None;
        };
        let (SearchParam::Identifier, Test::Token(tests)) = (clause.param, &clause.test) else {
            return None;
        };
        let [TokenTest::SystemCode { system, code }] = tests.as_slice() else {
            return None;
        };
        Some(Identifier {
            system: system.clone(),
            value: code.clone(),
        })
    }
}

/// What the ids begin with that are given to a resource and may stand beside it.
pub const ALLOCATED_PREFIX: &str = "pat_";

/// Whether all of these values could be allocated ones.
fn are_allocated(tests: &[TokenTest]) -> bool {
    let is_allocated = |test: &TokenTest| test.code().is_some_and(|code| code.starts_with(ALLOCATED_PREFIX));
    !tests.is_empty() && tests.iter().all(is_allocated)
}

impl Clause {
    /// The index rows this condition looks at. Empty for `_id` and `_lastUpdated`.
    pub fn index(&self) -> &'static [IndexParam] {
        match self.test {
            Test::OfType(_) => &[IndexParam::IdentifierOfType],
            Test::Text(_) => self.param.text_index(),
            Test::Token(ref tests) if self.param == SearchParam::Identifier && are_allocated(tests) => {
                &[IndexParam::Identifier, IndexParam::AllocatedIdentifier]
            }
            _ => self.param.index(),
        }
    }

    /// The values of an identifier condition, when each of its alternatives names one.
    fn identifier_values(&self) -> Option<Vec<String>> {
        if self.param != SearchParam::Identifier {
            return None;
        }
        match &self.test {
            Test::Token(tests) => tests.iter().map(|test| test.code().map(str::to_owned)).collect(),
            Test::OfType(tests) => Some(tests.iter().map(|test| test.value.clone()).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
