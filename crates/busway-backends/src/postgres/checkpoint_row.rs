use busway_core::{Checkpoint, Handed, LaneCommit, LaneId, MemberId, Result, SubscriptionId, Version};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{
    columns::{column, json, only, to_json, unsigned, unsigned_if, wide},
    lane::Change,
    pool::{Pool, Values},
};

const MOVE_ON: &str = "SELECT c.applied, c.crowded FROM {schema}.commit_lanes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
                       $12, $13, $14, $15, $16, $17, $18) AS c";

/// The columns that [`placed`] reads first, in its order.
pub(super) const COLUMNS: &str = "c.subscription, c.lane, c.position, c.fence, c.n, c.written_by, c.holder, c.released, \
                                  c.handed_seq, c.handed_key, c.handed_turn, c.probation, c.segments, c.delivered, \
                                  c.failed";
/// How many those are.
pub(super) const COLUMN_COUNT: usize = 15;
pub(super) type Placed = (SubscriptionId, LaneId, Checkpoint);

/// A checkpoint as the parameters of a statement.
pub(super) struct Parameters {
    position: i64,
    fence: i64,
    n: i64,
    written_by: i64,
    holder: Option<Uuid>,
    released: bool,
    handed_seq: Option<i64>,
    handed_key: Option<Uuid>,
    handed_turn: Option<i64>,
    probation: i64,
    segments: String,
    delivered: i64,
    failed: i64,
}

impl Parameters {
    pub(super) fn of(checkpoint: &Checkpoint) -> Result<Self> {
        let handed = checkpoint.handed;
        Ok(Self {
            position: checkpoint.position.cast_signed(),
            fence: checkpoint.version.fence.cast_signed(),
            n: checkpoint.version.n.cast_signed(),
            written_by: checkpoint.written_by.cast_signed(),
            holder: checkpoint.holder.map(|member| member.0),
            released: checkpoint.released,
            handed_seq: handed.map(|handed| handed.seq.cast_signed()),
            handed_key: handed.map(|handed| Uuid::from_u128(handed.key)),
            handed_turn: handed.map(|handed| handed.turn.cast_signed()),
            probation: checkpoint.probation.cast_signed(),
            segments: to_json(&checkpoint.segments)?,
            delivered: checkpoint.delivered.cast_signed(),
            failed: checkpoint.failed.cast_signed(),
        })
    }

    /// The values in the order of [`COLUMNS`], from the position on.
    pub(super) fn values(&self) -> [(&(dyn ToSql + Sync), Type); 13] {
        [
            (&self.position, Type::INT8),
            (&self.fence, Type::INT8),
            (&self.n, Type::INT8),
            (&self.written_by, Type::INT8),
            (&self.holder, Type::UUID),
            (&self.released, Type::BOOL),
            (&self.handed_seq, Type::INT8),
            (&self.handed_key, Type::UUID),
            (&self.handed_turn, Type::INT8),
            (&self.probation, Type::INT8),
            (&self.segments, Type::TEXT),
            (&self.delivered, Type::INT8),
            (&self.failed, Type::INT8),
        ]
    }
}

/// What became of a commit of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// The lane did not stand where expected.
    Not,
    On,
    /// The same, and the changes of its holds have outgrown what holds.
    Crowded,
}

