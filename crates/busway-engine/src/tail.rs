use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use busway_core::{Entry, Error, ErrorKind, Filter, LaneId, Patterns, Position, ReadRequest, Result, Seq, TenantId};

use crate::{Engine, deliver::Found, engine::Inner, signal::Watcher};

/// Entries read ahead of each lane.
const AHEAD: usize = 256;

impl Engine {
    /// Events as they are stored, from now or after a position; pins nothing. `PositionLost` if the position is
    /// not one of this log, or lies before what was pruned.
    pub async fn tail(&self, types: Patterns, tenant: Option<TenantId>, since: Option<Position>) -> Result<Tail> {
        let heads = self.inner.stores.log.heads().await?;
        let at = match since {
            None => heads.seqs.clone(),
            Some(since) if since.epoch != heads.epoch || since.lanes.len() != heads.seqs.len() => {
                return Err(lost("it belongs to another log, or to this one before it was restored"));
            }
            Some(since) => since.lanes,
        };
        if at.iter().zip(&heads.seqs).any(|(at, head)| at > head) {
            return Err(lost("it lies beyond the log's end: the log was restored"));
        }
        if at.iter().zip(&heads.pruned).any(|(at, pruned)| at < pruned) {
            return Err(lost("what follows it was removed by retention"));
        }
        let lanes = (0..).map(LaneId).take(at.len());
        Ok(Tail {
            ends: lanes.map(|lane| self.inner.reader.watch(lane)).collect(),
            looked: at.clone(),
            position: Position { epoch: heads.epoch, lanes: at },
            filter: Filter { types: Some(Arc::new(types)), tenant, except: Vec::new() },
            ahead: BinaryHeap::new(),
            inner: Arc::clone(&self.inner),
        })
    }
}

fn lost(why: &str) -> Error {
    Error::new(
        ErrorKind::PositionLost,
        format!("the position cannot be gone on from: {why}; start from now, or read GET /api/events"),
    )
}

/// Events as they are stored; ends with its owner.
pub struct Tail {
    inner: Arc<Inner>,
    filter: Filter,
    position: Position,
    /// How far each lane was read.
    looked: Vec<Seq>,
    /// Read and not given out, earliest first.
    ahead: BinaryHeap<Reverse<Ahead>>,
    ends: Vec<Watcher>,
}

struct Ahead(Arc<Entry>);

impl Ahead {
    fn rank(&self) -> (busway_core::Timestamp, LaneId, Seq) {
        (self.0.stored_at, self.0.lane, self.0.seq)
    }
}

impl PartialEq for Ahead {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Ahead {}

impl PartialOrd for Ahead {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ahead {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Tail {
    /// Where it stands: what was given out lies before it.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The next event and the position after it; waits for one. `PositionLost` if what is next was pruned,
    /// `Closed` once the engine shuts down. Nothing is lost if the wait is given up.
    pub async fn next(&mut self) -> Result<(Arc<Entry>, Position)> {
        loop {
            if let Some(Reverse(Ahead(entry))) = self.ahead.pop() {
                self.position.lanes[usize::from(entry.lane.0)] = entry.seq;
                return Ok((entry, self.position.clone()));
            }
            for end in &mut self.ends {
                end.mark_seen();
            }
            if self.read().await? {
                continue;
            }
            let moved = futures::future::select_all(self.ends.iter_mut().map(|end| Box::pin(end.changed())));
            tokio::select! {
                biased;
                () = self.inner.stop.cancelled() => return Err(Error::new(ErrorKind::Closed, "the bus is shut down")),
                _ = moved => {}
            }
        }
    }

    /// Reads on in every lane; false if there was nothing.
    async fn read(&mut self) -> Result<bool> {
        let mut moved = false;
        for lane in (0..).map(LaneId).take(self.looked.len()) {
            let index = usize::from(lane.0);
            let after = self.looked[index];
            let (entries, looked) = match self.inner.reader.after(lane, after, AHEAD) {
                Found::AtEnd => continue,
                Found::Entries(reads, looked) => {
                    let wanted = |entry: &Arc<Entry>| entry.event().is_some_and(|event| self.filter.matches(event));
                    (reads.into_iter().map(|read| read.entry).filter(wanted).collect(), looked)
                }
                Found::Behind => {
                    let request = ReadRequest { filter: self.filter.clone(), ..ReadRequest::after(lane, after, AHEAD) };
                    let page = self.inner.stores.log.read(request).await?;
                    let heads = self.inner.stores.log.heads().await?;
                    if heads.pruned[index] > after {
                        return Err(lost("what follows it was removed by retention"));
                    }
                    (page.entries, page.looked)
                }
            };
            moved |= looked > after;
            self.looked[index] = self.looked[index].max(looked);
            self.ahead
                .extend(entries.into_iter().filter(|entry| entry.event().is_some()).map(|entry| Reverse(Ahead(entry))));
            if self.ahead.is_empty() {
                self.position.lanes[index] = looked;
            }
        }
        Ok(moved)
    }
}
