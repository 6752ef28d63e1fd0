//! What becomes of publishers and subscriptions when PostgreSQL crashes or fails over, its connections break or run out, and
//! it is moved.

#![allow(clippy::unwrap_used, reason = "a server that cannot be used ends its test")]

mod connections;
mod crashes;
mod crowded;
mod failover;
mod figures;
mod numbered;
mod restored;
mod site;
mod traffic;
mod wakeups;
