//! A log in PostgreSQL: how it is opened, cut into parts, moved, lost and found, and how other processes hear of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod hosts;
mod lost;
mod moved;
mod opening;
mod parts;
mod rows;
mod stage;
mod tls;
mod waking;
