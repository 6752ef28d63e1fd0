use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What callers leave for the threads of a store, in order.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
    sleepers: usize,
}

/// What a thread finds when it comes for more.
#[derive(Debug, PartialEq)]
pub(super) enum Found<T> {
    /// Something to do.
    Work(T),
    /// Nothing within the time it was ready to wait.
    Nothing,
    /// Nothing, and nothing more will come.
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { items: VecDeque::new(), closed: false, sleepers: 0 }), filled: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item; false if the queue is closed.
    pub(super) fn push(&self, item: T) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        state.items.push_back(item);
        let asleep = state.sleepers > 0;
        drop(state);
        // Waking costs a system call even where nobody sleeps.
        if asleep {
            self.filled.notify_one();
        }
        true
    }

    /// The next item; waits for it.
    pub(super) fn next(&self) -> Option<T> {
        loop {
            match self.wait(None, |items| items.pop_front()) {
                Found::Work(item) => return Some(item),
                Found::Nothing => {}
                Found::Closed => return None,
            }
        }
    }

    /// Waits up to `patience` for an item, then moves items to `group` as long as `fits` says so of the next one.
    pub(super) fn take(&self, group: &mut Vec<T>, patience: Duration, mut fits: impl FnMut(&T) -> bool) -> Found<()> {
        self.wait(Some(patience), |items| {
            while let Some(item) = items.pop_front_if(|item| fits(item)) {
                group.push(item);
            }
            (!group.is_empty()).then_some(())
        })
    }

    fn wait<R>(&self, patience: Option<Duration>, mut take: impl FnMut(&mut VecDeque<T>) -> Option<R>) -> Found<R> {
        let mut state = self.state();
        loop {
            if let Some(taken) = take(&mut state.items) {
                return Found::Work(taken);
            }
            if state.closed {
                return Found::Closed;
            }
            state.sleepers += 1;
            let timed_out = match patience {
                None => {
                    state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                    false
                }
                Some(patience) => {
                    let woken = self.filled.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
                    state = woken.0;
                    woken.1.timed_out()
                }
            };
            state.sleepers -= 1;
            if timed_out && state.items.is_empty() && !state.closed {
                return Found::Nothing;
            }
        }
    }

    /// Takes no more; what is queued is still handed out.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
    }

    /// True once closed.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Drops what is queued and takes no more.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        let dropped = std::mem::take(&mut state.items);
        drop(state);
        self.filled.notify_all();
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_closed_queue_takes_nothing_more_and_hands_out_the_rest() {
        let queue = Queue::new();
        assert!(queue.push(1) && queue.push(2));
        queue.close();
        assert!(!queue.push(3));
        assert_eq!((queue.next(), queue.next(), queue.next()), (Some(1), Some(2), None));
    }

    #[test]
    fn a_group_ends_where_the_next_item_does_not_fit() {
        let queue = Queue::new();
        (1..=5).for_each(|item| assert!(queue.push(item)));
        let mut group = Vec::new();
        assert_eq!(queue.take(&mut group, Duration::ZERO, |item| *item < 4), Found::Work(()));
        assert_eq!((group, queue.next()), (vec![1, 2, 3], Some(4)));
    }

    #[test]
    fn who_waits_is_told_of_an_item_of_the_end_and_of_patience_that_ran_out() {
        let queue = Arc::new(Queue::new());
        let waiting = queue.clone();
        let sleeper = thread::spawn(move || (waiting.next(), waiting.next()));
        assert!(queue.push(7));
        queue.close();
        assert_eq!(sleeper.join().unwrap(), (Some(7), None));
        let idle = Queue::<u8>::new();
        assert_eq!(idle.take(&mut Vec::new(), Duration::from_millis(1), |_| true), Found::Nothing);
    }
}