/// Applies commits of lanes that change nothing but their checkpoints and holds, in one statement.
pub(super) async fn move_on(pool: &Pool, changes: &[&Change]) -> Result<Vec<Moved>> {
    let commits: Vec<&LaneCommit> = changes.iter().map(|change| &change.commit).collect();
    let rows = commits.iter().map(|commit| Parameters::of(&commit.checkpoint)).collect::<Result<Vec<_>>>()?;
    let subscriptions: Vec<Uuid> = commits.iter().map(|commit| commit.subscription.0).collect();
    let lanes: Vec<i32> = commits.iter().map(|commit| i32::from(commit.lane.0)).collect();
    let expected_fences: Vec<i64> = commits.iter().map(|commit| commit.expected.fence.cast_signed()).collect();
    let expected_ns: Vec<i64> = commits.iter().map(|commit| commit.expected.n.cast_signed()).collect();
    let numbers = |of: fn(&Parameters) -> i64| rows.iter().map(of).collect::<Vec<_>>();
    let numbers_if = |of: fn(&Parameters) -> Option<i64>| rows.iter().map(of).collect::<Vec<_>>();
    let ids_if = |of: fn(&Parameters) -> Option<Uuid>| rows.iter().map(of).collect::<Vec<_>>();
    let released: Vec<bool> = rows.iter().map(|row| row.released).collect();
    let segments: Vec<&str> = rows.iter().map(|row| row.segments.as_str()).collect();
    let helds: Vec<Option<&[u8]>> = changes.iter().map(|change| change.held.as_deref()).collect();
    let values: Values<'_> = &[
        (&subscriptions, Type::UUID_ARRAY),
        (&lanes, Type::INT4_ARRAY),
        (&expected_fences, Type::INT8_ARRAY),
        (&expected_ns, Type::INT8_ARRAY),
        (&numbers(|row| row.position), Type::INT8_ARRAY),
        (&numbers(|row| row.fence), Type::INT8_ARRAY),
        (&numbers(|row| row.n), Type::INT8_ARRAY),
        (&numbers(|row| row.written_by), Type::INT8_ARRAY),
        (&ids_if(|row| row.holder), Type::UUID_ARRAY),
        (&released, Type::BOOL_ARRAY),
        (&numbers_if(|row| row.handed_seq), Type::INT8_ARRAY),
        (&ids_if(|row| row.handed_key), Type::UUID_ARRAY),
        (&numbers_if(|row| row.handed_turn), Type::INT8_ARRAY),
        (&numbers(|row| row.probation), Type::INT8_ARRAY),
        (&segments, Type::TEXT_ARRAY),
        (&numbers(|row| row.delivered), Type::INT8_ARRAY),
        (&numbers(|row| row.failed), Type::INT8_ARRAY),
        (&helds, Type::BYTEA_ARRAY),
    ];
    let row = only(pool.write_often(MOVE_ON, values).await?)?;
    let (applied, crowded): (Vec<bool>, Vec<bool>) = (column(&row, 0)?, column(&row, 1)?);
    let moved = applied.into_iter().zip(crowded).map(|moved| match moved {
        (false, _) => Moved::Not,
        (true, false) => Moved::On,
        (true, true) => Moved::Crowded,
    });
    Ok(moved.collect())
}

/// The checkpoints of all lanes of all subscriptions, or of one, in the order of ids and lanes.
pub(super) async fn all(pool: &Pool, of: Option<SubscriptionId>) -> Result<Vec<Placed>> {
    let sql = format!("SELECT {COLUMNS} FROM {{schema}}.newest_checkpoints($1) AS c");
    let rows = pool.read(&sql, &[(&of.map(|of| of.0), Type::UUID)]).await?;
    rows.iter().map(placed).collect()
}

pub(super) fn placed(row: &Row) -> Result<Placed> {
    let handed = match unsigned_if(row, 8)? {
        Some(seq) => Some(Handed { seq, key: wide(row, 9)?, turn: unsigned(row, 10)? }),
        None => None,
    };
    let checkpoint = Checkpoint {
        position: unsigned(row, 2)?,
        version: Version { fence: unsigned(row, 3)?, n: unsigned(row, 4)? },
        written_by: unsigned(row, 5)?,
        holder: column::<Option<Uuid>>(row, 6)?.map(MemberId),
        released: column(row, 7)?,
        handed,
        probation: unsigned(row, 11)?,
        segments: json(row, 12)?,
        delivered: unsigned(row, 13)?,
        failed: unsigned(row, 14)?,
    };
    Ok((SubscriptionId(column(row, 0)?), lane(row, 1)?, checkpoint))
}

/// A lane's number.
pub(super) fn lane(row: &Row, index: usize) -> Result<LaneId> {
    let lane: i32 = column(row, index)?;
    u16::try_from(lane).map(LaneId).map_err(|error| super::columns::unreadable(row, index, &error))
}
