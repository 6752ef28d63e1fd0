use std::{
    any::Any,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use busway_core::{DeadCause, Retry, Seam, Timestamp};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::{Deadline, Delivery, Handler, Outcome, lane::End};

type Caught = std::result::Result<Outcome, Box<dyn Any + Send>>;

/// One run of a handler, whatever comes of it: started, timed, caught, classified.
pub(crate) struct Attempt {
    handler: Pin<Box<dyn Future<Output = Caught> + Send>>,
    deadline: Deadline,
    started: Duration,
}

impl Attempt {
    /// Begins a run; nothing of the handler runs before it is polled.
    pub(crate) fn begin(handler: Arc<dyn Handler>, delivery: Delivery, seam: &Seam) -> Self {
        let deadline = delivery.deadline.clone();
        // The call itself may panic too, before there is a future.
        let handler = AssertUnwindSafe(async move { handler.handle(delivery).await }).catch_unwind();
        Self { handler: Box::pin(handler), deadline, started: seam.clock().elapsed() }
    }

    /// Runs it as far as it goes without waiting.
    pub(crate) fn poll_now(&mut self) -> Option<Outcome> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match self.handler.as_mut().poll(&mut context) {
            Poll::Ready(caught) => Some(outcome(caught)),
            Poll::Pending => None,
        }
    }

    /// Runs it to its end, its deadline, or its cancellation (`None`).
    pub(crate) async fn finish(mut self, seam: Seam, cancel: CancellationToken) -> Option<Outcome> {
        let mut timeout = self.deadline.0.subscribe();
        loop {
            let after = *timeout.borrow_and_update();
            let left = (self.started + after).saturating_sub(seam.clock().elapsed());
            tokio::select! {
                biased;
                caught = &mut self.handler => return Some(outcome(caught)),
                () = cancel.cancelled() => return None,
                extended = timeout.changed() => if extended.is_err() { return None },
                () = seam.clock().sleep(left) => {
                    if *timeout.borrow() == after {
                        let error = format!("timed out after {} ms", after.as_millis());
                        return Some(Outcome::Retry { delay: None, error });
                    }
                }
            }
        }
    }
}

fn outcome(caught: Caught) -> Outcome {
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Outcome::Retry { delay: None, error: format!("panicked: {}", text.unwrap_or("no message")) }
    })
}

/// What a run's outcome means to its lane.
pub(crate) fn classify(outcome: Outcome, attempt: u32, retry: &Retry, now: Timestamp, chance: f64) -> End {
    match outcome {
        Outcome::Done | Outcome::Skipped => End::Ack,
        Outcome::Dead { error } => End::Dead { cause: DeadCause::Permanent, error: bounded(error) },
        Outcome::Retry { delay, error } => {
            let delay = delay.unwrap_or_else(|| retry.delay_after(attempt, chance));
            End::Retry { due: now + delay, error: bounded(error) }
        }
    }
}

/// Errors are kept with holds and dead letters, so they are bounded.
fn bounded(mut error: String) -> Arc<str> {
    const MOST: usize = 2_048;
    if error.len() > MOST {
        let end = (0..=MOST).rev().find(|end| error.is_char_boundary(*end)).unwrap_or(0);
        error.truncate(end);
        error.push('…');
    }
    error.into()
}
