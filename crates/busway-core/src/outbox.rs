use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Result, Timestamp};

/// One row of an outbox, as its writer left it: nothing of it has been checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxRow {
    /// Which row; of two of which one was committed before the other was written, the earlier has the lower.
    pub number: u64,
    /// The event's id.
    pub id: Uuid,
    /// What happened.
    pub event_type: Option<String>,
    /// Whose event it is.
    pub tenant: Option<String>,
    /// What it is ordered by.
    pub key: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// What is told, as JSON text.
    pub payload: Option<String>,
    /// What is said beside it, as JSON text.
    pub metadata: Option<String>,
}

/// Up to where an outbox was read; only the outbox knows what its text means. The default: from the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OutboxMark(pub String);

impl fmt::Display for OutboxMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Some rows, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxPage {
    /// The rows by rising number.
    pub rows: Vec<OutboxRow>,
    /// Where the next page begins.
    pub mark: OutboxMark,
}

/// SQL that a caller runs in its own transaction. Every parameter is a text or NULL; the answer is one row of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxStatements {
    /// Publishes an event: type, tenant, payload, key, metadata, id, time in milliseconds since 1970. Answers its id.
    pub publish: String,
    /// Asks whether an event is met for the first time: subscription, event id, tenant. Answers `true` or `false`.
    pub first_time: String,
}

/// Events that callers have written in transactions of their own, on their way to the log.
///
/// Whoever moves them reads page after page, appends what they say under the ids they bear, and removes them.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Rows that are committed, at most `max`; fewer where they are large. An empty page means that there are no more.
    ///
    /// From page to page every row is given, and none before another that was committed when it was written, as long
    /// as what was given is removed before the next page is asked for. A row that was given and not removed is given
    /// again from the beginning, and may be otherwise.
    async fn committed(&self, from: &OutboxMark, max: usize) -> Result<OutboxPage>;

    /// Removes rows. It need not be durable: what comes back is given once more.
    async fn remove(&self, numbers: &[u64]) -> Result<()>;

    /// Forgets which events were met before this time, unless an event as old is still kept; returns how many.
    async fn forget_first_times(&self, before: Timestamp) -> Result<u64>;

    /// How callers write to it; `None` if not by SQL.
    fn statements(&self) -> Option<&OutboxStatements>;
}
