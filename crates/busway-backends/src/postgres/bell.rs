use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_postgres::types::Type;

use super::pool::Pool;

/// Between two notifications of one process: commits that notify queue on each other, across the whole server, and each
/// wakes every process.
const PAUSE: Duration = Duration::from_millis(5);
/// The same while much is stored. Four processes that publish as fast as they can store a fifth more with it.
const LONG_PAUSE: Duration = Duration::from_millis(20);
/// Events within a pause that are much.
const MUCH: usize = 64;

/// Nothing is stored by it, so its commit need not wait for the disk.
const RING: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('{channel}', $1)";

/// Tells other processes of appends, without a notification for each.
#[derive(Debug)]
pub(super) struct Bell {
    /// What this process's notifications say, so that it knows them from others'.
    note: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rung: Option<Instant>,
    /// A task will ring once the pause is over.
    is_due: bool,
    /// Events stored since it was last rung.
    untold: usize,
    /// Much was stored before it was last rung.
    is_busy: bool,
}

impl State {
    fn ring(&mut self, now: Instant) {
        self.rung = Some(now);
        self.is_busy = std::mem::take(&mut self.untold) >= MUCH;
    }

    fn pause(&self) -> Duration {
        if self.is_busy { LONG_PAUSE } else { PAUSE }
    }
}

impl Bell {
    pub(super) fn new(note: String) -> Arc<Self> {
        Arc::new(Self { note, state: Mutex::default() })
    }

    pub(super) fn note(&self) -> &str {
        &self.note
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The note for an append to tell in its own transaction, if the last one was long enough ago and no other is due.
    pub(super) fn claim(&self) -> Option<&str> {
        let mut state = self.state();
        let now = Instant::now();
        let is_quiet = state.rung.is_none_or(|rung| now.duration_since(rung) >= state.pause());
        if is_quiet && !state.is_due {
            state.ring(now);
            return Some(&self.note);
        }
        None
    }

    /// To be called once so many events are stored of which their own transaction did not tell.
    pub(super) fn ring_soon(self: &Arc<Self>, pool: &Arc<Pool>, events: usize) {
        let mut state = self.state();
        state.untold += events;
        if state.is_due {
            return;
        }
        state.is_due = true;
        let at = state.rung.map_or_else(Instant::now, |rung| rung + state.pause());
        drop(state);
        tokio::spawn(Arc::clone(self).ring(at, Arc::clone(pool)));
    }

    async fn ring(self: Arc<Self>, at: Instant, pool: Arc<Pool>) {
        tokio::time::sleep_until(at.into()).await;
        {
            // What is stored from here on is told of by the next.
            let mut state = self.state();
            state.is_due = false;
            state.ring(Instant::now());
        }
        if let Err(error) = pool.write_often(RING, &[(&self.note, Type::TEXT)]).await {
            tracing::debug!(%error, "other processes were not told of an append; they find it when they look");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_append_in_five_milliseconds_tells_by_itself() {
        let bell = Bell::new("me".into());
        assert_eq!(bell.claim(), Some("me"));
        let again = bell.claim();
        let rung = bell.state().rung;
        assert!(again.is_none() || rung.is_some_and(|rung| rung.elapsed() < PAUSE));
        bell.state().rung = Instant::now().checked_sub(PAUSE);
        assert_eq!(bell.claim(), Some("me"));
        bell.state().is_due = true;
        bell.state().rung = None;
        assert_eq!(bell.claim(), None);
    }

    #[test]
    fn a_process_that_stores_much_tells_less_often() {
        let mut state = State::default();
        for (untold, pause) in [(0, PAUSE), (MUCH, LONG_PAUSE), (MUCH - 1, PAUSE)] {
            state.untold = untold;
            state.ring(Instant::now());
            assert_eq!((state.pause(), state.untold), (pause, 0));
        }
    }
}
