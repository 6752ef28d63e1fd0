//! What becomes of publishers and subscriptions when PostgreSQL crashes, its connections break, it is moved, or a pooler
//! stands before it.

#![allow(clippy::unwrap_used, reason = "a server that cannot be used ends its test")]

mod connections;
mod crashes;
mod figures;
mod numbered;
mod pooled;
mod restored;
mod site;
mod traffic;
mod wakeups;
