//! The partners' dialects as pure functions: partner JSON → `fhir::Interaction`, reply or refusal → partner JSON.
//!
//! No actix, diesel, clock or randomness, and no dependency but `fhir`: what time it is, which ids are fresh and
//! which space is meant is handed in.
//!
//! What the doors share: [`json`] reads a partner's body, [`naming`] names our identifier systems and extensions,
//! [`pick`] chooses among several names, telecoms and addresses, [`overlay`] keeps what FHIR cannot hold
//! verbatim, [`gender`] and [`status`] are the tables of genders and statuses, [`sticky`] says what stays when a FHIR
//! client replaces a patient. [`translate`] turns records of any dialect into any other.

pub mod concept_map;
pub mod ehealth;
pub mod gender;
pub mod json;
pub mod medicapp;
pub mod naming;
pub mod overlay;
pub mod patient_graph;
pub mod pick;
pub mod status;
pub mod sticky;
pub mod translate;
pub mod tree;
