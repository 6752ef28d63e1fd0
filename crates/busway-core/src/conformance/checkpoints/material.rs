use std::sync::Arc;

use crate::{
    Body, Checkpoint, CommitOutcome, DeadCause, DeadLetter, Definition, Entry, HoldRecord, HoldState, KeyId,
    LaneCommit, LaneId, LaneRecord, MemberId, Mode, Owner, Patterns, Seq, SubscriptionId, SubscriptionName,
    SubscriptionRecord, Timestamp, TurnId,
    conformance::{Failed, Outcome, probe::Probe},
};

pub(super) const LANE: LaneId = LaneId(0);

/// A time like any other, so many milliseconds on.
pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

/// A record like any other, not saved yet.
pub(super) fn subscription(probe: &Probe, name: &str) -> SubscriptionRecord {
    SubscriptionRecord {
        id: SubscriptionId(probe.id()),
        owner: Owner::Installation,
        name: SubscriptionName::from_store(name),
        version: 1,
        revision: 1,
        definition: Definition::new(Patterns::all(), Mode::Run),
        earlier: Vec::new(),
        control: Default::default(),
        made_at: time(0),
        read_at: time(0),
        replay: None,
    }
}

/// Saves a subscription that starts at 0 in every lane.
pub(super) async fn saved(probe: &Probe, name: &str) -> Result<SubscriptionRecord, Failed> {
    let record = subscription(probe, name);
    let start = vec![0; usize::from(probe.log().lanes())];
    let is_saved = probe.checkpoints().save_subscription(&record, None, &start).await?;
    ensure!(is_saved, "a new subscription was refused");
    Ok(record)
}

/// A lane as it is stored; fails if it is not there.
pub(super) async fn lane(probe: &Probe, id: SubscriptionId) -> Result<LaneRecord, Failed> {
    let record = probe.checkpoints().lane(id, LANE).await?;
    record.ok_or_else(|| Failed::new("a lane of a stored subscription is missing"))
}

/// One lane of one subscription, as its holder sees it.
pub(super) struct Holder<'a> {
    pub(super) probe: &'a Probe,
    pub(super) id: SubscriptionId,
    pub(super) checkpoint: Checkpoint,
    commits: u64,
}

impl<'a> Holder<'a> {
    /// Saves a subscription and takes its first lane.
    pub(super) async fn of(probe: &'a Probe, name: &str) -> Result<Self, Failed> {
        let id = saved(probe, name).await?.id;
        let mut holder = Self { probe, id, checkpoint: lane(probe, id).await?.checkpoint, commits: 0 };
        let mut take = holder.next();
        take.checkpoint.version = take.expected.taken();
        take.checkpoint.holder = Some(MemberId(probe.id()));
        take.checkpoint.released = false;
        holder.done(take).await?;
        Ok(holder)
    }

    /// The next commit, which changes nothing yet.
    pub(super) fn next(&mut self) -> LaneCommit {
        self.commits += 1;
        let expected = self.checkpoint.version;
        let checkpoint = Checkpoint { version: expected.next(), written_by: self.commits, ..self.checkpoint.clone() };
        LaneCommit::new(self.id, LANE, expected, checkpoint)
    }

    /// Commits; fails unless it is done.
    pub(super) async fn done(&mut self, commit: LaneCommit) -> Outcome {
        let checkpoint = commit.checkpoint.clone();
        ensure_eq!(self.probe.checkpoints().commit(commit).await?, CommitOutcome::Done, "outcome of a commit");
        self.checkpoint = checkpoint;
        Ok(())
    }

    /// Commits and fails unless it is refused with the stored version.
    pub(super) async fn fenced(&self, commit: LaneCommit) -> Outcome {
        let outcome = self.probe.checkpoints().commit(commit).await?;
        ensure_eq!(
            outcome,
            CommitOutcome::Fenced(Some(self.checkpoint.version)),
            "outcome of a commit on an old version"
        );
        Ok(())
    }

    /// The lane as another handle reads it, holds in the order of their keys, settled seqs left out of backlogs.
    pub(super) async fn stored(&self) -> Result<LaneRecord, Failed> {
        let record = lane(&self.probe.again().await?, self.id).await?;
        for hold in &record.holds {
            ensure!(hold.backlog.is_sorted_by(|a, b| a < b), "the backlog of {:?} does not rise", hold.key);
        }
        Ok(comparable(record))
    }
}

/// The same record in one order, without the seqs that a store may still remember though they are settled.
pub(super) fn comparable(mut record: LaneRecord) -> LaneRecord {
    for hold in &mut record.holds {
        hold.backlog.retain(|seq| *seq > hold.done);
    }
    record.holds.sort_by_key(|hold| hold.key);
    record.turns.sort_by_key(|turn| turn.turn);
    record.dead.sort_unstable();
    record
}

/// A hold like any other.
pub(super) fn hold(key: u128) -> HoldRecord {
    HoldRecord {
        key: KeyId(key),
        turn: TurnId(7),
        done: 0,
        head: Some(1),
        again: None,
        state: HoldState::Waiting,
        attempt: 1,
        due: time(0),
        fence: 0,
        last: 0,
        failures: Vec::new(),
        backlog: Vec::new(),
    }
}

/// The dead letter of a new event that is said to stand at this seq; not written yet.
pub(super) fn dead_letter(probe: &Probe, of: &SubscriptionRecord, seq: Seq) -> DeadLetter {
    let body = Body::Event(Arc::new(probe.event()));
    DeadLetter {
        id: 0,
        subscription: of.id,
        owner: of.owner.clone(),
        name: of.name.clone(),
        entry: Arc::new(Entry { lane: LANE, seq, stored_at: time(1), body }),
        key: KeyId(u128::from(seq)),
        edited_payload: None,
        error: "it broke".into(),
        attempts: 5,
        first_failed_at: time(2),
        died_at: time(3),
        cause: DeadCause::Attempts,
    }
}

/// Writes dead letters into the first lane of their subscription, whoever holds it.
pub(super) async fn died(probe: &Probe, letters: Vec<DeadLetter>) -> Outcome {
    let Some(id) = letters.first().map(|letter| letter.subscription) else { return Ok(()) };
    let stored = lane(probe, id).await?.checkpoint;
    let checkpoint =
        Checkpoint { version: stored.version.next(), written_by: probe.id().as_u128() as u64, ..stored.clone() };
    let commit = LaneCommit { dead: letters, ..LaneCommit::new(id, LANE, stored.version, checkpoint) };
    ensure_eq!(probe.checkpoints().commit(commit).await?, CommitOutcome::Done, "outcome of a commit of dead letters");
    Ok(())
}
