//! Durable storage: one API, SQLite and PostgreSQL behind it.
//!
//! The only crate with diesel. Reads and writes go through a handle of one space
//! ([`Store::for_space`]): a query without a space cannot be expressed. Every change goes through
//! [`SpaceStore::write`]: one transaction that holds resource, version, key, index and audit rows.

pub mod access;
pub mod api;
pub mod audit;
pub mod backup;
pub mod clock;
mod codes;
mod cursor;
mod entries;
pub mod error;
pub mod inspect;
mod job;
pub mod ledger;
pub mod meters;
mod migrate;
pub mod options;
#[doc(hidden)]
pub mod pause;
mod pool;
mod postgres;
mod queue;
mod search;
mod settings;
mod sql;
mod sqlite;
mod statement;
mod store;
mod text;
pub mod trail;
mod transaction;

pub use access::{Access, Change};
pub use api::{
    AllocatedId, Among, Class, ClassFilter, HistoryPage, Holder, KeyRow, KeyState, ListPage, LockSet,
    NewResource, Occasion, Page, Past, Policy, Reader, Record, SpaceKey, Stored, Trace, Whose, Writer,
};
pub use audit::AuditEntry;
pub use clock::{Clock, SystemClock};
pub use error::StoreError;
pub use meters::{Levels, Meters};
pub use options::{Durability, Options};
pub use postgres::{ScrubStep, Scrubbed};
pub use store::{CLOSE_TIMEOUT, SpaceStore, Store};
