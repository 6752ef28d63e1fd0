use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, Checkpoint, Checkpoints, CommitOutcome, DeadLetter, DeadLetterQuery, Entry, Event, Heads,
    LaneCommit, LaneId, LaneRecord, Log, MemberId, MemberRecord, OperationRecord, Page, Payload, Pulse, ReadPage,
    ReadRequest, Request, RequestKind, Result, Seq, Stores, SubscriptionId, SubscriptionRecord, Tail, TenantId,
    Timestamp, Wake,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::quiet::Quiet;

/// How a member of a scenario fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It runs.
    Open,
    /// It stands still.
    Frozen,
    /// It was killed.
    Dead,
}

/// What one member has asked of its store.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Calls by name.
    pub(super) calls: BTreeMap<&'static str, u64>,
    /// Sizes of the appends.
    pub(super) appends: Vec<usize>,
    /// How much the commits wrote, as text.
    pub(super) written: usize,
    /// Sizes of the pages that reads brought.
    pub(super) entries_read: usize,
}

impl Asked {
    /// Calls in all.
    pub(super) fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Calls of this name.
    pub(super) fn of(&self, call: &str) -> u64 {
        self.calls.get(call).copied().unwrap_or(0)
    }
}

/// Whether a member lives; shared by its store and its handlers.
#[derive(Debug)]
pub(super) struct Gate {
    state: watch::Sender<State>,
}

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: watch::Sender::new(State::Open) })
    }

    pub(super) fn set(&self, state: State) {
        if self.state() != State::Dead {
            self.state.send_replace(state);
        }
    }

    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Goes on once the member runs; never, once it is dead.
    pub(super) async fn pass(&self) {
        let mut state = self.state.subscribe();
        while *state.borrow_and_update() != State::Open {
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A member's way to its store: it counts, and can be held up or cut.
pub(super) struct Way {
    stores: Stores,
    gate: Arc<Gate>,
    quiet: Arc<Quiet>,
    asked: Mutex<Asked>,
}

impl Way {
    pub(super) fn new(stores: Stores, gate: Arc<Gate>, quiet: Arc<Quiet>) -> Arc<Self> {
        Arc::new(Self { stores, gate, quiet, asked: Mutex::default() })
    }

    /// The store behind it.
    pub(super) fn stores(self: &Arc<Self>) -> Stores {
        let same_database = self.stores.same_database;
        Stores { log: self.clone(), checkpoints: self.clone(), outbox: None, same_database }
    }

    /// What was asked so far.
    pub(super) fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn through<T>(&self, name: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.gate.pass().await;
        *self.asked().calls.entry(name).or_default() += 1;
        let under_way = self.quiet.call();
        // A store that answers at once would let nobody come between.
        tokio::task::yield_now().await;
        let result = call.await;
        drop(under_way);
        // What a stopped process was answered it learns when it goes on, and a dead one never.
        self.gate.pass().await;
        result
    }
}

macro_rules! by_way {
    ($of:ident as $field:ident { $($fixed:tt)* } $(fn $call:ident($($arg:ident: $type:ty),*) -> $gives:ty;)*) => {
        #[async_trait]
        impl $of for Way {
            $($fixed)*
            $(
                async fn $call(&self, $($arg: $type),*) -> Result<$gives> {
                    self.through(stringify!($call), self.stores.$field.$call($($arg),*)).await
                }
            )*
        }
    };
}

by_way! {
    Log as log {
        fn capabilities(&self) -> &Capabilities {
            self.stores.log.capabilities()
        }

        fn lanes(&self) -> u16 {
            self.stores.log.lanes()
        }

        fn wake(&self) -> Wake {
            self.stores.log.wake()
        }

        async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
            self.asked().appends.push(batch.len());
            self.through("append", self.stores.log.append(batch)).await
        }

        async fn read(&self, request: ReadRequest) -> Result<ReadPage> {
            let page = self.through("read", self.stores.log.read(request)).await?;
            self.asked().entries_read += page.entries.len();
            Ok(page)
        }

        async fn tail(&self, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
            let tail = self.through("tail", self.stores.log.tail(places, max)).await?;
            self.asked().entries_read += tail.pages.iter().map(|page| page.entries.len()).sum::<usize>();
            Ok(tail)
        }
    }
    fn fetch(lane: LaneId, seqs: &[Seq]) -> Vec<Arc<Entry>>;
    fn heads() -> Heads;
    fn count(lane: LaneId, after: Seq, upto: Seq) -> u64;
    fn find(tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Vec<Arc<Entry>>;
    fn prune(lane: LaneId, upto: Seq, before: Timestamp) -> u64;
}

by_way! {
    Checkpoints as checkpoints {
        async fn commit(&self, commit: LaneCommit) -> Result<CommitOutcome> {
            self.asked().written += format!("{commit:?}").len();
            self.through("commit", self.stores.checkpoints.commit(commit)).await
        }
    }
    fn save_subscription(record: &SubscriptionRecord, expected: Option<u64>, start: &[Seq]) -> bool;
    fn subscriptions() -> Vec<SubscriptionRecord>;
    fn remove_subscription(id: SubscriptionId, keep_dead_letters: bool) -> bool;
    fn pulse(member: &MemberRecord) -> Pulse;
    fn remove_member(id: MemberId) -> ();
    fn checkpoints(of: Option<SubscriptionId>) -> Vec<(SubscriptionId, LaneId, Checkpoint)>;
    fn lane(subscription: SubscriptionId, lane: LaneId) -> Option<LaneRecord>;
    fn hold_counts(subscription: SubscriptionId) -> Vec<(LaneId, u64, Seq)>;
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
