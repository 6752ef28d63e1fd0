//! What PostgreSQL itself adds to lanes: commits that wait for each other or go together, changes of holds that are put together, and
//! rows that an open transaction keeps from being cleared away.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod commits;
mod gathered;
mod growth;
mod removal;
mod stage;
