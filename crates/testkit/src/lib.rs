//! What the tests of every crate share: an HTTP/1.1 client with control over each byte, throw-away
//! PostgreSQL clusters, a server process under test, a harness that runs one test function on each
//! database, mutators, races, history checks, fixture folders and believable sample resources.
//!
//! Everything random comes from [`random::Random`], whose seed is printed on failure, so a failing
//! run can be repeated.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a panic is how a test fails, and no input from outside reaches this crate"
)]

pub mod collector;
pub mod cores;
pub mod disk;
pub mod fixtures;
pub mod harness;
pub mod history;
pub mod http;
pub mod metrics;
pub mod mutate;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod race;
pub mod random;
pub mod samples;
pub mod server;
pub mod strace;
pub mod sweep;
pub mod tls;
pub mod token;
pub mod torture;
pub mod wait;

pub use serde_json::{Value, json};
