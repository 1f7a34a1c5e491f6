//! One alternative of a clause as SQL over the columns of its index table, or of the resource.

use fhir::query::param::ParamType;
use fhir::query::{Clause, DatePrefix, DateTest, ReferenceTest, SearchParam, StringTest, Test, TokenTest};

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
        Test::Id(_) | Test::Token(_) | Test::NotToken(_) | Test::Uri(_) => Table::Token,
        Test::String(_) => Table::String,
        Test::Date(_) => Table::Date,
        Test::Reference(_) => Table::Reference,
        Test::Missing(_) => match clause.param.definition().kind {
            ParamType::Token | ParamType::Uri => Table::Token,
            ParamType::String => Table::String,
            ParamType::Date => Table::Date,
            ParamType::Reference => Table::Reference,
        },
    }
}

/// The alternatives as conditions on a row of the table. Those that nothing can pass are left out.
pub(super) fn entry_tests<'q>(dialect: Dialect, test: &'q Test) -> Vec<Statement<'q>> {
    match test {
        Test::Id(_) | Test::Missing(_) => Vec::new(),
        Test::Token(tests) | Test::NotToken(tests) => {
            tests.iter().filter_map(|test| token(test, TOKEN)).collect()
        }
        Test::String(tests) => tests.iter().filter_map(|test| string(dialect, test)).collect(),
        Test::Date(tests) => tests.iter().map(date).collect(),
        Test::Reference(tests) => tests.iter().filter_map(reference).collect(),
        Test::Uri(uris) => uris
            .iter()
            .filter(|uri| storable(uri))
            .map(|uri| Statement::new("code = ").bind(fit(uri)).sql(" AND system = ''"))
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
    present: &'static str,
}

const TOKEN: TokenColumns = TokenColumns {
    code: "code = ",
    system: "system = ",
    present: "",
};
// A reference without a logical identifier has empty columns.
const LOGICAL: TokenColumns = TokenColumns {
    code: "value = ",
    system: "system = ",
    present: " AND value <> ''",
};

fn token<'q>(test: &'q TokenTest, columns: TokenColumns) -> Option<Statement<'q>> {
    let (code, system) = match test {
        TokenTest::Code(code) => (Some(code), None),
        TokenTest::SystemCode { system, code } => (Some(code), Some(system.as_str())),
        TokenTest::CodeWithoutSystem(code) => (Some(code), Some("")),
        TokenTest::System(system) => (None, Some(system.as_str())),
    };
    if !code.is_none_or(|code| storable(code)) || !system.is_none_or(storable) {
        return None;
    }
    let statement = match (code, system) {
        (Some(code), Some(system)) => Statement::new("(")
            .sql(columns.code)
            .bind(fit(code))
            .sql(" AND ")
            .sql(columns.system)
            .bind(fit(system)),
        (Some(code), None) => Statement::new("(").sql(columns.code).bind(fit(code)),
        (None, system) => Statement::new("(")
            .sql(columns.system)
            .bind(fit(system.unwrap_or_default())),
    };
    Some(statement.sql(columns.present).sql(")"))
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
            let text = fit(text);
            let above = above_prefix(&text);
            let from = Statement::new("(folded >= ").bind(text);
            Some(match above {
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
        StringTest::Exact(text) => Some(Statement::new("exact = ").bind(fit(text))),
    }
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
    }
}

fn reference<'q>(test: &'q ReferenceTest) -> Option<Statement<'q>> {
    match test {
        ReferenceTest::Identifier(test) => token(test, LOGICAL),
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
                .bind(fit(url))
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
        (Test::Date(tests), _) => super::any(tests.iter().map(updated).collect()),
        (Test::Token(tests), SearchParam::Id) => super::any(tests.iter().filter_map(id).collect()),
        (Test::NotToken(tests), SearchParam::Id) => {
            Statement::new("NOT ").then(super::any(tests.iter().filter_map(id).collect()))
        }
        // The parser makes no such clause; what cannot be understood matches nothing.
        (Test::Token(_) | Test::NotToken(_) | Test::String(_) | Test::Reference(_) | Test::Uri(_), _) => {
            Statement::new("1 = 0")
        }
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
        DatePrefix::Equal => Statement::new("(r.updated >= ")
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
