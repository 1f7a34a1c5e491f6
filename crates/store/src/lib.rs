//! Durable storage: one API, SQLite and PostgreSQL behind it.
//!
//! The only crate with diesel. Reads and writes go through a handle of one space
//! ([`Store::for_space`]): a query without a space cannot be expressed. Every change goes through
//! [`SpaceStore::write`]: one transaction that holds resource, version, key, index and audit rows.

pub mod access;
pub mod api;
pub mod audit;
pub mod error;
mod stub;

pub use api::{
    Class, ClassFilter, Holder, KeyRow, KeyState, LockSet, NewResource, Page, Policy, Reader, SpaceKey,
    Stored, Writer,
};
pub use error::StoreError;
pub use stub::{SpaceStore, Store};
