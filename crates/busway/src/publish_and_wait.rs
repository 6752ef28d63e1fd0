use std::{
    fmt::Display,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    time::Duration,
};

use busway_core::{Error, ErrorKind, EventType as TypeName, Owner, SubscriptionName, TenantId};
use busway_engine::DeliveryState;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    NewEvent,
    publish::Via,
    replies::{Answer, Waiting, Wanted},
};

/// How long a reply is waited for if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// An event about to be published, and the wait for one listener's reply: both begin when this is awaited.
///
/// The listener must be one of this process. Errors: `not_found` if it has no listener of the name,
/// `handler` if the delivery dies or ends without a reply, `outcome_unknown` if no reply comes in time: the
/// event is stored then, and will be handled.
#[derive(Debug)]
#[must_use = "nothing is published until this is awaited"]
pub struct PublishAndWait<'a, T> {
    via: Via<'a>,
    event: NewEvent,
    name: String,
    patience: Duration,
    reply: PhantomData<fn() -> T>,
}

impl<'a, T: DeserializeOwned> PublishAndWait<'a, T> {
    pub(crate) fn new(via: Via<'a>, event: NewEvent, name: &str) -> Self {
        Self { via, event, name: name.into(), patience: PATIENCE, reply: PhantomData }
    }

    /// How long to wait for the reply; 30 seconds if not said.
    pub fn timeout(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// With this ordering key in place of its own.
    pub fn key(self, key: impl Display) -> Self {
        Self { event: self.event.key(key), ..self }
    }

    /// Under the caller's id. If the event was published before, its delivery is waited for once more; what was
    /// replied to it is not kept.
    pub fn id(self, id: Uuid) -> Self {
        Self { event: self.event.id(id), ..self }
    }

    /// With a `correlationId`.
    pub fn correlation(self, id: impl Display) -> Self {
        Self { event: self.event.correlation(id), ..self }
    }

    async fn wait(self) -> Result<T, Error> {
        let shared = &self.via.handle.shared;
        let (mut event, stamp) = self.via.prepare(self.event)?;
        let id = *event.id.get_or_insert_with(|| shared.engine.seam().id());
        let tenant = event.tenant.clone().unwrap_or_else(|| shared.engine.config().default_tenant.clone());
        let (owner, name) = listener(self.via, &self.name, &tenant, &event.event_type)?;
        let mut waiting =
            shared.replies.wait_for(Wanted { owner, name: name.clone(), tenant: tenant.clone(), event: id });
        let published = shared.engine.publish(vec![event]).await?;
        if let Some(stamp) = stamp {
            stamp.stored();
        }
        if published.iter().any(|published| published.duplicate)
            && let Err(settled) = refuse_settled(self.via, &tenant, id, &name).await
        {
            // It may have been settled while this looked: then its reply is here.
            return waiting.answered().map_or(Err(settled), |answer| read(answer, &name, id));
        }
        match within(self.via, self.patience, &mut waiting).await {
            Some(answer) => read(answer, &name, id),
            None => Err(Error::new(
                ErrorKind::OutcomeUnknown,
                format!("no reply by `{name}` within {:?}; event {id} is stored and will be handled", self.patience),
            )),
        }
    }
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for PublishAndWait<'a, T> {
    type Output = Result<T, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

/// The listener of this process that is meant: the tenant's own before the installation's.
fn listener(
    via: Via<'_>,
    name: &str,
    tenant: &TenantId,
    event_type: &TypeName,
) -> Result<(Owner, SubscriptionName), Error> {
    let name = SubscriptionName::new(name)?;
    let served = via.handle.shared.served();
    for owner in [Owner::Tenant(tenant.clone()), Owner::Installation] {
        let seat = (owner, name.clone());
        match served.get(&seat) {
            Some(types) if types.matches(event_type) => return Ok(seat),
            Some(_) => {
                let detail = format!("the listener `{name}` does not hear {event_type}, so no reply could come");
                return Err(Error::new(ErrorKind::NotFound, detail));
            }
            None => {}
        }
    }
    let detail = format!("no listener `{name}` in this process: a reply does not cross processes");
    Err(Error::new(ErrorKind::NotFound, detail))
}

/// A duplicate is delivered to nobody: only a delivery that is still under way can reply.
async fn refuse_settled(via: Via<'_>, tenant: &TenantId, id: Uuid, name: &SubscriptionName) -> Result<(), Error> {
    let report = via.handle.engine().event(Some(tenant), None, &id.to_string()).await?;
    let delivery = report.deliveries.into_iter().find(|delivery| delivery.subscription == *name);
    match delivery.map(|delivery| delivery.state) {
        Some(DeliveryState::Waiting | DeliveryState::Held) => Ok(()),
        Some(DeliveryState::Delivered) => Err(failed(format!("`{name}` handled event {id} before; its reply is gone"))),
        Some(DeliveryState::Dead) => Err(failed(format!("`{name}` gave up on event {id} before"))),
        None => Err(failed(format!("event {id} was published before `{name}` began to listen"))),
    }
}

fn read<T: DeserializeOwned>(answer: Answer, name: &SubscriptionName, id: Uuid) -> Result<T, Error> {
    match answer {
        Answer::Reply(value) => serde_json::from_value(value)
            .map_err(|error| failed(format!("what `{name}` replied is not what was asked for: {error}"))),
        Answer::Silent => Err(failed(format!("`{name}` handled event {id} without a reply"))),
        Answer::Skipped => Err(failed(format!("`{name}` skipped event {id}"))),
        Answer::Dead(error) => Err(failed(format!("`{name}` gave up on event {id}: {error}"))),
    }
}

async fn within(via: Via<'_>, patience: Duration, waiting: &mut Waiting<'_>) -> Option<Answer> {
    let clock = via.handle.engine().seam().clock();
    tokio::select! {
        biased;
        answer = waiting.answer() => Some(answer),
        () = clock.sleep(patience) => None,
    }
}

fn failed(detail: String) -> Error {
    Error::new(ErrorKind::Handler, detail)
}
