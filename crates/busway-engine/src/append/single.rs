use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures::future::BoxFuture;

/// The append of one publisher: carried out by its own task, so that no other need be woken for it, until somebody else
/// takes it over.
pub(super) struct Single(Mutex<State>);

struct State {
    append: Option<BoxFuture<'static, ()>>,
    publisher: Option<Waker>,
}

impl Single {
    pub(super) fn new(append: BoxFuture<'static, ()>) -> Self {
        Self(Mutex::new(State { append: Some(append), publisher: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries it out until it is over or somebody else does.
    pub(super) async fn carry_out(&self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        // One that panics is over.
        let Some(mut append) = state.append.take() else { return Poll::Ready(()) };
        let polled = append.as_mut().poll(context);
        if polled.is_pending() {
            state.append = Some(append);
            match &mut state.publisher {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        polled
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().append.is_none()
    }

    /// Carries out what is left of it in the publisher's place.
    pub(super) async fn take_over(&self) {
        let (append, publisher) = {
            let mut state = self.state();
            (state.append.take(), state.publisher.take())
        };
        if let Some(publisher) = publisher {
            publisher.wake();
        }
        if let Some(append) = append {
            append.await;
        }
    }
}
