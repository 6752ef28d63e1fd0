use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Definition, Entry, EventType, KeyId, LaneId, Owner, Payload, Result, Seq, SubscriptionName, TenantId, Timestamp,
    TurnId,
};

/// Which subscription; another one made later under the same name has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub Uuid);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which member: a process that works on subscriptions, unique across hosts and restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberId(pub Uuid);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of a lane's checkpoint. The fence rises whenever the lane changes hands; `n` with each commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Rises whenever the lane changes hands.
    pub fence: u64,
    /// Rises by one with each commit under a fence.
    pub n: u64,
}

impl Version {
    /// The version after one more commit by the same holder.
    pub fn next(self) -> Self {
        Self { n: self.n + 1, ..self }
    }

    /// The version by which a lane is taken from this one.
    pub fn taken(self) -> Self {
        Self { fence: self.fence + 1, n: 0 }
    }
}

/// From which seq on (included) which revision of a definition decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The first seq.
    pub from: Seq,
    /// The revision.
    pub revision: u64,
}

/// The event that runs alone, written before it starts, so that a process it kills can be charged with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handed {
    /// Its seq.
    pub seq: Seq,
    /// Its key, a [`KeyId`].
    pub key: u128,
    /// Its tenant's turn, a [`TurnId`].
    pub turn: u64,
}

/// How far a subscription has come in a lane, and who works on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Everything up to here is settled or in a hold.
    pub position: Seq,
    /// Compared and swapped by each commit.
    pub version: Version,
    /// A random number of the commit that wrote this, by which a repeat of it is recognised.
    pub written_by: u64,
    /// Who holds the lane; stays after a release.
    pub holder: Option<MemberId>,
    /// True if the holder gave the lane back, or nobody ever held it.
    pub released: bool,
    /// The event that runs alone.
    pub handed: Option<Handed>,
    /// After an unclean loss: a second one before `position` gets here makes the window run alone. 0: none.
    pub probation: Seq,
    /// Which revision decides from where on; the first segment covers the position.
    pub segments: Vec<Segment>,
    /// Deliveries acknowledged, ever.
    pub delivered: u64,
    /// Runs that failed, ever.
    pub failed: u64,
}

impl Checkpoint {
    /// Of a new subscription that starts after `position` under `revision`; nobody holds the lane.
    pub fn starting(position: Seq, revision: u64) -> Self {
        Self {
            position,
            version: Version::default(),
            written_by: 0,
            holder: None,
            released: true,
            handed: None,
            probation: 0,
            segments: vec![Segment { from: 0, revision }],
            delivered: 0,
            failed: 0,
        }
    }
}

/// What a hold waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldState {
    /// For its time, or for a free slot.
    Waiting,
    /// For its turn to run alone, since its last run's process was lost.
    Suspect,
    /// For its handler.
    Running,
    /// For a puller.
    Leased,
    /// For someone to decide on its dead letter.
    Blocked,
}

/// One failed run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub error: Arc<str>,
}

/// One key of a subscription that waits while the position moves on.
///
/// Stored without `backlog`; the seqs of later events go beside it in chunks ([`LaneCommit::chunks`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HoldRecord {
    /// Which key.
    pub key: KeyId,
    /// Whose turn it belongs to.
    pub turn: TurnId,
    /// Everything of the key up to here is settled.
    pub done: Seq,
    /// The first unsettled event, if known.
    pub head: Option<Seq>,
    /// A dead letter (its event's seq) to be run before the head.
    pub again: Option<Seq>,
    /// What it waits for.
    pub state: HoldState,
    /// Runs begun on the head (or on `again`).
    pub attempt: u32,
    /// When it may run, or its lease ends.
    pub due: Timestamp,
    /// Leased: the number that a settlement must bear; 0 otherwise.
    pub fence: u64,
    /// Leased: the last event of the lease; 0 otherwise.
    pub last: Seq,
    /// The head's failures, newest last, at most ten.
    pub failures: Vec<Failure>,
    /// The seqs of the key's later events up to the position, ascending; only in what is loaded.
    pub backlog: Vec<Seq>,
}

