use std::{collections::VecDeque, sync::Arc};

use busway_core::{
    Direction, Entry, Error, ErrorKind, Event, Filter, LaneId, LogExt, Position, ReadRequest, Result, Seq,
};
use uuid::Uuid;

use crate::{Engine, EventPage, EventQuery, engine::Inner};

/// Entries that one read of a lane brings.
const PAGE: usize = 256;
/// Entries that one call looks at; a rarer find goes on with the next page.
const LOOKED: usize = 200_000;

impl Engine {
    /// Stored events in the order (stored_at, lane, seq).
    pub async fn events(&self, query: EventQuery) -> Result<EventPage> {
        let inner = &self.inner;
        let first_page = query.cursor.is_none();
        if let Some((from, to)) = query.find.as_deref().and_then(id_range).filter(|_| first_page) {
            let mut entries = inner.stores.log.find(query.tenant.as_ref(), from, to, query.limit.max(1)).await?;
            entries.retain(|entry| entry.event().is_some_and(|event| query.matches(event)));
            if !entries.is_empty() {
                return Ok(EventPage { entries, next: None });
            }
        }
        let mut merge = Merge::begin(inner, &query).await?;
        let mut entries = Vec::new();
        let mut looked = 0;
        while entries.len() < query.limit.max(1) && looked < LOOKED {
            let Some(entry) = merge.next(inner).await? else {
                return Ok(EventPage { entries, next: None });
            };
            looked += 1;
            if entry.event().is_some_and(|event| query.matches(event)) {
                entries.push(entry);
            }
        }
        Ok(EventPage { entries, next: Some(merge.cursor()) })
    }
}

impl EventQuery {
    /// The part of the query that a log's filter does not know.
    fn matches(&self, event: &Event) -> bool {
        let key = || event.key.as_ref().map(|key| key.as_str());
        let correlation = || event.metadata.get("correlationId");
        self.types.as_ref().is_none_or(|types| types.matches(&event.event_type))
            && self.key.as_deref().is_none_or(|wanted| key() == Some(wanted))
            && self.correlation_id.as_deref().is_none_or(|wanted| correlation().as_deref() == Some(wanted))
            && self.find.as_deref().is_none_or(|find| {
                event.id.to_string().starts_with(&find.to_ascii_lowercase())
                    || key() == Some(find)
                    || correlation().as_deref() == Some(find)
                    || has_field(event, find)
            })
    }
}

/// True if `find` is `/pointer=value` and the payload has that there.
fn has_field(event: &Event, find: &str) -> bool {
    let Some((pointer, wanted)) = find.split_once('=').filter(|(pointer, _)| pointer.starts_with('/')) else {
        return false;
    };
    let Ok(payload) = event.payload.parse::<serde_json::Value>() else { return false };
    match payload.pointer(pointer) {
        Some(serde_json::Value::String(text)) => text == wanted,
        Some(value) => serde_json::from_str::<serde_json::Value>(wanted).is_ok_and(|wanted| wanted == *value),
        None => false,
    }
}

/// The ids that begin with these hex digits, at least four of them.
pub(crate) fn id_range(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if !(4..=32).contains(&digits.len()) {
        return None;
    }
    let from = u128::from_str_radix(&format!("{digits:0<32}"), 16).ok()?;
    let to = u128::from_str_radix(&format!("{digits:f<32}"), 16).ok()?;
    Some((Uuid::from_u128(from), Uuid::from_u128(to)))
}

/// The lanes side by side, read page by page.
struct Merge {
    lanes: Vec<Side>,
    filter: Filter,
    direction: Direction,
    position: Position,
}

struct Side {
    /// Read up to here.
    looked: Seq,
    /// Nothing beyond this is wanted.
    bound: Seq,
    /// Given out up to here.
    given: Seq,
    ahead: VecDeque<Arc<Entry>>,
    ended: bool,
}

impl Merge {
    async fn begin(inner: &Inner, query: &EventQuery) -> Result<Self> {
        let log = &inner.stores.log;
        let heads = log.heads().await?;
        let direction = if query.descending { Direction::Backward } else { Direction::Forward };
        let cursor: Option<Position> = match &query.cursor {
            None => None,
            Some(text) => {
                let position: Position = text.parse()?;
                if position.epoch != heads.epoch || position.lanes.len() != heads.seqs.len() {
                    let detail = "the cursor belongs to another log, or to this one before it was restored; start again without it";
                    return Err(Error::new(ErrorKind::PositionLost, detail));
                }
                Some(position)
            }
        };
        let mut lanes = Vec::with_capacity(heads.seqs.len());
        for (index, head) in heads.seqs.iter().enumerate() {
            let lane = LaneId(index as u16);
            let from = match query.after {
                Some(after) => log.seq_before(lane, after).await?,
                None => 0,
            };
            let to = match query.before {
                Some(before) => log.seq_before(lane, before).await?,
                None => *head,
            };
            let start = if query.descending { to + 1 } else { from };
            let bound = if query.descending { from } else { to };
            let at = cursor.as_ref().map_or(start, |cursor| cursor.lanes[index]);
            let ended = if query.descending { at <= bound + 1 } else { at >= bound };
            lanes.push(Side { looked: at, bound, given: at, ahead: VecDeque::new(), ended });
        }
        let filter =
            Filter { types: query.types.clone().map(Arc::new), tenant: query.tenant.clone(), except: Vec::new() };
        let position = Position { epoch: heads.epoch, lanes: Vec::new() };
        Ok(Self { lanes, filter, direction, position })
    }

    async fn next(&mut self, inner: &Inner) -> Result<Option<Arc<Entry>>> {
        for index in 0..self.lanes.len() {
            self.fill(inner, index).await?;
        }
        let heads = self.lanes.iter().enumerate().filter_map(|(index, side)| {
            side.ahead.front().map(|entry| ((entry.stored_at, entry.lane, entry.seq), index))
        });
        let next = match self.direction {
            Direction::Forward => heads.min(),
            Direction::Backward => heads.max(),
        };
        let Some((_, index)) = next else { return Ok(None) };
        let side = &mut self.lanes[index];
        let entry = side.ahead.pop_front();
        if let Some(entry) = &entry {
            side.given = entry.seq;
        }
        Ok(entry)
    }

    async fn fill(&mut self, inner: &Inner, index: usize) -> Result<()> {
        let side = &mut self.lanes[index];
        while side.ahead.is_empty() && !side.ended {
            let request = ReadRequest {
                filter: self.filter.clone(),
                direction: self.direction,
                until: if self.direction == Direction::Forward { side.bound } else { Seq::MAX },
                ..ReadRequest::after(LaneId(index as u16), side.looked, PAGE)
            };
            let page = inner.stores.log.read(request).await?;
            let forward = self.direction == Direction::Forward;
            side.ahead.extend(page.entries.into_iter().filter(|entry| forward || entry.seq > side.bound));
            side.ended = if forward {
                page.looked >= side.bound || page.looked <= side.looked
            } else {
                page.looked <= side.bound + 1
            };
            side.looked = page.looked;
            if side.ahead.is_empty() {
                side.given = side.looked;
            }
        }
        Ok(())
    }

    fn cursor(&self) -> String {
        let lanes = self.lanes.iter().map(|side| side.given).collect();
        Position { lanes, ..self.position.clone() }.to_string()
    }
}
