//! The rows of a new resource, or those that a change brings.

use diesel::result::QueryResult;
use fhir::ResourceType;

use super::rows::{Row, Type};
use super::{Entries, Owner};
use crate::codes;
use crate::sql::{Dialect, Sql};
use crate::statement::{Bind, Statement};

/// Rows of one INSERT on SQLite. Few, so that there are few texts of statements.
const ROWS_PER_INSERT: usize = 16;

/// Writes the rows.
pub(crate) fn insert(sql: &mut dyn Sql, owner: Owner, entries: &Entries<'_>) -> QueryResult<()> {
    match sql.dialect() {
        Dialect::Sqlite => {
            values(sql, owner, &entries.tokens)?;
            values(sql, owner, &entries.texts)?;
            values(sql, owner, &entries.dates)?;
            values(sql, owner, &entries.references)?;
            values(sql, owner, &entries.keys)
        }
        Dialect::Postgres => {
            let statement = Statement::new("WITH owner (row) AS (SELECT ")
                .bind(owner.row)
                .sql(")")
                .then(array_inserts(owner.space, owner.kind, entries))
                .sql(" SELECT row FROM owner");
            sql.longs(&statement).map(|_| ())
        }
    }
}

/// PostgreSQL: `, t AS (INSERT …), …`, all tables in one statement of one text, for the row that the CTE
/// `owner` names.
pub(crate) fn array_inserts<'e>(space: i64, kind: ResourceType, entries: &'e Entries<'_>) -> Statement<'e> {
    let kind = codes::kind(kind);
    let mut statement = Statement::default();
    arrays(&mut statement, space, kind, &entries.tokens);
    arrays(&mut statement, space, kind, &entries.texts);
    arrays(&mut statement, space, kind, &entries.dates);
    arrays(&mut statement, space, kind, &entries.references);
    arrays(&mut statement, space, kind, &entries.keys);
    statement
}

fn arrays<'r, R: Row>(statement: &mut Statement<'r>, space: i64, kind: i16, rows: &'r [R]) {
    statement.push(R::SHAPE.insert_arrays);
    statement.push_bind(space);
    statement.push(", owner.row, ");
    statement.push_bind(kind);
    statement.push(", x.* FROM owner, unnest(");
    for (column, (_, holds)) in R::SHAPE.columns.iter().enumerate() {
        if column > 0 {
            statement.push(", ");
        }
        statement.push_bind(array(*holds, rows.iter().map(|row| row.value(column))));
    }
    statement.push(R::SHAPE.end_arrays);
}

fn array<'r>(holds: Type, values: impl Iterator<Item = Bind<'r>>) -> Bind<'r> {
    match holds {
        Type::Short => Bind::Shorts(
            values
                .filter_map(|value| {
                    if let Bind::Short(value) = value {
                        Some(value)
                    } else {
                        None
                    }
                })
                .collect(),
        ),
        Type::Long => Bind::Longs(
            values
                .filter_map(|value| {
                    if let Bind::Long(value) = value {
                        Some(value)
                    } else {
                        None
                    }
                })
                .collect(),
        ),
        Type::Text => Bind::Texts(
            values
                .filter_map(|value| {
                    if let Bind::Text(value) = value {
                        Some(value)
                    } else {
                        None
                    }
                })
                .collect(),
        ),
    }
}

fn values<R: Row>(sql: &mut dyn Sql, owner: Owner, rows: &[R]) -> QueryResult<()> {
    let kind = codes::kind(owner.kind);
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let mut statement = Statement::new(R::SHAPE.insert);
        for (position, row) in rows.iter().enumerate() {
            statement.push(if position == 0 { "(" } else { "), (" });
            statement.push_bind(owner.space);
            statement.push_next(owner.row);
            statement.push_next(kind);
            for column in 0..R::SHAPE.columns.len() {
                statement.push_next(row.value(column));
            }
        }
        statement.push(")");
        sql.execute(&statement)?;
    }
    Ok(())
}
