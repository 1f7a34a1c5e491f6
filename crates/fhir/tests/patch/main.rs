//! Patches: the cases of `fixtures/fhir/patch`, what holds for any patch, and those that nobody should send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod cases;
mod documents;
mod hostile;
#[path = "../mutate/mod.rs"]
mod mutate;
