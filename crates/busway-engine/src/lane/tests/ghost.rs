//! What is remembered of every event besides the lane and its store, and the invariants.

use busway_core::{DeadCause, HoldRecord, HoldState, RequestKind, Seq};

use super::{
    super::{Lane, Plan, Run},
    case::Case,
    explore::Violation,
    store::Store,
    world::{World, holds},
};

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ghost {
    events: Vec<Past>,
    /// Unclean losses.
    losses: u8,
    /// Runs that are taken back.
    pub(super) unpaid: u8,
    /// The log's end when another definition was asked for.
    pub(super) redefined_at: Option<Seq>,
    /// The first event that it decides about.
    cut: Option<Seq>,
}

/// What has become of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Past {
    acked: bool,
    /// Under which fence it was acknowledged last.
    acked_by: u64,
    /// A dead letter of it was stored.
    died: bool,
    settled: bool,
    /// A seek has passed it.
    skipped: bool,
    runs: u8,
    /// Runs that failed and losses that were charged, since the last retry of its dead letter.
    pub(super) paid: u8,
    /// It failed for good.
    pub(super) hopeless: bool,
    /// How often its attempts began anew: a retry of its dead letter, a seek.
    chances: u8,
    unseen_kills: u8,
    kills: u8,
}

impl Ghost {
    pub(super) fn new(events: usize) -> Self {
        let events = vec![Past::default(); events];
        Self { events, losses: 0, unpaid: 0, redefined_at: None, cut: None }
    }

    pub(super) fn of(&mut self, seq: Seq) -> &mut Past {
        &mut self.events[seq as usize - 1]
    }

    fn at(&self, seq: Seq) -> &Past {
        &self.events[seq as usize - 1]
    }

    /// True if it is wanted; while it is open which definition decides, by both.
    fn must(&self, case: &Case, seq: Seq) -> bool {
        let [before, after] = case.event(seq).wanted;
        match (self.cut, self.redefined_at) {
            (Some(cut), _) if seq >= cut => after,
            (None, Some(end)) if seq > end => before && after,
            _ => before,
        }
    }

    pub(super) fn all_settled(&self, case: &Case, world: &World) -> bool {
        (1..=world.published).all(|seq| {
            let event = case.event(seq);
            !self.must(case, seq) || world.store.is_blocked(event.key) || !world.store.owes(seq, event.key, event.turn)
        })
    }
}

impl World {
    /// A handler starts.
    pub(super) fn begin(&mut self, case: &Case, m: usize, run: &Run<()>) -> Result<(), Violation> {
        let event = case.event(run.seq);
        let fence = self.lane(m).stored().version.fence;
        let stored_fence = self.store.checkpoint.version.fence;
        let zombie = !holds(self.lane(m), stored_fence);
        if self.members[m].runs.iter().any(|other| other.alone || run.alone) {
            return Err("something runs beside what is alone");
        }
        for (other, member) in self.members.iter().enumerate() {
            let kept = |lane: &Lane<()>| holds(lane, stored_fence) || lane.is_released();
            let lost = zombie || !member.lane.as_ref().is_some_and(kept);
            if member.runs.iter().any(|beside| case.event(beside.seq).key == event.key) && (other == m || !lost) {
                return Err("two handlers of a key");
            }
        }
        if !zombie {
            if run.seq <= self.store.pruned && !run.again {
                return Err("what is to be run was pruned");
            }
            if self.ghost.cut.is_some() && !self.ghost.must(case, run.seq) {
                return Err("what nobody wants runs");
            }
            let owed = self.store.owes(run.seq, event.key, event.turn);
            if !run.again && !owed {
                return Err("what is settled runs again");
            }
            let handed = self.store.checkpoint.handed.map(|handed| handed.seq);
            if handed != run.alone.then_some(run.seq) {
                return Err("handed is not what is alone");
            }
            let stored = self.store.holds.get(&event.key).is_some_and(|hold| {
                hold.state == HoldState::Running
                    && hold.attempt == run.attempt
                    && hold.again.or(hold.head) == Some(run.seq)
            });
            if run.body.is_none() && !stored {
                return Err("a hold's run is not stored before it starts");
            }
        }
        if run.attempt > case.policy.attempts {
            return Err("more attempts than there are");
        }
        let (losses, unpaid) = (self.ghost.losses, self.ghost.unpaid);
        let past = self.ghost.of(run.seq);
        if past.acked_by == fence && !run.again {
            return Err("what is acknowledged runs again without a loss");
        }
        past.runs += u8::from(case.counted);
        if u32::from(past.runs) > case.policy.attempts * (1 + u32::from(past.chances)) + u32::from(losses + unpaid) {
            return Err("more runs than attempts and losses");
        }
        Ok(())
    }

    /// A handler has acknowledged.
    pub(super) fn acked(&mut self, case: &Case, m: usize, run: &Run<()>) -> Result<(), Violation> {
        let key = case.event(run.seq).key;
        let past = |seq: Seq| self.ghost.at(seq);
        let over = |seq: Seq| past(seq).acked || past(seq).died || past(seq).skipped || !self.ghost.must(case, seq);
        if (1..run.seq).any(|seq| case.event(seq).key == key && !over(seq)) {
            return Err("acknowledged before what is earlier of its key");
        }
        let fence = self.lane(m).stored().version.fence;
        let past = self.ghost.of(run.seq);
        past.acked = true;
        past.acked_by = fence;
        Ok(())
    }

