use std::{collections::BTreeMap, sync::Arc, time::Duration};

use busway_core::{
    Body, CommitOutcome, DeadLetter, Entry, Error, ErrorKind, LaneCommit, LaneId, Result, Seam, Seq, Stores,
    SubscriptionRecord, TenantId, TurnId, TurnRecord, Undecodable,
};

use crate::lane::Plan;

/// Who a lane belongs to, for what its commits write.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) stores: Stores,
    pub(crate) seam: Seam,
    pub(crate) subscription: Arc<SubscriptionRecord>,
    pub(crate) lane: LaneId,
}

impl Place {
    /// Stores a plan, repeating it unchanged until its outcome is known, or for as long as `patience` has it.
    pub(crate) async fn carry_out(
        self,
        plan: Plan,
        tenants: BTreeMap<TurnId, TenantId>,
        patience: Option<Duration>,
    ) -> Result<CommitOutcome> {
        let began = self.seam.clock().elapsed();
        let mut wait = Duration::from_millis(5);
        loop {
            let attempt = async {
                let commit = self.commit_of(&plan, &tenants).await?;
                self.stores.checkpoints.commit(commit).await
            };
            match attempt.await {
                Ok(outcome) => return Ok(outcome),
                Err(error)
                    if patience
                        .is_some_and(|patience| self.seam.clock().elapsed().saturating_sub(began) >= patience) =>
                {
                    return Err(Error::new(ErrorKind::OutcomeUnknown, error.detail()).with_source(error));
                }
                Err(error) => {
                    tracing::warn!(%error, subscription = %self.subscription.name, lane = %self.lane, "commit failed, repeating it");
                    self.seam.clock().sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    async fn commit_of(&self, plan: &Plan, tenants: &BTreeMap<TurnId, TenantId>) -> Result<LaneCommit> {
        let plan = plan.clone();
        let turns = plan.turns.iter().filter_map(|(turn, position, probation)| {
            let tenant = tenants.get(turn)?.clone();
            Some(TurnRecord { turn: *turn, tenant, position: *position, probation: *probation })
        });
        let mut commit = LaneCommit {
            holds: plan.holds,
            released: plan.released,
            chunks: plan.chunks,
            turns: turns.collect(),
            turns_removed: plan.turns_removed,
            buried: plan.buried,
            requests: plan.requests,
            clear: plan.clear,
            ..LaneCommit::new(self.subscription.id, self.lane, plan.expected, plan.checkpoint)
        };
        for dead in plan.dead {
            let entry = match self.entry(dead.seq).await {
                Err(error) if error.kind() == ErrorKind::PositionLost => self.forgotten(dead.seq, &error),
                entry => entry?,
            };
            let (first, last) = (dead.failures.first(), dead.failures.last());
            let now = self.seam.now();
            commit.dead.push(DeadLetter {
                id: 0,
                subscription: self.subscription.id,
                owner: self.subscription.owner.clone(),
                name: self.subscription.name.clone(),
                entry,
                key: dead.key,
                edited_payload: None,
                error: last.map_or_else(|| "unknown".into(), |failure| Arc::clone(&failure.error)),
                attempts: dead.attempts,
                first_failed_at: first.map_or(now, |failure| failure.at),
                died_at: last.map_or(now, |failure| failure.at),
                cause: dead.cause,
            });
        }
        Ok(commit)
    }

    /// What stands in a dead letter for an event that the log has lost.
    fn forgotten(&self, seq: Seq, error: &Error) -> Arc<Entry> {
        let body = Body::Undecodable(Undecodable { raw: Arc::default(), error: error.detail().to_owned() });
        Arc::new(Entry { lane: self.lane, seq, stored_at: self.seam.now(), body })
    }

    /// An entry by seq: from the log, or from its dead letter where the log has forgotten it.
    pub(crate) async fn entry(&self, seq: Seq) -> Result<Arc<Entry>> {
        if let Some(entry) = self.stores.log.fetch(self.lane, &[seq]).await?.pop() {
            return Ok(entry);
        }
        match self.stores.checkpoints.dead_letter_of(self.subscription.id, self.lane, seq).await? {
            Some(letter) => Ok(letter.entry),
            None => Err(Error::new(
                ErrorKind::PositionLost,
                format!("event {seq} of lane {} is not in the log any more", self.lane),
            )),
        }
    }
}
