use std::sync::Arc;

use busway_core::{
    Checkpoint, CommitOutcome, DeadCause, DeadLetter, Definition, Entry, Error, ErrorKind, FieldError, KeyId,
    LaneCommit, LaneId, MemberId, Mode, Owner, Patterns, Result, Seq, SubscriptionId, SubscriptionName,
    SubscriptionRecord, Timestamp,
};
use uuid::Uuid;

use crate::engine::Inner;

/// The built-in subscription, the same in every store.
const ID: SubscriptionId = SubscriptionId(Uuid::from_u128(0x0b05_3a7e_0000_8000_8000_6f75_7462_6f78));
const NAME: &str = "outbox";
/// Its only lane; seqs there are numbers of rows.
pub(super) const LANE: LaneId = LaneId(0);
/// It reads no log, so it stands behind whatever a log may ever have, and keeps nothing from being pruned.
const BEHIND_ALL: Seq = i64::MAX as Seq;

/// True for the subscription whose dead letters are the rows of the outbox that were refused: it hears nothing, and
/// nobody may change it.
pub(crate) fn is_built_in(record: &SubscriptionRecord) -> bool {
    record.id == ID
}

/// Refuses what only a subscription that somebody made can be asked.
pub(crate) fn reserved(owner: &Owner, name: &SubscriptionName) -> Result<()> {
    if *owner != Owner::Installation || name.as_str() != NAME {
        return Ok(());
    }
    let detail = "is the name of a built-in subscription, whose dead letters are what transactions have published and \
                  could not be stored; only these can be edited, retried and discarded";
    Err(Error::invalid(ErrorKind::InvalidBody, vec![FieldError::new("/name", "reserved_name", detail)]))
}

/// The lane of the built-in subscription, as the one process that relays holds it.
#[derive(Debug)]
pub(super) struct Letters {
    member: MemberId,
    checkpoint: Checkpoint,
}

/// What is to be written at once.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) dead: Vec<DeadLetter>,
    pub(super) buried: Vec<Seq>,
    pub(super) requests: Vec<u64>,
    /// Dead letters that were retried and are in the log now.
    pub(super) delivered: u64,
}

impl Change {
    pub(super) fn is_empty(&self) -> bool {
        self.dead.is_empty() && self.buried.is_empty() && self.requests.is_empty()
    }
}

impl Letters {
    /// Takes the lane, its subscription made if it is missing: whoever held it before can write no more.
    pub(super) async fn take(inner: &Inner) -> Result<Self> {
        let (checkpoints, member) = (&inner.stores.checkpoints, inner.member.id);
        let mut stored = checkpoints.lane(ID, LANE).await?;
        if stored.is_none() {
            checkpoints.save_subscription(&record(inner.seam.now())?, None, &[BEHIND_ALL]).await?;
            inner.poke.notify_one();
            stored = checkpoints.lane(ID, LANE).await?;
        }
        let Some(stored) = stored else {
            return Err(Error::new(ErrorKind::Corrupt, format!("another subscription stands under the name `{NAME}`")));
        };
        let mut letters = Self { member, checkpoint: stored.checkpoint };
        let taken = letters.checkpoint.version.taken();
        letters.commit(inner, Change::default(), taken).await?;
        Ok(letters)
    }

    /// Writes a change. An error means that the lane has to be taken anew before anything is written.
    pub(super) async fn write(&mut self, inner: &Inner, change: Change) -> Result<()> {
        self.commit(inner, change, self.checkpoint.version.next()).await
    }

    async fn commit(&mut self, inner: &Inner, change: Change, version: busway_core::Version) -> Result<()> {
        let checkpoint = Checkpoint {
            version,
            written_by: inner.seam.random(),
            holder: Some(self.member),
            released: false,
            delivered: self.checkpoint.delivered + change.delivered,
            failed: self.checkpoint.failed + change.dead.len() as u64,
            ..self.checkpoint.clone()
        };
        let commit = LaneCommit {
            dead: change.dead,
            buried: change.buried,
            requests: change.requests.clone(),
            ..LaneCommit::new(ID, LANE, self.checkpoint.version, checkpoint.clone())
        };
        match inner.stores.checkpoints.commit(commit).await? {
            CommitOutcome::Done => {
                self.checkpoint = checkpoint;
                inner.strike(&change.requests);
                Ok(())
            }
            CommitOutcome::Fenced(_) => Err(Error::new(ErrorKind::Stale, "another process relays the outbox")),
        }
    }
}

fn record(now: Timestamp) -> Result<SubscriptionRecord> {
    Ok(SubscriptionRecord {
        id: ID,
        owner: Owner::Installation,
        name: SubscriptionName::new(NAME)?,
        version: 1,
        revision: 1,
        // No event is one of these.
        definition: Definition::new(Patterns::parse(["*", "!*"])?, Mode::Run),
        earlier: Vec::new(),
        control: busway_core::Control::Running,
        made_at: now,
        read_at: now,
        replay: None,
    })
}

/// The dead letter of a row that was refused at its first try.
pub(super) fn letter(entry: Entry, error: &Error, now: Timestamp) -> Result<DeadLetter> {
    Ok(DeadLetter {
        id: 0,
        subscription: ID,
        owner: Owner::Installation,
        name: SubscriptionName::new(NAME)?,
        key: KeyId::solo(entry.seq),
        entry: Arc::new(entry),
        edited_payload: None,
        error: error.detail().into(),
        attempts: 1,
        first_failed_at: now,
        died_at: now,
        cause: DeadCause::Rejected,
    })
}

impl Inner {
    /// What is asked of the built-in subscription, as last seen: (request, what).
    pub(super) fn asked_of_letters(&self) -> Vec<busway_core::Request> {
        self.asked.load().iter().filter(|request| request.subscription == ID).cloned().collect()
    }

    /// The dead letter of a row.
    pub(super) async fn letter_of(&self, number: Seq) -> Result<Option<DeadLetter>> {
        self.stores.checkpoints.dead_letter_of(ID, LANE, number).await
    }
}
