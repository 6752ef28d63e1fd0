use busway_core::{OperationRecord, OperationState, Result};
use tokio_postgres::types::Type;

use super::{
    columns::{column, json, only, to_json},
    pool::{Pool, Values},
};

/// Saves an operation if the stored version is `expected`; false if refused.
pub(super) async fn save(pool: &Pool, operation: &OperationRecord, expected: Option<u64>) -> Result<bool> {
    let sql = "SELECT {schema}.save_operation($1, $2, $3, $4, $5, $6)";
    let version = operation.version.cast_signed();
    let running = operation.state == OperationState::Running;
    let ended_at = operation.ended_at.map(|time| time.as_millis());
    let record = to_json(operation)?;
    let expected = expected.map(u64::cast_signed);
    let values: Values<'_> = &[
        (&operation.id, Type::UUID),
        (&version, Type::INT8),
        (&running, Type::BOOL),
        (&ended_at, Type::INT8),
        (&record, Type::TEXT),
        (&expected, Type::INT8),
    ];
    column(&only(pool.write(sql, values).await?)?, 0)
}

/// All operations that run and the newest thousand that ended, by id.
pub(super) async fn all(pool: &Pool) -> Result<Vec<OperationRecord>> {
    let sql = "SELECT operation FROM {schema}.operations WHERE running
               UNION ALL
               (SELECT operation FROM {schema}.operations WHERE NOT running
                ORDER BY ended_at DESC NULLS LAST, id LIMIT 1000)";
    let rows = pool.read(sql, &[]).await?;
    let mut operations = rows.iter().map(|row| json(row, 0)).collect::<Result<Vec<OperationRecord>>>()?;
    operations.sort_unstable_by_key(|operation| operation.id);
    Ok(operations)
}
