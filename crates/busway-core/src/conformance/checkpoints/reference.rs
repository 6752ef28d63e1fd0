use std::collections::BTreeMap;

use super::material::{LANE, comparable, dead_letter, hold, saved, time};
use crate::{
    Checkpoint, Checkpoints, DeadLetter, DeadLetterQuery, Failure, HoldRecord, HoldState, KeyId, LaneCommit,
    LaneRecord, Random, Seam, SeededRandom, Seq, SubscriptionId, TenantId, TurnId, TurnRecord,
    conformance::{Failed, Outcome, probe::Probe},
    memory::Memory,
};

/// Chance with a seed, so that a failure comes again.
struct Dice(SeededRandom);

impl Dice {
    fn below(&self, end: u64) -> u64 {
        self.0.next() % end
    }

    fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Some of the numbers below `end`, each once in so many times.
    fn some(&self, end: u64, times: u64) -> Vec<u64> {
        (0..end).filter(|_| self.once_in(times)).collect()
    }
}

pub(in crate::conformance) async fn random_commits_leave_what_the_reference_leaves(probe: &Probe) -> Outcome {
    let record = saved(probe, "billing").await?;
    let reference = Memory::with_lanes(Seam::system(), probe.log().lanes()).stores();
    let start = vec![0; usize::from(probe.log().lanes())];
    reference.checkpoints.save_subscription(&record, None, &start).await?;
    let letters = (0..8).map(|seq| dead_letter(probe, &record, seq)).collect();
    let mut chance = Chance { dice: Dice(SeededRandom::new(11)), id: record.id, letters, round: 0 };
    let mut last: Option<LaneCommit> = None;
    while chance.round < 250 {
        chance.round += 1;
        let (round, before) = (chance.round, lane(&*reference.checkpoints, record.id).await?);
        let commit = match last.take() {
            Some(last) if chance.dice.once_in(8) => last,
            _ => chance.commit(&before),
        };
        let expected = reference.checkpoints.commit(commit.clone()).await?;
        let outcome = probe.checkpoints().commit(commit.clone()).await?;
        ensure_eq!(outcome, expected, "round {round}: outcome of {commit:?}");
        let stored = lane(probe.checkpoints(), record.id).await?;
        let expected = lane(&*reference.checkpoints, record.id).await?;
        ensure_eq!(stored, expected, "round {round}: the lane after {commit:?}");
        let stored = letters_of(probe.checkpoints(), record.id).await?;
        let expected = letters_of(&*reference.checkpoints, record.id).await?;
        ensure_eq!(stored, expected, "round {round}: dead letters after {commit:?}");
        last = Some(commit);
    }
    Ok(())
}

async fn lane(of: &dyn Checkpoints, id: SubscriptionId) -> Result<LaneRecord, Failed> {
    let stored = of.lane(id, LANE).await?;
    stored.map(comparable).ok_or_else(|| Failed::new("a lane of a stored subscription is missing"))
}

/// Dead letters by seq, their ids left aside.
async fn letters_of(of: &dyn Checkpoints, id: SubscriptionId) -> Result<Vec<DeadLetter>, Failed> {
    let query = DeadLetterQuery { subscription: Some(id), limit: 1_000, ..DeadLetterQuery::default() };
    let mut letters = of.dead_letters(&query).await?.items;
    letters.iter_mut().for_each(|letter| letter.id = 0);
    letters.sort_by_key(|letter| letter.entry.seq);
    Ok(letters)
}

/// Where commits come from.
struct Chance {
    dice: Dice,
    id: SubscriptionId,
    letters: Vec<DeadLetter>,
    round: u64,
}

impl Chance {
    fn commit(&self, before: &LaneRecord) -> LaneCommit {
        let (dice, stored) = (&self.dice, &before.checkpoint);
        let mut expected = stored.version;
        if dice.once_in(6) {
            expected.n = [expected.n.saturating_sub(1), expected.n + 1, expected.n + 7][dice.below(3) as usize];
        }
        let checkpoint = Checkpoint {
            version: if dice.once_in(5) { expected.taken() } else { expected.next() },
            written_by: dice.0.next(),
            position: stored.position + dice.below(10),
            delivered: dice.below(99),
            ..stored.clone()
        };
        let clear = dice.once_in(15);
        let held: BTreeMap<KeyId, Seq> =
            before.holds.iter().filter(|_| !clear).map(|hold| (hold.key, hold.done)).collect();
        let keys = |times| dice.some(6, times).into_iter().map(|key| KeyId(key.into())).collect::<Vec<_>>();
        let (written, mut released) = (keys(3), keys(5));
        released.retain(|key| !written.contains(key));
        let stays = |key: &KeyId| written.contains(key) || (held.contains_key(key) && !released.contains(key));
        let chunks = keys(2).into_iter().filter(stays).map(|key| (key, self.chunk())).collect();
        let holds = written.iter().map(|key| self.hold(*key, held.get(key).copied().unwrap_or(0))).collect();
        let (turns, turns_removed) = dice.some(3, 2).into_iter().partition::<Vec<_>, _>(|_| dice.once_in(2));
        let (dead, buried) = dice.some(8, 4).into_iter().partition::<Vec<_>, _>(|_| dice.once_in(2));
        LaneCommit {
            holds,
            released,
            chunks,
            turns: turns.into_iter().map(|turn| self.turn(turn)).collect(),
            turns_removed: turns_removed.into_iter().map(TurnId).collect(),
            dead: dead.into_iter().map(|seq| self.letter(seq)).collect(),
            buried,
            clear,
            ..LaneCommit::new(self.id, LANE, expected, checkpoint)
        }
    }

    /// Seqs above all before, at least one.
    fn chunk(&self) -> Vec<Seq> {
        let some = self.dice.some(9, 2).into_iter().chain([9]);
        some.map(|n| self.round * 100 + n).collect()
    }

    fn hold(&self, key: KeyId, done: Seq) -> HoldRecord {
        let dice = &self.dice;
        let states =
            [HoldState::Waiting, HoldState::Suspect, HoldState::Running, HoldState::Leased, HoldState::Blocked];
        let failed = |n| Failure { at: time(n as i64), error: format!("failure {n}").into() };
        HoldRecord {
            state: states[dice.below(5) as usize],
            done: done + dice.below((self.round * 100).saturating_sub(done) + 50),
            head: dice.once_in(2).then(|| dice.below(1_000)),
            again: dice.once_in(4).then(|| dice.below(1_000)),
            attempt: dice.below(6) as u32,
            due: time(dice.below(100) as i64),
            fence: dice.below(9),
            failures: dice.some(4, 2).into_iter().map(failed).collect(),
            ..hold(key.0)
        }
    }

    fn turn(&self, turn: u64) -> TurnRecord {
        let tenant = TenantId::from_store(format!("tenant-{turn}"));
        TurnRecord { turn: TurnId(turn), tenant, position: self.dice.below(100), probation: self.dice.below(5) }
    }

    fn letter(&self, seq: Seq) -> DeadLetter {
        DeadLetter { attempts: self.dice.below(9) as u32, ..self.letters[seq as usize].clone() }
    }
}
