//! Group commit of checkpoints: what comes while statements are under way goes with the next.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use busway_core::{CommitOutcome, Error, ErrorKind, LaneCommit, Result};
use futures::FutureExt;
use tokio::sync::oneshot;

use super::{checkpoint_row, error::is_refused, lane, pool::Pool};

/// Statements that may be under way at once: one gathers while the other is carried out.
const AT_ONCE: usize = 2;
/// Commits of one statement.
const MOST: usize = 128;

/// The commits of one process that move on checkpoints and change nothing else.
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
    commit: LaneCommit,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
enum Answer {
    Told(Result<CommitOutcome>),
    /// Whoever brought it has to carry it out, to learn what there is against it.
    Alone(Box<LaneCommit>),
}

impl Commits {
    pub(super) fn new(pool: Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { pool, queue: Mutex::default() })
    }

    /// Applies a commit whole, or refuses it before anything is written; what the commits of other lanes come to is nothing
    /// to it.
    pub(super) async fn commit(self: &Arc<Self>, commit: LaneCommit) -> Result<CommitOutcome> {
        if !moves_on(&commit) {
            return lane::commit(&self.pool, commit).await;
        }
        match self.bring(commit).await {
            Ok(Answer::Told(outcome)) => outcome,
            Ok(Answer::Alone(commit)) => lane::commit(&self.pool, *commit).await,
            Err(_) => Err(Error::new(ErrorKind::OutcomeUnknown, "a defect ended the commit; repeat it unchanged")),
        }
    }

    /// Commits are carried out in tasks of their own: a lane may stand still, and the others may not have to.
    fn bring(self: &Arc<Self>, commit: LaneCommit) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push(Waiting { commit, answer });
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
        let count = queue.waiting.len().min(MOST);
        if count == 0 {
            queue.carriers -= 1;
            return None;
        }
        Some(queue.waiting.drain(..count).collect())
    }

    async fn carry_out(&self, mut group: Vec<Waiting>) {
        // All processes, and removals, in one order, so that none waits for another that waits for it.
        group.sort_by_key(|waiting| (waiting.commit.subscription, waiting.commit.lane));
        let commits: Vec<&LaneCommit> = group.iter().map(|waiting| &waiting.commit).collect();
        let applied = checkpoint_row::move_on(&self.pool, &commits).await;
        if let Err(error) = &applied {
            tracing::warn!(%error, commits = group.len(), "commits that went together failed");
        }
        for (place, Waiting { commit, answer }) in group.into_iter().enumerate() {
            let told = match &applied {
                Ok(applied) if applied.get(place).is_some_and(|applied| *applied) => {
                    Answer::Told(Ok(CommitOutcome::Done))
                }
                // One of them may be to blame.
                Err(error) if is_refused(error) => Answer::Alone(Box::new(commit)),
                Err(error) => Answer::Told(Err(Error::new(error.kind(), error.detail()))),
                Ok(_) => Answer::Alone(Box::new(commit)),
            };
            // Whoever brought it may have gone away.
            let _ = answer.send(told);
        }
    }
}

/// True if nothing but the checkpoint changes.
fn moves_on(commit: &LaneCommit) -> bool {
    let LaneCommit { subscription, lane, expected, ref checkpoint, .. } = *commit;
    *commit == LaneCommit::new(subscription, lane, expected, checkpoint.clone())
}
