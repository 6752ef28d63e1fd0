//! Testing what uses the bus: a bus in memory whose clock stands still until the test moves it.
//!
//! ```
//! use busway::{Context, Event, EventType, Result, testing};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(EventType, Serialize, Deserialize)]
//! #[event("user.signed_up")]
//! struct SignedUp { email: String }
//!
//! async fn welcome(_: Event<SignedUp>, _: Context) -> Result { Ok(()) }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
//! let bus = testing::bus().await;
//! bus.subscribe("welcome", welcome).await?;
//! bus.tenant("acme").publish(SignedUp { email: "ada@example.org".into() }).await?;
//!
//! bus.assert_published::<SignedUp>(|event| event.payload.email == "ada@example.org");
//! bus.drain().await.assert_ok(); // or names listener, event, error
//! # Ok(()) }
//! ```

mod bus;
mod faults;
mod report;

pub use bus::{TestBus, bus};
pub(crate) use faults::Faults;
pub use report::{Report, Unhandled};
