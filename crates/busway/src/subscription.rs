use busway_core::{DeadLetter, DeadLetterQuery, Error, Owner, Patterns, Start, SubscriptionName};
use busway_engine::SubscriptionView;
use uuid::Uuid;

use crate::shared::Handle;

/// A durable subscription by its name. Dropping this changes nothing: the listener listens until
/// [`Self::unsubscribe`], the subscription stays until [`Self::remove`].
#[derive(Clone, Debug)]
pub struct Subscription {
    handle: Handle,
    owner: Owner,
    name: SubscriptionName,
}

impl Subscription {
    pub(crate) fn new(handle: Handle, owner: Owner, name: SubscriptionName) -> Self {
        Self { handle, owner, name }
    }

    /// Its name.
    pub fn name(&self) -> &SubscriptionName {
        &self.name
    }

    /// Its definition, and how it stands: state, lag, what is held, dead, in flight.
    pub async fn view(&self) -> Result<SubscriptionView, Error> {
        self.handle.engine().subscription(&self.owner, &self.name).await
    }

    /// Stops handing out, in every process, until [`Self::resume`].
    pub async fn pause(&self) -> Result<SubscriptionView, Error> {
        self.handle.engine().pause(&self.owner, &self.name).await
    }

    /// Goes on handing out.
    pub async fn resume(&self) -> Result<SubscriptionView, Error> {
        self.handle.engine().resume(&self.owner, &self.name).await
    }

    /// Goes on from another place in the log: what lies after it is delivered, once more if need be.
    pub async fn seek(&self, to: Start) -> Result<SubscriptionView, Error> {
        self.handle.engine().seek(&self.owner, &self.name, to).await
    }

    /// Delivers stored events once more to this subscription alone, beside what it hears now
    /// ([`Context::is_replay`](crate::Context::is_replay)); returns the operation. `Busy` while another runs.
    pub async fn replay(&self, from: Start, to: Start, types: Option<Patterns>) -> Result<Uuid, Error> {
        self.handle.engine().replay(&self.owner, &self.name, from, to, types).await
    }

    /// Its oldest dead letters, at most `limit`.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let (owner, name) = (Some(self.owner.clone()), Some(self.name.clone()));
        let query = DeadLetterQuery { owner, name, limit, ..DeadLetterQuery::default() };
        Ok(self.handle.engine().dead_letters(&query).await?.items)
    }

    /// Ends this process's listener once what it runs is done; the subscription stays.
    pub async fn unsubscribe(&self) -> Result<(), Error> {
        self.handle.engine().unsubscribe(&self.owner, &self.name).await?;
        self.forget();
        Ok(())
    }

    /// Removes the subscription with everything that is its, its dead letters included.
    pub async fn remove(&self) -> Result<(), Error> {
        self.handle.engine().remove(&self.owner, &self.name, false).await?;
        self.forget();
        Ok(())
    }

    fn forget(&self) {
        self.handle.shared.served().remove(&(self.owner.clone(), self.name.clone()));
    }
}
