use std::{collections::HashMap, sync::Arc};

use busway_core::{Body, Entry, Event, Filter, LaneId, Patterns, ReadRequest, Result, Seq, SubscriptionRecord};
use tokio::sync::OnceCell;

use super::{
    ahead::{Source, Taken},
    delivery_id::DeliveryId,
    lanes::Lane,
};
use crate::{
    Leased,
    deliver::{Found, Place, Read},
    engine::Inner,
    lane::pull::{Lease, PullLane},
};

/// Where the lanes end, asked at most once a round and only by who has nothing else to hand out.
#[derive(Debug, Default)]
pub(super) struct Ends(OnceCell<Vec<Seq>>);

impl Ends {
    async fn of(&self, inner: &Inner, lane: LaneId) -> Result<Seq> {
        let seqs = self.0.get_or_try_init(|| async { Ok(inner.stores.log.heads().await?.seqs) }).await?;
        Ok(seqs[usize::from(lane.0)])
    }
}

impl Inner {
    /// What comes next of a lane, at most `max` entries, and how far was looked. What was stored before the call is
    /// there, whether or not the reader has come to it.
    pub(super) async fn read_for(
        &self,
        record: &SubscriptionRecord,
        known: &Lane,
        pulled: &PullLane,
        lane: LaneId,
        ends: &Ends,
        max: usize,
    ) -> Result<(Vec<Read>, Seq)> {
        let after = pulled.position();
        let segments = pulled.segments();
        let at = segments.iter().rposition(|segment| segment.from <= after + 1).unwrap_or(0);
        let revision = segments.get(at).map_or(record.revision, |segment| segment.revision);
        let last =
            record.replay.as_ref().and_then(|replay| replay.to.get(usize::from(lane.0)).copied()).unwrap_or(Seq::MAX);
        let until = segments.get(at + 1).map_or(Seq::MAX, |segment| segment.from - 1).min(last);
        // By a definition that is not known here nothing can be chosen.
        if after >= until || revision > record.revision {
            return Ok((Vec::new(), after));
        }
        let earlier = record.earlier.iter().find(|(earlier, _)| *earlier == revision);
        let types: &Patterns = &earlier.map_or(&record.definition, |(_, definition)| definition).types;
        let tenant = record.owner.tenant();
        let source = Source { subscription: record.id, lane, revision, epoch: self.reader.epoch() };
        let request = |after| {
            let filter = Filter { types: Some(Arc::new(types.clone())), tenant: tenant.cloned(), except: Vec::new() };
            ReadRequest { until, filter, ..ReadRequest::after(lane, after, max) }
        };
        let ahead = &self.pulls.ahead;
        let handed_out = |taken: Taken| {
            let next = taken.next.filter(|next| *next < until && !self.reader.is_at_end(lane, *next));
            if let Some(next) = next {
                self.read_ahead(known, source, request(next));
            }
            (taken.reads, taken.looked)
        };
        let from_ahead = || ahead.after(source, after, max).filter(|taken| taken.looked <= until);
        if let Some(taken) = from_ahead() {
            return Ok(handed_out(taken));
        }
        match self.reader.after(lane, after, max) {
            Found::AtEnd if ends.of(self, lane).await? <= after => return Ok((Vec::new(), after)),
            Found::Entries(mut reads, looked) if looked <= until => {
                let wanted = |event: &Event| {
                    tenant.is_none_or(|tenant| *tenant == event.tenant) && types.matches(&event.event_type)
                };
                reads.retain(|read| read.entry.event().is_none_or(|event| wanted(event)));
                return Ok((reads, looked));
            }
            _ => {}
        }
        // Perhaps it is being read.
        let reading = known.reading.lock().await;
        let taken = match from_ahead() {
            Some(taken) => taken,
            None => ahead.read(&self.stores.log, source, request(after), max).await?,
        };
        drop(reading);
        Ok(handed_out(taken))
    }

    /// Reads what the next calls will ask for, unless somebody does.
    fn read_ahead(&self, known: &Lane, source: Source, request: ReadRequest) {
        let Ok(reading) = Arc::clone(&known.reading).try_lock_owned() else { return };
        let (ahead, log) = (Arc::clone(&self.pulls.ahead), Arc::clone(&self.stores.log));
        self.runs.spawn(async move {
            let _reading = reading;
            // Whoever needs it and does not find it reads itself, and is told what is wrong.
            if let Err(error) = ahead.read(&log, source, request, 0).await {
                tracing::debug!(%error, "what comes next of a lane cannot be read");
            }
        });
    }

    /// What the puller gets: the leases with their events.
    pub(super) async fn leased_of(
        &self,
        record: &Arc<SubscriptionRecord>,
        lane: LaneId,
        leases: Vec<Lease>,
        mut bodies: HashMap<Seq, Arc<Entry>>,
    ) -> Result<Vec<Leased>> {
        let missing: Vec<Seq> = leases
            .iter()
            .filter(|lease| !lease.again && !bodies.contains_key(&lease.seq))
            .map(|lease| lease.seq)
            .collect();
        if !missing.is_empty() {
            let fetched = self.stores.log.fetch(lane, &missing).await?;
            bodies.extend(fetched.into_iter().map(|entry| (entry.seq, entry)));
        }
        let mut leased = Vec::with_capacity(leases.len());
        for lease in leases {
            let entry = match bodies.remove(&lease.seq).filter(|_| !lease.again) {
                Some(entry) => entry,
                None => self.letter_entry(record, lane, lease.seq).await?,
            };
            leased.push(Leased {
                delivery_id: DeliveryId::of(lane, &lease, self.reader.epoch(), record.replay.is_some()).to_text(),
                attempt: lease.attempt,
                lease_ends_at: lease.ends,
                fence: lease.fence,
                replay: record.replay.as_ref().map(|replay| replay.operation),
                entry,
            });
        }
        Ok(leased)
    }

    /// The event of a retried dead letter, with its edited payload if it has one.
    async fn letter_entry(&self, record: &Arc<SubscriptionRecord>, lane: LaneId, seq: Seq) -> Result<Arc<Entry>> {
        let Some(letter) = self.stores.checkpoints.dead_letter_of(record.id, lane, seq).await? else {
            let place =
                Place { stores: self.stores.clone(), seam: self.seam.clone(), subscription: Arc::clone(record), lane };
            return place.entry(seq).await;
        };
        let (Some(payload), Some(event)) = (letter.edited_payload, letter.entry.event()) else {
            return Ok(letter.entry);
        };
        let body = Body::Event(Arc::new(Event { payload, ..Event::clone(event) }));
        Ok(Arc::new(Entry { body, ..Entry::clone(&letter.entry) }))
    }
}
