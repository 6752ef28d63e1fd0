use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    str::{self, FromStr, Utf8Error},
    sync::Arc,
};

use busway_core::{
    Body, Entry, Error, Event, EventType, Filter, Key, Metadata, Payload, TenantId, Timestamp, Undecodable,
};
use rusqlite::{Result as NativeResult, Row, types::ValueRef};
use uuid::Uuid;

use super::place::{lane_of, seq_of};

/// The columns that [`Decoder::entry`] reads, in its order.
pub(super) const COLUMNS: &str = "place, id, tenant, type, key, time, stored_at, metadata, payload";
const ID: usize = 1;
const TENANT: usize = 2;
const TYPE: usize = 3;
const KEY: usize = 4;
const TIME: usize = 5;
const STORED_AT: usize = 6;
const METADATA: usize = 7;
const PAYLOAD: usize = 8;

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
    pub(super) fn entry(&mut self, row: &Row<'_>) -> NativeResult<Option<Arc<Entry>>> {
        let at: i64 = row.get(0)?;
        let body = match self.event(row) {
            Ok(Some(event)) => Body::Event(Arc::new(event)),
            Ok(None) => return Ok(None),
            Err(error) => Body::Undecodable(Undecodable { raw: bytes(row, PAYLOAD).into(), error }),
        };
        let stored_at = integer(row, STORED_AT);
        Ok(Some(Arc::new(Entry { lane: lane_of(at), seq: seq_of(at), stored_at, body })))
    }

    /// The event of a row, or what is wrong with it.
    fn event(&mut self, row: &Row<'_>) -> Result<Option<Event>, String> {
        let Filter { types, tenant: only, except } = &self.filter;
        let (tenant, right_tenant) = known(&mut self.tenants, row, TENANT, |tenant: &TenantId| {
            only.as_ref().is_none_or(|only| only == tenant) && !except.contains(tenant)
        })?;
        let (event_type, right_type) = known(&mut self.types, row, TYPE, |event_type: &EventType| {
            types.as_ref().is_none_or(|types| types.matches(event_type))
        })?;
        if !(right_tenant && right_type) {
            return Ok(None);
        }
        let key = match column(row, KEY) {
            ValueRef::Null => None,
            _ => Some(text(row, KEY).and_then(|key| Key::new(key).map_err(|error| faulty(row, KEY, error.detail())))?),
        };
        let metadata = match column(row, METADATA) {
            ValueRef::Null => Metadata::default(),
            _ => Metadata::from_store(object(row, METADATA)?),
        };
        let id = bytes(row, ID);
        let id = Uuid::from_slice(id).map_err(|_| faulty(row, ID, format!("has {} bytes in place of 16", id.len())))?;
        let payload = Payload::from_store(object(row, PAYLOAD)?);
        Ok(Some(Event { id, event_type, tenant, key, time: integer(row, TIME), payload, metadata }))
    }
}

/// A name that comes again and again, and whether it is wanted.
fn known<N>(
    names: &mut Known<N>,
    row: &Row<'_>,
    index: usize,
    wanted: impl FnOnce(&N) -> bool,
) -> Result<(N, bool), String>
where
    N: Borrow<str> + Eq + Hash + Clone + FromStr<Err = Error>,
{
    let name = text(row, index)?;
    if let Some((name, wanted)) = names.get_key_value(name) {
        return Ok((name.clone(), *wanted));
    }
    let name: N = name.parse().map_err(|error: Error| faulty(row, index, error.detail()))?;
    let wanted = wanted(&name);
    names.insert(name.clone(), wanted);
    Ok((name, wanted))
}

fn column<'a>(row: &'a Row<'_>, index: usize) -> ValueRef<'a> {
    row.get_ref(index).unwrap_or(ValueRef::Null)
}

fn bytes<'a>(row: &'a Row<'_>, index: usize) -> &'a [u8] {
    match column(row, index) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}

fn text<'a>(row: &'a Row<'_>, index: usize) -> Result<&'a str, String> {
    let not_utf8 = |error: Utf8Error| faulty(row, index, format!("is not UTF-8: {error}"));
    str::from_utf8(bytes(row, index)).map_err(not_utf8)
}

/// The text of a JSON object. Only its ends are looked at: reading all of it would cost more than all the rest.
fn object<'a>(row: &'a Row<'_>, index: usize) -> Result<&'a str, String> {
    let text = text(row, index)?;
    if text.starts_with('{') && text.ends_with('}') { Ok(text) } else { Err(faulty(row, index, "is no JSON object")) }
}

fn integer(row: &Row<'_>, index: usize) -> Timestamp {
    Timestamp::from_millis(column(row, index).as_i64().unwrap_or_default())
}

fn faulty(row: &Row<'_>, index: usize, fault: impl std::fmt::Display) -> String {
    let names = row.as_ref().column_name(index);
    format!("column `{}` {fault}", names.unwrap_or_default())
}