/// A tenant of a subscription that was over its share, read on its own cursor: everything of it after
/// `position` and up to the lane's position is neither settled nor in a hold of its own, unless a hold says so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TurnRecord {
    /// Whose turn.
    pub turn: TurnId,
    /// The tenant.
    pub tenant: TenantId,
    /// Everything of the tenant up to here is settled or in a hold.
    pub position: Seq,
    /// As [`Checkpoint::probation`], for this tenant's window.
    pub probation: Seq,
}

/// Why a delivery is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadCause {
    /// Its attempts are used up.
    Attempts,
    /// The handler said that no further try can help.
    Permanent,
    /// The entry is no event.
    Undecodable,
    /// Its runs killed their processes.
    Lost,
    /// The catalog refused it.
    Rejected,
}

/// A delivery that used up its attempts, kept until someone decides. One per (subscription, lane, seq).
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Given by the store when it is first written; 0 before.
    pub id: u64,
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Whose subscription.
    pub owner: Owner,
    /// The subscription's name.
    pub name: SubscriptionName,
    /// The event, with its place in the log.
    pub entry: Arc<Entry>,
    /// The key it is ordered by in this subscription.
    pub key: KeyId,
    /// The payload that a retry delivers in place of the event's.
    pub edited_payload: Option<Payload>,
    /// The last error.
    pub error: Arc<str>,
    /// How many runs were begun.
    pub attempts: u32,
    /// When the first run failed.
    pub first_failed_at: Timestamp,
    /// When the last run failed.
    pub died_at: Timestamp,
    /// Why it is dead.
    pub cause: DeadCause,
}

/// Which dead letters; an empty query means all.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterQuery {
    /// Of one owner's subscriptions.
    pub owner: Option<Owner>,
    /// Of the subscription of this name.
    pub name: Option<SubscriptionName>,
    /// Of the subscription with this id.
    pub subscription: Option<SubscriptionId>,
    /// Of this tenant's events.
    pub tenant: Option<TenantId>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// Died before.
    pub before: Option<Timestamp>,
    /// With a higher id than this.
    pub after_id: u64,
    /// At most this many.
    pub limit: usize,
}

/// Items of a list, and whether more follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// True if more follow.
    pub more: bool,
}

/// What an outsider asks of a lane; the commit that carries it out strikes it off.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Given by the store; rises.
    pub id: u64,
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Of which lane.
    pub lane: LaneId,
    /// What is asked.
    pub kind: RequestKind,
}

/// What an outsider may ask of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RequestKind {
    /// Run the dead letter of this seq again, its attempts from 1.
    Retry {
        /// The dead event's seq.
        seq: Seq,
        /// Its key, a [`KeyId`].
        #[serde(with = "crate::hex")]
        key: u128,
        /// Its turn, a [`TurnId`].
        turn: u64,
    },
    /// Remove the dead letter of this seq; a blocked key goes on.
    Discard {
        /// The dead event's seq.
        seq: Seq,
        /// Its key, a [`KeyId`].
        #[serde(with = "crate::hex")]
        key: u128,
    },
    /// Go on from here: everything up to `to` counts as settled, everything after it as not.
    Seek {
        /// The new position.
        to: Seq,
    },
    /// Adopt a revision; `end` is the lane's head when it was asked.
    Redefine {
        /// The revision.
        revision: u64,
        /// The lane's head when it was asked.
        end: Seq,
    },
}

/// One atomic change of a lane: applied whole if the stored version is `expected`, else not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneCommit {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Of which lane.
    pub lane: LaneId,
    /// The version that must be stored.
    pub expected: Version,
    /// What is stored after it; its version is `expected.next()`, or `expected.taken()` by who takes the lane.
    pub checkpoint: Checkpoint,
    /// Holds written, whole (their `backlog` is empty).
    pub holds: Vec<HoldRecord>,
    /// Holds removed, with their chunks.
    pub released: Vec<KeyId>,
    /// Seqs to be remembered for holds. Of a written hold, chunks whose last seq is ≤ `done` may be forgotten.
    pub chunks: Vec<(KeyId, Vec<Seq>)>,
    /// Tenant holds written.
    pub turns: Vec<TurnRecord>,
    /// Tenant holds removed.
    pub turns_removed: Vec<TurnId>,
    /// Dead letters added; one of the same (subscription, lane, seq) is updated and keeps its id and edit.
    pub dead: Vec<DeadLetter>,
    /// Seqs whose dead letters go.
    pub buried: Vec<Seq>,
    /// Requests struck off.
    pub requests: Vec<u64>,
    /// True if every hold, tenant hold and chunk of the lane goes first: a seek.
    pub clear: bool,
}

