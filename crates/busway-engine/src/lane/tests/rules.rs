//! The rules of a lane one by one.

mod alone;
mod commits;
mod holds;
mod limits;
mod requests;
mod tenants;

use busway_core::{DeadCause, KeyId, MemberId, OnDead, Seq, Timestamp, TurnId};
use uuid::Uuid;

use super::{
    super::{End, Item, Lane, Limits, Plan, Policy, Run},
    store::Store,
};

const LIMITS: Limits = Limits {
    window: 8,
    window_bytes: 1_000,
    max_holds: 100,
    armed: 10,
    breaker: 50,
    slow_ms: 1_000,
    crowd_ms: 1_000,
    lazy_ms: 500,
};

const POLICY: Policy = Policy { attempts: 3, on_dead: OnDead::Skip };

/// A lane with its store, a log of (key, turn), and a clock that is set by hand.
struct Desk {
    lane: Lane<()>,
    store: Store,
    log: Vec<(u128, u64)>,
    now: Timestamp,
    limits: Limits,
    policy: Policy,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn key_of(key: u128, seq: Seq) -> KeyId {
    if key == 0 { KeyId::solo(seq) } else { KeyId(key) }
}

impl Desk {
    /// Events of these keys (0: of none), all of the first tenant, in a lane that was just taken.
    fn of(keys: &[u128]) -> Self {
        Self::with(LIMITS, POLICY, keys)
    }

    fn with(limits: Limits, policy: Policy, keys: &[u128]) -> Self {
        let log: Vec<_> = keys.iter().map(|key| (*key, 1)).collect();
        let store = Store::new();
        let lane = take(&store, log.len(), limits, policy);
        let mut desk = Self { lane, store, log, now: at(0), limits, policy };
        desk.commit();
        desk
    }

    /// The holder is lost with all it had in mind; another takes the lane.
    fn lose(&mut self) {
        self.lane = take(&self.store, self.log.len(), self.limits, self.policy);
        self.commit();
    }

    /// Plans a commit, stores and confirms it.
    fn commit(&mut self) -> Plan {
        self.try_commit().expect("a commit is due")
    }

    fn try_commit(&mut self) -> Option<Plan> {
        let plan = self.lane.poll_commit(self.now, 1)?;
        assert_eq!(self.store.commit(&plan), Ok(true));
        self.lane.confirm();
        Some(plan)
    }

    /// Commits as long as there is something to commit.
    fn settle(&mut self) {
        while self.try_commit().is_some() {}
    }

    /// Reads what is wanted and there.
    fn read(&mut self) {
        let mut at_end = Vec::new();
        while let Some(wish) = self.lane.poll_read() {
            let end = wish.until.min(self.log.len() as Seq);
            if wish.after >= end {
                at_end.push(wish);
                continue;
            }
            let held: Vec<TurnId> = self.lane.held_turns().collect();
            let of_turn = |turn: TurnId| wish.turn.map_or(!held.contains(&turn), |wanted| wanted == turn);
            let item = |seq: Seq| {
                let (key, turn) = self.log[seq as usize - 1];
                Item { seq, key: key_of(key, seq), turn: TurnId(turn), size: 10 }
            };
            let items = (wish.after + 1..=end).map(item).filter(|item| of_turn(item.turn)).take(wish.max);
            let items: Vec<_> = items.map(|item| (item, ())).collect();
            let looked = if items.len() == wish.max { items[wish.max - 1].0.seq } else { end };
            self.lane.read(wish, items, looked);
        }
        at_end.into_iter().for_each(|wish| self.lane.read_failed(wish));
    }

    /// Starts what may start; the seqs.
    fn start(&mut self) -> Vec<Run<()>> {
        std::iter::from_fn(|| self.lane.next_run(self.now)).collect()
    }

    fn start_one(&mut self) -> Run<()> {
        self.lane.next_run(self.now).expect("something may start")
    }

    fn ack(&mut self, run: &Run<()>) {
        self.lane.outcome(run, End::Ack, self.now);
    }

    fn fail(&mut self, run: &Run<()>, due: i64) {
        self.lane.outcome(run, End::Retry { due: at(due), error: "failed".into() }, self.now);
    }

    fn kill(&mut self, run: &Run<()>) {
        let end = End::Dead { cause: DeadCause::Permanent, error: "dead".into() };
        self.lane.outcome(run, end, self.now);
    }

    fn position(&self) -> Seq {
        self.store.checkpoint.position
    }
}

fn take(store: &Store, log: usize, limits: Limits, policy: Policy) -> Lane<()> {
    let mut lane = Lane::take(&store.record(), MemberId(Uuid::nil()), log as Seq, limits, policy, at(0));
    lane.grant();
    lane
}

fn seqs(runs: &[Run<()>]) -> Vec<Seq> {
    runs.iter().map(|run| run.seq).collect()
}
