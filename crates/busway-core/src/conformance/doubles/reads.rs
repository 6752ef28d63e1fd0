use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Double, Twist,
    appends::lock,
    twist::{LogTwist, Sound},
};
use crate::{
    Appended, Direction, Entry, Epoch, Event, EventType, Filter, Heads, LaneId, Log, Patterns, ReadPage, ReadRequest,
    Result, Seq, Tail, TenantId, Timestamp,
};

/// Reads something else than was asked for.
struct Asks(fn(&mut ReadRequest));

#[async_trait]
impl LogTwist for Asks {
    async fn read(&self, sound: Sound<'_, dyn Log>, mut request: ReadRequest) -> Result<ReadPage> {
        self.0(&mut request);
        sound.read(request).await
    }
}

/// Gives a page back otherwise than it was read; the second argument is the lane's head.
struct Gives(fn(&ReadRequest, Seq, &mut ReadPage));

#[async_trait]
impl LogTwist for Gives {
    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let mut page = sound.read(request.clone()).await?;
        let head = sound.heads().await?.seqs[usize::from(request.lane.0)];
        self.0(&request, head, &mut page);
        Ok(page)
    }
}

/// Reads several lanes on otherwise.
struct ReadsOn(fn(&mut Tail));

#[async_trait]
impl LogTwist for ReadsOn {
    async fn tail(&self, sound: Sound<'_, dyn Log>, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        let mut tail = sound.tail(places, max).await?;
        self.0(&mut tail);
        Ok(tail)
    }
}

/// Tells other heads; the second argument counts the calls.
struct Tells(fn(&mut Heads, u64), Mutex<u64>);

#[async_trait]
impl LogTwist for Tells {
    async fn heads(&self, sound: Sound<'_, dyn Log>) -> Result<Heads> {
        let mut heads = sound.heads().await?;
        let mut calls = lock(&self.1);
        *calls += 1;
        self.0(&mut heads, *calls);
        Ok(heads)
    }
}

/// Another handle sees nothing.
struct SeesItsOwn;

#[async_trait]
impl LogTwist for SeesItsOwn {
    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        if sound.handle == 0 {
            sound.read(request).await
        } else {
            Ok(ReadPage { entries: Vec::new(), looked: request.after })
        }
    }
}

/// Shows some entries only from the second read on, though others behind them show in the first.
#[derive(Default)]
struct SkipsLateCommits(Mutex<HashSet<(usize, LaneId, Seq)>>);

#[async_trait]
impl LogTwist for SkipsLateCommits {
    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let mut page = sound.read(request).await?;
        page.entries.retain(|entry| entry.seq % 7 != 3 || !lock(&self.0).insert((sound.handle, entry.lane, entry.seq)));
        Ok(page)
    }
}

/// Reads by pattern only the types that were there when the pattern was first seen.
#[derive(Default)]
struct KnowsOldTypes {
    types: Mutex<HashSet<EventType>>,
    known: Mutex<HashMap<Arc<Patterns>, HashSet<EventType>>>,
}

#[async_trait]
impl LogTwist for KnowsOldTypes {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        lock(&self.types).extend(batch.iter().map(|event| event.event_type.clone()));
        sound.append(batch).await
    }

    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let patterns = request.filter.types.clone();
        let mut page = sound.read(request).await?;
        if let Some(patterns) = patterns {
            let mut known = lock(&self.known);
            let known = known.entry(patterns).or_insert_with(|| lock(&self.types).clone());
            page.entries.retain(|entry| entry.event().is_none_or(|event| known.contains(&event.event_type)));
        }
        Ok(page)
    }
}

/// Counts the entry too that it is to count from.
struct CountsOneMore;

#[async_trait]
impl LogTwist for CountsOneMore {
    async fn count(&self, sound: Sound<'_, dyn Log>, lane: LaneId, after: Seq, upto: Seq) -> Result<u64> {
        sound.count(lane, after.saturating_sub(1), upto).await
    }
}

/// Fetches the next entry too.
struct FetchesNeighbours;

#[async_trait]
impl LogTwist for FetchesNeighbours {
    async fn fetch(&self, sound: Sound<'_, dyn Log>, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        let seqs: Vec<Seq> = seqs.iter().flat_map(|seq| [*seq, seq + 1]).collect();
        sound.fetch(lane, &seqs).await
    }
}

struct FindsAnyones;

#[async_trait]
impl LogTwist for FindsAnyones {
    async fn find(
        &self,
        sound: Sound<'_, dyn Log>,
        _tenant: Option<&TenantId>,
        from: Uuid,
        to: Uuid,
        max: usize,
    ) -> Result<Vec<Arc<Entry>>> {
        sound.find(None, from, to, max).await
    }
}

struct FindsUnsorted;

