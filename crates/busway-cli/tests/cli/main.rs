//! The binary as its users meet it: real processes, a real server on a free port, a folder of its own.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod batch;
mod bench;
mod completions;
mod configuration;
mod doctor;
mod embedded;
mod events;
mod finding_the_server;
mod first_minute;
mod migrate;
mod serve;
mod subscriptions;
mod support;
mod tail;
mod wrong_input;
