use std::collections::{BTreeSet, VecDeque};

use busway_core::{DeadCause, HoldRecord, KeyId, LaneRecord, MemberId, Seq, Timestamp, TurnId};

use super::{
    Alone, Lane, Limits, Policy,
    hold::{Hold, Phase},
    keymap::KeyMap,
    ready::Ready,
    rule::{Rule, keeps},
    stream::Stream,
};

impl<E: Clone> Lane<E> {
    /// Takes a lane over as it is stored; `end` is the lane's head as it was after the record was read. Its
    /// first commit is the taking itself: fence + 1, and who was lost is charged.
    pub(crate) fn take(
        record: &LaneRecord,
        holder: MemberId,
        end: Seq,
        limits: Limits,
        policy: Policy,
        now: Timestamp,
    ) -> Self {
        let before = &record.checkpoint;
        let lost = !before.released;
        let mut stored = before.clone();
        stored.version = before.version.taken();
        stored.holder = Some(holder);
        stored.released = false;
        stored.handed = None;

        let stream = |position, probation| Stream::taken(position, probation, lost, limits.window, end);
        let turns = record.turns.iter().map(|turn| (turn.turn, stream(turn.position, turn.probation)));

        let mut lane = Self {
            limits,
            policy,
            stored,
            taking: Some(before.version),
            main: stream(before.position, before.probation),
            turns: turns.collect(),
            chains: KeyMap::default(),
            holds: KeyMap::default(),
            waiting: BTreeSet::new(),
            suspects: BTreeSet::new(),
            spent: BTreeSet::new(),
            growing: BTreeSet::new(),
            dirty: BTreeSet::new(),
            ready: Ready::default(),
            running: 0,
            armed: 0,
            started: VecDeque::new(),
            alone: Alone::None,
            permit: false,
            dead: record.dead.iter().copied().collect(),
            requests: record.requests.iter().cloned().collect(),
            last_request: record.requests.last().map_or(0, |request| request.id),
            struck: Vec::new(),
            buried: Vec::new(),
            clear: false,
            failures_in_row: 0,
            broken: false,
            crowded: None,
            wishes: 0,
            last_commit: now,
            flight: None,
            paused: false,
            releasing: false,
            released: false,
            lost: false,
        };
        let handed = before.handed.filter(|_| lost);
        for stored in &record.holds {
            lane.take_up(stored, handed.map(|handed| handed.seq), now);
        }
        if let Some(handed) = handed.filter(|handed| !lane.holds.contains(&KeyId(handed.key))) {
            lane.charge(KeyId(handed.key), TurnId(handed.turn), handed.seq, now);
        }
        lane
    }

    /// A hold as it is stored. What ran beside others is not charged but runs alone next time; behind what was to
    /// run alone may wait what did so, too.
    fn take_up(&mut self, stored: &HoldRecord, handed: Option<Seq>, now: Timestamp) {
        let letter = stored.head.is_some_and(|head| self.dead.contains(&head));
        let mut hold = Hold::from_record(stored, letter);
        let last = hold.backlog.back().copied().unwrap_or(0);
        self.need(hold.turn, hold.done.max(hold.head.unwrap_or(0)).max(last));
        let ran = hold.phase == Phase::Running;
        let alone = hold.suspect || ran && handed == Some(hold.target());
        if alone && keeps(Rule::BehindAloneIsAlone) {
            hold.alone_until = hold.backlog.get(self.limits.window).copied().unwrap_or(last);
        }
        match hold.phase {
            Phase::Running if alone => self.lose(&mut hold, now),
            Phase::Running if !keeps(Rule::OnlyAloneIsCharged) => self.lose(&mut hold, now),
            Phase::Running => hold.take_back(keeps(Rule::SuspectsRunAlone)),
            Phase::Waiting | Phase::Leased => hold.rest(),
            _ => {}
        }
        let key = hold.key;
        self.put_hold(hold);
        if !ran {
            self.dirty.remove(&key);
        }
    }

    /// The event that was alone in the window is charged with the loss of its process.
    fn charge(&mut self, key: KeyId, turn: TurnId, seq: Seq, now: Timestamp) {
        let mut hold = Hold::of(key, turn, seq, Phase::Running);
        self.lose(&mut hold, now);
        self.need(turn, seq);
        self.put_hold(hold);
    }

    fn lose(&mut self, hold: &mut Hold, now: Timestamp) {
        hold.fail(now, "the process that ran it was lost".into());
        let last = hold.attempt >= self.policy.attempts;
        hold.phase = if last { Phase::Dying(DeadCause::Lost) } else { Phase::Waiting };
        hold.suspect = true;
    }

    /// A hold needs its stream to be read up to here; a held tenant's is read no further than the lane's own.
    fn need(&mut self, turn: TurnId, seq: Seq) {
        let seq = if keeps(Rule::HoldsAreRead) { seq } else { 0 };
        self.main.needed = self.main.needed.max(seq);
        let stream = self.stream_of(turn);
        stream.needed = stream.needed.max(seq);
    }
}
