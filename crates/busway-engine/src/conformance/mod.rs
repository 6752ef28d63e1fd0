//! What shows that an engine keeps its guarantees on a backend: a history of what really happened, and an
//! independent judge of it.

mod history;
mod judge;

pub use history::{Ended, History, Lettered, Record, Stamp};
pub use judge::{Bounds, Summary, Violation, judge};
