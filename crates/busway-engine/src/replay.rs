use std::sync::Arc;

use busway_core::{
    Definition, Error, ErrorKind, LaneId, OperationRecord, OperationState, Owner, Patterns, ReplayOf, Result, Seq,
    Start, SubscriptionName, SubscriptionRecord,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Engine, deliver::Work, engine::Inner, outbox::reserved};

/// Where a replay started.
#[derive(Debug, Serialize, Deserialize)]
struct ReplayParams {
    from: Vec<Seq>,
    to: Vec<Seq>,
}

impl Engine {
    /// Delivers stored events once more to this subscription alone; returns the operation. `Busy` while
    /// another replay of it runs.
    pub async fn replay(
        &self,
        owner: &Owner,
        name: &SubscriptionName,
        from: Start,
        to: Start,
        types: Option<Patterns>,
    ) -> Result<Uuid> {
        reserved(owner, name)?;
        let inner = &self.inner;
        inner.reload().await?;
        let record = inner.named(owner, name).await?;
        if inner
            .registry
            .load()
            .replays()
            .any(|replay| replay.replay.as_ref().is_some_and(|of| of.subscription == record.id))
        {
            return Err(Error::new(
                ErrorKind::Busy,
                format!("a replay of `{name}` runs already; cancel its operation first"),
            ));
        }
        let (from, to) = (inner.start_seqs(from).await?, inner.start_seqs(to).await?);
        let to: Vec<Seq> = to.iter().zip(&from).map(|(to, from)| *to.max(from)).collect();
        let mut total = 0;
        for (lane, (from, to)) in (0..).map(LaneId).zip(from.iter().zip(&to)) {
            total += inner.stores.log.count(lane, *from, *to).await?;
        }
        let params = ReplayParams { from: from.clone(), to: to.clone() };
        let operation = inner.begin_operation("replay", owner.clone(), &params, total).await?;
        let definition =
            Definition { types: types.unwrap_or_else(|| record.definition.types.clone()), ..record.definition.clone() };
        let mut replay = inner.new_record(owner.clone(), name.clone(), definition);
        replay.replay = Some(ReplayOf { subscription: record.id, operation, to });
        inner.stores.checkpoints.save_subscription(&replay, None, &from).await?;
        inner.beat_now().await;
        inner.stirred.notify_waiters();
        Ok(operation)
    }
}

impl Inner {
    /// The replay under way of a subscription.
    pub(crate) fn replay_of(&self, record: &SubscriptionRecord) -> Option<Arc<SubscriptionRecord>> {
        let registry = self.registry.load();
        let mut replays = registry.replays();
        replays.find(|replay| replay.replay.as_ref().is_some_and(|of| of.subscription == record.id)).cloned()
    }

    /// Whoever works on a subscription works on its replay too.
    pub(crate) fn take_up_replays(&self, registry: &crate::registry::Registry) {
        for replay in registry.replays() {
            let Some(of) = &replay.replay else { continue };
            let live = self.work(of.subscription).filter(|_| self.work(replay.id).is_none());
            if let Some(live) = live {
                let handler = Arc::clone(&live.handler);
                self.take_up(replay.id, Arc::new(Work::new(Arc::clone(replay), handler, Some(live))));
            }
        }
    }

    /// How far a replay is; once everything is settled it is done and its subscription goes.
    pub(crate) async fn step_replay(&self, operation: &OperationRecord) -> Result<bool> {
        let found = self.stores.checkpoints.subscriptions().await?;
        let replay =
            found.into_iter().find(|record| record.replay.as_ref().is_some_and(|of| of.operation == operation.id));
        let params: Option<ReplayParams> = serde_json::from_str(&operation.params).ok();
        let (Some(replay), Some(params)) = (replay, params) else {
            // Between the operation and its subscription there is a moment in which only the former is there.
            if self.seam.now().since(operation.made_at) < self.config.lease * 4 {
                return Ok(false);
            }
            let failed = OperationRecord {
                state: OperationState::Failed,
                error: Some("its subscription is gone".into()),
                ..operation.clone()
            };
            return self.save_operation(operation, failed).await.map(|_| false);
        };
        let lanes = self.stores.checkpoints.checkpoints(Some(replay.id)).await?;
        let holds = self.stores.checkpoints.hold_counts(replay.id).await?;
        let free = holds.iter().all(|(_, held, needed)| *held == 0 && *needed == Seq::MAX);
        let (mut gone, mut whole) = (0, 0);
        let mut ended = free && lanes.len() == params.to.len();
        for (_, lane, checkpoint) in &lanes {
            let index = usize::from(lane.0);
            let (from, to) = (params.from[index], params.to[index]);
            gone += u128::from(checkpoint.position.min(to).saturating_sub(from));
            whole += u128::from(to - from);
            ended &= checkpoint.position >= to;
        }
        // Seqs may have gaps, so how far it is says their share.
        let done = match whole {
            0 => operation.total,
            whole => (u128::from(operation.total) * gone / whole) as u64,
        };
        if ended {
            self.stores.checkpoints.remove_subscription(replay.id, true).await?;
            self.poke.notify_one();
        }
        if ended || done != operation.done {
            let state = if ended { OperationState::Done } else { OperationState::Running };
            self.save_operation(operation, OperationRecord { state, done, ..operation.clone() }).await?;
        }
        Ok(false)
    }

    /// Ends a replay under way.
    pub(crate) async fn remove_replay(&self, operation: Uuid) -> Result<()> {
        let found = self.stores.checkpoints.subscriptions().await?;
        for replay in found.iter().filter(|record| record.replay.as_ref().is_some_and(|of| of.operation == operation)) {
            self.stores.checkpoints.remove_subscription(replay.id, true).await?;
        }
        self.beat_now().await;
        Ok(())
    }
}
