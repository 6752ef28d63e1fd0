//! A process's way to the store: it can be cut, held up, made to fail, or to lose its answers.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, Checkpoint, Checkpoints, Clock, CommitOutcome, DeadLetter, DeadLetterQuery, Entry, Error,
    ErrorKind, Event, Heads, LaneCommit, LaneId, LaneRecord, Log, ManualClock, MemberId, MemberRecord, OperationRecord,
    Page, Payload, Pulse, Random, ReadPage, ReadRequest, Request, RequestKind, Result, SeededRandom, Seq, Stores,
    SubscriptionId, SubscriptionRecord, TenantId, Timestamp, Wake,
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Frozen,
    Dead,
}

/// Whether a process lives, and how its calls fare. Shared by its stores and its handlers.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Notify,
    /// Raised by every process's appends.
    wake: watch::Sender<u64>,
    random: SeededRandom,
    clock: Arc<ManualClock>,
    /// Of 1,000 calls, how many fail before, and how many after they were carried out.
    faults: Mutex<(u64, u64)>,
}

impl Gate {
    pub(super) fn new(seed: u64, clock: Arc<ManualClock>, faults: (u64, u64)) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Open),
            changed: Notify::new(),
            wake: watch::Sender::new(0),
            random: SeededRandom::new(seed),
            clock,
            faults: Mutex::new(faults),
        })
    }

    pub(super) fn set(&self, state: State) {
        let mut now = self.state.lock().unwrap();
        if *now != State::Dead {
            *now = state;
            self.changed.notify_waiters();
        }
    }

    pub(super) fn state(&self) -> State {
        *self.state.lock().unwrap()
    }

    pub(super) fn heal(&self) {
        *self.faults.lock().unwrap() = (0, 0);
    }

    pub(super) fn chance(&self, of: u64) -> u64 {
        self.random.next() % of
    }

    /// Goes on once the process runs; never, once it is dead.
    pub(super) async fn pass(&self) {
        loop {
            let changed = self.changed.notified();
            if self.state() == State::Open {
                return;
            }
            changed.await;
        }
    }

    async fn through<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        for _ in 0..self.chance(3) {
            tokio::task::yield_now().await;
        }
        if self.chance(8) == 0 {
            self.clock.sleep(Duration::from_millis(1 + self.chance(30))).await;
        }
        self.pass().await;
        let (before, after) = *self.faults.lock().unwrap();
        let fate = self.chance(1_000);
        if fate < before {
            return Err(Error::new(ErrorKind::Unreachable, "the store does not answer"));
        }
        let result = call.await;
        self.pass().await;
        if result.is_ok() && fate >= 1_000 - after {
            return Err(Error::new(ErrorKind::OutcomeUnknown, "the answer was lost"));
        }
        result
    }
}

/// The ways of all processes, in the order in which they joined: one after the other hears of an append, so that
/// a seed gives the same run each time.
pub(super) type Gates = Arc<Mutex<Vec<Arc<Gate>>>>;

pub(super) struct Flaky {
    gate: Arc<Gate>,
    gates: Gates,
    stores: Stores,
}

impl Flaky {
    pub(super) fn stores(gate: Arc<Gate>, gates: Gates, stores: Stores) -> Stores {
        gates.lock().unwrap().push(gate.clone());
        let flaky = Arc::new(Self { gate, gates, stores });
        Stores { log: flaky.clone(), checkpoints: flaky, outbox: None, same_database: true }
    }
}

#[async_trait]
impl Log for Flaky {
    fn capabilities(&self) -> &Capabilities {
        self.stores.log.capabilities()
    }

    fn lanes(&self) -> u16 {
        self.stores.log.lanes()
    }

    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let appended = self.gate.through(self.stores.log.append(batch)).await;
        for gate in self.gates.lock().unwrap().iter() {
            gate.wake.send_modify(|count| *count += 1);
        }
        appended
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadPage> {
        self.gate.through(self.stores.log.read(request)).await
    }

    async fn fetch(&self, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        self.gate.through(self.stores.log.fetch(lane, seqs)).await
    }

    async fn heads(&self) -> Result<Heads> {
        self.gate.through(self.stores.log.heads()).await
    }

