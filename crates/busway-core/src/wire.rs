//! Events as JSON in Busway's own form, camelCase: what is posted, and what is given back.

mod faults;
mod members;
mod parse;
mod write;

pub use parse::{MAX_BATCH, MAX_EVENT_BYTES, parse_batch, parse_event};
pub use write::{write_event, write_stored};

pub(crate) use faults::{Faults, pointer};
pub(crate) use members::{each_member, is_json, kind, string, trim};

#[cfg(test)]
mod tests;
