//! A statement as text and bound values, for both databases.
//!
//! diesel caches the prepared statement by its text, so the text of a hot statement must be one of few:
//! everything that a client can vary is bound, and what it can vary without end is not cached.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;
use sha2::{Digest as _, Sha256};

use crate::sql::Dialect;

/// A bound value.
#[derive(Clone)]
pub(crate) enum Bind<'a> {
    Long(i64),
    Short(i16),
    Flag(bool),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    MaybeLong(Option<i64>),
    MaybeShort(Option<i16>),
    MaybeText(Option<Cow<'a, str>>),
    /// PostgreSQL only.
    Longs(Vec<i64>),
    /// PostgreSQL only.
    Shorts(Vec<i16>),
    /// PostgreSQL only.
    Flags(Vec<bool>),
    /// PostgreSQL only.
    Texts(Vec<Cow<'a, str>>),
}

macro_rules! bind_from {
    ($($from:ty => $make:expr;)*) => {$(
        impl<'a> From<$from> for Bind<'a> {
            fn from(value: $from) -> Bind<'a> {
                ($make)(value)
            }
        }
    )*};
}
bind_from! {
    i64 => Bind::Long;
    i16 => Bind::Short;
    bool => Bind::Flag;
    &'a str => |text| Bind::Text(Cow::Borrowed(text));
    Cow<'a, str> => Bind::Text;
    String => |text| Bind::Text(Cow::Owned(text));
    &'a [u8] => |bytes| Bind::Bytes(Cow::Borrowed(bytes));
    Vec<u8> => |bytes| Bind::Bytes(Cow::Owned(bytes));
    &'a [u8; 16] => |bytes: &'a [u8; 16]| Bind::Bytes(Cow::Borrowed(bytes.as_slice()));
    Option<i64> => Bind::MaybeLong;
    Option<i16> => Bind::MaybeShort;
    Option<&'a str> => |text: Option<&'a str>| Bind::MaybeText(text.map(Cow::Borrowed));
    Vec<i64> => Bind::Longs;
    Vec<i16> => Bind::Shorts;
    Vec<bool> => Bind::Flags;
    Vec<Cow<'a, str>> => Bind::Texts;
}

