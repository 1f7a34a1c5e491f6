//! What can go wrong below the engine, by what it means for the caller.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::sql::Dialect;

/// A failure of the store. The texts are for the log; no client ever sees one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or no connection is free: try again later (503).
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The disk is full (507).
    #[error("no space left: {0}")]
    Full(String),
    /// Another transaction was faster; the store has already retried as often as it may (503).
    #[error("contention: {0}")]
    Contention(String),
    /// A cursor that this server did not seal, or that belongs to another search (400).
    #[error("bad cursor")]
    BadCursor,
    /// The operator asked for something that cannot be: a database of a newer server, a name that is taken,
    /// settings that would break a promise. The text says what to do. Never the answer to a client.
    #[error("{0}")]
    Refused(String),
    /// What is stored does not make sense, or a statement failed that cannot fail: a bug (500).
    #[error("internal: {0}")]
    Internal(String),
}

/// What a failed statement means for the transaction and the connection.
pub(crate) struct Failure {
    /// For the caller.
    pub(crate) error: StoreError,
    /// Another transaction was in the way: running this one again may succeed.
    pub(crate) again: bool,
}

/// What a failed statement means.
pub(crate) fn classify(dialect: Dialect, doing: &str, error: &DieselError) -> Failure {
    let (kind, message) = match error {
        DieselError::DatabaseError(kind, information) => (Some(kind), information.message().to_owned()),
        other => (None, other.to_string()),
    };
    let text = format!("{doing}: {message}");
    // Neither driver tells its error codes apart below this point, so the words must do; those of SQLite
    // are constants of its source, those of PostgreSQL are only looked at where a wrong guess costs no
    // more than a 500 instead of a 503.
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match (dialect, kind) {
        (Dialect::Sqlite, Some(DatabaseErrorKind::Unknown)) => {
            let error = if has(&["database or disk is full"]) {
                StoreError::Full(text)
            } else if has(&["is locked", "locking protocol"]) {
                StoreError::Contention(text)
            } else if has(&[
                "disk I/O error",
                "unable to open database file",
                "readonly database",
            ]) {
                StoreError::Unavailable(text)
            } else {
                StoreError::Internal(text)
            };
            Failure { error, again: false }
        }
        (Dialect::Postgres, Some(kind)) => classify_postgres(kind, &message, text),
        (_, None) if matches!(error, DieselError::BrokenTransactionManager) => Failure {
            error: StoreError::Unavailable(text),
            again: false,
        },
        _ => Failure {
            error: StoreError::Internal(text),
            again: false,
        },
    }
}

fn classify_postgres(kind: &DatabaseErrorKind, message: &str, text: String) -> Failure {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match kind {
        DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::SerializationFailure => Failure {
            error: StoreError::Contention(text),
            again: true,
        },
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::ReadOnlyTransaction => Failure {
            error: StoreError::Unavailable(text),
            again: false,
        },
        _ if has(&["deadlock"]) => Failure {
            error: StoreError::Contention(text),
            again: true,
        },
        _ if has(&["lock timeout"]) => Failure {
            error: StoreError::Contention(text),
            again: false,
        },
        _ if has(&["No space left", "could not extend file"]) => Failure {
            error: StoreError::Full(text),
            again: false,
        },
        _ if has(&[
            "server closed the connection",
            "connection",
            "terminating",
            "shutting down",
            "starting up",
            "statement timeout",
            "no results",
            "SSL",
            "could not receive",
            "could not send",
        ]) =>
        {
            Failure {
                error: StoreError::Unavailable(text),
                again: false,
            }
        }
        _ => Failure {
            error: StoreError::Internal(text),
            again: false,
        },
    }
}
