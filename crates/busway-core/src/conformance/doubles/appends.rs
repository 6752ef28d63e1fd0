use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Double, Twist,
    twist::{LogTwist, Sound},
};
use crate::{
    Appended, Body, Capabilities, Dedupe, Entry, Error, ErrorKind, Event, Log, Payload, ReadPage, ReadRequest, Result,
    TenantId, Wake, lane_of,
};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Declares something else than the log behind it can do.
struct Declares(fn(&mut Capabilities));

impl LogTwist for Declares {
    fn capabilities(&self, declared: &mut Capabilities) {
        self.0(declared);
    }
}

struct RefusesEmptyBatches;

#[async_trait]
impl LogTwist for RefusesEmptyBatches {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        if batch.is_empty() {
            return Err(Error::new(ErrorKind::BadRequest, "an empty batch"));
        }
        sound.append(batch).await
    }
}

/// Answers every tenth event without storing it.
#[derive(Default)]
struct Loses(Mutex<usize>);

#[async_trait]
impl LogTwist for Loses {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let lost = |_: &Arc<Event>| {
            let mut count = lock(&self.0);
            *count += 1;
            count.is_multiple_of(10)
        };
        let (lost, kept): (Vec<_>, Vec<_>) = batch.iter().cloned().partition(lost);
        let mut told = sound.append(&kept).await?;
        let heads = sound.heads().await?.seqs;
        told.extend(lost.iter().map(|event| {
            let lane = lane_of(&event.tenant, event.key.as_ref(), &event.event_type, sound.lanes());
            Appended { lane, seq: heads[usize::from(lane.0)] + 1, stored_at: event.time, duplicate: false }
        }));
        Ok(told)
    }
}

/// Stores no more than 500 events of a batch.
struct CutsBatches;

#[async_trait]
impl LogTwist for CutsBatches {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let mut told = sound.append(&batch[..batch.len().min(500)]).await?;
        if let Some(last) = told.last().copied() {
            told.resize(batch.len(), last);
        }
        Ok(told)
    }
}

struct HalvesBatches;

#[async_trait]
impl LogTwist for HalvesBatches {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let (one, two) = batch.split_at(batch.len() / 2);
        let mut told = sound.append(one).await?;
        // Long enough for every other task to have its turn.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        told.extend(sound.append(two).await?);
        Ok(told)
    }
}

struct SortsBatches;

#[async_trait]
impl LogTwist for SortsBatches {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let mut order: Vec<usize> = (0..batch.len()).collect();
        order.sort_by_key(|index| batch[*index].id);
        let sorted: Vec<_> = order.iter().map(|index| batch[*index].clone()).collect();
        let mut told: Vec<_> = order.into_iter().zip(sound.append(&sorted).await?).collect();
        told.sort_by_key(|(index, _)| *index);
        Ok(told.into_iter().map(|(_, told)| told).collect())
    }
}

struct CallsRepeatsNew;

#[async_trait]
impl LogTwist for CallsRepeatsNew {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let told = sound.append(batch).await?;
        Ok(told.into_iter().map(|told| Appended { duplicate: false, ..told }).collect())
    }
}

/// Stores a repeat that comes through another handle under another id, and shows it under its own.
#[derive(Default)]
struct DedupesPerProcess {
    first_handle: Mutex<HashMap<Uuid, usize>>,
    shown_as: Mutex<HashMap<Uuid, Uuid>>,
}

#[async_trait]
impl LogTwist for DedupesPerProcess {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let disguise = |event: &Arc<Event>| {
            if *lock(&self.first_handle).entry(event.id).or_insert(sound.handle) == sound.handle {
                return event.clone();
            }
            let id = Uuid::from_u128(!event.id.as_u128() ^ sound.handle as u128);
            lock(&self.shown_as).insert(id, event.id);
            Arc::new(Event { id, ..Event::clone(event) })
        };
        let disguised: Vec<_> = batch.iter().map(disguise).collect();
        sound.append(&disguised).await
    }

    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let page = sound.read(request).await?;
        let shown_as = lock(&self.shown_as);
        let show = |entry: Arc<Entry>| match entry.event().and_then(|event| Some((event, shown_as.get(&event.id)?))) {
            Some((event, id)) => {
                let body = Body::Event(Arc::new(Event { id: *id, ..Event::clone(event) }));
                Arc::new(Entry { body, ..Entry::clone(&entry) })
            }
            None => entry,
        };
        Ok(ReadPage { entries: page.entries.into_iter().map(show).collect(), ..page })
    }
}

/// Drops a batch in which it finds a repeat.
#[derive(Default)]
struct DropsBatchesWithRepeats(Mutex<HashSet<Uuid>>);

#[async_trait]
impl LogTwist for DropsBatchesWithRepeats {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let (repeats, new): (Vec<_>, Vec<_>) =
            batch.iter().cloned().partition(|event| lock(&self.0).contains(&event.id));
        if repeats.is_empty() {
            lock(&self.0).extend(new.iter().map(|event| event.id));
            return sound.append(batch).await;
        }
        let mut told = sound.append(&repeats).await?;
        let last = Appended { duplicate: false, ..told[told.len() - 1] };
        told.extend(new.iter().map(|_| last));
        Ok(told)
    }
}

/// Shows the newest payload that was sent under an id.
#[derive(Default)]
struct KeepsTheLastPayload(Mutex<HashMap<Uuid, Payload>>);

