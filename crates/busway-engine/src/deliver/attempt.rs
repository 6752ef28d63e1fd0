use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use busway_core::{DeadCause, Retry, Seam, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{BoxFuture, Deadline, Delivery, Handler, Outcome, lane::End};

/// One run of a handler, whatever comes of it: started, timed, caught, classified.
pub(crate) struct Attempt {
    /// `None` once it has ended.
    stage: Option<Stage>,
    deadline: Deadline,
    started: Duration,
}

enum Stage {
    /// Nothing of the handler has run.
    Begun(Arc<dyn Handler>, Delivery),
    Running(BoxFuture<Outcome>),
}

impl Attempt {
    /// Begins a run at a time of the clock; nothing of the handler runs before it is polled.
    pub(crate) fn begin(handler: Arc<dyn Handler>, delivery: Delivery, started: Duration) -> Self {
        Self { deadline: delivery.deadline.clone(), stage: Some(Stage::Begun(handler, delivery)), started }
    }

    /// Runs it as far as it goes without waiting.
    pub(crate) fn poll_now(&mut self) -> Option<Outcome> {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// What is left of a run that has ended.
    pub(crate) fn into_deadline(self) -> Deadline {
        self.deadline
    }

    /// Runs it to its end, its deadline, or its cancellation (`None`).
    pub(crate) async fn finish(mut self, seam: Seam, cancel: CancellationToken) -> Option<Outcome> {
        let (deadline, started) = (self.deadline.clone(), self.started);
        loop {
            let extended = deadline.extended();
            let after = deadline.timeout();
            let left = (started + after).saturating_sub(seam.clock().elapsed());
            tokio::select! {
                biased;
                outcome = poll_fn(|context| self.poll(context)) => return Some(outcome),
                () = cancel.cancelled() => return None,
                () = extended => {}
                () = seam.clock().sleep(left) => {
                    if deadline.timeout() == after {
                        let error = format!("timed out after {} ms", after.as_millis());
                        return Some(Outcome::Retry { delay: None, error });
                    }
                }
            }
        }
    }

    /// Calls the handler, or goes on with what it returned; both may panic.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        let running = match self.stage.take() {
            Some(Stage::Begun(handler, delivery)) => catch_unwind(AssertUnwindSafe(|| handler.handle(delivery))),
            Some(Stage::Running(running)) => Ok(running),
            None => return Poll::Pending,
        };
        let polled = running.and_then(|mut running| {
            let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)));
            if matches!(polled, Ok(Poll::Pending)) {
                self.stage = Some(Stage::Running(running));
            }
            polled
        });
        polled.unwrap_or_else(|panic| Poll::Ready(panicked(panic.as_ref())))
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Outcome::Retry { delay: None, error: format!("panicked: {}", text.unwrap_or("no message")) }
}

/// What a run's outcome means to its lane.
pub(crate) fn classify(outcome: Outcome, attempt: u32, retry: &Retry, now: Timestamp, seam: &Seam) -> End {
    match outcome {
        Outcome::Done | Outcome::Skipped => End::Ack,
        Outcome::Dead { error } => End::Dead { cause: DeadCause::Permanent, error: bounded(error) },
        Outcome::Retry { delay, error } => {
            let delay = delay.unwrap_or_else(|| retry.delay_after(attempt, seam.chance()));
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
