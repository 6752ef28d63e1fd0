use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use busway_core::{
    Appended, Body, Entry, Event, Heads, LaneId, Log, Payload, ReadPage, ReadRequest, Result, Seq, Tail, Timestamp,
    conformance::doubles::{Double, LogTwist, Sound, Twist},
};
use uuid::Uuid;

/// Acknowledges every second batch and stores nothing of it.
#[derive(Default)]
struct LosesAppends(AtomicU64);

#[async_trait]
impl LogTwist for LosesAppends {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        if self.0.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            let lost = |(index, _)| Appended {
                lane: LaneId(0),
                seq: index as Seq + 1,
                stored_at: Timestamp::default(),
                duplicate: false,
            };
            return Ok(batch.iter().enumerate().map(lost).collect());
        }
        sound.append(batch).await
    }
}

/// Takes every repeat for a new event.
struct DedupesNothing;

#[async_trait]
impl LogTwist for DedupesNothing {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let fresh: Vec<_> =
            batch.iter().map(|event| Arc::new(Event { id: Uuid::new_v4(), ..Event::clone(event) })).collect();
        sound.append(&fresh).await
    }
}

/// Changes each page that a read brings.
struct Reads(fn(&mut ReadPage));

#[async_trait]
impl LogTwist for Reads {
    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let mut page = sound.read(request).await?;
        self.0(&mut page);
        Ok(page)
    }

    async fn tail(&self, sound: Sound<'_, dyn Log>, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        let mut tail = sound.tail(places, max).await?;
        tail.pages.iter_mut().for_each(self.0);
        Ok(tail)
    }
}

/// Reads without looking at whose events are wanted.
struct MixesTenants;

#[async_trait]
impl LogTwist for MixesTenants {
    async fn read(&self, sound: Sound<'_, dyn Log>, mut request: ReadRequest) -> Result<ReadPage> {
        request.filter.tenant = None;
        sound.read(request).await
    }
}

/// Says that a lane ends one before its end.
struct HidesTheLast;

async fn before_the_last(log: &dyn Log) -> Result<Heads> {
    let mut heads = log.heads().await?;
    heads.seqs.iter_mut().for_each(|seq| *seq = seq.saturating_sub(1));
    Ok(heads)
}

#[async_trait]
impl LogTwist for HidesTheLast {
    async fn heads(&self, sound: Sound<'_, dyn Log>) -> Result<Heads> {
        before_the_last(&*sound).await
    }

    async fn tail(&self, sound: Sound<'_, dyn Log>, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        let heads = before_the_last(&*sound).await?;
        let mut tail = sound.tail(places, max).await?;
        for ((lane, after), page) in places.iter().zip(&mut tail.pages) {
            page.looked = page.looked.min(heads.seqs[usize::from(lane.0)]).max(*after);
            page.entries.retain(|entry| entry.seq <= page.looked);
        }
        Ok(tail)
    }
}

/// Prunes by age alone.
struct PrunesTheUnread;

#[async_trait]
impl LogTwist for PrunesTheUnread {
    async fn prune(&self, sound: Sound<'_, dyn Log>, lane: LaneId, _upto: Seq, before: Timestamp) -> Result<u64> {
        sound.prune(lane, Seq::MAX >> 1, before).await
    }
}

/// Fetches the entry before the one that is asked for.
struct FetchesTheWrongOne;

#[async_trait]
impl LogTwist for FetchesTheWrongOne {
    async fn fetch(&self, sound: Sound<'_, dyn Log>, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        let before: Vec<Seq> = seqs.iter().map(|seq| seq.saturating_sub(1).max(1)).collect();
        sound.fetch(lane, &before).await
    }
}

/// Shows every payload empty.
fn empties(page: &mut ReadPage) {
    for entry in &mut page.entries {
        if let Some(event) = entry.event() {
            let body = Body::Event(Arc::new(Event { payload: Payload::empty(), ..Event::clone(event) }));
            *entry = Arc::new(Entry { body, ..Entry::clone(entry) });
        }
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "acknowledges events that it does not store",
        noticed_by: &["two_subscriptions_each_get_everything", "keys_keep_their_order_with_one_member"],
        twist: || Twist::log(LosesAppends::default()),
    },
    Double {
        fault: "recognises no repeat",
        noticed_by: &["a_duplicate_is_delivered_once", "an_event_that_two_members_publish_at_once_is_delivered_once"],
        twist: || Twist::log(DedupesNothing),
    },
    Double {
        fault: "skips an entry of each page",
        noticed_by: &["two_subscriptions_each_get_everything", "keys_keep_their_order_with_four_members"],
        twist: || Twist::log(Reads(|page| drop((page.entries.len() > 1).then(|| page.entries.remove(0))))),
    },
    Double {
        fault: "gives pages in reverse",
        noticed_by: &[
            "keys_keep_their_order_with_one_member",
            "without_faults_nothing_is_repeated_and_no_key_overlaps",
        ],
        twist: || Twist::log(Reads(|page| page.entries.reverse())),
    },
    Double {
        fault: "gives empty payloads",
        noticed_by: &["what_is_delivered_is_what_was_published"],
        twist: || Twist::log(Reads(empties)),
    },
    Double {
        fault: "mixes tenants",
        noticed_by: &["a_tenant_that_reads_the_past_sees_its_own_alone"],
        twist: || Twist::log(MixesTenants),
    },
    Double {
        fault: "hides the last event of a lane",
        noticed_by: &[
            "a_pull_that_waits_is_woken_by_an_event_and_by_a_delay",
            "an_idle_engine_asks_its_store_for_little",
        ],
        twist: || Twist::log(HidesTheLast),
    },
    Double {
        fault: "prunes what is unread",
        noticed_by: &["retention_never_removes_what_a_subscription_has_not_read"],
        twist: || Twist::log(PrunesTheUnread),
    },
    Double {
        fault: "fetches the wrong entry",
        noticed_by: &["a_key_is_pulled_in_order_and_by_one_at_a_time", "attempts_survive_a_restart"],
        twist: || Twist::log(FetchesTheWrongOne),
    },
];