impl LaneCommit {
    /// A commit that writes this checkpoint over `expected` and nothing else.
    pub fn new(subscription: SubscriptionId, lane: LaneId, expected: Version, checkpoint: Checkpoint) -> Self {
        Self {
            subscription,
            lane,
            expected,
            checkpoint,
            holds: Vec::new(),
            released: Vec::new(),
            chunks: Vec::new(),
            turns: Vec::new(),
            turns_removed: Vec::new(),
            dead: Vec::new(),
            buried: Vec::new(),
            requests: Vec::new(),
            clear: false,
        }
    }
}

/// What became of a commit. An error of kind `OutcomeUnknown` or a temporary one means: repeat it unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Applied now, or recognised as applied before: version and `written_by` are those of this commit.
    Done,
    /// Not applied: this version is stored, or `None` if the subscription is gone.
    Fenced(Option<Version>),
}

/// A lane as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRecord {
    /// How far it has come.
    pub checkpoint: Checkpoint,
    /// Its holds, with their backlogs.
    pub holds: Vec<HoldRecord>,
    /// Its tenant holds.
    pub turns: Vec<TurnRecord>,
    /// Seqs of its dead letters.
    pub dead: Vec<Seq>,
    /// What is asked of it, oldest first.
    pub requests: Vec<Request>,
}

/// What a replay goes over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayOf {
    /// Whose handler gets it.
    pub subscription: SubscriptionId,
    /// The operation that tells how far it is.
    pub operation: Uuid,
    /// The last seq of each lane.
    pub to: Vec<Seq>,
}

/// What an operator has decided of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// It runs.
    #[default]
    Running,
    /// It stands still until resumed.
    Paused,
    /// Its endpoint is disabled.
    Disabled,
    /// It stood unread too long.
    Expired,
}

/// How a subscription stands, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionState {
    /// It runs.
    Running,
    /// It stands still until resumed.
    Paused,
    /// A lane has as many holds as it may.
    Saturated,
    /// The breaker of a lane is open.
    Broken,
    /// Its endpoint is disabled.
    Disabled,
    /// It stood unread too long.
    Expired,
}

/// A subscription as it is stored; changed by compare-and-set on `version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionRecord {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose it is.
    pub owner: Owner,
    /// Its name, unique per owner among those that are no replay.
    pub name: SubscriptionName,
    /// Rises by one with each change of the record.
    pub version: u64,
    /// The newest revision of the definition, from 1.
    pub revision: u64,
    /// The definition of that revision.
    pub definition: Definition,
    /// Older revisions that a lane may still need.
    pub earlier: Vec<(u64, Definition)>,
    /// What an operator has decided.
    pub control: Control,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it last moved or stood at the end, for `expire_after_ms`.
    pub read_at: Timestamp,
    /// Set on the hidden subscription of a replay.
    pub replay: Option<ReplayOf>,
}

/// A member as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRecord {
    /// Its id.
    pub id: MemberId,
    /// Host and process id, to be shown.
    pub name: String,
    /// Raised by the member: while it rises, the member lives.
    pub counter: u64,
    /// How long its counter must stand still before others take its lanes.
    pub lease_ms: u64,
    /// Which subscriptions it has handlers for.
    pub serves: Vec<SubscriptionId>,
}

impl MemberRecord {
    /// The lease as a duration.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

/// What one heartbeat tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulse {
    /// Every member that is stored, the caller included.
    pub members: Vec<MemberRecord>,
    /// Rises whenever a subscription is saved or removed or a request is left.
    pub changes: u64,
}

/// How an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Under way.
    Running,
    /// Finished.
    Done,
    /// Given up with an error.
    Failed,
    /// Ended by someone.
    Cancelled,
}

/// Long work that someone asked for; goes on after a crash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationRecord {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub owner: Owner,
    /// Rises by one with each change.
    pub version: u64,
    /// `replay`, `retry` or `discard`.
    pub kind: String,
    /// How it stands.
    pub state: OperationState,
    /// Items done.
    pub done: u64,
    /// Items in all, as far as known.
    pub total: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// What was asked, as JSON.
    pub params: String,
    /// When it was asked.
    pub made_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Subscriptions, members, lanes, holds, dead letters, requests and operations.
