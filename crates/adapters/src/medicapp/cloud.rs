//! Medicapp cloud partner v5 (`/cloud/partner/v5/patients`): create or find inside a trust space, read by uuid
//! or by key, change what is not civil identity — `adapters.md` 3.1.

pub mod create;
pub mod find;
pub mod judge;
pub mod show;
pub mod update;

pub use create::{Create, criteria, find_or_create, read_create, to_fhir, to_fhir_with};
pub use find::{Find, find, read_find};
pub use judge::{Verdict, Warning, judge, match_key};
pub use show::{Full, Keys, View, show, show_created, show_found, trust_space};
pub use update::{Update, apply, claims, read_update};
