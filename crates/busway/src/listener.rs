use std::future::Future;

use crate::{Context, Event, Payload, Result};

/// What hears events. Every `async fn(Event<P>, Context) -> Result` is one; a struct is one for its state.
///
/// `Ok` acknowledges the event. [`retry_in`](crate::retry_in), [`dead`](crate::dead) and
/// [`skipped`](crate::skipped) say what else is to become of it; any other error is retried by the
/// subscription's policy. An event may come more than once, so what it causes should bear that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a listener for `{P}`",
    note = "a listener is `async fn(Event<P>, Context) -> busway::Result`, where P is a payload, or a type that implements Listener<P>; a closure names the types of its parameters"
)]
pub trait Listener<P: Payload>: Send + Sync + 'static {
    /// Handles one event.
    fn handle(&self, event: Event<P>, cx: Context) -> impl Future<Output = Result> + Send;
}

impl<P, F, R> Listener<P> for F
where
    P: Payload,
    F: Fn(Event<P>, Context) -> R + Send + Sync + 'static,
    R: Future<Output = Result> + Send,
{
    fn handle(&self, event: Event<P>, cx: Context) -> impl Future<Output = Result> + Send {
        self(event, cx)
    }
}
