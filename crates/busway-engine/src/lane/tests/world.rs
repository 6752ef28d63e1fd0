//! Members, a store and a log around the lane, and everything that can happen to them.

use busway_core::{MemberId, RequestKind, Seq, Timestamp, TurnId};
use uuid::Uuid;

use super::{
    super::{End, Item, Lane, Plan, ReadWish, Run},
    case::{Ask, Case, Faults},
    explore::{Machine, Violation},
    ghost::Ghost,
    store::Store,
};

/// The state of a search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) published: Seq,
    pub(super) store: Store,
    pub(super) members: Vec<Member>,
    /// Commits of dead processes that are still on their way.
    late: Vec<Plan>,
    left: Faults,
    /// Which asks were made, as bits.
    asked: u8,
    pub(super) ghost: Ghost,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Member {
    pub(super) lane: Option<Lane<()>>,
    /// The commit under way.
    sent: Option<Plan>,
    reads: Vec<Reading>,
    pub(super) runs: Vec<Run<()>>,
    paused: bool,
    /// How often it died.
    deaths: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reading {
    wish: ReadWish,
    items: Vec<Item>,
    looked: Seq,
}

/// What can happen; the numbers are those of a member and of one of its runs or reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Publish,
    Take(usize),
    Commit(usize),
    /// A commit at the time when what waits is due.
    CommitLater(usize),
    /// The commit under way is stored or refused, and the lane hears of it.
    Store(usize),
    /// It is stored, and the lane does not hear of it.
    LoseAnswer(usize),
    StoreLate(usize),
    DropLate(usize),
    Read(usize),
    EndRead(usize, usize),
    Run(usize),
    Ack(usize, usize),
    Fail(usize, usize),
    Die(usize, usize),
    Kill(usize, usize),
    Cancel(usize, usize),
    Slow(usize, usize),
    Tick(usize),
    Crash(usize),
    /// A process dies after its commit was stored.
    CrashStored(usize),
    Release(usize),
    Leave(usize),
    Pause(usize),
    Resume(usize),
    Ask(usize),
    Tell(usize),
    Prune,
    /// Nothing of it can happen before time passes or something comes from outside.
    Sleep(usize),
}

/// When everything happens.
pub(super) fn now() -> Timestamp {
    Timestamp::default()
}

/// When what failed is due.
pub(super) fn later() -> Timestamp {
    Timestamp::from_millis(1_000)
}

impl Machine for Case {
    type State = World;
    type Action = Action;

    fn start(&self) -> World {
        World {
            published: self.published,
            store: Store::new(),
            members: vec![Member::default(); self.members],
            late: Vec::new(),
            left: self.faults,
            asked: 0,
            ghost: Ghost::new(self.events.len()),
        }
    }

    fn next(&self, world: &World) -> Vec<(Action, Result<World, Violation>)> {
        let mut next = Vec::new();
        for action in world.actions(self) {
            let mut after = world.clone();
            match after.act(self, action) {
                Ok(true) => {
                    after.canonical();
                    next.push((action, Ok(after)));
                }
                Ok(false) => {}
                Err(violation) => next.push((action, Err(violation))),
            }
        }
        for m in 0..world.members.len() {
            if world.sleeps(m, next.iter().map(|(action, _)| *action)) && !world.may_sleep(self, m) {
                next.push((Action::Sleep(m), Err("a lane sleeps, and nothing wakes it")));
            }
        }
        next
    }

    fn is_calm(&self, action: &Action) -> bool {
        use Action::*;
        let fault =
            matches!(action, Fail(..) | Die(..) | Crash(_) | CrashStored(_) | LoseAnswer(_) | Pause(_) | Slow(..));
        !fault && !matches!(action, Release(_) | Ask(_))
    }

    fn is_end(&self, world: &World) -> bool {
        world.published == self.events.len() as Seq
            && world.members.iter().all(|member| member.runs.is_empty())
            && world.late.is_empty()
            && world.store.requests.is_empty()
            && world.store.checkpoint.handed.is_none()
            && world.store.turns.is_empty()
            && world.store.holds.keys().all(|key| world.store.is_blocked(*key))
            && world.ghost.all_settled(self, world)
    }
}

