//! A connection of either database, as the rest of the store sees it: statements in, rows out.

use diesel::connection::SimpleConnection;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, SmallInt, Text};
use diesel::{PgConnection, RunQueryDsl, SqliteConnection};

use crate::postgres::Line;
use crate::statement::Statement;
use crate::trail::{RawRow, RawSeal};

/// Where the SQL of the two differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A row of [`crate::transaction::CURRENT`]: row, kind, id, version, updated, deleted, class, digest, body; then
/// created, created_by, updated_by, medicapp_id.
pub(crate) type ResourceRow = (VersionRow, KeptRow);
type VersionRow = (i64, i16, String, i64, i64, bool, i16, Vec<u8>, String);
type KeptRow = (i64, String, String, Option<String>);
type VersionTypes = (
    BigInt,
    SmallInt,
    Text,
    BigInt,
    BigInt,
    Bool,
    SmallInt,
    Binary,
    Text,
);
type KeptTypes = (BigInt, Text, Text, Nullable<Text>);
type ResourceTypes = (VersionTypes, KeptTypes);

/// A resource row behind a key state.
pub(crate) type HolderRow = (i16, VersionRow, KeptRow);
type HolderTypes = (SmallInt, VersionTypes, KeptTypes);

/// A resource row, and whether the version follows on a deletion.
pub(crate) type HistoryRow = (VersionRow, KeptRow, bool);
type HistoryTypes = (VersionTypes, KeptTypes, Bool);

/// One row of any index or key table: table, three numbers, four texts.
pub(crate) type EntryRow = (i16, i16, i64, i64, String, String, String, String);
type EntryTypes = (SmallInt, SmallInt, BigInt, BigInt, Text, Text, Text, Text);

pub(crate) type ClientRow = (
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    String,
    bool,
    Option<i64>,
);
type ClientTypes = (
    Text,
    Text,
    Text,
    Text,
    Text,
    Nullable<Text>,
    Text,
    Bool,
    Nullable<BigInt>,
);

pub(crate) type KeyRowRow = (String, String, Vec<u8>, i64, Option<i64>, bool);
type KeyRowTypes = (Text, Text, Binary, BigInt, Nullable<BigInt>, Bool);

type AuditTypes = (
    (BigInt, BigInt, Text, Text, Text, Text),
    (Nullable<SmallInt>, Nullable<Text>, Nullable<BigInt>, Text),
);
type SealTypes = (
    (
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
    ),
    (Binary, Binary, Binary, Text, Binary, Binary),
    (Binary, Binary, Binary, Binary),
);

macro_rules! connections {
    ($($name:ident: $types:ty => $row:ty;)*) => {
        /// A connection.
        pub(crate) trait Sql {
            /// Whose SQL it speaks.
            fn dialect(&self) -> Dialect;
            /// Runs statements without rows or values.
            fn batch(&mut self, text: &str) -> QueryResult<()>;
            /// Runs a statement without rows; how many it changed.
            fn execute(&mut self, statement: &Statement<'_>) -> QueryResult<usize>;
            $(fn $name(&mut self, statement: &Statement<'_>) -> QueryResult<Vec<$row>>;)*
        }
        connections! { @impl SqliteConnection, Dialect::Sqlite; $($name: $types => $row;)* }
        connections! { @impl PgConnection, Dialect::Postgres; $($name: $types => $row;)* }

        impl Sql for Line {
            fn dialect(&self) -> Dialect {
                Dialect::Postgres
            }
            fn batch(&mut self, text: &str) -> QueryResult<()> {
                self.ask(|connection| connection.batch(text))
            }
            fn execute(&mut self, statement: &Statement<'_>) -> QueryResult<usize> {
                self.ask(|connection| Sql::execute(connection, statement))
            }
            $(fn $name(&mut self, statement: &Statement<'_>) -> QueryResult<Vec<$row>> {
                self.ask(|connection| connection.$name(statement))
            })*
        }
    };
    (@impl $connection:ty, $dialect:expr; $($name:ident: $types:ty => $row:ty;)*) => {
        impl Sql for $connection {
            fn dialect(&self) -> Dialect {
                $dialect
            }
            fn batch(&mut self, text: &str) -> QueryResult<()> {
                self.batch_execute(text)
            }
            fn execute(&mut self, statement: &Statement<'_>) -> QueryResult<usize> {
                RunQueryDsl::execute(statement.typed::<()>(), self)
            }
            $(fn $name(&mut self, statement: &Statement<'_>) -> QueryResult<Vec<$row>> {
                statement.typed::<$types>().load(self)
            })*
        }
    };
}

connections! {
    audit_rows: AuditTypes => RawRow;
    seals: SealTypes => RawSeal;
    trails: (BigInt, BigInt, BigInt, BigInt) => (i64, i64, i64, i64);
    resources: ResourceTypes => ResourceRow;
    holders: HolderTypes => HolderRow;
    versions: HistoryTypes => HistoryRow;
    entries: EntryTypes => EntryRow;
    longs: BigInt => i64;
    records: (BigInt, Text, Text, BigInt) => (i64, String, String, i64);
    texts: Text => String;
    text_pairs: (Text, Text) => (String, String);
    spaces: (BigInt, Text, Bool, Text) => (i64, String, bool, String);
    bindings: (Text, Text, Text) => (String, String, String);
    clients: ClientTypes => ClientRow;
    client_keys: KeyRowTypes => KeyRowRow;
    certificates: (Text, Text, Text, Text, Text) => (String, String, String, String, String);
    plan_steps: (BigInt, BigInt, BigInt, Text) => (i64, i64, i64, String);
    checkpoints: (BigInt, BigInt, BigInt) => (i64, i64, i64);
    versions_counted: (BigInt, BigInt, BigInt, BigInt) => (i64, i64, i64, i64);
    erasures: (BigInt, SmallInt, Text, BigInt, Text, Text) => (i64, i16, String, i64, String, String);
    key_systems: (SmallInt, Text, Bool, Text) => (i16, String, bool, String);
}