#[async_trait]
impl LogTwist for FindsUnsorted {
    async fn find(
        &self,
        sound: Sound<'_, dyn Log>,
        tenant: Option<&TenantId>,
        from: Uuid,
        to: Uuid,
        max: usize,
    ) -> Result<Vec<Arc<Entry>>> {
        let mut found = sound.find(tenant, from, to, max).await?;
        found.sort_by_key(|entry| (entry.lane, entry.seq));
        Ok(found)
    }
}

/// Prunes something else than it is told to.
struct Prunes(fn(&mut Seq, &mut Timestamp));

#[async_trait]
impl LogTwist for Prunes {
    async fn prune(
        &self,
        sound: Sound<'_, dyn Log>,
        lane: LaneId,
        mut upto: Seq,
        mut before: Timestamp,
    ) -> Result<u64> {
        self.0(&mut upto, &mut before);
        sound.prune(lane, upto, before).await
    }
}

fn without_exclusions(filter: &mut Filter) {
    if let Some(types) = &filter.types {
        filter.types = Patterns::parse(types.included().iter().map(|pattern| pattern.as_str())).ok().map(Arc::new);
    }
}

/// True if a pattern with `*` at its end catches more than one segment by it.
fn is_deep(patterns: &Patterns, event_type: &EventType) -> bool {
    let segments = |text: &str| text.split('.').count();
    patterns.included().iter().all(|pattern| segments(pattern.as_str()) < segments(event_type.as_str()))
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "tells another epoch each time",
        noticed_by: &["every_handle_tells_the_same_lanes_and_epoch"],
        twist: || Twist::log(Tells(|heads, calls| heads.epoch = Epoch(calls), Mutex::new(0))),
    },
    Double {
        fault: "tells a head that lags",
        noticed_by: &["heads_tell_where_each_lane_ends"],
        twist: || {
            let lag = |heads: &mut Heads, _| heads.seqs.iter_mut().for_each(|seq| *seq = seq.saturating_sub(1));
            Twist::log(Tells(lag, Mutex::new(0)))
        },
    },
    Double {
        fault: "leaves out the lanes without anything new where it reads several on",
        noticed_by: &["several_lanes_are_read_on_in_one_go"],
        twist: || Twist::log(ReadsOn(|tail| tail.pages.retain(|page| !page.entries.is_empty()))),
    },
    Double {
        fault: "reads several lanes on and says that it was all",
        noticed_by: &["several_lanes_are_read_on_in_one_go"],
        twist: || Twist::log(ReadsOn(|tail| tail.more = false)),
    },
    Double {
        fault: "skips the first entry of a lane that it reads on beside others",
        noticed_by: &["several_lanes_are_read_on_in_one_go"],
        twist: || {
            Twist::log(ReadsOn(|tail| {
                tail.pages.iter_mut().for_each(|page| drop(page.entries.drain(..page.entries.len().min(1))))
            }))
        },
    },
    Double {
        fault: "counts the entry that it is to count from",
        noticed_by: &["a_count_tells_how_many_entries_lie_between"],
        twist: || Twist::log(CountsOneMore),
    },
    Double {
        fault: "tells nothing of what it pruned",
        noticed_by: &["reading_past_retention_starts_at_what_is_kept_and_heads_tell"],
        twist: || Twist::log(Tells(|heads, _| heads.pruned.fill(0), Mutex::new(0))),
    },
    Double {
        fault: "tells no head of a lane pruned empty",
        noticed_by: &["a_lane_pruned_empty_keeps_its_head"],
        twist: || {
            let forget = |heads: &mut Heads, _| {
                for (seq, pruned) in heads.seqs.iter_mut().zip(&heads.pruned) {
                    *seq = if seq == pruned { 0 } else { *seq };
                }
            };
            Twist::log(Tells(forget, Mutex::new(0)))
        },
    },
    Double {
        fault: "shows one process nothing of another",
        noticed_by: &["what_is_stored_is_there_when_the_store_is_opened_again", "no_reader_skips_a_late_commit"],
        twist: || Twist::log(SeesItsOwn),
    },
    Double {
        fault: "lets readers skip a late commit",
        noticed_by: &["no_reader_skips_a_late_commit"],
        twist: || Twist::log(SkipsLateCommits::default()),
    },
    Double {
        fault: "delivers an entry twice",
        noticed_by: &["no_reader_skips_a_late_commit", "events_stand_in_the_order_of_their_appends"],
        twist: || Twist::log(Gives(|_, _, page| page.entries.extend(page.entries.last().cloned()))),
    },
    Double {
        fault: "delivers neighbours in the wrong order",
        noticed_by: &[
            "events_stand_in_the_order_of_their_appends",
            "a_batch_keeps_its_order_within_each_lane",
            "reads_give_what_a_plain_search_gives",
        ],
        twist: || {
            Twist::log(Gives(|_, _, page| {
                if page.entries.len() > 1 {
                    page.entries.swap(0, 1);
                }
            }))
        },
    },
    Double {
        fault: "says that it looked past the head",
        noticed_by: &["an_empty_lane_gives_nothing", "looked_tells_how_far_a_filtered_read_came"],
        twist: || Twist::log(Gives(|_, _, page| page.looked += 1)),
    },
    Double {
        fault: "says that it looked to the head though the page was full",
        noticed_by: &[
            "looked_tells_how_far_a_filtered_read_came",
            "a_page_ends_at_max_and_the_next_goes_on_from_where_it_looked",
        ],
        twist: || {
            Twist::log(Gives(|request, head, page| {
                if request.direction == Direction::Forward {
                    page.looked = page.looked.max(head.min(request.until));
                }
            }))
        },
    },
    Double {
        fault: "gives more than was asked for",
        noticed_by: &["a_page_ends_at_max_and_the_next_goes_on_from_where_it_looked"],
        twist: || Twist::log(Asks(|request| request.max += 1)),
    },
    Double {
        fault: "counts no bytes",
        noticed_by: &["a_page_ends_at_its_bytes_but_has_an_entry"],
        twist: || Twist::log(Asks(|request| request.max_bytes = usize::MAX)),
    },
    Double {
        fault: "reads past the end it was given",
        noticed_by: &["a_read_looks_no_further_than_until", "reads_give_what_a_plain_search_gives"],
        twist: || Twist::log(Asks(|request| request.until = Seq::MAX)),
    },
    Double {
        fault: "reads forward only",
        noticed_by: &["backward_reads_come_from_the_end_to_the_start"],
        twist: || Twist::log(Asks(|request| request.direction = Direction::Forward)),
    },
    Double {
        fault: "starts a backward read one too early",
        noticed_by: &["backward_reads_come_from_the_end_to_the_start"],
        twist: || {
            Twist::log(Asks(|request| {
                if request.direction == Direction::Backward {
                    request.after = request.after.saturating_add(1);
                }
            }))
        },
    },
    Double {
        fault: "fetches what was not asked for",
        noticed_by: &["fetch_gives_what_is_there_and_leaves_out_the_rest"],
        twist: || Twist::log(FetchesNeighbours),
    },
    Double {
        fault: "ignores exclusions",
        noticed_by: &["excluded_types_are_left_out"],
        twist: || Twist::log(Asks(|request| without_exclusions(&mut request.filter))),
    },
    Double {
        fault: "takes a star at the end for one segment",
        noticed_by: &["types_are_chosen_by_patterns"],
        twist: || {
            Twist::log(Gives(|request, _, page| {
                if let Some(types) = &request.filter.types {
                    page.entries.retain(|entry| entry.event().is_none_or(|event| !is_deep(types, &event.event_type)));
                }
            }))
        },
    },
    Double {
        fault: "overlooks a type that was first seen later",
        noticed_by: &["a_type_first_seen_later_is_caught_too"],
        twist: || Twist::log(KnowsOldTypes::default()),
    },
    Double {
        fault: "shows a tenant everyone's events",
        noticed_by: &["a_tenant_sees_its_own_events_alone", "tenant_and_types_choose_together"],
        twist: || Twist::log(Asks(|request| request.filter.tenant = None)),
    },
    Double {
        fault: "forgets the types where a tenant is named",
        noticed_by: &["tenant_and_types_choose_together"],
        twist: || {
            Twist::log(Asks(|request| {
                if request.filter.tenant.is_some() {
                    request.filter.types = None;
                }
            }))
        },
    },
    Double {
        fault: "leaves no tenant out",
        noticed_by: &["tenants_may_be_left_out"],
        twist: || Twist::log(Asks(|request| request.filter.except.clear())),
    },
    Double {
        fault: "finds other tenants' events",
        noticed_by: &["each_tenant_finds_its_own_events_alone"],
        twist: || Twist::log(FindsAnyones),
    },
    Double {
        fault: "finds ids in the order they were stored",
        noticed_by: &["a_range_of_ids_is_found_in_their_order"],
        twist: || Twist::log(FindsUnsorted),
    },
    Double {
        fault: "prunes one too many",
        noticed_by: &[
            "what_is_pruned_is_gone_and_nothing_else",
            "reading_past_retention_starts_at_what_is_kept_and_heads_tell",
        ],
        twist: || Twist::log(Prunes(|upto, _| *upto = upto.saturating_add(1))),
    },
    Double {
        fault: "prunes whatever its age",
        noticed_by: &["prune_keeps_what_was_stored_at_its_time_or_later"],
        twist: || Twist::log(Prunes(|_, before| *before = Timestamp::MAX)),
    },
    Double {
        fault: "prunes nothing",
        noticed_by: &["what_is_pruned_is_gone_and_nothing_else", "a_lane_pruned_empty_keeps_its_head"],
        twist: || Twist::log(Prunes(|upto, _| *upto = 0)),
    },
];
