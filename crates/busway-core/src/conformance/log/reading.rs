use std::sync::Arc;

use crate::{
    Direction, Entry, Event, EventType, Filter, LaneId, Patterns, Payload, ReadPage, ReadRequest, Seq,
    conformance::{
        Failed, Outcome,
        probe::{Probe, ids, seqs},
    },
};

const LANE: LaneId = LaneId(0);

/// Fills a lane and gives its seqs.
async fn filled(probe: &Probe, count: usize) -> Result<Vec<Seq>, Failed> {
    let told = probe.log().append(&probe.events_in(LANE, count)).await?;
    Ok(told.iter().map(|told| told.seq).collect())
}

async fn read(probe: &Probe, request: ReadRequest) -> Result<ReadPage, Failed> {
    Ok(probe.log().read(request).await?)
}

pub(in crate::conformance) async fn an_empty_lane_gives_nothing(probe: &Probe) -> Outcome {
    for direction in [Direction::Forward, Direction::Backward] {
        let after = if direction == Direction::Forward { 0 } else { Seq::MAX };
        let page = read(probe, ReadRequest { direction, ..ReadRequest::after(LANE, after, 10) }).await?;
        ensure!(page.entries.is_empty(), "an empty lane gave {:?}", page.entries);
        ensure_eq!(page.looked, 0, "how far an empty lane was looked at");
    }
    let seqs = filled(probe, 3).await?;
    for after in [seqs[2], seqs[2] + 100] {
        let page = read(probe, ReadRequest::after(LANE, after, 10)).await?;
        ensure!(page.entries.is_empty(), "a read after the end gave {:?}", page.entries);
        ensure_eq!(page.looked, after, "how far was looked after the end");
    }
    Ok(())
}

pub(in crate::conformance) async fn a_page_ends_at_max_and_the_next_goes_on_from_where_it_looked(
    probe: &Probe,
) -> Outcome {
    let expected = filled(probe, 23).await?;
    let (mut after, mut met) = (0, Vec::new());
    while met.len() < expected.len() {
        let page = read(probe, ReadRequest::after(LANE, after, 5)).await?;
        let part = &expected[met.len()..(met.len() + 5).min(expected.len())];
        ensure_eq!(seqs(&page.entries), part, "seqs of a page of 5 after {after}");
        let next = expected.get(met.len() + part.len()).copied().unwrap_or(Seq::MAX);
        let last = part[part.len() - 1];
        ensure!((last..next).contains(&page.looked), "a page up to {last} looked up to {}", page.looked);
        after = page.looked;
        met.extend(page.entries);
    }
    Ok(())
}

