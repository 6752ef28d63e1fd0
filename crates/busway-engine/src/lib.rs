//! Busway's engine: everything that is the same on every backend.

mod append;
mod browse;
mod caretaker;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dead_letters;
mod definitions;
mod deliver;
mod diagnose;
mod engine;
mod explain;
mod handler;
pub mod inline;
mod lane;
mod lease;
mod members;
mod operations;
mod outbox;
mod pull;
mod registry;
mod replay;
mod report;
mod service;
mod signal;
mod spread;
mod tail;
mod views;

pub use config::Config;
pub use engine::Engine;
pub use handler::{BoxFuture, Deadline, Delivery, Handler, Outcome};
pub use tail::Tail;
pub use views::{
    DeliveryState, DeliveryView, EventPage, EventQuery, EventReport, Explained, Leased, Published, Put, SettleDead,
    SettleExtend, SettleRetry, Settled, Settlements, ShutdownReport, SubscriptionView,
};
