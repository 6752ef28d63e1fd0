//! Busway's vocabulary and contracts.
//!
//! Everything that the engine, the backends and the server agree on lives here: the [`Event`], the
//! [`Pattern`]s that choose events, the [`Definition`] of a subscription, the two traits that make a
//! backend ([`Log`] and [`Checkpoints`]), the [`Error`] all of them return, and the [`Seam`] through which
//! time, randomness and ids come in. The [`memory`] backend is the reference implementation.

mod capability;
mod checkpoints;
#[cfg(feature = "conformance")]
pub mod conformance;
mod definition;
mod diagnosis;
mod error;
mod event;
mod hex;
mod log;
pub mod memory;
mod metadata;
mod names;
mod nearest;
mod outbox;
mod pattern;
mod position;
mod seam;
mod time;
pub mod wire;

pub use capability::{Capabilities, Dedupe, Durability};
pub use checkpoints::{
    Checkpoint, Checkpoints, CommitOutcome, Control, DeadCause, DeadLetter, DeadLetterQuery, Failure, Handed,
    HoldRecord, HoldState, LaneCommit, LaneRecord, MemberId, MemberRecord, OperationRecord, OperationState, Page,
    Pulse, ReplayOf, Request, RequestKind, Segment, SubscriptionId, SubscriptionRecord, SubscriptionState, TurnRecord,
    Version,
};
pub use definition::{Backoff, Definition, Mode, OnDead, Order, Retry, Start};
pub use diagnosis::{Age, Finding, Level, Size};
pub use error::{BoxError, Error, ErrorKind, FieldError, Result, Status};
pub use event::{Body, Entry, Event, NewEvent, Payload, Undecodable};
pub use log::{Appended, Direction, Filter, Heads, Log, LogExt, ReadPage, ReadRequest, Stores, Tail, Wake};
pub use metadata::Metadata;
pub use names::{EventType, Key, Owner, SubscriptionName, TenantId};
pub use nearest::nearest;
pub use outbox::{Outbox, OutboxMark, OutboxPage, OutboxRow, OutboxStatements};
pub use pattern::{Pattern, Patterns};
pub use position::{Epoch, KeyId, LaneId, Position, Seq, TurnId, lane_of};
pub use seam::{Clock, ManualClock, Random, Seam, SeededRandom, SystemClock, SystemRandom};
pub use time::{InvalidTime, Timestamp};
