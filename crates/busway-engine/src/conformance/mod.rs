//! What shows that an engine keeps its guarantees on a backend: scenarios that every backend runs, a history of what
//! really happened, and an independent judge of it.

mod history;
mod judge;
mod scenarios;

pub use history::{Ended, History, Lettered, Record, Stamp};
pub use judge::{Bounds, Summary, Violation, judge};
pub use scenarios::{Scenario, doubles, test};
