use std::collections::BTreeMap;

use crate::{DeadLetter, DeadLetterQuery, LaneId, Page, Payload, Seq, SubscriptionId};

type Place = (SubscriptionId, LaneId, Seq);

/// Every dead letter, by id and by place.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    letters: BTreeMap<u64, DeadLetter>,
    places: BTreeMap<Place, u64>,
    last_id: u64,
}

impl DeadLetters {
    /// Adds one, or updates the one of the same place, which keeps its id and its edit.
    pub(super) fn write(&mut self, mut letter: DeadLetter) {
        let place = (letter.subscription, letter.entry.lane, letter.entry.seq);
        match self.places.get(&place).and_then(|id| self.letters.get_mut(id)) {
            Some(known) => {
                letter.id = known.id;
                letter.edited_payload = known.edited_payload.take();
                *known = letter;
            }
            None => {
                self.last_id += 1;
                letter.id = self.last_id;
                self.places.insert(place, letter.id);
                self.letters.insert(letter.id, letter);
            }
        }
    }

    pub(super) fn remove(&mut self, place: Place) {
        if let Some(id) = self.places.remove(&place) {
            self.letters.remove(&id);
        }
    }

    pub(super) fn remove_all(&mut self, subscription: SubscriptionId) {
        let places: Vec<Place> = self.of(subscription).map(|(place, _)| *place).collect();
        for place in places {
            self.remove(place);
        }
    }

    pub(super) fn remove_id(&mut self, id: u64) {
        if let Some(letter) = self.letters.remove(&id) {
            self.places.remove(&(letter.subscription, letter.entry.lane, letter.entry.seq));
        }
    }

    pub(super) fn edit(&mut self, id: u64, payload: &Payload) -> bool {
        let Some(letter) = self.letters.get_mut(&id) else { return false };
        letter.edited_payload = Some(payload.clone());
        true
    }

    pub(super) fn get(&self, id: u64) -> Option<&DeadLetter> {
        self.letters.get(&id)
    }

    pub(super) fn at(&self, place: Place) -> Option<&DeadLetter> {
        self.letters.get(self.places.get(&place)?)
    }

    pub(super) fn count(&self, subscription: SubscriptionId) -> u64 {
        self.of(subscription).count() as u64
    }

    pub(super) fn seqs(&self, subscription: SubscriptionId, lane: LaneId) -> Vec<Seq> {
        let places = self.places.range((subscription, lane, 0)..=(subscription, lane, Seq::MAX));
        places.map(|((_, _, seq), _)| *seq).collect()
    }

    pub(super) fn page(&self, query: &DeadLetterQuery) -> Page<DeadLetter> {
        let after = query.after_id.saturating_add(1)..;
        let mut wanted = self.letters.range(after).map(|(_, letter)| letter).filter(|letter| wants(query, letter));
        let items = wanted.by_ref().take(query.limit).cloned().collect();
        Page { items, more: wanted.next().is_some() }
    }

    fn of(&self, subscription: SubscriptionId) -> impl Iterator<Item = (&Place, &u64)> {
        self.places.range((subscription, LaneId(0), 0)..=(subscription, LaneId(u16::MAX), Seq::MAX))
    }
}

fn wants(query: &DeadLetterQuery, letter: &DeadLetter) -> bool {
    let event = letter.entry.event();
    query.owner.as_ref().is_none_or(|owner| letter.owner == *owner)
        && query.name.as_ref().is_none_or(|name| letter.name == *name)
        && query.subscription.is_none_or(|subscription| letter.subscription == subscription)
        && query.tenant.as_ref().is_none_or(|tenant| event.is_some_and(|event| event.tenant == *tenant))
        && query.event_type.as_ref().is_none_or(|wanted| event.is_some_and(|event| event.event_type == *wanted))
        && query.before.is_none_or(|before| letter.died_at < before)
}
