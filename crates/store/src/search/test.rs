//! One alternative of a clause as SQL over the columns of its index table, or of the resource.

use std::borrow::Cow;

use fhir::limits::MAX_INDEXED_CHARS;
use fhir::query::param::{ParamType, bounded, fold_string};
use fhir::query::{
    Clause, DatePrefix, DateTest, IndexParam, OfTypeTest, ReferenceTest, SearchParam, StringTest, Test,
    TokenTest,
};

use crate::sql::Dialect;
use crate::statement::Statement;
use crate::text::{above_prefix, fit};

/// An index table.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Token,
    String,
    Date,
    Reference,
}

/// The table that a clause looks into.
pub(super) fn table_of(clause: &Clause) -> Table {
    match &clause.test {
        Test::Id(_) | Test::Token(_) | Test::NotToken(_) | Test::OfType(_) | Test::Uri(_) => Table::Token,
        Test::String(_) | Test::Text(_) => Table::String,
        Test::Date(_) => Table::Date,
        Test::Reference(_) | Test::Chain(_) | Test::Has(_) => Table::Reference,
        Test::Missing(_) => table(clause.param),
    }
}

/// The table of a parameter.
pub(super) fn table(param: SearchParam) -> Table {
    match param.definition().kind {
        ParamType::Token | ParamType::Uri => Table::Token,
        ParamType::String => Table::String,
        ParamType::Date => Table::Date,
        ParamType::Reference => Table::Reference,
    }
}

/// The alternatives as conditions on a row of the table. Those that nothing can pass are left out.
pub(super) fn entry_tests<'q>(dialect: Dialect, clause: &'q Clause) -> Vec<Statement<'q>> {
    // The parameters that one clause looks at fold alike.
    let param = clause.index().first().copied().unwrap_or(IndexParam::Identifier);
    match &clause.test {
        // Chains are no tests of one row.
        Test::Id(_) | Test::Missing(_) | Test::Chain(_) | Test::Has(_) => Vec::new(),
        Test::Token(tests) | Test::NotToken(tests) => tests
            .iter()
            .filter_map(|test| token(test.for_index(param), &TOKEN))
            .collect(),
        Test::OfType(tests) => tests
            .iter()
            .map(OfTypeTest::row)
            .filter_map(|(system, code)| token(TokenTest::SystemCode { system, code }, &TOKEN))
            .collect(),
        Test::String(tests) | Test::Text(tests) => {
            tests.iter().filter_map(|test| string(dialect, test)).collect()
        }
        Test::Date(tests) => tests.iter().map(date).collect(),
        Test::Reference(tests) => tests.iter().filter_map(|test| reference(test, param)).collect(),
        Test::Uri(uris) => uris
            .iter()
            .filter(|uri| storable(uri))
            .map(|uri| {
                Statement::new("(code = ")
                    .bind(bounded(uri))
                    .sql(" AND system = '')")
            })
            .collect(),
    }
}

/// Whether the text can lie in a database at all: PostgreSQL refuses NUL, and so does the guard.
fn storable(text: &str) -> bool {
    !text.contains('\0')
}

/// The columns that hold a token.
struct TokenColumns {
    code: &'static str,
    system: &'static str,
    /// The same where no code is asked for. In the tokens an index of its own serves, which a condition on the
    /// plain column cannot use: PostgreSQL without statistics prefers it to the index by code, and reads all
    /// identifiers of the system.
    system_alone: &'static str,
    /// What follows from a code, for the planner.
    with_code: &'static str,
    bound: fn(String) -> Cow<'static, str>,
}

const TOKEN: TokenColumns = TokenColumns {
    code: "code = ",
    system: "system = ",
    system_alone: "system || '' <> '' AND system || '' = ",
    with_code: "",
    bound: Cow::Owned,
};
const LOGICAL: TokenColumns = TokenColumns {
    code: "value = ",
    system: "system = ",
    system_alone: "system = ",
    // The partial index has the references with a logical identifier.
    with_code: " AND value <> ''",
    bound: |text| Cow::Owned(fit(&text).into_owned()),
};

