use async_trait::async_trait;
use busway_core::{
    Checkpoint, Checkpoints, CommitOutcome, DeadLetter, DeadLetterQuery, Error, ErrorKind, LaneCommit, LaneId,
    LaneRecord, MemberId, MemberRecord, OperationRecord, Page, Payload, Pulse, Request, RequestKind, Result, Seq,
    SubscriptionId, SubscriptionRecord,
};

use super::Postgres;

fn absent() -> Error {
    Error::new(ErrorKind::Unsupported, "the checkpoints are not there yet")
}

#[async_trait]
impl Checkpoints for Postgres {
    async fn save_subscription(
        &self,
        _record: &SubscriptionRecord,
        _expected: Option<u64>,
        _start: &[Seq],
    ) -> Result<bool> {
        Err(absent())
    }

    async fn subscriptions(&self) -> Result<Vec<SubscriptionRecord>> {
        Err(absent())
    }

    async fn remove_subscription(&self, _id: SubscriptionId, _keep_dead_letters: bool) -> Result<bool> {
        Err(absent())
    }

    async fn pulse(&self, _member: &MemberRecord) -> Result<Pulse> {
        Err(absent())
    }

    async fn remove_member(&self, _id: MemberId) -> Result<()> {
        Err(absent())
    }

    async fn checkpoints(&self, _of: Option<SubscriptionId>) -> Result<Vec<(SubscriptionId, LaneId, Checkpoint)>> {
        Err(absent())
    }

    async fn lane(&self, _subscription: SubscriptionId, _lane: LaneId) -> Result<Option<LaneRecord>> {
        Err(absent())
    }

    async fn hold_counts(&self, _subscription: SubscriptionId) -> Result<Vec<(LaneId, u64, Seq)>> {
        Err(absent())
    }

    async fn commit(&self, _commit: LaneCommit) -> Result<CommitOutcome> {
        Err(absent())
    }

    async fn request(&self, _subscription: SubscriptionId, _lane: LaneId, _kind: RequestKind) -> Result<u64> {
        Err(absent())
    }

    async fn requests(&self) -> Result<Vec<Request>> {
        Err(absent())
    }

    async fn dead_letters(&self, _query: &DeadLetterQuery) -> Result<Page<DeadLetter>> {
        Err(absent())
    }

    async fn dead_count(&self, _subscription: SubscriptionId) -> Result<u64> {
        Err(absent())
    }

    async fn dead_letter(&self, _id: u64) -> Result<Option<DeadLetter>> {
        Err(absent())
    }

    async fn dead_letter_of(
        &self,
        _subscription: SubscriptionId,
        _lane: LaneId,
        _seq: Seq,
    ) -> Result<Option<DeadLetter>> {
        Err(absent())
    }

    async fn edit_dead_letter(&self, _id: u64, _payload: &Payload) -> Result<bool> {
        Err(absent())
    }

    async fn drop_dead_letter(&self, _id: u64) -> Result<bool> {
        Err(absent())
    }

    async fn save_operation(&self, _operation: &OperationRecord, _expected: Option<u64>) -> Result<bool> {
        Err(absent())
    }

    async fn operations(&self) -> Result<Vec<OperationRecord>> {
        Err(absent())
    }

    async fn lease(&self, _name: &str, _member: MemberId, _stale: Option<(MemberId, u64)>) -> Result<(MemberId, u64)> {
        Err(absent())
    }
}
