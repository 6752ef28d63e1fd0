use std::error::Error as StdError;

use busway_core::{TenantId, Timestamp};
use rusqlite::{Error as NativeError, Result as NativeResult, Row, types::Type};
use serde_json::Error as JsonError;
use uuid::Uuid;

/// A number that was stored by its bits.
pub(super) fn unsigned(row: &Row<'_>, index: usize) -> NativeResult<u64> {
    row.get(index).map(i64::cast_unsigned)
}

/// As [`unsigned`], where there may be none.
pub(super) fn unsigned_if(row: &Row<'_>, index: usize) -> NativeResult<Option<u64>> {
    row.get::<_, Option<i64>>(index).map(|number| number.map(i64::cast_unsigned))
}

pub(super) fn signed_if(number: Option<u64>) -> Option<i64> {
    number.map(u64::cast_signed)
}

pub(super) fn count(row: &Row<'_>, index: usize) -> NativeResult<u32> {
    row.get(index)
}

pub(super) fn time(row: &Row<'_>, index: usize) -> NativeResult<Timestamp> {
    row.get(index).map(Timestamp::from_millis)
}

pub(super) fn uuid(row: &Row<'_>, index: usize) -> NativeResult<Uuid> {
    row.get(index).map(Uuid::from_bytes)
}

/// 128 bits as 16 bytes, the highest first, so that they sort as the numbers do.
pub(super) fn wide(row: &Row<'_>, index: usize) -> NativeResult<u128> {
    row.get(index).map(u128::from_be_bytes)
}

pub(super) fn tenant(row: &Row<'_>, index: usize) -> NativeResult<TenantId> {
    row.get::<_, String>(index).map(TenantId::from_store)
}

/// What a column holds as JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, index: usize) -> NativeResult<T> {
    let text: String = row.get(index)?;
    serde_json::from_str(&text).map_err(|error| unreadable(index, error))
}

pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> NativeResult<String> {
    serde_json::to_string(value).map_err(|error: JsonError| NativeError::ToSqlConversionFailure(Box::new(error)))
}

/// The value that a name stands for among the names of an enumeration.
pub(super) fn named<T: Copy>(row: &Row<'_>, index: usize, names: &[(T, &'static str)]) -> NativeResult<T> {
    let text: String = row.get(index)?;
    let found = names.iter().find(|(_, name)| *name == text);
    found.map(|(value, _)| *value).ok_or_else(|| unreadable(index, format!("`{text}` is none of its values")))
}

/// The name of a value of an enumeration.
pub(super) fn name_of<T: Copy + PartialEq>(value: T, names: &[(T, &'static str)]) -> &'static str {
    names.iter().find(|(named, _)| *named == value).map_or("", |(_, name)| name)
}

/// A value that Busway did not write.
pub(super) fn unreadable(index: usize, fault: impl Into<Box<dyn StdError + Send + Sync>>) -> NativeError {
    NativeError::FromSqlConversionFailure(index, Type::Text, fault.into())
}
