use async_trait::async_trait;
use busway_core::{
    Checkpoint, Checkpoints, CommitOutcome, DeadLetter, DeadLetterQuery, LaneCommit, LaneId, LaneRecord, MemberId,
    MemberRecord, OperationRecord, Page, Payload, Pulse, Request, RequestKind, Result, Seq, SubscriptionId,
    SubscriptionRecord,
};

use super::{Postgres, checkpoint_row, dead_letters, holds, lane, members, operations, requests, subscriptions};

#[async_trait]
impl Checkpoints for Postgres {
    async fn save_subscription(
        &self,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        subscriptions::save(&self.pool, record, expected, start).await
    }

    async fn subscriptions(&self) -> Result<Vec<SubscriptionRecord>> {
        subscriptions::all(&self.pool).await
    }

    async fn remove_subscription(&self, id: SubscriptionId, keep_dead_letters: bool) -> Result<bool> {
        subscriptions::remove(&self.pool, id, keep_dead_letters).await
    }

    async fn pulse(&self, member: &MemberRecord) -> Result<Pulse> {
        members::pulse(&self.pool, member).await
    }

    async fn remove_member(&self, id: MemberId) -> Result<()> {
        members::remove(&self.pool, id).await
    }

    async fn checkpoints(&self, of: Option<SubscriptionId>) -> Result<Vec<(SubscriptionId, LaneId, Checkpoint)>> {
        checkpoint_row::all(&self.pool, of).await
    }

    async fn lane(&self, subscription: SubscriptionId, lane: LaneId) -> Result<Option<LaneRecord>> {
        lane::load(&self.pool, subscription, lane).await
    }

    async fn hold_counts(&self, subscription: SubscriptionId) -> Result<Vec<(LaneId, u64, Seq)>> {
        holds::counts(&self.pool, subscription).await
    }

    async fn commit(&self, commit: LaneCommit) -> Result<CommitOutcome> {
        self.commits.commit(commit).await
    }

    async fn request(&self, subscription: SubscriptionId, lane: LaneId, kind: RequestKind) -> Result<u64> {
        requests::add(&self.pool, subscription, lane, &kind).await
    }

    async fn requests(&self) -> Result<Vec<Request>> {
        requests::all(&self.pool).await
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Page<DeadLetter>> {
        dead_letters::page(&self.pool, query).await
    }

    async fn dead_count(&self, subscription: SubscriptionId) -> Result<u64> {
        dead_letters::count_of(&self.pool, subscription).await
    }

    async fn dead_letter(&self, id: u64) -> Result<Option<DeadLetter>> {
        dead_letters::by_id(&self.pool, id).await
    }

    async fn dead_letter_of(&self, subscription: SubscriptionId, lane: LaneId, seq: Seq) -> Result<Option<DeadLetter>> {
        dead_letters::by_place(&self.pool, subscription, lane, seq).await
    }

    async fn edit_dead_letter(&self, id: u64, payload: &Payload) -> Result<bool> {
        dead_letters::edit(&self.pool, id, payload).await
    }

    async fn drop_dead_letter(&self, id: u64) -> Result<bool> {
        dead_letters::remove_orphan(&self.pool, id).await
    }

    async fn save_operation(&self, operation: &OperationRecord, expected: Option<u64>) -> Result<bool> {
        operations::save(&self.pool, operation, expected).await
    }

    async fn operations(&self) -> Result<Vec<OperationRecord>> {
        operations::all(&self.pool).await
    }

    async fn lease(&self, name: &str, member: MemberId, stale: Option<(MemberId, u64)>) -> Result<(MemberId, u64)> {
        members::lease(&self.pool, name, member, stale).await
    }
}
