//! The conformance suite: what every backend must do, as checks that anyone can run.
//!
//! A backend's test file says how a fresh store is made, and [`conformance_tests!`](crate::conformance_tests) does
//! the rest. [`doubles`] break one promise each, and prove that the checks notice. What the engine does on top of a
//! backend is proved by the engine's own suite, which takes the same [`Backend`].

#[macro_use]
mod failed;
mod backend;
mod checkpoints;
mod checks;
pub mod doubles;
mod log;
mod probe;
mod table;
mod tests;

pub use backend::Backend;
pub use checks::Check;
pub use failed::{Failed, Outcome};
pub use tests::test;
