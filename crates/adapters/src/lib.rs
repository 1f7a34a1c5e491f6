//! The partners' dialects as pure functions: partner JSON → `fhir::Interaction`, reply or refusal → partner JSON.
//!
//! No actix, diesel, clock or randomness, and no dependency but `fhir`. No door is built yet: until one is, the
//! server answers under `/fhir` only.
