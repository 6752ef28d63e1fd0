use async_trait::async_trait;
use busway_core::{
    Checkpoint, Checkpoints, CommitOutcome, DeadLetter, DeadLetterQuery, LaneCommit, LaneId, LaneRecord, MemberId,
    MemberRecord, OperationRecord, Page, Payload, Pulse, Request, RequestKind, Result, Seq, SubscriptionId,
    SubscriptionRecord,
};

use super::{
    Sqlite, checkpoint_row, dead_letters, holds, lane, members, operations, readers::read, requests, subscriptions,
    writer::write,
};

#[async_trait]
impl Checkpoints for Sqlite {
    async fn save_subscription(
        &self,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        let (record, start) = (record.clone(), start.to_vec());
        write(&self.shared, 1, move |writing| Ok(subscriptions::save(writing.connection, &record, expected, &start)?))
            .await
    }

    async fn subscriptions(&self) -> Result<Vec<SubscriptionRecord>> {
        read(&self.shared, |connection| Ok(subscriptions::all(connection)?)).await
    }

    async fn remove_subscription(&self, id: SubscriptionId, keep_dead_letters: bool) -> Result<bool> {
        write(&self.shared, 1, move |writing| Ok(subscriptions::remove(writing.connection, id, keep_dead_letters)?))
            .await
    }

    async fn pulse(&self, member: &MemberRecord) -> Result<Pulse> {
        let member = member.clone();
        write(&self.shared, 1, move |writing| Ok(members::pulse(writing.connection, &member)?)).await
    }

    async fn remove_member(&self, id: MemberId) -> Result<()> {
        write(&self.shared, 1, move |writing| Ok(members::remove(writing.connection, id)?)).await
    }

    async fn checkpoints(&self, of: Option<SubscriptionId>) -> Result<Vec<(SubscriptionId, LaneId, Checkpoint)>> {
        read(&self.shared, move |connection| Ok(checkpoint_row::all(connection, of)?)).await
    }

    async fn lane(&self, subscription: SubscriptionId, lane: LaneId) -> Result<Option<LaneRecord>> {
        read(&self.shared, move |connection| Ok(lane::load(connection, subscription, lane)?)).await
    }

    async fn hold_counts(&self, subscription: SubscriptionId) -> Result<Vec<(LaneId, u64, Seq)>> {
        read(&self.shared, move |connection| Ok(holds::counts(connection, subscription)?)).await
    }

    async fn commit(&self, commit: LaneCommit) -> Result<CommitOutcome> {
        let rows = commit.holds.len() + commit.released.len() + commit.chunks.len() + commit.dead.len();
        write(&self.shared, rows, move |writing| lane::commit(writing.connection, &commit)).await
    }

    async fn request(&self, subscription: SubscriptionId, lane: LaneId, kind: RequestKind) -> Result<u64> {
        write(&self.shared, 1, move |writing| requests::add(writing.connection, subscription, lane, &kind)).await
    }

    async fn requests(&self) -> Result<Vec<Request>> {
        read(&self.shared, |connection| Ok(requests::all(connection)?)).await
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Page<DeadLetter>> {
        let query = query.clone();
        read(&self.shared, move |connection| Ok(dead_letters::page(connection, &query)?)).await
    }

    async fn dead_count(&self, subscription: SubscriptionId) -> Result<u64> {
        read(&self.shared, move |connection| Ok(dead_letters::count_of(connection, subscription)?)).await
    }

    async fn dead_letter(&self, id: u64) -> Result<Option<DeadLetter>> {
        read(&self.shared, move |connection| Ok(dead_letters::by_id(connection, id)?)).await
    }

    async fn dead_letter_of(&self, subscription: SubscriptionId, lane: LaneId, seq: Seq) -> Result<Option<DeadLetter>> {
        read(&self.shared, move |connection| Ok(dead_letters::by_place(connection, subscription, lane, seq)?)).await
    }

    async fn edit_dead_letter(&self, id: u64, payload: &Payload) -> Result<bool> {
        let payload = payload.clone();
        write(&self.shared, 1, move |writing| Ok(dead_letters::edit(writing.connection, id, &payload)?)).await
    }

    async fn drop_dead_letter(&self, id: u64) -> Result<bool> {
        write(&self.shared, 1, move |writing| Ok(dead_letters::remove_orphan(writing.connection, id)?)).await
    }

    async fn save_operation(&self, operation: &OperationRecord, expected: Option<u64>) -> Result<bool> {
        let operation = operation.clone();
        write(&self.shared, 1, move |writing| Ok(operations::save(writing.connection, &operation, expected)?)).await
    }

    async fn operations(&self) -> Result<Vec<OperationRecord>> {
        read(&self.shared, |connection| Ok(operations::all(connection)?)).await
    }

    async fn lease(&self, name: &str, member: MemberId, stale: Option<(MemberId, u64)>) -> Result<(MemberId, u64)> {
        let name = name.to_owned();
        write(&self.shared, 1, move |writing| Ok(members::lease(writing.connection, &name, member, stale)?)).await
    }
}
