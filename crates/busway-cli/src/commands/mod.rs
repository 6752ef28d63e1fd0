//! One file per command.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod dead_letters;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod migrate;
pub(crate) mod operations;
pub(crate) mod publish;
pub(crate) mod subscriptions;
pub(crate) mod tail;
