//! Busway, embedded: an event bus for applications with many tenants. An event is published once; every listener
//! that should hear of it does, in order per key, none lost.
//!
//! ```
//! use busway::{Context, Event, EventType, Result};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(EventType, Serialize, Deserialize)]
//! #[event("ticket.created")]
//! struct TicketCreated { #[event(key)] id: u32, subject: String } // in order per ticket
//!
//! async fn greet(event: Event<TicketCreated>, _: Context) -> Result {
//!     println!("{}: {}", event.tenant, event.payload.subject);
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result {
//!     let bus = busway::open("memory:").await?; // or sqlite:demo.db
//!     bus.subscribe("greet", greet).await?; // a durable name; bus.on("ticket.created", greet) makes one
//!     bus.tenant("acme").publish(TicketCreated { id: 1, subject: "Fire".into() }).await?;
//!     # return Ok(bus.shutdown().await.map(drop)?);
//!     Ok(bus.run().await?) // until Ctrl-C; finishes what is in flight
//! }
//! ```
//!
//! | to | use |
//! |---|---|
//! | open a bus | [`open`], [`open_env`] |
//! | say what an event is | [`EventType`] (derive), [`NewEvent`] for types known by name alone |
//! | publish | [`Tenant::publish`], [`Tenant::publish_all`], [`Tenant::publish_and_wait`], [`Context::publish`] |
//! | publish in your own transaction | [`Publish::within`]; [`Context::first_time`] to handle once |
//! | hear, durably | [`Bus::subscribe`], [`Bus::on`], [`Bus::subscribe_all`], [`Listener`], [`Payload`] |
//! | hear as long as a handle lives | [`Bus::ephemeral`] |
//! | hear in the publisher's call | [`Bus::inline`], [`Tenant::emit`] |
//! | decide about a delivery | [`retry_in`], [`dead`], [`skipped`], [`Context`] |
//! | test | [`testing`] |

mod bus;
mod cause;
mod context;
mod environment;
mod ephemeral;
mod event;
mod inline;
mod listener;
mod listening;
mod new_event;
mod open;
mod payload;
mod publish;
mod publish_and_wait;
mod replies;
mod scope;
mod shared;
mod signals;
mod subscribe;
mod subscription;
mod tenant;
pub mod testing;
mod transaction;
mod verdict;

use std::time::Duration;

pub use busway_core::{
    BoxError, Error, ErrorKind, FieldError, Key, Metadata, OnDead, Order, Retry, Seam, Start, Status, SubscriptionName,
    TenantId, Timestamp,
};
pub use busway_engine::{
    Config, Published, ShutdownReport, SubscriptionView,
    inline::{Occurrence, Registration},
};
#[cfg(feature = "macros")]
pub use busway_macros::{EventType, Payload};

pub use bus::Bus;
pub use context::Context;
pub use ephemeral::Ephemeral;
pub use event::Event;
pub use listener::Listener;
pub use new_event::NewEvent;
pub use open::{Open, open, open_env};
pub use payload::{EventType, Payload, Undecodable};
pub use publish::{Publish, PublishAll};
pub use publish_and_wait::PublishAndWait;
pub use subscribe::Subscribe;
pub use subscription::Subscription;
pub use tenant::Tenant;
pub use transaction::Transaction;
pub use verdict::{dead, retry_in, skipped};

/// What listeners and programs return: `?` takes any error.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// A second.
pub const SECOND: Duration = Duration::from_secs(1);
/// A minute.
pub const MINUTE: Duration = Duration::from_secs(60);
/// An hour.
pub const HOUR: Duration = Duration::from_secs(3_600);

/// The programs of the guide compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
mod guide {}

/// So do those of the page on transactions.
#[cfg(all(doctest, feature = "macros", feature = "sqlx-0_9", feature = "tokio-postgres-0_7"))]
#[doc = include_str!("../../../docs/transactions.md")]
mod transactions_guide {}

/// The untyped forms underneath: names, JSON payloads, stored events, definitions, dead letters, and the engine's
/// views of them.
pub mod raw {
    pub use busway_core::*;
    pub use busway_engine::{
        Config, DeliveryState, DeliveryView, Engine, EventPage, EventQuery, EventReport, Explained, Published, Put,
        ShutdownReport, SubscriptionView, Tail,
    };
}
