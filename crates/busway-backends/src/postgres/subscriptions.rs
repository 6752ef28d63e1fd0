use busway_core::{Checkpoint, Result, Seq, SubscriptionId, SubscriptionRecord};
use tokio_postgres::types::Type;

use super::{
    columns::{column, json, only, to_json},
    pool::{Pool, Values},
};

/// Saves a subscription if the stored version is `expected`; false if refused.
pub(super) async fn save(
    pool: &Pool,
    record: &SubscriptionRecord,
    expected: Option<u64>,
    start: &[Seq],
) -> Result<bool> {
    let sql = "SELECT {schema}.save_subscription($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let version = record.version.cast_signed();
    let replay = record.replay.is_some();
    let stored = to_json(record)?;
    let expected = expected.map(u64::cast_signed);
    let starts: Vec<i64> = start.iter().map(|seq| seq.cast_signed()).collect();
    let first_segments = to_json(&Checkpoint::starting(0, record.revision).segments)?;
    let values: Values<'_> = &[
        (&record.id.0, Type::UUID),
        (&record.owner.as_str(), Type::TEXT),
        (&record.name.as_str(), Type::TEXT),
        (&version, Type::INT8),
        (&replay, Type::BOOL),
        (&stored, Type::TEXT),
        (&expected, Type::INT8),
        (&starts, Type::INT8_ARRAY),
        (&first_segments, Type::TEXT),
    ];
    column(&only(pool.write(sql, values).await?)?, 0)
}

/// All subscriptions, by id.
pub(super) async fn all(pool: &Pool) -> Result<Vec<SubscriptionRecord>> {
    let rows = pool.read("SELECT record FROM {schema}.subscriptions ORDER BY id", &[]).await?;
    rows.iter().map(|row| json(row, 0)).collect()
}

/// Removes a subscription with all that is kept of it; false if it was not there.
pub(super) async fn remove(pool: &Pool, id: SubscriptionId, keep_dead_letters: bool) -> Result<bool> {
    let sql = "SELECT {schema}.remove_subscription($1, $2)";
    let rows = pool.write(sql, &[(&id.0, Type::UUID), (&keep_dead_letters, Type::BOOL)]).await?;
    column(&only(rows)?, 0)
}
