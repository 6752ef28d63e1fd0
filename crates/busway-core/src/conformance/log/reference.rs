use std::sync::Arc;

use crate::{
    Direction, Entry, Event, EventType, Filter, LaneId, Patterns, Random, ReadRequest, SeededRandom, Seq, TenantId,
    conformance::{
        Failed, Outcome,
        probe::{Probe, seqs},
    },
};

const LANE: LaneId = LaneId(0);
const TYPES: [&str; 6] = ["a", "a.b", "a.c", "a.b.c", "b.a", "b.b.c"];
const PATTERNS: [&[&str]; 8] =
    [&["*"], &["a"], &["a.*"], &["*.b"], &["*.b.*", "b.a"], &["a.*", "!a.c"], &["*", "!*.*.c"], &["c.*"]];
const TENANTS: [&str; 3] = ["acme", "bolt", "corp"];

/// Chance with a seed, so that a failure comes again.
struct Dice(SeededRandom);

impl Dice {
    fn below(&self, end: usize) -> usize {
        (self.0.next() % end as u64) as usize
    }

    fn of<'a, T: ?Sized>(&self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

pub(in crate::conformance) async fn reads_give_what_a_plain_search_gives(probe: &Probe) -> Outcome {
    let dice = Dice(SeededRandom::new(7));
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    for round in 0..150 {
        let mut batch = Vec::new();
        for _ in 0..dice.below(6) {
            let event_type = EventType::new(dice.of(&TYPES))?;
            batch.push(Arc::new(Event { event_type, ..probe.event_of(&TenantId::new(dice.of(&TENANTS))?, LANE) }));
        }
        let told = probe.log().append(&batch).await?;
        let body = |event: Arc<Event>| crate::Body::Event(event);
        entries.extend(batch.into_iter().zip(told).map(|(event, told)| {
            Arc::new(Entry { lane: told.lane, seq: told.seq, stored_at: told.stored_at, body: body(event) })
        }));
        let request = request(&dice, entries.last().map_or(0, |entry| entry.seq))?;
        let page = probe.log().read(request.clone()).await?;
        let wanted = search(&entries, &request);
        ensure!(page.entries.len() <= request.max, "round {round}: {} entries for {request:?}", page.entries.len());
        let passed: Vec<_> = wanted.into_iter().filter(|entry| is_passed(entry.seq, page.looked, &request)).collect();
        ensure_eq!(seqs(&page.entries), seqs(&passed), "round {round}: {request:?} that looked at {}", page.looked);
        ensure_eq!(page.entries, passed, "round {round}: {request:?}");
        let on = page.looked != request.after || is_at_end(page.looked, &request, &entries);
        ensure!(on, "round {round}: {request:?} came no further than {}", page.looked);
    }
    Ok(())
}

fn request(dice: &Dice, head: Seq) -> Result<ReadRequest, Failed> {
    let types = (dice.below(4) > 0).then(|| Patterns::parse(dice.of(&PATTERNS)).map(Arc::new)).transpose()?;
    let tenant = (dice.below(3) == 0).then(|| TenantId::new(dice.of(&TENANTS))).transpose()?;
    let direction = if dice.below(3) == 0 { Direction::Backward } else { Direction::Forward };
    let somewhere = || dice.below(head as usize + 3) as Seq;
    let until = if direction == Direction::Forward && dice.below(2) == 0 { somewhere() } else { Seq::MAX };
    let except = TENANTS.into_iter().filter(|_| dice.below(6) == 0).map(TenantId::from_store).collect();
    let filter = Filter { types, tenant, except };
    Ok(ReadRequest { until, filter, direction, ..ReadRequest::after(LANE, somewhere(), 1 + dice.below(20)) })
}

/// What an endless page would give.
fn search(entries: &[Arc<Entry>], request: &ReadRequest) -> Vec<Arc<Entry>> {
    let wanted = |entry: &&Arc<Entry>| entry.event().is_some_and(|event| request.filter.matches(event));
    let inside = |entry: &&Arc<Entry>| match request.direction {
        Direction::Forward => entry.seq > request.after && entry.seq <= request.until,
        Direction::Backward => entry.seq < request.after,
    };
    let mut found: Vec<_> = entries.iter().filter(inside).filter(wanted).cloned().collect();
    if request.direction == Direction::Backward {
        found.reverse();
    }
    found
}

fn is_passed(seq: Seq, looked: Seq, request: &ReadRequest) -> bool {
    match request.direction {
        Direction::Forward => seq <= looked,
        Direction::Backward => seq >= looked,
    }
}

fn is_at_end(looked: Seq, request: &ReadRequest, entries: &[Arc<Entry>]) -> bool {
    match request.direction {
        Direction::Forward => looked >= entries.last().map_or(0, |entry| entry.seq).min(request.until),
        Direction::Backward => looked == 0,
    }
}
