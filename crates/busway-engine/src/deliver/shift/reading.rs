use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use busway_core::{Entry, Filter, Order, Patterns, ReadRequest, Seq};
use futures::FutureExt;

use super::{Happened, Shift};
use crate::{
    deliver::{Found, Read, backlog::Backlog},
    lane::{Item, ReadWish},
};

impl Shift {
    pub(super) fn start_read(&mut self) -> bool {
        if self.at_end.take().is_some_and(|wish| self.read_on(wish)) {
            return true;
        }
        // The lane's own wish may wait at the end; held tenants have wishes of their own.
        while let Some(wish) = self.lane.poll_read() {
            if self.read_on(wish) {
                return true;
            }
        }
        false
    }

    /// Held tenants are read by their names, which their first events tell.
    pub(super) fn name_turns(&mut self) {
        for turn in self.lane.held_turns() {
            if !self.tenants.contains_key(&turn) {
                let tenant = self.lane.body_of(turn).and_then(|entry| entry.event()).map(|event| event.tenant.clone());
                self.tenants.extend(tenant.map(|tenant| (turn, tenant)));
            }
        }
    }

    /// Reads by a wish; false if it has to wait for the lane's end to move.
    fn read_on(&mut self, wish: ReadWish) -> bool {
        self.name_turns();
        let cut = self.patterns.iter().map(|(from, _)| *from).find(|from| *from > wish.after + 1).map(|from| from - 1);
        let last = self.runner.work.last(self.runner.place.lane);
        let until = wish.until.min(cut.unwrap_or(Seq::MAX)).min(last);
        if wish.turn.is_none() && wish.after >= last {
            // A replay has come to its end.
            self.at_end = Some(wish);
            return false;
        }
        if wish.turn.is_none() && self.record.replay.is_none() {
            match self.runner.reader.after(self.runner.place.lane, wish.after, wish.max) {
                Found::AtEnd => {
                    self.behind = None;
                    self.at_end = Some(wish);
                    return false;
                }
                Found::Entries(entries, looked) => {
                    self.behind = None;
                    let (entries, looked) = cut_off((entries, looked), until);
                    self.took(wish, entries, looked);
                    return true;
                }
                Found::Behind => {
                    let (reader, lane) = (&self.runner.reader, self.runner.place.lane);
                    let behind = self.behind.get_or_insert_with(|| reader.fall_behind(lane));
                    if let Some(backlog) = behind.shared() {
                        self.read_with_others(backlog, wish, until);
                        return true;
                    }
                }
            }
        }
        let request = ReadRequest {
            until,
            max_bytes: wish.max_bytes,
            filter: Filter {
                types: Some(Arc::new(self.patterns_at(wish.after + 1).clone())),
                tenant: match wish.turn {
                    Some(turn) => self.tenants.get(&turn).cloned(),
                    None => self.record.owner.tenant().cloned(),
                },
                except: match wish.turn {
                    Some(_) => Vec::new(),
                    None => self.lane.held_turns().filter_map(|turn| self.tenants.get(&turn).cloned()).collect(),
                },
            },
            ..ReadRequest::after(self.runner.place.lane, wish.after, wish.max)
        };
        let (place, clock) = (self.runner.place.clone(), Arc::clone(self.runner.place.seam.clock()));
        self.under_way.push(
            async move {
                let page = place.stores.log.read(request).await;
                if page.is_err() {
                    clock.sleep(Duration::from_millis(100)).await;
                }
                Happened::Read(wish, page.map(|page| (page.entries.into_iter().map(Read::of).collect(), page.looked)))
            }
            .boxed(),
        );
        true
    }

    /// Reads whatever comes, since others want it too, though perhaps not the same of it.
    fn read_with_others(&mut self, backlog: Arc<Backlog>, wish: ReadWish, until: Seq) {
        let (place, clock) = (self.runner.place.clone(), Arc::clone(self.runner.place.seam.clock()));
        self.under_way.push(
            async move {
                let found = backlog.after(&place.stores.log, place.lane, wish.after, wish.max).await;
                if found.is_err() {
                    clock.sleep(Duration::from_millis(100)).await;
                }
                Happened::Read(wish, found.map(|found| cut_off(found, until)))
            }
            .boxed(),
        );
    }

    /// What was read goes to the lane, unless the handler cannot handle it: then the lane is given back.
    pub(super) fn took(&mut self, wish: ReadWish, mut entries: Vec<Read>, looked: Seq) {
        entries.retain(|read| self.wanted(&read.entry));
        let handler = &self.runner.work.handler;
        let unfit =
            entries.iter().filter_map(|read| read.entry.event()).find(|event| !handler.handles(&event.event_type));
        if let Some(event) = unfit {
            tracing::warn!(
                subscription = %self.record.name, event_type = %event.event_type,
                "no handler for this type here: the lane is given back"
            );
            self.runner.work.unfit.store(true, Ordering::Release);
            self.runner.stirred.notify_waiters();
            self.lane.read_failed(wish);
            self.unfit = true;
            return self.lane.release();
        }
        let order = self.record.definition.order;
        let items = entries.into_iter().map(|read| {
            let key = if order == Order::Key { read.key } else { read.entry.key_id(order) };
            (Item { seq: read.entry.seq, key, turn: read.turn, size: read.size }, read.entry)
        });
        self.lane.read(wish, items, looked);
    }

    fn wanted(&mut self, entry: &Entry) -> bool {
        let Some(event) = entry.event() else { return true };
        if self.record.owner.tenant().is_some_and(|tenant| *tenant != event.tenant) {
            return false;
        }
        if self.patterns.len() > 1 {
            return self.patterns_at(entry.seq).matches(&event.event_type);
        }
        match self.memo.get(&event.event_type) {
            Some(wanted) => *wanted,
            None => {
                let wanted = self.patterns_at(entry.seq).matches(&event.event_type);
                if self.memo.len() < 4_096 {
                    self.memo.insert(event.event_type.clone(), wanted);
                }
                wanted
            }
        }
    }

    fn patterns_at(&self, seq: Seq) -> &Patterns {
        let at = self.patterns.iter().rev().find(|(from, _)| *from <= seq).or(self.patterns.first());
        at.map_or(&self.record.definition.types, |(_, patterns)| patterns)
    }

    /// Which patterns decide from where on, after the segments or the record have changed.
    pub(super) fn look_at_segments(&mut self) {
        let segments = &self.lane.stored().segments;
        let patterns = |revision: u64| {
            let earlier = self.record.earlier.iter().find(|(earlier, _)| *earlier == revision);
            earlier.map_or(&self.record.definition, |(_, definition)| definition).types.clone()
        };
        let patterns: Vec<_> = segments.iter().map(|segment| (segment.from, patterns(segment.revision))).collect();
        if patterns != self.patterns {
            self.patterns = patterns;
            self.memo.clear();
        }
    }
}

/// What was found, no further than `until`.
fn cut_off((mut entries, looked): (Vec<Read>, Seq), until: Seq) -> (Vec<Read>, Seq) {
    if looked > until {
        entries.retain(|read| read.entry.seq <= until);
    }
    (entries, looked.min(until))
}