#[derive(Clone)]
enum Piece<'a> {
    Sql(&'static str),
    Bind(Bind<'a>),
    /// With a comma before it.
    Next(Bind<'a>),
}

impl<'a> Piece<'a> {
    /// Text and the value behind it.
    fn parts(&self) -> (&'static str, Option<&Bind<'a>>) {
        match self {
            Piece::Sql(text) => (text, None),
            Piece::Bind(bind) => ("", Some(bind)),
            Piece::Next(bind) => (", ", Some(bind)),
        }
    }
}

/// A statement.
#[derive(Clone, Default)]
pub(crate) struct Statement<'a> {
    pieces: Vec<Piece<'a>>,
    uncached: bool,
}

impl<'a> Statement<'a> {
    pub(crate) fn new(text: &'static str) -> Statement<'a> {
        let mut pieces = Vec::with_capacity(32);
        pieces.push(Piece::Sql(text));
        Statement {
            pieces,
            uncached: false,
        }
    }

    /// Appends text. Only `'static`: what a client sends cannot become SQL.
    pub(crate) fn sql(mut self, text: &'static str) -> Statement<'a> {
        self.push(text);
        self
    }

    /// Appends a bound value.
    pub(crate) fn bind(mut self, value: impl Into<Bind<'a>>) -> Statement<'a> {
        self.push_bind(value);
        self
    }

    /// Appends another statement.
    pub(crate) fn then(mut self, other: Statement<'a>) -> Statement<'a> {
        self.pieces.extend(other.pieces);
        self.uncached |= other.uncached;
        self
    }

    pub(crate) fn push(&mut self, text: &'static str) {
        self.pieces.push(Piece::Sql(text));
    }

    pub(crate) fn push_bind(&mut self, value: impl Into<Bind<'a>>) {
        self.pieces.push(Piece::Bind(value.into()));
    }

    /// Appends a comma and a bound value.
    pub(crate) fn push_next(&mut self, value: impl Into<Bind<'a>>) {
        self.pieces.push(Piece::Next(value.into()));
    }

    /// Not worth a place in the cache of prepared statements: its text has too many forms.
    pub(crate) fn uncached(mut self) -> Statement<'a> {
        self.uncached = true;
        self
    }

    /// A hash of text and values: two statements with the same one ask the same.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut part = |tag: u8, bytes: &[u8]| {
            hasher.update([tag]);
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        for piece in &self.pieces {
            let (text, bind) = piece.parts();
            part(0, text.as_bytes());
            match bind {
                None => {}
                Some(Bind::Long(value)) => part(1, &value.to_le_bytes()),
                Some(Bind::Short(value)) => part(2, &value.to_le_bytes()),
                Some(Bind::Flag(value)) => part(3, &[u8::from(*value)]),
                Some(Bind::Text(text)) => part(4, text.as_bytes()),
                Some(Bind::Bytes(bytes)) => part(5, bytes),
                // Searches bind no other type.
                Some(_) => part(6, &[]),
            }
        }
        hasher.finalize().into()
    }

    /// The text, as the database gets it.
    pub(crate) fn text(&self, dialect: Dialect) -> String {
        let mut text = String::new();
        let mut number = 0;
        for piece in &self.pieces {
            let (sql, bind) = piece.parts();
            text.push_str(sql);
            if bind.is_some() {
                number += 1;
                text.push_str(&match dialect {
                    Dialect::Sqlite => "?".to_owned(),
                    Dialect::Postgres => format!("${number}"),
                });
            }
        }
        text
    }

    /// The statement with rows of these SQL types.
    pub(crate) fn typed<ST>(&self) -> Typed<'_, 'a, ST> {
        Typed(self, PhantomData)
    }
}

/// A statement with the SQL types of its rows; `()` when it has none.
pub(crate) struct Typed<'s, 'a, ST>(&'s Statement<'a>, PhantomData<ST>);

impl<ST> QueryId for Typed<'_, '_, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> Query for Typed<'_, '_, ST> {
    type SqlType = ST;
}

impl<ST, C> diesel::RunQueryDsl<C> for Typed<'_, '_, ST> {}

impl<ST> QueryFragment<Sqlite> for Typed<'_, '_, ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        if self.0.uncached {
            out.unsafe_to_cache_prepared();
        }
        for piece in &self.0.pieces {
            let (text, bind) = piece.parts();
            out.push_sql(text);
            match bind {
                None => {}
                Some(bind) => match bind {
                    Bind::Long(value) => out.push_bind_param::<BigInt, _>(value)?,
                    Bind::Short(value) => out.push_bind_param::<SmallInt, _>(value)?,
                    Bind::Flag(value) => out.push_bind_param::<Bool, _>(value)?,
                    Bind::Text(text) => out.push_bind_param::<Text, str>(text)?,
                    Bind::Bytes(bytes) => out.push_bind_param::<Binary, [u8]>(bytes)?,
                    Bind::MaybeLong(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                    Bind::MaybeShort(value) => out.push_bind_param::<Nullable<SmallInt>, _>(value)?,
                    Bind::MaybeText(text) => out.push_bind_param::<Nullable<Text>, _>(text)?,
                    Bind::Longs(_) | Bind::Shorts(_) | Bind::Flags(_) | Bind::Texts(_) => {
                        return Err(diesel::result::Error::QueryBuilderError(
                            "SQLite has no arrays".into(),
                        ));
                    }
                },
            }
        }
        Ok(())
    }
}

impl<ST> QueryFragment<Pg> for Typed<'_, '_, ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if self.0.uncached {
            out.unsafe_to_cache_prepared();
        }
        for piece in &self.0.pieces {
            let (text, bind) = piece.parts();
            out.push_sql(text);
            match bind {
                None => {}
                Some(bind) => match bind {
                    Bind::Long(value) => out.push_bind_param::<BigInt, _>(value)?,
                    Bind::Short(value) => out.push_bind_param::<SmallInt, _>(value)?,
                    Bind::Flag(value) => out.push_bind_param::<Bool, _>(value)?,
                    Bind::Text(text) => out.push_bind_param::<Text, str>(text)?,
                    Bind::Bytes(bytes) => out.push_bind_param::<Binary, [u8]>(bytes)?,
                    Bind::MaybeLong(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                    Bind::MaybeShort(value) => out.push_bind_param::<Nullable<SmallInt>, _>(value)?,
                    Bind::MaybeText(text) => out.push_bind_param::<Nullable<Text>, _>(text)?,
                    Bind::Longs(values) => out.push_bind_param::<Array<BigInt>, _>(values)?,
                    Bind::Shorts(values) => out.push_bind_param::<Array<SmallInt>, _>(values)?,
                    Bind::Flags(values) => out.push_bind_param::<Array<Bool>, _>(values)?,
                    Bind::Texts(texts) => out.push_bind_param::<Array<Text>, _>(texts)?,
                },
            }
        }
        Ok(())
    }
}