    async fn count(&self, lane: LaneId, after: Seq, upto: Seq) -> Result<u64> {
        self.gate.through(self.stores.log.count(lane, after, upto)).await
    }

    async fn find(&self, tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Result<Vec<Arc<Entry>>> {
        self.gate.through(self.stores.log.find(tenant, from, to, max)).await
    }

    fn wake(&self) -> Wake {
        self.gate.wake.subscribe()
    }

    async fn prune(&self, lane: LaneId, upto: Seq, before: Timestamp) -> Result<u64> {
        self.gate.through(self.stores.log.prune(lane, upto, before)).await
    }
}

#[async_trait]
impl Checkpoints for Flaky {
    async fn save_subscription(
        &self,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        self.gate.through(self.stores.checkpoints.save_subscription(record, expected, start)).await
    }

    async fn subscriptions(&self) -> Result<Vec<SubscriptionRecord>> {
        self.gate.through(self.stores.checkpoints.subscriptions()).await
    }

    async fn remove_subscription(&self, id: SubscriptionId, keep_dead_letters: bool) -> Result<bool> {
        self.gate.through(self.stores.checkpoints.remove_subscription(id, keep_dead_letters)).await
    }

    async fn pulse(&self, member: &MemberRecord) -> Result<Pulse> {
        self.gate.through(self.stores.checkpoints.pulse(member)).await
    }

    async fn remove_member(&self, id: MemberId) -> Result<()> {
        self.gate.through(self.stores.checkpoints.remove_member(id)).await
    }

    async fn checkpoints(&self, of: Option<SubscriptionId>) -> Result<Vec<(SubscriptionId, LaneId, Checkpoint)>> {
        self.gate.through(self.stores.checkpoints.checkpoints(of)).await
    }

    async fn lane(&self, subscription: SubscriptionId, lane: LaneId) -> Result<Option<LaneRecord>> {
        self.gate.through(self.stores.checkpoints.lane(subscription, lane)).await
    }

    async fn hold_counts(&self, subscription: SubscriptionId) -> Result<Vec<(LaneId, u64, Seq)>> {
        self.gate.through(self.stores.checkpoints.hold_counts(subscription)).await
    }

    async fn commit(&self, commit: LaneCommit) -> Result<CommitOutcome> {
        self.gate.through(self.stores.checkpoints.commit(commit)).await
    }

    async fn request(&self, subscription: SubscriptionId, lane: LaneId, kind: RequestKind) -> Result<u64> {
        self.gate.through(self.stores.checkpoints.request(subscription, lane, kind)).await
    }

    async fn requests(&self) -> Result<Vec<Request>> {
        self.gate.through(self.stores.checkpoints.requests()).await
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Page<DeadLetter>> {
        self.gate.through(self.stores.checkpoints.dead_letters(query)).await
    }

    async fn dead_count(&self, subscription: SubscriptionId) -> Result<u64> {
        self.gate.through(self.stores.checkpoints.dead_count(subscription)).await
    }

    async fn dead_letter(&self, id: u64) -> Result<Option<DeadLetter>> {
        self.gate.through(self.stores.checkpoints.dead_letter(id)).await
    }

    async fn dead_letter_of(&self, subscription: SubscriptionId, lane: LaneId, seq: Seq) -> Result<Option<DeadLetter>> {
        self.gate.through(self.stores.checkpoints.dead_letter_of(subscription, lane, seq)).await
    }

    async fn edit_dead_letter(&self, id: u64, payload: &Payload) -> Result<bool> {
        self.gate.through(self.stores.checkpoints.edit_dead_letter(id, payload)).await
    }

    async fn drop_dead_letter(&self, id: u64) -> Result<bool> {
        self.gate.through(self.stores.checkpoints.drop_dead_letter(id)).await
    }

    async fn save_operation(&self, operation: &OperationRecord, expected: Option<u64>) -> Result<bool> {
        self.gate.through(self.stores.checkpoints.save_operation(operation, expected)).await
    }

    async fn operations(&self) -> Result<Vec<OperationRecord>> {
        self.gate.through(self.stores.checkpoints.operations()).await
    }

    async fn lease(&self, name: &str, member: MemberId, stale: Option<(MemberId, u64)>) -> Result<(MemberId, u64)> {
        self.gate.through(self.stores.checkpoints.lease(name, member, stale)).await
    }
}