impl World {
    pub(super) fn actions(&self, case: &Case) -> Vec<Action> {
        use Action::*;
        let mut actions = Vec::with_capacity(16);
        let mut may = |action: Action, if_so: bool| actions.extend(if_so.then_some(action));
        may(Publish, self.published < case.events.len() as Seq);
        may(Prune, self.left.prunes > 0);
        for ask in 0..case.asks.len() {
            may(Ask(ask), self.asked & (1 << ask) == 0);
        }
        for i in 0..self.late.len() {
            may(StoreLate(i), true);
            may(DropLate(i), true);
        }
        for (m, member) in self.members.iter().enumerate() {
            let Some(lane) = &member.lane else {
                may(Take(m), true);
                continue;
            };
            let over = lane.is_lost() || lane.is_released();
            for (i, run) in member.runs.iter().enumerate() {
                let event = case.event(run.seq);
                may(Kill(m, i), event.kills);
                may(Ack(m, i), event.acks);
                may(Fail(m, i), event.fails);
                may(Die(m, i), event.dies);
                may(Cancel(m, i), over || self.left.cancels > 0);
                may(Slow(m, i), self.left.slow > 0);
            }
            may(Crash(m), self.left.crashes > 0);
            if over {
                may(Leave(m), member.runs.is_empty());
                continue;
            }
            let waits = lane.waiting.iter().chain(&lane.suspects).any(|(due, _)| *due == later());
            may(Commit(m), member.sent.is_none());
            may(CommitLater(m), member.sent.is_none() && waits);
            may(Store(m), member.sent.is_some());
            may(LoseAnswer(m), self.left.lost_answers > 0 && member.sent.is_some());
            may(CrashStored(m), self.left.crashes > 0 && member.sent.is_some());
            if lane.is_taking() {
                continue;
            }
            for i in 0..member.reads.len() {
                may(EndRead(m, i), true);
            }
            may(Read(m), true);
            may(Run(m), true);
            may(Tick(m), !member.runs.is_empty() || case.limits.crowd_ms == 0);
            may(Release(m), self.left.releases > 0);
            may(Pause(m), self.left.pauses > 0);
            may(Resume(m), member.paused);
            may(Tell(m), !self.store.requests.is_empty());
        }
        actions
    }

    /// Does it; false if it cannot happen now or changes nothing.
    pub(super) fn act(&mut self, case: &Case, action: Action) -> Result<bool, Violation> {
        match action {
            Action::Publish => return Ok(self.publish(case)),
            Action::Prune => return Ok(self.prune()),
            Action::Ask(ask) => return Ok(self.ask(case, ask)),
            Action::StoreLate(i) => {
                let plan = self.late.remove(i);
                self.commit(case, &plan)?;
            }
            Action::DropLate(i) => {
                self.late.remove(i);
            }
            Action::Take(m) => return self.take(case, m),
            Action::Commit(m) => return self.send(m, now()),
            Action::CommitLater(m) => return self.send(m, later()),
            Action::Store(m) => {
                let Some(plan) = self.members[m].sent.take() else { return Ok(false) };
                let stored = self.commit(case, &plan)?;
                let lane = self.lane(m);
                if stored { lane.confirm() } else { lane.fenced() }
            }
            Action::LoseAnswer(m) => {
                let Some(plan) = self.members[m].sent.clone() else { return Ok(false) };
                return Ok(self.commit(case, &plan)? && spend(&mut self.left.lost_answers));
            }
            Action::Read(m) => return self.read(case, m),
            Action::EndRead(m, i) => {
                let reading = self.members[m].reads.remove(i);
                let items = reading.items.into_iter().map(|item| (item, ()));
                self.lane(m).read(reading.wish, items, reading.looked);
            }
            Action::Run(m) => {
                let Some(run) = self.lane(m).next_run(now()) else { return Ok(false) };
                self.begin(case, m, &run)?;
                self.members[m].runs.push(run);
                self.members[m].runs.sort_by_key(|run| run.seq);
            }
            Action::Ack(m, i) => {
                let run = self.end(m, i, |_| End::Ack);
                self.acked(case, m, &run)?;
            }
            Action::Fail(m, i) => {
                let run = self.end(m, i, |_| End::Retry { due: later(), error: "failed".into() });
                self.ghost.of(run.seq).paid += 1;
            }
            Action::Die(m, i) => {
                let cause = busway_core::DeadCause::Permanent;
                let run = self.end(m, i, |_| End::Dead { cause, error: "dead".into() });
                self.ghost.of(run.seq).hopeless = true;
            }
            Action::Cancel(m, i) => {
                if !self.lane(m).is_lost() {
                    if !spend(&mut self.left.cancels) {
                        return Ok(false);
                    }
                    self.ghost.unpaid += 1;
                }
                self.end(m, i, |_| End::Cancelled);
            }
            Action::Kill(m, i) => {
                let run = self.members[m].runs[i].clone();
                self.killed(case, &run)?;
                self.die(case, m);
            }
            Action::Crash(m) => {
                if !spend(&mut self.left.crashes) {
                    return Ok(false);
                }
                self.die(case, m);
            }
            Action::CrashStored(m) => {
                let Some(plan) = self.members[m].sent.take() else { return Ok(false) };
                self.left.crashes -= 1;
                self.commit(case, &plan)?;
                self.die(case, m);
            }
            Action::Slow(m, i) => {
                let run = self.members[m].runs[i].clone();
                return Ok(self.changes(m, |lane| lane.hold_running(run.turn, run.seq)) && spend(&mut self.left.slow));
            }
            Action::Tick(m) => return Ok(self.changes(m, |lane| lane.tick(now()))),
            Action::Release(m) => {
                return Ok(self.changes(m, Lane::release) && spend(&mut self.left.releases));
            }
            Action::Leave(m) => {
                self.members[m] = Member { deaths: self.members[m].deaths, ..Member::default() };
            }
            Action::Pause(m) => {
                if self.members[m].paused || !spend(&mut self.left.pauses) {
                    return Ok(false);
                }
                self.members[m].paused = true;
                self.lane(m).pause(true);
            }
            Action::Resume(m) => {
                if !std::mem::take(&mut self.members[m].paused) {
                    return Ok(false);
                }
                self.lane(m).pause(false);
            }
            Action::Sleep(_) => return Ok(false),
            Action::Tell(m) => {
                let requests = self.store.requests.clone();
                return Ok(self.changes(m, |lane| lane.requested(requests)));
            }
        }
        Ok(true)
    }

