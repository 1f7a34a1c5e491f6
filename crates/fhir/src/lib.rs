//! FHIR R4 for Patient and Practitioner: what the wire says, what the specification demands of it,
//! and the closed vocabulary of what can be asked.
//!
//! No I/O, no clock, no randomness, neither HTTP nor SQL. Every other crate stands on this one.

pub mod base64;
pub mod bundle;
pub mod canonical;
pub mod codec;
pub mod guard;
pub mod id;
pub mod identifier;
pub mod identity;
pub mod index;
pub mod interaction;
pub mod limits;
pub mod outcome;
pub mod parameters;
pub mod patch;
pub mod profile;
pub mod query;
pub mod resource;
pub mod time;
pub mod validate;

pub use canonical::Canonical;
pub use id::{Id, Target, VersionId};
pub use identifier::Identifier;
pub use interaction::Interaction;
pub use outcome::{Issue, IssueCode, Severity};
pub use resource::{Resource, ResourceType};
pub use time::Timestamp;
