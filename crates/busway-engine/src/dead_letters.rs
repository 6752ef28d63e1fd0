use std::collections::BTreeSet;

use busway_core::{
    DeadLetter, DeadLetterQuery, Error, ErrorKind, LaneId, Mode, Owner, Page, Payload, RequestKind, Result,
    SubscriptionId,
};
use uuid::Uuid;

use crate::{Engine, engine::Inner, operations::Bulk};

impl Engine {
    /// Dead letters by rising id.
    pub async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Page<DeadLetter>> {
        self.inner.stores.checkpoints.dead_letters(query).await
    }

    /// One dead letter of an owner's subscriptions (`None`: anybody's); `NotFound`.
    pub async fn dead_letter(&self, owner: Option<&Owner>, id: u64) -> Result<DeadLetter> {
        let letter = self.inner.stores.checkpoints.dead_letter(id).await?;
        let own = letter.filter(|letter| owner.is_none_or(|owner| *owner == letter.owner));
        own.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no dead letter {id}")))
    }

    /// Sets the payload that a retry delivers; the event itself stays.
    pub async fn edit_dead_letter(&self, owner: Option<&Owner>, id: u64, payload: Payload) -> Result<DeadLetter> {
        self.dead_letter(owner, id).await?;
        self.inner.stores.checkpoints.edit_dead_letter(id, &payload).await?;
        self.dead_letter(owner, id).await
    }

    /// Runs a dead letter again, its attempts from 1; it leaves the list once acknowledged.
    pub async fn retry_dead_letter(&self, owner: Option<&Owner>, id: u64) -> Result<()> {
        let letter = self.dead_letter(owner, id).await?;
        if self.inner.ask_for(&[letter], Bulk::Retry).await? == 0 {
            let detail = format!(
                "dead letter {id} is of a subscription, or of a replay, that is gone: it can only be discarded"
            );
            return Err(Error::new(ErrorKind::NotFound, detail));
        }
        self.inner.beat_now().await;
        Ok(())
    }

    /// Removes a dead letter; a key that it blocks goes on.
    pub async fn discard_dead_letter(&self, owner: Option<&Owner>, id: u64) -> Result<()> {
        let letter = self.dead_letter(owner, id).await?;
        self.inner.ask_for(&[letter], Bulk::Discard).await?;
        self.inner.beat_now().await;
        Ok(())
    }

    /// Retries all that match (`after_id` and `limit` are not looked at); returns the operation.
    pub async fn retry_dead_letters(&self, query: DeadLetterQuery) -> Result<Uuid> {
        self.inner.begin_bulk(Bulk::Retry, query).await
    }

    /// Discards all that match; returns the operation.
    pub async fn discard_dead_letters(&self, query: DeadLetterQuery) -> Result<Uuid> {
        self.inner.begin_bulk(Bulk::Discard, query).await
    }
}

impl Inner {
    /// Leaves requests for the lanes of these dead letters, and says of how many. Those whose subscription is gone are
    /// dropped if that is what is asked, and else left alone.
    pub(crate) async fn ask_for(&self, letters: &[DeadLetter], bulk: Bulk) -> Result<usize> {
        let mut asked = 0;
        let mut pulled: BTreeSet<(SubscriptionId, LaneId)> = BTreeSet::new();
        let seen = self.registry.load_full();
        if letters.iter().any(|letter| seen.get(letter.subscription).is_none()) {
            // Another process may have made it just now.
            self.reload().await?;
        }
        for letter in letters {
            let registry = self.registry.load();
            let Some(record) = registry.get(letter.subscription) else {
                if bulk == Bulk::Discard {
                    self.stores.checkpoints.drop_dead_letter(letter.id).await?;
                }
                continue;
            };
            let (seq, key) = (letter.entry.seq, letter.key.0);
            let kind = match bulk {
                Bulk::Retry => RequestKind::Retry { seq, key, turn: letter.entry.turn().0 },
                Bulk::Discard => RequestKind::Discard { seq, key },
            };
            self.stores.checkpoints.request(record.id, letter.entry.lane, kind).await?;
            asked += 1;
            if record.definition.mode == Mode::Pull {
                pulled.insert((record.id, letter.entry.lane));
            }
        }
        for (id, lane) in pulled {
            let record = self.registry.load().get(id).cloned();
            if let Some(record) = record {
                self.carry_out_requests(&record, lane).await?;
            }
        }
        Ok(asked)
    }
}
