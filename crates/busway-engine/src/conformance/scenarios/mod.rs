//! What the engine must do on every backend, as scenarios that anyone can run on their own.
//!
//! A backend's test file says how a fresh store is made, and
//! [`engine_conformance_tests!`](crate::engine_conformance_tests) does the rest. Scenarios hold the clock and run on
//! one thread that tells when nothing can happen any more unless time passes, so that nothing has to be waited for by
//! the clock on the wall. [`doubles`] break one promise of a store each while the engine runs on it.
//!
//! Some scenarios run at a tenth of their size and less, unless `BUSWAY_CONFORMANCE=full` is set.

#[macro_use]
mod failed;
mod acting;
pub mod doubles;
mod list;
mod material;
mod member;
mod quiet;
mod stage;
mod tests;
mod way;

mod control;
mod dead_letters;
mod definitions;
mod endurance;
mod fairness;
mod leaving;
mod matching;
mod order;
mod publishing;
mod pulling;
mod replays;
mod retention;
mod retries;
mod sharing;
mod takeover;
mod tenants;

pub use list::Scenario;
pub use tests::test;
