use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Memory,
    lanes::{Found, Lane, Lanes, Read},
};
use crate::{
    Appended, Capabilities, Entry, Error, ErrorKind, Event, Finding, Heads, LaneId, Log, ReadPage, ReadRequest, Result,
    Seq, TenantId, Timestamp, Wake,
};

impl Memory {
    fn log(&self) -> RwLockReadGuard<'_, Lanes> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_to_change(&self) -> RwLockWriteGuard<'_, Lanes> {
        self.log.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_batch(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let mut log = self.log_to_change();
        let count = log.count();
        if count + batch.len() > self.most_events && count + log.fresh(batch) > self.most_events {
            let detail = format!("memory holds {count} events of at most {}", self.most_events);
            return Err(Error::new(ErrorKind::StorageFull, detail));
        }
        let now = self.seam.now();
        Ok(batch.iter().map(|event| log.append(event, now)).collect())
    }
}

#[async_trait]
impl Log for Memory {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn lanes(&self) -> u16 {
        self.lanes
    }

    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let appended = self.append_batch(batch)?;
        if appended.iter().any(|appended| !appended.duplicate) {
            self.wake.send_modify(|count| *count += 1);
        }
        Ok(appended)
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadPage> {
        let mut read = Read::new(request.after);
        if request.max == 0 {
            return Ok(read.page);
        }
        while !self.log().lane(request.lane)?.read_on(&request, &mut read) {
            tokio::task::yield_now().await;
        }
        Ok(read.page)
    }

    async fn fetch(&self, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        let log = self.log();
        let lane = log.lane(lane)?;
        Ok(seqs.iter().filter_map(|seq| lane.at(*seq).cloned()).collect())
    }

    async fn heads(&self) -> Result<Heads> {
        let log = self.log();
        Ok(Heads {
            epoch: self.epoch,
            seqs: log.all().iter().map(Lane::head).collect(),
            pruned: log.all().iter().map(Lane::pruned).collect(),
        })
    }

    async fn find(&self, tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Result<Vec<Arc<Entry>>> {
        let wanted =
            |event: &Event| from <= event.id && event.id <= to && tenant.is_none_or(|tenant| event.tenant == *tenant);
        if from == to {
            let log = self.log();
            let bearers = log.with_id(from).iter().filter(|entry| entry.event().is_some_and(|event| wanted(event)));
            return Ok(bearers.take(max).cloned().collect());
        }
        let mut least = Found::new();
        for lane in (0..self.lanes).map(LaneId) {
            let mut after = Some(0);
            while let Some(seq) = after {
                after = self.log().lane(lane)?.find_on(seq, &wanted, max, &mut least);
                tokio::task::yield_now().await;
            }
        }
        Ok(least.into_values().collect())
    }

    fn wake(&self) -> Wake {
        self.wake.subscribe()
    }

    async fn prune(&self, lane: LaneId, upto: Seq, before: Timestamp) -> Result<u64> {
        self.log_to_change().prune(lane, upto, before)
    }

    async fn diagnose(&self) -> Result<Vec<Finding>> {
        let detail = "events are kept in memory and end with the process";
        let remedy = "choose a backend that keeps them: `backend.type` sqlite or postgres";
        Ok(vec![Finding::warn("durability", detail, remedy)])
    }
}
