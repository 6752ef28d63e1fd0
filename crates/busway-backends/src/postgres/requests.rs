use busway_core::{Error, ErrorKind, LaneId, Request, RequestKind, Result, SubscriptionId};
use tokio_postgres::types::Type;

use super::{
    checkpoint_row::lane,
    columns::{column, from_json, only, to_json, unsigned_if},
    pool::Pool,
};

/// Leaves a request and returns its id.
pub(super) async fn add(pool: &Pool, subscription: SubscriptionId, lane: LaneId, kind: &RequestKind) -> Result<u64> {
    let sql = "SELECT {schema}.leave_request($1, $2, $3)";
    let (number, what) = (i32::from(lane.0), to_json(kind)?);
    let values = &[(&subscription.0 as _, Type::UUID), (&number as _, Type::INT4), (&what as _, Type::TEXT)];
    let row = only(pool.write(sql, values).await?)?;
    unsigned_if(&row, 0)?.ok_or_else(|| {
        let missing = Error::new(ErrorKind::NotFound, "the subscription or its lane is gone");
        missing.with_context("subscription", subscription).with_context("lane", lane)
    })
}

/// All requests, oldest first.
pub(super) async fn all(pool: &Pool) -> Result<Vec<Request>> {
    let rows = pool.read("SELECT id, subscription, lane, request FROM {schema}.requests ORDER BY id", &[]).await?;
    let requests = rows.iter().map(|row| {
        let subscription = SubscriptionId(column(row, 1)?);
        request(column(row, 0)?, subscription, lane(row, 2)?, column(row, 3)?)
    });
    requests.collect()
}

/// A request as it is stored.
pub(super) fn request(id: i64, subscription: SubscriptionId, lane: LaneId, kind: &str) -> Result<Request> {
    Ok(Request { id: id.cast_unsigned(), subscription, lane, kind: from_json(kind)? })
}
