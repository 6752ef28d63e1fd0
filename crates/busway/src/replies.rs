use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use busway_core::{Owner, SubscriptionName, TenantId};
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

/// A reply that someone waits for: of one subscription to one event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) owner: Owner,
    pub(crate) name: SubscriptionName,
    pub(crate) tenant: TenantId,
    pub(crate) event: Uuid,
}

/// How the delivery ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Reply(Value),
    /// Handled, and nothing was given to `cx.reply`.
    Silent,
    Skipped,
    Dead(String),
}

/// Who in this process waits for which reply.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    waiting: Mutex<HashMap<Wanted, Vec<oneshot::Sender<Answer>>>>,
    /// How many wait, so that a delivery which nobody waits for needs no lock.
    count: AtomicUsize,
}

impl Replies {
    fn waiting(&self) -> MutexGuard<'_, HashMap<Wanted, Vec<oneshot::Sender<Answer>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits from now on, until dropped.
    pub(crate) fn wait_for(&self, wanted: Wanted) -> Waiting<'_> {
        let (sender, receiver) = oneshot::channel();
        self.waiting().entry(wanted.clone()).or_default().push(sender);
        // Who is counted before the event is published is seen by whoever handles it.
        self.count.fetch_add(1, Ordering::SeqCst);
        Waiting { replies: self, wanted, receiver }
    }

    pub(crate) fn are_awaited(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn answer(&self, wanted: &Wanted, answer: Answer) {
        for sender in self.waiting().remove(wanted).unwrap_or_default() {
            // Whoever gave up waiting needs no answer.
            let _ = sender.send(answer.clone());
        }
    }
}

/// A place in the queue for a reply.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    replies: &'a Replies,
    wanted: Wanted,
    receiver: oneshot::Receiver<Answer>,
}

impl Waiting<'_> {
    pub(crate) async fn answer(&mut self) -> Answer {
        match (&mut self.receiver).await {
            Ok(answer) => answer,
            // The sender goes only with an answer, or with the one who waits.
            Err(_) => std::future::pending().await,
        }
    }

    /// The answer, if it has come already.
    pub(crate) fn answered(&mut self) -> Option<Answer> {
        self.receiver.try_recv().ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.replies.count.fetch_sub(1, Ordering::SeqCst);
        self.receiver.close();
        let mut waiting = self.replies.waiting();
        if let Some(senders) = waiting.get_mut(&self.wanted) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(&self.wanted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(event: u128) -> Wanted {
        Wanted {
            owner: Owner::Installation,
            name: SubscriptionName::from_store("gancio"),
            tenant: TenantId::from_store("acme"),
            event: Uuid::from_u128(event),
        }
    }

    #[tokio::test]
    async fn everyone_who_waits_for_the_event_gets_the_answer() {
        let replies = Replies::default();
        let (mut one, mut two) = (replies.wait_for(wanted(1)), replies.wait_for(wanted(1)));
        replies.answer(&wanted(1), Answer::Reply(7.into()));
        assert_eq!(one.answer().await, Answer::Reply(7.into()));
        assert_eq!(two.answer().await, Answer::Reply(7.into()));
    }

    #[test]
    fn who_gives_up_leaves_nothing_behind() {
        let replies = Replies::default();
        let patient = replies.wait_for(wanted(1));
        drop(replies.wait_for(wanted(1)));
        assert_eq!(replies.waiting().len(), 1);
        assert!(replies.are_awaited());
        drop(patient);
        assert!(replies.waiting().is_empty());
        assert!(!replies.are_awaited());
    }
}