    fn sleeps(&self, m: usize, mut possible: impl Iterator<Item = Action>) -> bool {
        let member = &self.members[m];
        let open = member.lane.as_ref().is_some_and(|lane| !lane.is_lost() && !lane.is_released());
        open && member.runs.is_empty()
            && !possible.any(|action| match action {
                Action::Commit(of) | Action::Store(of) | Action::Run(of) | Action::Tick(of) => of == m,
                Action::Read(of) | Action::EndRead(of, _) | Action::Resume(of) | Action::Tell(of) => of == m,
                _ => false,
            })
    }

    /// True if time will wake it, or all is done that can be without an operator.
    fn may_sleep(&self, case: &Case, m: usize) -> bool {
        let lane = self.members[m].lane.as_ref();
        let current = lane.is_some_and(|lane| holds(lane, self.store.checkpoint.version.fence));
        let blocked = self.store.holds.keys().any(|key| self.store.is_blocked(*key));
        !current
            || blocked
            || lane.and_then(|lane| lane.deadline(now())).is_some()
            || self.ghost.all_settled(case, self)
    }

    pub(super) fn lane(&mut self, m: usize) -> &mut Lane<()> {
        self.members[m].lane.as_mut().expect("only members with a lane act on it")
    }

    fn changes(&mut self, m: usize, act: impl FnOnce(&mut Lane<()>)) -> bool {
        let before = self.lane(m).clone();
        act(self.lane(m));
        *self.lane(m) != before
    }

    fn publish(&mut self, case: &Case) -> bool {
        let more = self.published < case.events.len() as Seq;
        self.published += Seq::from(more);
        more
    }

    fn prune(&mut self) -> bool {
        let upto = self.store.needs() - 1;
        let prunes = upto > self.store.pruned && spend(&mut self.left.prunes);
        if prunes {
            self.store.pruned = upto;
        }
        prunes
    }

    fn ask(&mut self, case: &Case, ask: usize) -> bool {
        if self.asked & (1 << ask) != 0 {
            return false;
        }
        let kind = match case.asks[ask] {
            Ask::Retry(seq) | Ask::Discard(seq) if !self.store.dead.contains(&seq) => return false,
            Ask::Retry(seq) => RequestKind::Retry { seq, key: case.event(seq).key.0, turn: case.event(seq).turn.0 },
            Ask::Discard(seq) => RequestKind::Discard { seq, key: case.event(seq).key.0 },
            Ask::Seek(to) => RequestKind::Seek { to },
            Ask::Redefine => {
                self.ghost.redefined_at = Some(self.published);
                RequestKind::Redefine { revision: 2, end: self.published }
            }
        };
        self.asked |= 1 << ask;
        self.store.ask(kind);
        true
    }

    /// The lane is free, its holder is dead, or its lease is taken for lost.
    fn take(&mut self, case: &Case, m: usize) -> Result<bool, Violation> {
        let fence = self.store.checkpoint.version.fence;
        let held = |member: &Member| member.lane.as_ref().is_some_and(|lane| holds(lane, fence));
        let lives = !self.store.checkpoint.released && self.members.iter().any(held);
        if lives && !spend(&mut self.left.lost_leases) {
            return Ok(false);
        }
        let holder = MemberId(Uuid::from_u128(m as u128));
        let record = self.store.record();
        let mut lane = Lane::take(&record, holder, self.published, case.limits, case.policy, now());
        if !case.beside_others {
            lane.grant();
        }
        self.members[m].lane = Some(lane);
        Ok(true)
    }

