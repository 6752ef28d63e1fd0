//! What the API gives, as far as people are shown it.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A stored event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Its id.
    pub(crate) id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// Whose it is.
    pub(crate) tenant_id: String,
    /// What it is ordered by.
    pub(crate) key: Option<String>,
    /// When it happened.
    pub(crate) time: String,
    /// What is told.
    pub(crate) payload: Box<RawValue>,
}

/// What became of an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The event.
    pub(crate) event: Event,
    /// In each subscription that it matches.
    pub(crate) deliveries: Vec<Fate>,
    /// The event that caused it.
    pub(crate) caused_by: Option<Event>,
    /// Events that it caused.
    #[serde(default)]
    pub(crate) caused: Vec<Event>,
}

/// What became of an event in one subscription.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fate {
    /// The subscription's name.
    pub(crate) subscription: String,
    /// `waiting`, `delivered`, `held` or `dead`.
    pub(crate) state: String,
    /// Its failed runs.
    pub(crate) attempts: Vec<Attempt>,
    /// Runs begun.
    pub(crate) runs: u32,
    /// When it is tried next.
    pub(crate) due_at: Option<String>,
    /// Its dead letter.
    pub(crate) dead_letter: Option<String>,
}

/// One run that failed.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    /// Why.
    pub(crate) error: Option<String>,
}

/// A subscription as it stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    /// Its name.
    pub(crate) name: String,
    /// The tenant that owns it; `None` for the installation's.
    pub(crate) tenant: Option<String>,
    /// Which events.
    pub(crate) types: Vec<String>,
    /// How it is tried again.
    pub(crate) retry: Retry,
    /// How it stands.
    pub(crate) state: String,
    /// How far behind it is.
    pub(crate) lag: Lag,
    /// Handed out and not settled.
    pub(crate) in_flight: u64,
    /// Keys held.
    pub(crate) held: u64,
    /// Dead letters.
    pub(crate) dead: u64,
    /// Acknowledged, ever.
    pub(crate) delivered_total: u64,
}

/// How often a delivery is tried.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Retry {
    /// Runs in all.
    pub(crate) attempts: u32,
}

/// How far behind a subscription is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lag {
    /// At most this many events are unread.
    pub(crate) at_most: u64,
    /// How long the oldest of them has been stored.
    pub(crate) oldest_age_ms: u64,
}

/// What a pull gave: deliveries, read or as they came.
#[derive(Debug, Deserialize)]
pub(crate) struct Pulled<D> {
    pub(crate) deliveries: Vec<D>,
}

/// A delivery.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// To settle it by.
    pub(crate) delivery_id: String,
    /// Runs begun, this one included.
    pub(crate) attempt: u32,
    /// Until when it is the caller's.
    pub(crate) lease_ends_at: String,
    /// The event.
    pub(crate) event: Event,
}

/// What became of settlements.
#[derive(Debug, Deserialize)]
pub(crate) struct SettleResults {
    /// One for each, in the order sent.
    pub(crate) results: Vec<SettleResult>,
}

/// What became of one settlement.
#[derive(Debug, Deserialize)]
pub(crate) struct SettleResult {
    /// The delivery.
    pub(crate) id: String,
    /// `settled` or `stale`.
    pub(crate) status: String,
}

/// What waits for someone to decide.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetter {
    /// Its id.
    pub(crate) id: String,
    /// The subscription.
    pub(crate) subscription: Option<String>,
    /// Whose event it is.
    pub(crate) tenant_id: Option<String>,
    /// The event.
    pub(crate) event: Option<Event>,
    /// What a retry delivers in place of the payload.
    pub(crate) edited_payload: Option<Box<RawValue>>,
    /// The last error.
    pub(crate) error: String,
    /// Runs begun.
    pub(crate) attempts: u32,
    /// When the first run failed.
    pub(crate) first_failed_at: String,
    /// When the last run failed.
    pub(crate) died_at: String,
    /// Why it is dead.
    pub(crate) cause: String,
}

/// Long work that goes on by itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// Its id.
    pub(crate) id: String,
    /// What it does.
    pub(crate) kind: String,
    /// `running`, `done`, `failed` or `cancelled`.
    pub(crate) state: String,
    /// Items done.
    pub(crate) done: u64,
    /// Items in all, as far as known.
    pub(crate) total: u64,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// The operation that a call began.
#[derive(Debug, Deserialize)]
pub(crate) struct Begun {
    /// Its id.
    pub(crate) operation: String,
}

/// What a check found.
#[derive(Debug, Deserialize)]
pub(crate) struct Finding {
    /// `ok`, `warn` or `fail`.
    pub(crate) level: String,
    /// What was found, as a sentence.
    pub(crate) detail: String,
    /// The way out.
    pub(crate) remedy: Option<String>,
}
