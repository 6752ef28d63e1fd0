use busway_core::{Error, ErrorKind, Result, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use super::error::corrupt;

/// The row of a statement that always gives one.
pub(super) fn only(rows: Vec<Row>) -> Result<Row> {
    rows.into_iter().next().ok_or_else(|| corrupt("a statement that gives one row gave none"))
}

/// What a column holds.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T> {
    row.try_get(index).map_err(|error| unreadable(row, index, &error).with_source(error))
}

/// A number that was stored by its bits.
pub(super) fn unsigned(row: &Row, index: usize) -> Result<u64> {
    column(row, index).map(i64::cast_unsigned)
}

/// As [`unsigned`], where there may be none.
pub(super) fn unsigned_if(row: &Row, index: usize) -> Result<Option<u64>> {
    column::<Option<i64>>(row, index).map(|number| number.map(i64::cast_unsigned))
}

pub(super) fn time(row: &Row, index: usize) -> Result<Timestamp> {
    column(row, index).map(Timestamp::from_millis)
}

/// 128 bits, stored as a UUID, which sorts as the numbers do.
pub(super) fn wide(row: &Row, index: usize) -> Result<u128> {
    column(row, index).map(|bits: Uuid| bits.as_u128())
}

/// What a column holds as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row, index: usize) -> Result<T> {
    from_json(column(row, index)?)
}

/// What was stored as JSON.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| corrupt(format!("a record cannot be read: {error}")).with_source(error))
}

pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    let unwritable = |error| Error::new(ErrorKind::Internal, format!("a record cannot be written as JSON: {error}"));
    serde_json::to_string(value).map_err(unwritable)
}

/// A value that Busway did not write.
pub(super) fn unreadable(row: &Row, index: usize, fault: &dyn std::fmt::Display) -> Error {
    let name = row.columns().get(index).map_or("?", |column| column.name());
    corrupt(format!("column `{name}` {fault}"))
}
