//! The HTTP edge of Passerelle: actix-web lives here and nowhere else.
//!
//! A request goes through [`gate`] (request id, panic guard, log, permit, credential) to the handler that
//! the table in [`routes`] names; a handler builds an interaction, runs it, and answers through [`respond`].

pub mod app;
mod ask;
#[path = "auth_placeholder.rs"]
pub mod auth;
mod base;
mod body;
mod bundle;
mod capability;
mod cors;
mod error;
mod gate;
mod health;
mod media;
mod precondition;
mod prefer;
pub mod proxy;
mod respond;
mod rest;
mod routes;
mod serve;
