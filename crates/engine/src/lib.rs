//! Runs interactions: access, validation, identity, one atomic step each, audit.
//!
//! Knows no media type and no header. The caller is inside the handle: [`Engine::for_caller`] gives a
//! [`Session`], and a session runs [`fhir::Interaction`]s.

mod account;
mod audit;
pub mod check;
mod conditional;
pub mod context;
mod create;
mod delete;
mod edit;
mod erase;
pub mod error;
mod find_or_create;
mod history;
pub mod keys;
mod list;
mod matching;
mod mentions;
mod merge;
mod patch;
pub mod patient_id;
mod pix;
mod prepare;
mod read;
pub mod reply;
pub mod scope;
mod session;
pub mod transaction;
mod update;
mod validate;

pub use context::{Caller, ClientPolicy, Door, IdSource, RandomIds, Witness};
pub use error::{Error, LogLevel, Refusal};
pub use find_or_create::CANDIDATES;
pub use keys::KeySystems;
pub use reply::{Reply, WriteReply, Written};
pub use scope::{Lacking, Permission, Scopes};
pub use session::{Engine, Session};
pub use transaction::Failures;
