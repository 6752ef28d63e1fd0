use busway_core::{KeyId, RequestKind, Segment, Seq, Timestamp, TurnId};

use super::{
    Alone, Lane,
    hold::{Hold, Phase},
    keymap::KeyMap,
    ready::Ready,
    rule::{Rule, keeps},
    stream::{SlotState, Stream},
};

impl<E: Clone> Lane<E> {
    /// Carries out what is asked and possible now; the rest stays in line. Nothing overtakes a seek.
    pub(super) fn carry_out(&mut self, now: Timestamp) {
        if self.taking.is_some() {
            return;
        }
        let mut left = std::mem::take(&mut self.requests);
        left.retain(|request| {
            let waits = self.seeking() || !self.try_request(&request.kind, now);
            match waits {
                true => self.requests.push_back(request.clone()),
                false => self.struck.push(request.id),
            }
            false
        });
    }

    /// True while a request waits for the lane to fall silent.
    pub(super) fn seeking(&self) -> bool {
        self.requests.iter().any(|request| matches!(request.kind, RequestKind::Seek { .. }))
    }

    fn try_request(&mut self, request: &RequestKind, now: Timestamp) -> bool {
        match *request {
            RequestKind::Retry { seq, key, turn } => self.retry_dead(seq, KeyId(key), TurnId(turn), now),
            RequestKind::Discard { seq, key } => self.discard_dead(seq, KeyId(key)),
            RequestKind::Seek { to } => self.seek(to),
            RequestKind::Redefine { revision, end } => {
                self.redefine(revision, end);
                true
            }
        }
    }

    /// Runs a dead letter again, unless its event is to run anyway (after a seek). A key that waits for its own
    /// next try comes first.
    fn retry_dead(&mut self, seq: Seq, key: KeyId, turn: TurnId, now: Timestamp) -> bool {
        if !self.dead.contains(&seq) {
            return true;
        }
        let Some(hold) = self.holds.get(&key) else { return self.retry_without_hold(seq, key, turn) };
        let blocked = hold.phase == Phase::Blocked && hold.head == Some(seq);
        if !blocked && (seq > hold.done || hold.again == Some(seq)) {
            return !matches!(hold.phase, Phase::Dying(_));
        }
        let rests = matches!(hold.phase, Phase::Waiting | Phase::Spent) && hold.attempt == 0 && !hold.suspect;
        let free = rests && hold.again.is_none() && !hold.letter;
        if !blocked && !free {
            return false;
        }
        if let Some(mut hold) = self.take_hold(key) {
            hold.again = Some(seq).filter(|_| !blocked);
            hold.attempt = 0;
            hold.failures.clear();
            hold.due = now;
            hold.phase = Phase::Waiting;
            self.put_hold(hold);
        }
        true
    }

    fn retry_without_hold(&mut self, seq: Seq, key: KeyId, turn: TurnId) -> bool {
        let front = self.chains.get(&key).map(|chain| chain.front);
        let handed = self.alone == Alone::Ready && self.handed().is_some_and(|(_, handed, _)| handed == key);
        let stream = self.stream_of(turn);
        if seq > stream.cursor || stream.find(seq).is_some_and(|slot| !slot.passable()) {
            return true;
        }
        match front.map(|front| (front, stream.find(front).is_some_and(|slot| slot.state == SlotState::Running))) {
            Some((_, running)) if running || handed => return false,
            Some((front, _)) => {
                let mut hold = Hold { again: Some(seq), ..Hold::resting(key, turn, front - 1) };
                hold.observe(front);
                self.hold_from(front, hold);
            }
            None => {
                let done = if key.is_solo() { seq } else { stream.cursor };
                self.put_hold(Hold { again: Some(seq), ..Hold::resting(key, turn, done) });
            }
        }
        true
    }

    /// Removes a dead letter; a key that it blocks goes on.
    fn discard_dead(&mut self, seq: Seq, key: KeyId) -> bool {
        if !self.dead.contains(&seq) {
            return true;
        }
        let concerned = |hold: &&Hold| hold.again == Some(seq) || hold.head == Some(seq);
        if let Some(hold) = self.holds.get(&key).filter(concerned) {
            if !matches!(hold.phase, Phase::Waiting | Phase::Blocked) {
                return false;
            }
            if let Some(mut hold) = self.take_hold(key) {
                hold.finish();
                self.put_hold(hold);
            }
        }
        self.bury(seq);
        true
    }

    /// Another place to go on from, once nothing runs.
    fn seek(&mut self, to: Seq) -> bool {
        if self.running > 0 {
            return false;
        }
        self.main = Stream::new(to);
        self.turns.clear();
        self.chains = KeyMap::default();
        self.holds = KeyMap::default();
        self.waiting.clear();
        self.suspects.clear();
        self.spent.clear();
        self.growing.clear();
        self.dirty.clear();
        self.ready = Ready::default();
        self.armed = 0;
        self.crowded = None;
        self.clear = true;
        let revision = self.stored.segments.last().map_or(1, |segment| segment.revision);
        self.stored.segments = vec![Segment { from: 0, revision }];
        true
    }

    /// Another definition: it decides from behind all that was read or is in a hold, and not before the log's
    /// end as it was when it was asked.
    fn redefine(&mut self, revision: u64, end: Seq) {
        if self.stored.segments.last().is_some_and(|segment| segment.revision >= revision) {
            return;
        }
        let read = if keeps(Rule::CutIsBehindCursor) { self.main.cursor.max(self.main.needed) } else { 0 };
        let cut = end.max(read);
        self.stored.segments.push(Segment { from: cut + 1, revision });
        self.main.reading = None;
    }
}