    /// A handler has killed its process.
    pub(super) fn killed(&mut self, case: &Case, run: &Run<()>) -> Result<(), Violation> {
        let past = self.ghost.of(run.seq);
        past.kills += 1;
        past.unseen_kills += u8::from(!run.alone);
        let chances = 1 + u32::from(past.chances);
        if u32::from(past.unseen_kills) > 2 * chances + u32::from(past.paid) {
            return Err("a killer runs unseen more than twice");
        }
        if u32::from(past.kills) > (case.policy.attempts + 2) * chances {
            return Err("a killer outlives its attempts");
        }
        Ok(())
    }

    /// The store has changed.
    pub(super) fn committed(&mut self, case: &Case, before: &Store, plan: &Plan) -> Result<(), Violation> {
        let (old, new) = (&before.checkpoint, &plan.checkpoint);
        if new.position < old.position && !plan.clear {
            return Err("the position falls");
        }
        if new.version.fence > old.version.fence && !old.released {
            self.ghost.losses += 1;
            if let Some(handed) = old.handed {
                if case.only_killers() && !case.event(handed.seq).kills {
                    return Err("an innocent is charged with a loss");
                }
                self.ghost.of(handed.seq).paid += 1;
            }
            self.repeats(case, before)?;
        }
        let undone = |seq: &Seq| {
            let event = case.event(*seq);
            let past = self.ghost.at(*seq);
            past.acked && past.acked_by == old.version.fence && before.owes(*seq, event.key, event.turn)
        };
        if new.version.fence > old.version.fence && old.released && (1..=self.published).any(|seq| undone(&seq)) {
            return Err("a lane that is handed over repeats");
        }
        for request in before.requests.iter().filter(|request| plan.requests.contains(&request.id)) {
            self.granted(request.kind.clone());
        }
        for dead in &plan.dead {
            let past = self.ghost.of(dead.seq);
            let used_up = dead.attempts >= case.policy.attempts && u32::from(past.paid) >= dead.attempts;
            if !used_up && !(past.hopeless && dead.cause == DeadCause::Permanent) {
                return Err("dead before its attempts are used up");
            }
            past.died = true;
        }
        for member in &self.members {
            let Some(lane) = member.lane.as_ref().filter(|lane| holds(lane, new.version.fence)) else { continue };
            let owed = |run: &&Run<()>| self.store.owes(run.seq, run.key, run.turn);
            if !lane.is_lost() && !member.runs.iter().filter(|run| !run.again).all(|run| owed(&run)) {
                return Err("what runs is settled");
            }
        }
        if let Some(handed) = self.store.checkpoint.handed {
            let event = case.event(handed.seq);
            let hold = self.store.holds.get(&event.key);
            let runs =
                |hold: &HoldRecord| hold.state == HoldState::Running && hold.again.or(hold.head) == Some(handed.seq);
            if !hold.map_or(self.store.owes(handed.seq, event.key, event.turn), runs) {
                return Err("handed names what does not run alone");
            }
        }
        for hold in self.store.holds.values() {
            let Some(head) = hold.again.or(hold.head) else { continue };
            let begun = u32::from(hold.state == HoldState::Running);
            if hold.attempt.saturating_sub(begun) > u32::from(self.ghost.at(head).paid) && !self.ghost.at(head).hopeless
            {
                return Err("an innocent pays an attempt");
            }
        }
        for seq in 1..=self.published {
            let event = case.event(seq);
            let settled = !self.store.owes(seq, event.key, event.turn);
            let must = self.ghost.must(case, seq);
            let past = self.ghost.of(seq);
            if settled && must && !(past.acked || past.died || past.skipped) {
                return Err("settled without being acknowledged or dead");
            }
            if past.settled && !settled && must {
                return Err("settled, and then not settled");
            }
            past.settled = settled;
        }
        Ok(())
    }

    /// A loss repeats at most the window and the running holds.
    fn repeats(&self, case: &Case, before: &Store) -> Result<(), Violation> {
        for seq in 1..=self.published {
            let event = case.event(seq);
            let lost = self.ghost.at(seq).acked_by == before.checkpoint.version.fence;
            if !lost || !before.owes(seq, event.key, event.turn) {
                continue;
            }
            let turn = before.turns.get(&event.turn).map(|(position, _)| *position);
            let position = turn.unwrap_or(before.checkpoint.position);
            let of_turn = |other: &Seq| turn.is_none() || case.event(*other).turn == event.turn;
            let since = (position + 1..=seq).filter(|other| of_turn(other) && self.ghost.must(case, *other));
            // A tenant that is held takes along what it has in the window.
            let window = if before.turns.is_empty() { case.limits.window } else { case.limits.window * 3 / 2 };
            let running = before
                .holds
                .get(&event.key)
                .is_some_and(|hold| hold.state == HoldState::Running && hold.again.or(hold.head) == Some(seq));
            if !running && (seq <= position || since.count() > window) {
                return Err("more is repeated than the window and the running holds");
            }
        }
        Ok(())
    }

    /// A request was carried out.
    fn granted(&mut self, kind: RequestKind) {
        match kind {
            RequestKind::Retry { seq, .. } => {
                let past = self.ghost.of(seq);
                past.chances += 1;
                past.paid = 0;
            }
            RequestKind::Discard { .. } => {}
            RequestKind::Seek { to } => {
                for (seq, past) in (1..).zip(&mut self.ghost.events) {
                    past.skipped = seq <= to;
                    past.settled &= seq <= to;
                    past.acked &= seq <= to;
                    past.acked_by = 0;
                    past.chances += u8::from(seq > to);
                }
            }
            RequestKind::Redefine { .. } => {
                self.ghost.cut = self.store.checkpoint.segments.last().map(|segment| segment.from);
            }
        }
    }
}