    fn send(&mut self, m: usize, now: Timestamp) -> Result<bool, Violation> {
        let token = m as u64 + 8 * self.members[m].deaths;
        let lane = self.lane(m);
        let before = lane.clone();
        let plan = lane.poll_commit(now, token);
        match plan {
            Some(plan) => {
                self.members[m].sent = Some(plan);
                Ok(true)
            }
            None if *lane != before => Err("no commit is due, and yet the lane has changed"),
            None => Ok(false),
        }
    }

    fn commit(&mut self, case: &Case, plan: &Plan) -> Result<bool, Violation> {
        let before = self.store.clone();
        let stored = self.store.commit(plan)?;
        if self.store != before {
            self.committed(case, &before, plan)?;
        }
        Ok(stored)
    }

    fn read(&mut self, case: &Case, m: usize) -> Result<bool, Violation> {
        let (published, pruned) = (self.published, self.store.pruned);
        let fence = self.store.checkpoint.version.fence;
        let lane = self.lane(m);
        // A wish at the log's end waits for an event, and others may be carried out meanwhile.
        let wishes: Vec<ReadWish> = std::iter::from_fn(|| lane.poll_read()).collect();
        let wish = wishes.iter().find(|wish| wish.after < published).copied();
        wishes.into_iter().filter(|other| Some(*other) != wish).for_each(|other| lane.read_failed(other));
        let Some(wish) = wish else { return Ok(false) };
        if wish.after < pruned && holds(lane, fence) {
            return Err("what is to be read was pruned");
        }
        let held: Vec<TurnId> = lane.held_turns().collect();
        let segments = lane.stored().segments.clone();
        let wanted = |seq: Seq| {
            let event = case.event(seq);
            let revision = segments.iter().rfind(|segment| segment.from <= seq).map_or(1, |segment| segment.revision);
            let of_turn = wish.turn.map_or(!held.contains(&event.turn), |turn| turn == event.turn);
            of_turn && event.wanted[revision as usize - 1]
        };
        let end = wish.until.min(published);
        let items: Vec<Item> = (wish.after + 1..=end)
            .filter(|seq| wanted(*seq))
            .map(|seq| Item { seq, key: case.event(seq).key, turn: case.event(seq).turn, size: 1 })
            .take(wish.max)
            .collect();
        let looked = if items.len() == wish.max { items[wish.max - 1].seq } else { end };
        let reading = Reading { wish, items, looked };
        self.members[m].reads.push(reading);
        if !case.slow_reads {
            return self.act(case, Action::EndRead(m, 0));
        }
        Ok(true)
    }

    fn end(&mut self, m: usize, i: usize, end: impl FnOnce(&Run<()>) -> End) -> Run<()> {
        let run = self.members[m].runs.remove(i);
        let end = end(&run);
        self.lane(m).outcome(&run, end, now());
        run
    }

    /// A process dies with all it had in mind.
    pub(super) fn die(&mut self, case: &Case, m: usize) {
        let deaths = self.members[m].deaths + 1;
        let dead = std::mem::replace(&mut self.members[m], Member { deaths, ..Member::default() });
        self.late.extend(dead.sent.filter(|_| case.late_commits));
    }

    /// Makes states that differ in nothing that matters the same.
    pub(super) fn canonical(&mut self) {
        let fence = self.store.checkpoint.version.fence;
        self.late.retain(|plan| plan.expected.fence == fence);
        let plans =
            self.members.iter().filter_map(|member| member.sent.as_ref()).any(|plan| plan.expected.fence == fence);
        let taking = self.members.iter().filter_map(|member| member.lane.as_ref()).any(Lane::is_taking);
        let quiet = !plans && !taking && self.late.is_empty();
        for member in &mut self.members {
            if quiet {
                member.deaths = 0;
            }
            let Some(lane) = &mut member.lane else { continue };
            if quiet {
                lane.stored.version.n = 0;
                lane.stored.written_by = 0;
            }
            lane.stored.delivered = 0;
            lane.stored.failed = 0;
            lane.last_commit = now();
            if member.reads.is_empty() {
                lane.wishes = 0;
            }
            if let Some(plan) = &mut member.sent {
                plan.checkpoint.delivered = 0;
                plan.checkpoint.failed = 0;
            }
        }
        if quiet {
            self.store.checkpoint.version.n = 0;
            self.store.checkpoint.written_by = 0;
        }
        self.store.checkpoint.delivered = 0;
        self.store.checkpoint.failed = 0;
    }
}

/// True if the lane is its holder's as far as the store shows.
pub(super) fn holds(lane: &Lane<()>, fence: u64) -> bool {
    !lane.is_lost() && lane.stored().version.fence == fence && !lane.is_taking()
}

fn spend(left: &mut u8) -> bool {
    let some = *left > 0;
    *left -= u8::from(some);
    some
}
