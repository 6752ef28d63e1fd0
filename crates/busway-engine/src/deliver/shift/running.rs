use std::{sync::Arc, time::Duration};

use busway_core::{Body, DeadCause, Entry, Event, Result, Timestamp};
use futures::FutureExt;

use super::{Happened, Shift};
use crate::{
    Deadline, Delivery, Outcome,
    deliver::{
        Place,
        attempt::{Attempt, classify},
    },
    lane::{End, Run},
};

/// Runs that end without waiting are run in place, so many at a time before commits and reads get their turn.
const IN_PLACE: usize = 1_024;
/// A handler that keeps the processor longer than this, twice in a row, is given tasks of its own for a while. Once may be
/// the machine's doing, which took the processor away.
const BRISK: Duration = Duration::from_micros(200);
/// While runs are brisk, only every so many ask what time it is.
const STRIDE: u32 = 8;
/// For how many runs.
const SPAWNED: u32 = 100;
impl Shift {
    pub(super) fn start_runs(&mut self, now: Timestamp) -> bool {
        self.lately = self.runner.place.seam.clock().elapsed();
        for count in 0..IN_PLACE {
            if self.slot.is_none() {
                self.slot = Arc::clone(&self.runner.work.slots).try_acquire_owned().ok();
            }
            if self.slot.is_none() {
                if !self.asking_slot && self.lane.has_ready() {
                    self.asking_slot = true;
                    let slots = Arc::clone(&self.runner.work.slots);
                    self.under_way.push(slots.acquire_owned().map(|slot| Happened::Slot(slot.ok())).boxed());
                }
                return count > 0;
            }
            let Some(run) = self.lane.next_run(now) else {
                self.slot = None;
                return count > 0;
            };
            self.start(run);
        }
        true
    }

    fn start(&mut self, mut run: Run<Arc<Entry>>) {
        match run.body.take().filter(|_| !run.again) {
            Some(entry) => {
                let event = entry.event().cloned();
                self.run(run, &entry, event);
            }
            None => self.fetch(run, Duration::ZERO),
        }
    }

    /// Reads the event of a run, after a while.
    pub(super) fn fetch(&mut self, run: Run<Arc<Entry>>, after: Duration) {
        let place = self.runner.place.clone();
        let slot = self.slot.take();
        self.under_way.push(
            async move {
                place.seam.clock().sleep(after).await;
                let fetched = fetch(&place, &run).await;
                Happened::Begun(Box::new(run), fetched, slot)
            }
            .boxed(),
        );
    }

    pub(super) fn run(&mut self, run: Run<Arc<Entry>>, entry: &Arc<Entry>, event: Option<Arc<Event>>) {
        let seam = &self.runner.place.seam;
        let event = match (event, &entry.body) {
            (Some(event), _) => event,
            (None, Body::Undecodable(undecodable)) => {
                let end = End::Dead { cause: DeadCause::Undecodable, error: undecodable.error.as_str().into() };
                let now = seam.steady();
                return self.lane.outcome(&run, end, now);
            }
            (None, Body::Event(event)) => Arc::clone(event),
        };
        let definition = &self.record.definition;
        let delivery = Delivery {
            event,
            stored_at: entry.stored_at,
            owner: self.record.owner.clone(),
            subscription: self.record.name.clone(),
            attempt: run.attempt,
            fence: self.lane.stored().version.fence,
            replay: self.record.replay.as_ref().map(|replay| replay.operation),
            deadline: match self.deadline.take() {
                Some(ended) => ended.renewed(definition.ack_timeout()),
                None => Deadline::after_start(definition.ack_timeout()),
            },
        };
        let handler = Arc::clone(&self.runner.work.handler);
        let mut attempt = Attempt::begin(handler, delivery, self.lately);
        if self.spawn == 0 {
            let outcome = attempt.poll_now();
            self.look_at_clock(outcome.as_ref());
            if let Some(outcome) = outcome {
                self.deadline = Some(attempt.into_deadline());
                let now = self.runner.place.seam.steady_at(self.lately);
                return self.ended(&run, outcome, now);
            }
        } else {
            self.spawn -= 1;
        }
        let slot = self.slot.take();
        let seam = self.runner.place.seam.clone();
        let (ended, cancel) = (self.ended.clone(), self.runner.cancel.clone());
        self.runner.tasks.spawn(async move {
            let outcome = attempt.finish(seam, cancel).await;
            drop(slot);
            let (outcome, cancelled) = match outcome {
                Some(outcome) => (outcome, false),
                None => (Outcome::Done, true),
            };
            // The runner waits for every run it has started.
            let _ = ended.send(Happened::Ended(run, outcome, cancelled));
        });
    }

    /// After a run in place: how long did it take?
    fn look_at_clock(&mut self, outcome: Option<&Outcome>) {
        self.unclocked += 1;
        if matches!(outcome, Some(Outcome::Done | Outcome::Skipped)) && self.unclocked < self.stride {
            return;
        }
        let now = self.runner.place.seam.clock().elapsed();
        let is_slow = now.saturating_sub(self.lately) > BRISK;
        if std::mem::replace(&mut self.slow, is_slow) && is_slow {
            self.spawn = SPAWNED;
        }
        self.stride = if is_slow { 1 } else { (self.stride * 2).min(STRIDE) };
        (self.lately, self.unclocked) = (now, 0);
    }

    pub(super) fn ended(&mut self, run: &Run<Arc<Entry>>, outcome: Outcome, now: Timestamp) {
        if let Outcome::Retry { error, .. } | Outcome::Dead { error } = &outcome {
            tracing::warn!(
                subscription = %self.record.name, owner = %self.record.owner, lane = %self.runner.place.lane, seq = run.seq,
                attempt = run.attempt, error, "delivery failed"
            );
        }
        let end = classify(outcome, run.attempt, &self.record.definition.retry, now, &self.runner.place.seam);
        self.lane.outcome(run, end, now);
    }
}

/// The entry of a hold's run; of a retried dead letter also the event with its edited payload.
async fn fetch(place: &Place, run: &Run<Arc<Entry>>) -> Result<(Arc<Entry>, Option<Arc<Event>>)> {
    let letter = match run.again {
        true => place.stores.checkpoints.dead_letter_of(place.subscription.id, place.lane, run.seq).await?,
        false => None,
    };
    match letter {
        Some(letter) => {
            let event = letter.entry.event().map(|event| match letter.edited_payload {
                Some(payload) => Arc::new(Event { payload, ..Event::clone(event) }),
                None => Arc::clone(event),
            });
            Ok((letter.entry, event))
        }
        None => {
            let entry = place.entry(run.seq).await?;
            let event = entry.event().cloned();
            Ok((entry, event))
        }
    }
}
