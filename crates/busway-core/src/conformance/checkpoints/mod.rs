//! What every store of checkpoints must do.

pub(in crate::conformance) mod commits;
pub(in crate::conformance) mod dead_letters;
pub(in crate::conformance) mod holds;
pub(in crate::conformance) mod leases;
mod material;
pub(in crate::conformance) mod members;
pub(in crate::conformance) mod operations;
pub(in crate::conformance) mod reference;
pub(in crate::conformance) mod removal;
pub(in crate::conformance) mod requests;
pub(in crate::conformance) mod subscriptions;
pub(in crate::conformance) mod takers;
