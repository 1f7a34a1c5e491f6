//! The HTTP edge of Passerelle: actix-web lives here and nowhere else.
//!
//! A request goes through [`gate`] (request id, panic guard, log, permit, credential) to the handler that
//! the table in [`routes`] names; a handler builds an interaction, runs it, and answers through [`respond`].

mod admin;
mod alias;
pub mod app;
mod ask;
mod audit;
pub mod auth;
mod base;
mod body;
mod bundle;
mod capability;
pub mod cli;
pub mod config;
mod conformance;
mod cors;
mod damage;
mod demo;
mod erasures;
mod error;
mod gate;
mod health;
pub mod log;
mod media;
mod meters;
#[cfg(test)]
mod mutants;
mod operation;
mod panic;
mod partner;
mod permits;
mod precondition;
mod prefer;
pub mod proxy;
mod rate;
mod respond;
mod rest;
mod routes;
mod serve;
mod smart;
mod spans;
mod start;
pub mod tls;
mod transaction;
mod wakes;

pub use routes::{all_routes, routes, routes_of_fhir};
