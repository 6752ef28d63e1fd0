//! Delivery in mode `run`: the asynchronous shell around the lane's state machine.

mod attempt;
mod backlog;
mod page;
mod permits;
mod reader;
mod runner;
mod shift;
mod store;
mod work;

pub(crate) use page::{Page, Read};
pub(crate) use permits::AlonePermit;
pub(crate) use reader::{Found, Reader};
pub(crate) use runner::{Ended, LaneHandle, Runner};
pub(crate) use store::Place;
pub(crate) use work::Work;
