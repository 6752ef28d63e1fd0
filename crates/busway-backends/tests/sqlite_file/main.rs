//! What is particular to a store that is one SQLite file: opening it, sharing it, filling it, damaging it, losing it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod clock;
mod damage;
mod disk;
mod doctor;
mod events;
mod opening;
mod other_process;
mod processes;
mod whole;