#[async_trait]
impl LogTwist for KeepsTheLastPayload {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        lock(&self.0).extend(batch.iter().map(|event| (event.id, event.payload.clone())));
        sound.append(batch).await
    }

    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let page = sound.read(request).await?;
        let payloads = lock(&self.0);
        let show = |entry: Arc<Entry>| match entry.event().and_then(|event| Some((event, payloads.get(&event.id)?))) {
            Some((event, payload)) => {
                let body = Body::Event(Arc::new(Event { payload: payload.clone(), ..Event::clone(event) }));
                Arc::new(Entry { body, ..Entry::clone(&entry) })
            }
            None => entry,
        };
        Ok(ReadPage { entries: page.entries.into_iter().map(show).collect(), ..page })
    }
}

/// Takes an id for a repeat, whoever's it is.
#[derive(Default)]
struct DedupesAcrossTenants(Mutex<HashMap<Uuid, TenantId>>);

#[async_trait]
impl LogTwist for DedupesAcrossTenants {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let own = |event: &Arc<Event>| {
            let tenant = lock(&self.0).entry(event.id).or_insert_with(|| event.tenant.clone()).clone();
            Arc::new(Event { tenant, ..Event::clone(event) })
        };
        let batch: Vec<_> = batch.iter().map(own).collect();
        sound.append(&batch).await
    }
}

struct WakesNobody(watch::Sender<u64>);

impl LogTwist for WakesNobody {
    fn wake(&self, _sound: Wake) -> Wake {
        self.0.subscribe()
    }
}

/// Says that an event was stored when it says that it happened.
struct BelievesTimes;

#[async_trait]
impl LogTwist for BelievesTimes {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let told = sound.append(batch).await?;
        Ok(batch.iter().zip(told).map(|(event, told)| Appended { stored_at: event.time, ..told }).collect())
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "declares less than it must",
        noticed_by: &["at_least_what_the_table_says_is_declared"],
        twist: || Twist::log(Declares(|declared| declared.dedupe = Dedupe::None)),
    },
    Double {
        fault: "reads though it declares that it cannot",
        noticed_by: &["an_empty_lane_gives_nothing", "a_repeat_is_stored_once", "types_are_chosen_by_patterns"],
        twist: || Twist::log(Declares(|declared| declared.read = false)),
    },
    Double {
        fault: "prunes though it declares that it cannot",
        noticed_by: &["what_is_pruned_is_gone_and_nothing_else", "a_lane_pruned_empty_keeps_its_head"],
        twist: || Twist::log(Declares(|declared| declared.prune = false)),
    },
    Double {
        fault: "fails on an empty batch",
        noticed_by: &["an_empty_batch_stores_nothing"],
        twist: || Twist::log(RefusesEmptyBatches),
    },
    Double {
        fault: "loses an event",
        noticed_by: &[
            "a_batch_of_the_largest_size_is_stored_whole",
            "events_stand_in_the_order_of_their_appends",
            "no_reader_skips_a_late_commit",
            "what_is_stored_is_there_when_the_store_is_opened_again",
        ],
        twist: || Twist::log(Loses::default()),
    },
    Double {
        fault: "stores a part of a large batch",
        noticed_by: &["a_batch_of_the_largest_size_is_stored_whole"],
        twist: || Twist::log(CutsBatches),
    },
    Double {
        fault: "stores a batch in two halves",
        noticed_by: &["readers_see_a_batch_whole_or_not_at_all", "a_batch_given_up_on_is_stored_whole_or_not_at_all"],
        twist: || Twist::log(HalvesBatches),
    },
    Double {
        fault: "sorts a batch by id",
        noticed_by: &["a_batch_keeps_its_order_within_each_lane"],
        twist: || Twist::log(SortsBatches),
    },
    Double {
        fault: "calls a repeat new",
        noticed_by: &[
            "a_repeat_is_stored_once",
            "a_repeat_within_one_batch_is_stored_once",
            "of_a_batch_with_repeats_the_new_ones_are_stored",
            "an_event_published_by_many_at_once_is_stored_once",
        ],
        twist: || Twist::log(CallsRepeatsNew),
    },
    Double {
        fault: "recognises a repeat in one process alone",
        noticed_by: &["a_repeat_is_stored_once", "an_event_published_by_many_at_once_is_stored_once"],
        twist: || Twist::log(DedupesPerProcess::default()),
    },
    Double {
        fault: "drops what is new beside a repeat",
        noticed_by: &["of_a_batch_with_repeats_the_new_ones_are_stored"],
        twist: || Twist::log(DropsBatchesWithRepeats::default()),
    },
    Double {
        fault: "lets a repeat overwrite the first",
        noticed_by: &["a_repeat_with_another_payload_changes_nothing"],
        twist: || Twist::log(KeepsTheLastPayload::default()),
    },
    Double {
        fault: "takes another tenant's event for a repeat",
        noticed_by: &["one_id_of_two_tenants_is_two_events"],
        twist: || Twist::log(DedupesAcrossTenants::default()),
    },
    Double {
        fault: "wakes nobody",
        noticed_by: &["an_append_wakes_whoever_waits"],
        twist: || Twist::log(WakesNobody(watch::Sender::new(0))),
    },
    Double {
        fault: "takes the time an event happened for the time it was stored",
        noticed_by: &["stored_at_is_the_time_of_the_append", "ids_of_every_version_come_back"],
        twist: || Twist::log(BelievesTimes),
    },
];