#[async_trait]
pub trait Checkpoints: Send + Sync + 'static {
    /// Saves a subscription if the stored version is `expected` (`None`: if neither its id nor, unless it is
    /// a replay, its (owner, name) is stored). Made with one [`Checkpoint::starting`] per position of `start`,
    /// which counts only then. False if refused. `record.version` is what is stored.
    async fn save_subscription(
        &self,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool>;

    /// All subscriptions, replays included.
    async fn subscriptions(&self) -> Result<Vec<SubscriptionRecord>>;

    /// Removes a subscription with its lanes, holds and requests, and its dead letters unless they are to be
    /// kept. False if it was not there.
    async fn remove_subscription(&self, id: SubscriptionId, keep_dead_letters: bool) -> Result<bool>;

    /// Writes the member's record and tells who else there is.
    async fn pulse(&self, member: &MemberRecord) -> Result<Pulse>;

    /// Forgets a member.
    async fn remove_member(&self, id: MemberId) -> Result<()>;

    /// The checkpoints of all lanes of all subscriptions, or of one.
    async fn checkpoints(&self, of: Option<SubscriptionId>) -> Result<Vec<(SubscriptionId, LaneId, Checkpoint)>>;

    /// A lane, whole, as one snapshot; `None` if the subscription is not there.
    async fn lane(&self, subscription: SubscriptionId, lane: LaneId) -> Result<Option<LaneRecord>>;

    /// How many holds each lane of a subscription has, and the least seq that a hold or a tenant hold of it
    /// still needs (`Seq::MAX` if none): (lane, holds, least seq needed).
    async fn hold_counts(&self, subscription: SubscriptionId) -> Result<Vec<(LaneId, u64, Seq)>>;

    /// Applies a change of a lane; see [`LaneCommit`].
    async fn commit(&self, commit: LaneCommit) -> Result<CommitOutcome>;

    /// Leaves a request for a lane; returns its id. `NotFound` if the subscription is gone.
    async fn request(&self, subscription: SubscriptionId, lane: LaneId, kind: RequestKind) -> Result<u64>;

    /// All requests not yet carried out, oldest first.
    async fn requests(&self) -> Result<Vec<Request>>;

    /// Dead letters by rising id.
    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Page<DeadLetter>>;

    /// How many dead letters a subscription has.
    async fn dead_count(&self, subscription: SubscriptionId) -> Result<u64>;

    /// One dead letter.
    async fn dead_letter(&self, id: u64) -> Result<Option<DeadLetter>>;

    /// The dead letter of an event in a subscription.
    async fn dead_letter_of(&self, subscription: SubscriptionId, lane: LaneId, seq: Seq) -> Result<Option<DeadLetter>>;

    /// Sets the payload that a retry delivers. False if the dead letter is not there.
    async fn edit_dead_letter(&self, id: u64, payload: &Payload) -> Result<bool>;

    /// Removes a dead letter whose subscription is gone. False if it is not there or its subscription is.
    async fn drop_dead_letter(&self, id: u64) -> Result<bool>;

    /// Saves an operation if the stored version is `expected` (`None`: if it is not stored). False if refused.
    async fn save_operation(&self, operation: &OperationRecord, expected: Option<u64>) -> Result<bool>;

    /// All operations that run, and the newest 1,000 that ended.
    async fn operations(&self) -> Result<Vec<OperationRecord>>;

    /// A lease that one process at a time holds by name, for work that one node must do: taken if nobody has
    /// it or its counter is the `stale` one the caller has watched stand still; kept by its holder. Returns
    /// the holder and its counter after the call.
    async fn lease(&self, name: &str, member: MemberId, stale: Option<(MemberId, u64)>) -> Result<(MemberId, u64)>;
}

impl HoldRecord {
    /// True if something of the key is still to be settled as far as the record knows.
    pub fn is_pending(&self) -> bool {
        self.head.is_some() || self.again.is_some() || !self.backlog.is_empty()
    }

    /// The least seq whose event the hold still needs, `Seq::MAX` if none.
    pub fn needs(&self) -> Seq {
        self.head.or(self.backlog.first().copied()).unwrap_or(Seq::MAX)
    }
}
