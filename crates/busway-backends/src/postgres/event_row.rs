use std::{borrow::Borrow, collections::HashMap, hash::Hash, str::FromStr, sync::Arc};

use busway_core::{
    Body, Entry, Error, Event, EventType, Filter, Key, LaneId, Metadata, Payload, Result, Seq, TenantId, Undecodable,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    columns::{column, unsigned, unsigned_if},
    time::SqlTime,
};

/// The columns that [`Decoder::entry`] reads, in its order.
pub(super) const COLUMNS: &str =
    "e.seq, e.lane, e.stored_at, e.id, e.\"time\", e.tenant, e.type, e.key, e.metadata, e.payload";
const SEQ: usize = 0;
const LANE: usize = 1;
const STORED_AT: usize = 2;
const ID: usize = 3;
const TIME: usize = 4;
const TENANT: usize = 5;
const TYPE: usize = 6;
const KEY: usize = 7;
const METADATA: usize = 8;
const PAYLOAD: usize = 9;

/// Makes entries of rows; types and tenants that come again are checked, matched and allocated once.
#[derive(Default)]
pub(super) struct Decoder {
    filter: Filter,
    types: Known<EventType>,
    tenants: Known<TenantId>,
}

/// Names met so far, and whether the filter wants them.
type Known<N> = HashMap<N, bool>;

impl Decoder {
    pub(super) fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// The entry of a row, or `None` if its tenant and type can be read and are not wanted.
    pub(super) fn entry(&mut self, row: &Row) -> Result<Option<Arc<Entry>>> {
        let lane = LaneId(column::<i16>(row, LANE)?.cast_unsigned());
        let seq = seq(row)?;
        let stored_at = column::<SqlTime>(row, STORED_AT)?.0;
        let payload: &str = column(row, PAYLOAD)?;
        let body = match self.event(&Columns::of(row)?, payload) {
            Ok(Some(event)) => Body::Event(Arc::new(event)),
            Ok(None) => return Ok(None),
            Err(error) => Body::Undecodable(Undecodable { raw: payload.as_bytes().into(), error }),
        };
        Ok(Some(Arc::new(Entry { lane, seq, stored_at, body })))
    }

    /// The event of a row, or what is wrong with it.
    fn event(&mut self, columns: &Columns<'_>, payload: &str) -> Result<Option<Event>, String> {
        let Filter { types, tenant: only, except } = &self.filter;
        let (tenant, right_tenant) = known(&mut self.tenants, "tenant", columns.tenant, |tenant: &TenantId| {
            only.as_ref().is_none_or(|only| only == tenant) && !except.contains(tenant)
        })?;
        let (event_type, right_type) = known(&mut self.types, "type", columns.event_type, |event_type: &EventType| {
            types.as_ref().is_none_or(|types| types.matches(event_type))
        })?;
        if !(right_tenant && right_type) {
            return Ok(None);
        }
        let key = columns.key.map(|key| Key::new(key).map_err(|error| faulty("key", error.detail()))).transpose()?;
        let metadata = match columns.metadata {
            None => Metadata::default(),
            Some(text) => Metadata::from_store(object("metadata", text)?),
        };
        let payload = Payload::from_store(object("payload", payload)?);
        Ok(Some(Event { id: columns.id, event_type, tenant, key, time: columns.time.0, payload, metadata }))
    }
}

/// What of a row must be looked at before it is known to be an event.
struct Columns<'a> {
    id: Uuid,
    time: SqlTime,
    tenant: &'a str,
    event_type: &'a str,
    key: Option<&'a str>,
    metadata: Option<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(row: &'a Row) -> Result<Self> {
        Ok(Self {
            id: column(row, ID)?,
            time: column(row, TIME)?,
            tenant: column(row, TENANT)?,
            event_type: column(row, TYPE)?,
            key: column(row, KEY)?,
            metadata: column(row, METADATA)?,
        })
    }
}

/// The seq of a row.
pub(super) fn seq(row: &Row) -> Result<Seq> {
    unsigned(row, SEQ)
}

/// True for the row of `sift` that is no entry.
pub(super) fn is_edge(row: &Row) -> Result<bool> {
    column::<Option<i16>>(row, LANE).map(|lane| lane.is_none())
}

/// The last seq that was looked at, if there are more.
pub(super) fn edge_of(row: &Row) -> Result<Option<Seq>> {
    unsigned_if(row, SEQ)
}

/// A name that comes again and again, and whether it is wanted.
fn known<N>(
    names: &mut Known<N>,
    column: &str,
    text: &str,
    wanted: impl FnOnce(&N) -> bool,
) -> Result<(N, bool), String>
where
    N: Borrow<str> + Eq + Hash + Clone + FromStr<Err = Error>,
{
    if let Some((name, wanted)) = names.get_key_value(text) {
        return Ok((name.clone(), *wanted));
    }
    let name: N = text.parse().map_err(|error: Error| faulty(column, error.detail()))?;
    let wanted = wanted(&name);
    names.insert(name.clone(), wanted);
    Ok((name, wanted))
}

/// The text of a JSON object. Only its ends are looked at: reading all of it would cost more than all the rest.
fn object<'a>(column: &str, text: &'a str) -> Result<&'a str, String> {
    if text.starts_with('{') && text.ends_with('}') { Ok(text) } else { Err(faulty(column, "is no JSON object")) }
}

fn faulty(column: &str, fault: &str) -> String {
    format!("column `{column}` {fault}")
}