fn token(test: TokenTest, columns: &TokenColumns) -> Option<Statement<'static>> {
    let (code, system) = match test {
        TokenTest::Code(code) => (Some(code), None),
        TokenTest::SystemCode { system, code } => (Some(code), Some(system)),
        TokenTest::CodeWithoutSystem(code) => (Some(code), Some(String::new())),
        TokenTest::System(system) => (None, Some(system)),
    };
    if ![&code, &system].into_iter().flatten().all(|text| storable(text)) {
        return None;
    }
    let mut statement = Statement::new("(");
    let both = code.is_some() && system.is_some();
    if let Some(code) = code {
        statement = statement
            .sql(columns.code)
            .bind((columns.bound)(code))
            .sql(columns.with_code);
    }
    if both {
        statement.push(" AND ");
    }
    if let Some(system) = system {
        let column = if both {
            columns.system
        } else {
            columns.system_alone
        };
        statement = statement.sql(column).bind((columns.bound)(system));
    }
    Some(statement.sql(")"))
}

fn string<'q>(dialect: Dialect, test: &'q StringTest) -> Option<Statement<'q>> {
    match test {
        StringTest::StartsWith(text) | StringTest::Contains(text) | StringTest::Exact(text)
            if !storable(text) =>
        {
            None
        }
        // A range and no LIKE: nothing in the text has a meaning, and the index serves.
        StringTest::StartsWith(text) => {
            let from = Statement::new("(folded >= ").bind(text.as_str());
            Some(match above_prefix(text) {
                Some(above) => from.sql(" AND folded < ").bind(above).sql(")"),
                None => from.sql(")"),
            })
        }
        StringTest::Contains(text) => Some(
            Statement::new(match dialect {
                Dialect::Sqlite => "instr(folded, ",
                Dialect::Postgres => "strpos(folded, ",
            })
            .bind(text.as_str())
            .sql(") > 0"),
        ),
        StringTest::Exact(text) => {
            let exact = Statement::new("(exact = ").bind(bounded(text));
            Some(match folded(text) {
                // The index has the folded text.
                Some(folded) => exact.sql(" AND folded = ").bind(folded).sql(")"),
                None => exact.sql(")"),
            })
        }
    }
}

/// The folded text of the row that has this very text; `None` when the text may be a shortened one, of which
/// that cannot be told.
pub(super) fn folded(exact: &str) -> Option<String> {
    exact.chars().nth(MAX_INDEXED_CHARS - 1).is_none().then(|| {
        let folded = fold_string(exact);
        folded.chars().take(MAX_INDEXED_CHARS).collect()
    })
}

fn date(test: &DateTest) -> Statement<'static> {
    let DateTest { prefix, low, high } = *test;
    let within = |statement: Statement<'static>| {
        // A range ends no earlier than it begins, so `low` is bounded on both sides: the index serves.
        statement
            .sql("(low >= ")
            .bind(low)
            .sql(" AND low <= ")
            .bind(high)
            .sql(" AND high <= ")
            .bind(high)
            .sql(")")
    };
    match prefix {
        DatePrefix::Equal => within(Statement::new("")),
        DatePrefix::NotEqual => Statement::new("(low < ")
            .bind(low)
            .sql(" OR high > ")
            .bind(high)
            .sql(")"),
        DatePrefix::Greater => Statement::new("high > ").bind(high),
        DatePrefix::Less => Statement::new("low < ").bind(low),
        DatePrefix::GreaterOrEqual => within(Statement::new("(high > ").bind(high).sql(" OR ")).sql(")"),
        DatePrefix::LessOrEqual => within(Statement::new("(low < ").bind(low).sql(" OR ")).sql(")"),
        DatePrefix::StartsAfter => Statement::new("low >= ").bind(high),
        DatePrefix::EndsBefore => Statement::new("high <= ").bind(low),
        DatePrefix::Approximately => Statement::new("(low < ")
            .bind(high)
            .sql(" AND high > ")
            .bind(low)
            .sql(")"),
    }
}

