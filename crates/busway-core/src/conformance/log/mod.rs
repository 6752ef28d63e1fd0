//! What every log must do.

pub(in crate::conformance) mod batches;
pub(in crate::conformance) mod declared;
pub(in crate::conformance) mod duplicates;
pub(in crate::conformance) mod filters;
pub(in crate::conformance) mod finding;
pub(in crate::conformance) mod order;
pub(in crate::conformance) mod pruning;
pub(in crate::conformance) mod reading;
pub(in crate::conformance) mod reference;
pub(in crate::conformance) mod round_trip;
pub(in crate::conformance) mod time;
pub(in crate::conformance) mod waking;
