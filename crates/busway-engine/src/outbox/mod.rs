//! Transactional publishing: what callers have committed to the store's outbox is moved into the log.

mod letters;
mod relay;
mod row;

pub(crate) use letters::{is_built_in, reserved};
pub(crate) use relay::relay;
