//! Medicapp connect v5 (`/v5/patients`): create, list, read, merge and delete the patients of one space —
//! `adapters.md` 3.2. Nothing is de-duplicated but the externalId.

mod address;
pub mod create;
pub mod list;
pub mod show;
pub mod update;

pub use address::Address;
pub use create::{Create, read_create, to_fhir, to_fhir_with};
pub use list::{Listing, MAX_PER_PAGE, Page, Pagination, Template, read_page};
pub use show::{Deleted, Patient, ShownRecord, View, deleted, show, show_fhir};
pub use update::{Update, apply, claims, read_update};