fn reference<'q>(test: &'q ReferenceTest, param: IndexParam) -> Option<Statement<'q>> {
    match test {
        ReferenceTest::Identifier(test) => token(test.for_index(param), &LOGICAL),
        ReferenceTest::Id(id) => storable(id).then(|| {
            Statement::new("(target = ")
                .bind(fit(id))
                .sql(" AND ref_kind <> '')")
        }),
        ReferenceTest::Typed { kind, id } => (storable(kind) && storable(id)).then(|| {
            Statement::new("(target = ")
                .bind(fit(id))
                .sql(" AND ref_kind = ")
                .bind(fit(kind))
                .sql(")")
        }),
        ReferenceTest::Url(url) => storable(url).then(|| {
            Statement::new("(target = ")
                .bind(fit(&bounded(url)).into_owned())
                .sql(" AND ref_kind = '')")
        }),
    }
}

/// `_id` and `_lastUpdated`: conditions on the resource `r` itself.
pub(super) fn on_resource<'q>(clause: &'q Clause) -> Statement<'q> {
    match (&clause.test, clause.param) {
        // Every resource has an id and a time.
        (Test::Missing(missing), _) => Statement::new(if *missing { "1 = 0" } else { "1 = 1" }),
        (Test::Id(ids), _) => {
            let mut list = Statement::new("r.id IN (");
            for (position, id) in ids.iter().enumerate() {
                if position > 0 {
                    list.push(", ");
                }
                list.push_bind(id.as_str());
            }
            list.sql(")")
        }
        (Test::Date(tests), _) => any(tests.iter().map(updated).collect()),
        (Test::Token(tests), SearchParam::Id) => any(tests.iter().filter_map(id).collect()),
        (Test::NotToken(tests), SearchParam::Id) => {
            Statement::new("NOT ").then(any(tests.iter().filter_map(id).collect()))
        }
        // The parser makes no such clause; what cannot be understood matches nothing.
        (
            Test::Token(_)
            | Test::NotToken(_)
            | Test::OfType(_)
            | Test::String(_)
            | Test::Text(_)
            | Test::Reference(_)
            | Test::Chain(_)
            | Test::Has(_)
            | Test::Uri(_),
            _,
        ) => Statement::new("1 = 0"),
    }
}

fn id(test: &TokenTest) -> Option<Statement<'_>> {
    match test {
        TokenTest::Code(id) | TokenTest::CodeWithoutSystem(id) if storable(id) => {
            Some(Statement::new("r.id = ").bind(id.as_str()))
        }
        TokenTest::Code(_)
        | TokenTest::CodeWithoutSystem(_)
        | TokenTest::SystemCode { .. }
        | TokenTest::System(_) => None,
    }
}

/// `_lastUpdated` is an instant: the range of one microsecond.
fn updated(test: &DateTest) -> Statement<'static> {
    let DateTest { prefix, low, high } = *test;
    match prefix {
        DatePrefix::Equal | DatePrefix::Approximately => Statement::new("(r.updated >= ")
            .bind(low)
            .sql(" AND r.updated < ")
            .bind(high)
            .sql(")"),
        DatePrefix::NotEqual => Statement::new("(r.updated < ")
            .bind(low)
            .sql(" OR r.updated >= ")
            .bind(high)
            .sql(")"),
        DatePrefix::Greater | DatePrefix::StartsAfter => Statement::new("r.updated >= ").bind(high),
        DatePrefix::Less | DatePrefix::EndsBefore => Statement::new("r.updated < ").bind(low),
        DatePrefix::GreaterOrEqual => Statement::new("r.updated >= ").bind(low.min(high)),
        DatePrefix::LessOrEqual => Statement::new("r.updated < ").bind(high.max(low)),
    }
}

/// `(a OR b)`; nothing passes an empty list.
pub(super) fn any(tests: Vec<Statement<'_>>) -> Statement<'_> {
    if tests.is_empty() {
        return Statement::new("1 = 0");
    }
    let mut either = Statement::new("(");
    for (position, test) in tests.into_iter().enumerate() {
        if position > 0 {
            either.push(" OR ");
        }
        either = either.then(test);
    }
    either.sql(")")
}