pub(in crate::conformance) async fn a_page_ends_at_its_bytes_but_has_an_entry(probe: &Probe) -> Outcome {
    let payload = Payload::from_json(format!(r#"{{"a":"{}"}}"#, "x".repeat(9_992)))?;
    let large = |event: Arc<Event>| Arc::new(Event { payload: payload.clone(), ..Event::clone(&event) });
    let events: Vec<_> = probe.events_in(LANE, 8).into_iter().map(large).collect();
    probe.log().append(&events).await?;
    for (max_bytes, most) in [(0, 1), (1, 1), (10_000, 1), (25_000, 3), (1 << 30, 8)] {
        let (mut after, mut met) = (0, Vec::new());
        while met.len() < events.len() {
            let page = read(probe, ReadRequest { max_bytes, ..ReadRequest::after(LANE, after, 100) }).await?;
            let count = page.entries.len();
            ensure!(
                (1..=most).contains(&count),
                "{count} entries of 10,000 bytes came where {max_bytes} were asked for"
            );
            after = page.looked;
            met.extend(page.entries);
        }
        ensure_eq!(ids(&met), events.iter().map(|event| event.id).collect::<Vec<_>>(), "pages of {max_bytes} bytes");
    }
    Ok(())
}

pub(in crate::conformance) async fn a_read_looks_no_further_than_until(probe: &Probe) -> Outcome {
    let expected = filled(probe, 10).await?;
    for (after, until) in
        [(0, expected[3]), (expected[1], expected[7]), (expected[4], expected[4]), (expected[9], expected[2])]
    {
        let page = read(probe, ReadRequest { until, ..ReadRequest::after(LANE, after, 100) }).await?;
        let wanted = expected.iter().copied().filter(|seq| *seq > after && *seq <= until).collect::<Vec<_>>();
        ensure_eq!(seqs(&page.entries), wanted, "seqs after {after} until {until}");
        ensure_eq!(page.looked, until.max(after), "how far was looked after {after} until {until}");
    }
    let head = expected[9];
    let page = read(probe, ReadRequest { until: head + 50, ..ReadRequest::after(LANE, 0, 100) }).await?;
    ensure_eq!(page.looked, head, "how far was looked until a seq above the head");
    Ok(())
}

/// Fills a lane with events of which every tenth is rare.
async fn sparse(probe: &Probe) -> Result<(Filter, Vec<Seq>, Seq), Failed> {
    let rare = EventType::from_store("check.rare");
    let mut events = probe.events_in(LANE, 45);
    for event in events.iter_mut().step_by(10) {
        *event = Arc::new(Event { event_type: rare.clone(), ..Event::clone(event) });
    }
    let told = probe.log().append(&events).await?;
    let wanted = told.iter().map(|told| told.seq).step_by(10).collect();
    let types = Some(Arc::new(Patterns::parse(["check.rare"])?));
    Ok((Filter { types, ..Filter::default() }, wanted, told[44].seq))
}

pub(in crate::conformance) async fn looked_tells_how_far_a_filtered_read_came(probe: &Probe) -> Outcome {
    let (filter, wanted, head) = sparse(probe).await?;
    for max in [1, 2, 100] {
        let (mut after, mut met) = (0, Vec::new());
        while after < head {
            let page =
                read(probe, ReadRequest { filter: filter.clone(), ..ReadRequest::after(LANE, after, max) }).await?;
            ensure!(page.entries.len() <= max, "{} entries came where {max} were asked for", page.entries.len());
            ensure!(page.looked > after && page.looked <= head, "a read after {after} looked up to {}", page.looked);
            met.extend(seqs(&page.entries));
            let passed: Vec<Seq> = wanted.iter().copied().filter(|seq| *seq <= page.looked).collect();
            ensure_eq!(met, passed, "wanted seqs up to where was looked, {}", page.looked);
            after = page.looked;
        }
    }
    Ok(())
}

pub(in crate::conformance) async fn backward_reads_come_from_the_end_to_the_start(probe: &Probe) -> Outcome {
    let (filter, wanted, head) = sparse(probe).await?;
    let all = seqs(&probe.read_all(LANE, &Filter::default()).await?);
    for (filter, expected) in [(Filter::default(), &all), (filter, &wanted)] {
        for start in [Seq::MAX, head + 1, head, wanted[2], 1, 0] {
            for max in [1, 4, 100] {
                let met = seqs(&backward(probe, &filter, start, max).await?);
                let expected: Vec<Seq> = expected.iter().rev().copied().filter(|seq| *seq < start).collect();
                ensure_eq!(met, expected, "seqs backward from {start}, {max} at a time");
            }
        }
    }
    Ok(())
}

/// Reads backward page by page until nothing is left.
async fn backward(probe: &Probe, filter: &Filter, start: Seq, max: usize) -> Result<Vec<Arc<Entry>>, Failed> {
    let (mut after, mut met) = (start, Vec::new());
    loop {
        let request = ReadRequest {
            direction: Direction::Backward,
            filter: filter.clone(),
            ..ReadRequest::after(LANE, after, max)
        };
        let page = read(probe, request).await?;
        ensure!(page.entries.len() <= max, "{} entries came where {max} were asked for", page.entries.len());
        ensure!(page.looked < after || after == 0, "a backward read from {after} looked down to {}", page.looked);
        met.extend(page.entries);
        if page.looked == 0 {
            return Ok(met);
        }
        after = page.looked;
    }
}

pub(in crate::conformance) async fn fetch_gives_what_is_there_and_leaves_out_the_rest(probe: &Probe) -> Outcome {
    let events = probe.events_in(LANE, 10);
    let told = probe.log().append(&events).await?;
    let asked = [told[7].seq, told[0].seq, told[9].seq + 1, Seq::MAX >> 1, 0, told[3].seq];
    let mut fetched = probe.log().fetch(LANE, &asked).await?;
    fetched.sort_by_key(|entry| entry.seq);
    ensure_eq!(ids(&fetched), [events[0].id, events[3].id, events[7].id], "what fetch gives");
    ensure!(probe.log().fetch(LANE, &[]).await?.is_empty(), "a fetch of no seqs gives something");
    for lane in probe.lanes().skip(1) {
        ensure!(probe.log().fetch(lane, &[told[0].seq]).await?.is_empty(), "fetch gives another lane's entries");
    }
    Ok(())
}

pub(in crate::conformance) async fn heads_tell_where_each_lane_ends(probe: &Probe) -> Outcome {
    let mut ends = vec![0; usize::from(probe.log().lanes())];
    for count in [1, 7, 20] {
        for told in probe.log().append(&probe.events(count)).await? {
            ends[usize::from(told.lane.0)] = told.seq;
        }
        let heads = probe.log().heads().await?;
        ensure_eq!(heads.seqs, ends, "heads");
        ensure!(heads.pruned.iter().all(|pruned| *pruned == 0), "an unpruned log says {:?} is pruned", heads.pruned);
        ensure_eq!(probe.again().await?.log().heads().await?, heads, "heads by another handle");
    }
    Ok(())
}

pub(in crate::conformance) async fn several_lanes_are_read_on_in_one_go(probe: &Probe) -> Outcome {
    let lanes: Vec<LaneId> = probe.lanes().collect();
    let begin: Vec<(LaneId, Seq)> = lanes.iter().map(|lane| (*lane, 0)).collect();
    for count in [0, 1, 9] {
        if count > 0 {
            probe.log().append(&probe.events(count)).await?;
            probe.log().append(&probe.events_in(LANE, count)).await?;
        }
        let tail = probe.log().tail(&begin, 100).await?;
        ensure_eq!((tail.pages.len(), tail.more), (lanes.len(), false), "pages, and whether there is more");
        for (lane, page) in lanes.iter().zip(&tail.pages) {
            let all = seqs(&probe.read_all(*lane, &Filter::default()).await?);
            ensure_eq!(seqs(&page.entries), all, "entries of {lane}");
            ensure_eq!(page.looked, all.last().copied().unwrap_or(0), "how far {lane} was looked at");
        }
    }
    let stored = seqs(&probe.read_all(LANE, &Filter::default()).await?);
    let places = |after: Seq| begin.iter().skip(1).copied().chain([(LANE, after)]).collect::<Vec<_>>();
    let tail = probe.log().tail(&places(stored[1]), 3).await?;
    ensure_eq!(
        tail.pages.last().map(|page| seqs(&page.entries)),
        Some(stored[2..5].to_vec()),
        "entries asked for last"
    );
    ensure_eq!(tail.pages.last().map(|page| page.looked), Some(stored[4]), "how far a full page looked");
    ensure!(tail.more, "nothing was told of what is behind a full page");
    let end = stored[stored.len() - 1];
    let tail = probe.log().tail(&[(LANE, end)], 3).await?;
    ensure!(tail.pages[0].entries.is_empty() && !tail.more, "something came from behind the end: {tail:?}");
    ensure_eq!(tail.pages[0].looked, end, "how far was looked behind the end");
    Ok(())
}

pub(in crate::conformance) async fn a_count_tells_how_many_entries_lie_between(probe: &Probe) -> Outcome {
    ensure_eq!(probe.log().count(LANE, 0, 0).await?, 0, "entries of an empty lane");
    for batch in [1, 5, 2] {
        probe.log().append(&probe.events_in(LANE, batch)).await?;
        probe.log().append(&probe.events(3)).await?;
    }
    let mut stored = vec![0];
    stored.extend(seqs(&probe.read_all(LANE, &Filter::default()).await?));
    for (index, after) in stored.iter().enumerate() {
        for (other, upto) in stored.iter().enumerate().skip(index) {
            let count = probe.log().count(LANE, *after, *upto).await?;
            ensure_eq!(count, (other - index) as u64, "entries after {after} and up to {upto}");
        }
    }
    Ok(())
}
