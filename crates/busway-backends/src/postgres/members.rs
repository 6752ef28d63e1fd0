use busway_core::{MemberId, MemberRecord, Pulse, Result};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{
    columns::{column, from_json, only, to_json, unsigned},
    pool::{Pool, Values},
};

/// Writes a member's record and tells who else there is.
pub(super) async fn pulse(pool: &Pool, member: &MemberRecord) -> Result<Pulse> {
    let sql = "WITH beat AS (
                   INSERT INTO {schema}.members (id, record) VALUES ($1, $2)
                   ON CONFLICT (id) DO UPDATE SET record = excluded.record)
               SELECT value, ARRAY(SELECT record FROM {schema}.members WHERE id <> $1) FROM {schema}.changes";
    let record = to_json(member)?;
    let row = only(pool.write(sql, &[(&member.id.0, Type::UUID), (&record, Type::TEXT)]).await?)?;
    let others = column::<Vec<&str>>(&row, 1)?;
    let mut members = others.into_iter().map(from_json).collect::<Result<Vec<MemberRecord>>>()?;
    members.push(member.clone());
    members.sort_unstable_by_key(|member| member.id);
    Ok(Pulse { members, changes: unsigned(&row, 0)? })
}

pub(super) async fn remove(pool: &Pool, id: MemberId) -> Result<()> {
    pool.write("DELETE FROM {schema}.members WHERE id = $1", &[(&id.0, Type::UUID)]).await.map(drop)
}

/// Takes or keeps a lease, where that is possible, and returns its holder and counter.
pub(super) async fn lease(
    pool: &Pool,
    name: &str,
    member: MemberId,
    stale: Option<(MemberId, u64)>,
) -> Result<(MemberId, u64)> {
    let sql = "SELECT held_by, stands_at FROM {schema}.lease($1, $2, $3, $4)";
    let (holder, counter): (Option<Uuid>, Option<i64>) =
        stale.map(|(holder, counter)| (holder.0, counter.cast_signed())).unzip();
    let values: Values<'_> =
        &[(&name, Type::TEXT), (&member.0, Type::UUID), (&holder, Type::UUID), (&counter, Type::INT8)];
    let row = only(pool.write(sql, values).await?)?;
    Ok((MemberId(column(&row, 0)?), unsigned(&row, 1)?))
}
