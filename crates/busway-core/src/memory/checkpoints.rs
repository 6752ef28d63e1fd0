use std::sync::{MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Memory, shelf::Shelf};
use crate::{
    Checkpoint, Checkpoints, CommitOutcome, DeadLetter, DeadLetterQuery, LaneCommit, LaneId, LaneRecord, MemberId,
    MemberRecord, OperationRecord, Page, Payload, Pulse, Request, RequestKind, Result, Seq, SubscriptionId,
    SubscriptionRecord,
};

impl Memory {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Checkpoints for Memory {
    async fn save_subscription(
        &self,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        Ok(self.shelf().save_subscription(record, expected, start))
    }

    async fn subscriptions(&self) -> Result<Vec<SubscriptionRecord>> {
        Ok(self.shelf().subscriptions.values().map(|stored| stored.record.clone()).collect())
    }

    async fn remove_subscription(&self, id: SubscriptionId, keep_dead_letters: bool) -> Result<bool> {
        Ok(self.shelf().remove_subscription(id, keep_dead_letters))
    }

    async fn pulse(&self, member: &MemberRecord) -> Result<Pulse> {
        let mut shelf = self.shelf();
        shelf.members.insert(member.id, member.clone());
        Ok(Pulse { members: shelf.members.values().cloned().collect(), changes: shelf.changes })
    }

    async fn remove_member(&self, id: MemberId) -> Result<()> {
        self.shelf().members.remove(&id);
        Ok(())
    }

    async fn checkpoints(&self, of: Option<SubscriptionId>) -> Result<Vec<(SubscriptionId, LaneId, Checkpoint)>> {
        let shelf = self.shelf();
        let wanted = shelf.subscriptions.iter().filter(|(id, _)| of.is_none_or(|of| of == **id));
        let lanes = wanted.flat_map(|(id, stored)| stored.lanes().map(move |(lane, kept)| (*id, lane, kept)));
        Ok(lanes.map(|(id, lane, kept)| (id, lane, kept.checkpoint.clone())).collect())
    }

    async fn lane(&self, subscription: SubscriptionId, lane: LaneId) -> Result<Option<LaneRecord>> {
        Ok(self.shelf().lane_record(subscription, lane))
    }

    async fn hold_counts(&self, subscription: SubscriptionId) -> Result<Vec<(LaneId, u64, Seq)>> {
        let shelf = self.shelf();
        let Some(stored) = shelf.subscriptions.get(&subscription) else { return Ok(Vec::new()) };
        Ok(stored.lanes().map(|(id, lane)| (id, lane.hold_count(), lane.needs())).collect())
    }

    async fn commit(&self, commit: LaneCommit) -> Result<CommitOutcome> {
        self.shelf().commit(commit)
    }

    async fn request(&self, subscription: SubscriptionId, lane: LaneId, kind: RequestKind) -> Result<u64> {
        self.shelf().request(subscription, lane, kind)
    }

    async fn requests(&self) -> Result<Vec<Request>> {
        Ok(self.shelf().requests.values().cloned().collect())
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Page<DeadLetter>> {
        Ok(self.shelf().dead.page(query))
    }

    async fn dead_count(&self, subscription: SubscriptionId) -> Result<u64> {
        Ok(self.shelf().dead.count(subscription))
    }

    async fn dead_letter(&self, id: u64) -> Result<Option<DeadLetter>> {
        Ok(self.shelf().dead.get(id).cloned())
    }

    async fn dead_letter_of(&self, subscription: SubscriptionId, lane: LaneId, seq: Seq) -> Result<Option<DeadLetter>> {
        Ok(self.shelf().dead.at((subscription, lane, seq)).cloned())
    }

    async fn edit_dead_letter(&self, id: u64, payload: &Payload) -> Result<bool> {
        Ok(self.shelf().dead.edit(id, payload))
    }

    async fn drop_dead_letter(&self, id: u64) -> Result<bool> {
        Ok(self.shelf().drop_dead_letter(id))
    }

    async fn save_operation(&self, operation: &OperationRecord, expected: Option<u64>) -> Result<bool> {
        Ok(self.shelf().save_operation(operation, expected))
    }

    async fn operations(&self) -> Result<Vec<OperationRecord>> {
        Ok(self.shelf().operations.values().cloned().collect())
    }

    async fn lease(&self, name: &str, member: MemberId, stale: Option<(MemberId, u64)>) -> Result<(MemberId, u64)> {
        Ok(self.shelf().lease(name, member, stale))
    }
}
