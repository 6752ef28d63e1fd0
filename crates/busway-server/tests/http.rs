//! The server as its callers see it: a real one on a port of its own, over the memory backend, called by a real
//! HTTP client. The modules mirror the tree of addresses.

#![allow(clippy::unwrap_used, reason = "a test ends where it meets what it does not expect")]

mod access;
mod api;
mod bad_input;
mod extremes;
mod health;
mod paths;
mod shutdown;
mod support;
