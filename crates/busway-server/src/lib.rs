//! Busway over HTTP: events, subscriptions and their pullers, dead letters, operations.
//!
//! [`Server`] stands in front of an [`Engine`](busway_engine::Engine) and names no backend. All routes are on
//! one page (`router.rs`), each resource in one file. Every refusal is `application/problem+json` under the
//! same codes that [`ErrorKind`](busway_core::ErrorKind) has.

mod accept;
mod access;
mod app;
mod body;
mod config;
mod connections;
mod dead_letter_body;
mod dead_letters;
mod doctor;
mod events;
mod fields;
mod health;
mod json;
mod listen;
mod operations;
mod path;
mod problem;
mod publication;
mod pull;
mod query;
mod router;
mod server;
mod settle;
mod stream;
mod subscription_body;
mod subscriptions;

pub use config::Config;
pub use server::Server;
