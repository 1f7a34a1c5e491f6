//! What can go wrong below the engine, by what it means for the caller.

/// A failure of the store. The texts are for the log; no client ever sees one.
#[derive(Debug, thiserror::Error)]
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
    /// What is stored does not make sense, or a statement failed that cannot fail: a bug (500).
    #[error("internal: {0}")]
    Internal(String),
}
