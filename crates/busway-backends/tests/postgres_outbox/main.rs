//! Transactional publishing on a real server.

#![allow(clippy::unwrap_used, reason = "a server that cannot be used ends its test")]

mod calls;
mod crashes;
mod first_times;
mod languages;
mod pages;
mod refused;
mod shop;
mod writers;
