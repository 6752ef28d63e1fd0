use busway_core::{
    DeadLetterQuery, Error, ErrorKind, EventType, OperationRecord, OperationState, Owner, Result, SubscriptionId,
    SubscriptionName, TenantId, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Engine, engine::Inner};

/// Dead letters that one step of a bulk operation goes over.
const STEP: usize = 200;

/// What is done with many dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bulk {
    Retry,
    Discard,
}

/// What a bulk operation goes over, and how far it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct BulkParams {
    bulk: Bulk,
    owner: Option<Owner>,
    name: Option<SubscriptionName>,
    subscription: Option<SubscriptionId>,
    tenant: Option<TenantId>,
    event_type: Option<EventType>,
    before: Option<Timestamp>,
    after_id: u64,
    /// The highest id when it was asked: what dies again meanwhile keeps its id, what dies anew is not meant.
    up_to: u64,
}

impl BulkParams {
    fn query(&self, limit: usize) -> DeadLetterQuery {
        DeadLetterQuery {
            owner: self.owner.clone(),
            name: self.name.clone(),
            subscription: self.subscription,
            tenant: self.tenant.clone(),
            event_type: self.event_type.clone(),
            before: self.before,
            after_id: self.after_id,
            limit,
        }
    }
}

impl Engine {
    /// One operation of an owner (`None`: anybody's); `NotFound`.
    pub async fn operation(&self, owner: Option<&Owner>, id: Uuid) -> Result<OperationRecord> {
        let operations = self.inner.stores.checkpoints.operations().await?;
        let found = operations.into_iter().find(|operation| operation.id == id);
        let own = found.filter(|operation| owner.is_none_or(|owner| *owner == operation.owner));
        own.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no operation {id}")))
    }

    /// All operations that run and the newest that ended, of an owner or of all.
    pub async fn operations(&self, owner: Option<&Owner>) -> Result<Vec<OperationRecord>> {
        let mut operations = self.inner.stores.checkpoints.operations().await?;
        operations.retain(|operation| owner.is_none_or(|owner| *owner == operation.owner));
        Ok(operations)
    }

    /// Ends an operation.
    pub async fn cancel_operation(&self, owner: Option<&Owner>, id: Uuid) -> Result<()> {
        loop {
            let operation = self.operation(owner, id).await?;
            if operation.state != OperationState::Running {
                return Ok(());
            }
            let cancelled = OperationRecord { state: OperationState::Cancelled, ..operation.clone() };
            if self.inner.save_operation(&operation, cancelled).await? {
                if operation.kind == "replay" {
                    self.inner.remove_replay(id).await?;
                }
                return Ok(());
            }
        }
    }
}

impl Inner {
    pub(crate) async fn begin_bulk(&self, bulk: Bulk, query: DeadLetterQuery) -> Result<Uuid> {
        let mut params = BulkParams {
            bulk,
            owner: query.owner,
            name: query.name,
            subscription: query.subscription,
            tenant: query.tenant,
            event_type: query.event_type,
            before: query.before,
            after_id: 0,
            up_to: 0,
        };
        let mut total = 0;
        loop {
            let page = self.stores.checkpoints.dead_letters(&params.query(1_000)).await?;
            total += page.items.len() as u64;
            params.up_to = page.items.last().map_or(params.up_to, |letter| letter.id);
            params.after_id = params.up_to;
            if !page.more {
                break;
            }
        }
        params.after_id = 0;
        let kind = match bulk {
            Bulk::Retry => "retry",
            Bulk::Discard => "discard",
        };
        let owner = params.owner.clone().unwrap_or(Owner::Installation);
        self.begin_operation(kind, owner, &params, total).await
    }

    pub(crate) async fn begin_operation<P: Serialize>(
        &self,
        kind: &str,
        owner: Owner,
        params: &P,
        total: u64,
    ) -> Result<Uuid> {
        let params =
            serde_json::to_string(params).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let operation = OperationRecord {
            id: self.seam.id(),
            owner,
            version: 1,
            kind: kind.into(),
            state: OperationState::Running,
            done: 0,
            total,
            error: None,
            params,
            made_at: self.seam.now(),
            ended_at: None,
        };
        self.stores.checkpoints.save_operation(&operation, None).await?;
        self.work.notify_one();
        Ok(operation.id)
    }

    /// Saves an operation's next record; false if it was changed meanwhile.
    pub(crate) async fn save_operation(&self, before: &OperationRecord, mut next: OperationRecord) -> Result<bool> {
        next.version = before.version + 1;
        if next.state != OperationState::Running {
            next.ended_at = Some(self.seam.now());
        }
        self.stores.checkpoints.save_operation(&next, Some(before.version)).await
    }

    /// One step of an operation; true if there is more to do at once.
    pub(crate) async fn step(&self, operation: &OperationRecord) -> Result<bool> {
        match operation.kind.as_str() {
            "retry" | "discard" => self.step_bulk(operation).await,
            "replay" => self.step_replay(operation).await,
            other => {
                let failed = OperationRecord {
                    state: OperationState::Failed,
                    error: Some(format!("this version knows no operation `{other}`")),
                    ..operation.clone()
                };
                self.save_operation(operation, failed).await.map(|_| false)
            }
        }
    }

    async fn step_bulk(&self, operation: &OperationRecord) -> Result<bool> {
        let mut params: BulkParams = match serde_json::from_str(&operation.params) {
            Ok(params) => params,
            Err(error) => {
                let failed = OperationRecord {
                    state: OperationState::Failed,
                    error: Some(error.to_string()),
                    ..operation.clone()
                };
                return self.save_operation(operation, failed).await.map(|_| false);
            }
        };
        let mut page = self.stores.checkpoints.dead_letters(&params.query(STEP)).await?;
        page.items.retain(|letter| letter.id <= params.up_to);
        self.ask_for(&page.items, params.bulk).await?;
        params.after_id = page.items.last().map_or(params.up_to, |letter| letter.id);
        let more = page.more && params.after_id < params.up_to;
        let next = OperationRecord {
            done: operation.done + page.items.len() as u64,
            state: if more { OperationState::Running } else { OperationState::Done },
            params: serde_json::to_string(&params)
                .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?,
            ..operation.clone()
        };
        self.save_operation(operation, next).await?;
        self.poke.notify_one();
        Ok(more)
    }
}
