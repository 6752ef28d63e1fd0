//! Group commit of checkpoints: what comes while statements are under way goes with the next.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use busway_core::{CommitOutcome, Error, ErrorKind, LaneCommit, Result};
use futures::FutureExt;
use tokio::sync::oneshot;

use super::{
    checkpoint_row::{self, Moved},
    error::is_refused,
    lane::{self, Change},
    pool::Pool,
};

/// Statements that may be under way at once: one gathers while the other is carried out.
const AT_ONCE: usize = 2;
/// Commits of one statement.
const MOST: usize = 128;
/// Bytes of what they change of holds, after which no other is added.
const MOST_BYTES: usize = 256 << 10;

/// The commits of one process that move on checkpoints and change nothing else but holds.
#[derive(Debug)]
pub(super) struct Commits {
    pool: Arc<Pool>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Tasks that carry out what waits.
    carriers: usize,
}

#[derive(Debug)]
struct Waiting {
    change: Change,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
enum Answer {
    Told(Result<CommitOutcome>),
    /// It is applied, and the changes of the lane's holds have outgrown what holds.
    Crowded,
    /// Whoever brought it has to carry it out, to learn what there is against it.
    Alone(Box<Change>),
}

impl Commits {
    pub(super) fn new(pool: Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { pool, queue: Mutex::default() })
    }

    /// Applies a commit whole, or refuses it before anything is written; what the commits of other lanes come to is nothing
    /// to it.
    pub(super) async fn commit(self: &Arc<Self>, commit: LaneCommit) -> Result<CommitOutcome> {
        let change = Change::of(commit)?;
        if !change.is_plain() {
            return lane::commit(&self.pool, &change).await;
        }
        let (subscription, lane) = (change.commit.subscription, change.commit.lane);
        match self.bring(change).await {
            Ok(Answer::Told(outcome)) => outcome,
            Ok(Answer::Crowded) => {
                lane::make_room(&self.pool, subscription, lane).await;
                Ok(CommitOutcome::Done)
            }
            Ok(Answer::Alone(change)) => lane::commit(&self.pool, &change).await,
            Err(_) => Err(Error::new(ErrorKind::OutcomeUnknown, "a defect ended the commit; repeat it unchanged")),
        }
    }

    /// Commits are carried out in tasks of their own: a lane may stand still, and the others may not have to.
    fn bring(self: &Arc<Self>, change: Change) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push(Waiting { change, answer });
        if queue.carriers < AT_ONCE {
            queue.carriers += 1;
            tokio::spawn(Arc::clone(self).carry());
        }
        answered
    }

    async fn carry(self: Arc<Self>) {
        while let Some(group) = self.next() {
            if AssertUnwindSafe(self.carry_out(group)).catch_unwind().await.is_err() {
                tracing::error!("a defect ended a commit");
            }
        }
    }

    /// The next to be carried out; `None` tells the carrier to end. Whoever went away is left out.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.retain(|waiting| !waiting.answer.is_closed());
        let bytes = queue.waiting.iter().scan(0, |bytes, waiting| {
            let before = *bytes;
            *bytes += waiting.change.held.as_ref().map_or(0, Vec::len);
            Some(before)
        });
        let count = bytes.take(MOST).take_while(|before| *before < MOST_BYTES).count();
        if count == 0 {
            queue.carriers -= 1;
            return None;
        }
        Some(queue.waiting.drain(..count).collect())
    }

    async fn carry_out(&self, mut group: Vec<Waiting>) {
        // All processes, and removals, in one order, so that none waits for another that waits for it.
        group.sort_by_key(|waiting| (waiting.change.commit.subscription, waiting.change.commit.lane));
        let changes: Vec<&Change> = group.iter().map(|waiting| &waiting.change).collect();
        let moved = checkpoint_row::move_on(&self.pool, &changes).await;
        if let Err(error) = &moved {
            tracing::warn!(%error, commits = group.len(), "commits that went together failed");
        }
        for (place, Waiting { change, answer }) in group.into_iter().enumerate() {
            let told = match &moved {
                Ok(moved) => match moved.get(place) {
                    Some(Moved::On) => Answer::Told(Ok(CommitOutcome::Done)),
                    Some(Moved::Crowded) => Answer::Crowded,
                    Some(Moved::Not) | None => Answer::Alone(Box::new(change)),
                },
                // One of them may be to blame.
                Err(error) if is_refused(error) => Answer::Alone(Box::new(change)),
                Err(error) => Answer::Told(Err(Error::new(error.kind(), error.detail()))),
            };
            // Whoever brought it may have gone away.
            let _ = answer.send(told);
        }
    }
}
