//! Group commit of checkpoints: what comes while statements are under way goes with the next.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use busway_core::{CommitOutcome, Error, ErrorKind, LaneCommit, Result};
use tokio::sync::{
    Semaphore,
    oneshot::{self, error::RecvError},
};

use super::{checkpoint_row, lane, pool::Pool};

/// Statements that may be under way at once: one gathers while the other is carried out.
const AT_ONCE: usize = 2;
/// Commits of one statement.
const MOST: usize = 128;

/// The commits of one process that move on checkpoints and change nothing else.
#[derive(Debug)]
pub(super) struct Commits {
    turns: Semaphore,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// How many were taken out of it, ever.
    taken: u64,
    waiting: VecDeque<Waiting>,
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
    pub(super) fn new() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), queue: Mutex::default() }
    }

    /// Applies a commit whole, or refuses it before anything is written; what the commits of other lanes come to is nothing
    /// to it.
    pub(super) async fn commit(&self, pool: &Pool, commit: LaneCommit) -> Result<CommitOutcome> {
        if !moves_on(&commit) {
            return lane::commit(pool, commit).await;
        }
        match self.together(pool, commit).await {
            Ok(Answer::Told(outcome)) => outcome,
            Ok(Answer::Alone(commit)) => lane::commit(pool, *commit).await,
            Err(_) => {
                let detail = "whoever carried a commit out with others was ended; repeat it unchanged";
                Err(Error::new(ErrorKind::OutcomeUnknown, detail))
            }
        }
    }

    /// Carries a commit out with whatever else waits, or has it carried out.
    async fn together(&self, pool: &Pool, commit: LaneCommit) -> Result<Answer, RecvError> {
        let (answer, mut answered) = oneshot::channel();
        let place = self.lock().push(Waiting { commit, answer });
        loop {
            let _turn = tokio::select! {
                biased;
                answer = &mut answered => return answer,
                turn = self.turns.acquire() => turn,
            };
            let Some(group) = self.lock().take(place) else { break };
            carry_out(pool, group).await;
        }
        answered.await
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Which place in the queue it got.
    fn push(&mut self, waiting: Waiting) -> u64 {
        self.waiting.push_back(waiting);
        self.taken + self.waiting.len() as u64
    }

    /// The next to be carried out, if the one at that place still waits; whoever went away is left out.
    fn take(&mut self, place: u64) -> Option<Vec<Waiting>> {
        if place <= self.taken {
            return None;
        }
        let mut group = Vec::new();
        while group.len() < MOST {
            let Some(waiting) = self.waiting.pop_front() else { break };
            self.taken += 1;
            if !waiting.answer.is_closed() {
                group.push(waiting);
            }
        }
        Some(group)
    }
}

/// True if nothing but the checkpoint changes.
fn moves_on(commit: &LaneCommit) -> bool {
    let LaneCommit { subscription, lane, expected, ref checkpoint, .. } = *commit;
    *commit == LaneCommit::new(subscription, lane, expected, checkpoint.clone())
}

async fn carry_out(pool: &Pool, mut group: Vec<Waiting>) {
    // All processes in one order, so that none waits for another that waits for it.
    group.sort_by_key(|waiting| (waiting.commit.subscription, waiting.commit.lane));
    let commits: Vec<&LaneCommit> = group.iter().map(|waiting| &waiting.commit).collect();
    let applied = checkpoint_row::move_on(pool, &commits).await;
    for (place, Waiting { commit, answer }) in group.into_iter().enumerate() {
        let told = match &applied {
            Ok(applied) if applied.get(place).is_some_and(|applied| *applied) => Answer::Told(Ok(CommitOutcome::Done)),
            // Nothing that one of them brought.
            Err(error) if matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::OutcomeUnknown) => {
                Answer::Told(Err(Error::new(error.kind(), error.detail())))
            }
            Ok(_) | Err(_) => Answer::Alone(Box::new(commit)),
        };
        // Whoever brought it may have gone away.
        let _ = answer.send(told);
    }
}
