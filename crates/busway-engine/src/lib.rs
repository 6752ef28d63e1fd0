//! Busway's engine: everything that is the same on every backend.

mod config;
mod engine;
mod handler;
mod lane;
mod views;

pub use config::Config;
pub use engine::{Engine, Tail};
pub use handler::{BoxFuture, Deadline, Delivery, Handler, Outcome};
pub use views::{
    DeliveryState, DeliveryView, EventPage, EventQuery, EventReport, Explained, Leased, Published, Put, SettleDead,
    SettleExtend, SettleRetry, Settled, Settlements, ShutdownReport, SubscriptionView,
};
