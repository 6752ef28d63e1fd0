use std::{ops::Deref, sync::Arc};

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    Appended, Capabilities, Checkpoint, Checkpoints, CommitOutcome, DeadLetter, DeadLetterQuery, Entry, Event, Heads,
    LaneCommit, LaneId, LaneRecord, Log, MemberId, MemberRecord, OperationRecord, Page, Payload, Pulse, ReadPage,
    ReadRequest, Request, RequestKind, Result, Seq, SubscriptionId, SubscriptionRecord, Tail, TenantId, Timestamp,
    Wake,
};

/// The sound store behind a double, and which of its handles the call came through.
pub struct Sound<'a, T: ?Sized> {
    inner: &'a T,
    /// Counted from 0.
    pub handle: usize,
}

impl<T: ?Sized> Deref for Sound<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner
    }
}

/// Makes a trait whose calls pass on unless they are overridden, and the store that goes through it.
macro_rules! twist {
    (
        $(#[$doc:meta])* $twist:ident of $of:ident as $twisted:ident { $($sync:tt)* } { $($fixed:tt)* }
        $(fn $call:ident($($arg:ident: $type:ty),*) -> $gives:ty;)*
    ) => {
        $(#[$doc])*
        #[async_trait]
        pub trait $twist: Send + Sync + 'static {
            $($sync)*
            $(
                #[doc = concat!("As [`", stringify!($of), "::", stringify!($call), "`].")]
                async fn $call(&self, sound: Sound<'_, dyn $of>, $($arg: $type),*) -> Result<$gives> {
                    sound.$call($($arg),*).await
                }
            )*
        }

        #[async_trait]
        impl $of for $twisted {
            $($fixed)*
            $(
                async fn $call(&self, $($arg: $type),*) -> Result<$gives> {
                    self.twist.$call(Sound { inner: &*self.inner, handle: self.handle }, $($arg),*).await
                }
            )*
        }
    };
}

twist! {
    /// What a double does differently from the log behind it.
    LogTwist of Log as TwistedLog {
        /// Changes what is declared.
        fn capabilities(&self, _declared: &mut Capabilities) {}

        /// As [`Log::wake`].
        fn wake(&self, sound: Wake) -> Wake {
            sound
        }
    } {
        fn capabilities(&self) -> &Capabilities {
            &self.capabilities
        }

        fn lanes(&self) -> u16 {
            self.inner.lanes()
        }

        fn wake(&self) -> Wake {
            self.twist.wake(self.inner.wake())
        }
    }
    fn append(batch: &[Arc<Event>]) -> Vec<Appended>;
    fn read(request: ReadRequest) -> ReadPage;
    fn fetch(lane: LaneId, seqs: &[Seq]) -> Vec<Arc<Entry>>;
    fn tail(places: &[(LaneId, Seq)], max: usize) -> Tail;
    fn heads() -> Heads;
    fn count(lane: LaneId, after: Seq, upto: Seq) -> u64;
    fn find(tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Vec<Arc<Entry>>;
    fn prune(lane: LaneId, upto: Seq, before: Timestamp) -> u64;
}

/// A log that goes through a twist.
pub(super) struct TwistedLog {
    pub(super) inner: Arc<dyn Log>,
    pub(super) twist: Arc<dyn LogTwist>,
    pub(super) handle: usize,
    pub(super) capabilities: Capabilities,
}

twist! {
    /// What a double does differently from the checkpoints behind it.
    CheckpointsTwist of Checkpoints as TwistedCheckpoints {} {}
    fn save_subscription(record: &SubscriptionRecord, expected: Option<u64>, start: &[Seq]) -> bool;
    fn subscriptions() -> Vec<SubscriptionRecord>;
    fn remove_subscription(id: SubscriptionId, keep_dead_letters: bool) -> bool;
    fn pulse(member: &MemberRecord) -> Pulse;
    fn remove_member(id: MemberId) -> ();
    fn checkpoints(of: Option<SubscriptionId>) -> Vec<(SubscriptionId, LaneId, Checkpoint)>;
    fn lane(subscription: SubscriptionId, lane: LaneId) -> Option<LaneRecord>;
    fn hold_counts(subscription: SubscriptionId) -> Vec<(LaneId, u64, Seq)>;
    fn commit(commit: LaneCommit) -> CommitOutcome;
    fn request(subscription: SubscriptionId, lane: LaneId, kind: RequestKind) -> u64;
    fn requests() -> Vec<Request>;
    fn dead_letters(query: &DeadLetterQuery) -> Page<DeadLetter>;
    fn dead_count(subscription: SubscriptionId) -> u64;
    fn dead_letter(id: u64) -> Option<DeadLetter>;
    fn dead_letter_of(subscription: SubscriptionId, lane: LaneId, seq: Seq) -> Option<DeadLetter>;
    fn edit_dead_letter(id: u64, payload: &Payload) -> bool;
    fn drop_dead_letter(id: u64) -> bool;
    fn save_operation(operation: &OperationRecord, expected: Option<u64>) -> bool;
    fn operations() -> Vec<OperationRecord>;
    fn lease(name: &str, member: MemberId, stale: Option<(MemberId, u64)>) -> (MemberId, u64);
}

/// Checkpoints that go through a twist.
pub(super) struct TwistedCheckpoints {
    pub(super) inner: Arc<dyn Checkpoints>,
    pub(super) twist: Arc<dyn CheckpointsTwist>,
    pub(super) handle: usize,
}
