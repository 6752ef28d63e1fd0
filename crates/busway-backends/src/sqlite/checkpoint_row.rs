use busway_core::{Checkpoint, Handed, LaneId, MemberId, Seq, SubscriptionId, Version};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, Row, params};
use uuid::Uuid;

use super::columns::{json, signed_if, to_json, unsigned, unsigned_if, uuid, wide};

const COLUMNS: &str = "subscription, lane, position, fence, n, written_by, holder, released, handed_seq, handed_key, \
                       handed_turn, probation, segments, delivered, failed";

type Placed = (SubscriptionId, LaneId, Checkpoint);

/// Writes a checkpoint over the one that is stored, if any.
pub(super) fn put(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
    checkpoint: &Checkpoint,
) -> NativeResult<()> {
    let sql = "INSERT OR REPLACE INTO busway_checkpoints VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let handed = checkpoint.handed;
    let row = params![
        subscription.0.as_bytes(),
        lane.0,
        checkpoint.position.cast_signed(),
        checkpoint.version.fence.cast_signed(),
        checkpoint.version.n.cast_signed(),
        checkpoint.written_by.cast_signed(),
        checkpoint.holder.map(|member| member.0.into_bytes()),
        checkpoint.released,
        signed_if(handed.map(|handed| handed.seq)),
        handed.map(|handed| handed.key.to_be_bytes()),
        signed_if(handed.map(|handed| handed.turn)),
        checkpoint.probation.cast_signed(),
        to_json(&checkpoint.segments)?,
        checkpoint.delivered.cast_signed(),
        checkpoint.failed.cast_signed(),
    ];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

/// What a commit is compared with: version and `written_by`; `None` if the lane is not there.
pub(super) fn version(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
) -> NativeResult<Option<(Version, u64)>> {
    let sql = "SELECT fence, n, written_by FROM busway_checkpoints WHERE subscription = ?1 AND lane = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let stored = statement.query_row(params![subscription.0.as_bytes(), lane.0], |row| {
        Ok((Version { fence: unsigned(row, 0)?, n: unsigned(row, 1)? }, unsigned(row, 2)?))
    });
    stored.optional()
}

/// The checkpoint of a lane.
pub(super) fn one(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
) -> NativeResult<Option<Checkpoint>> {
    let sql = format!("SELECT {COLUMNS} FROM busway_checkpoints WHERE subscription = ?1 AND lane = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let stored = statement.query_row(params![subscription.0.as_bytes(), lane.0], placed);
    Ok(stored.optional()?.map(|(_, _, checkpoint)| checkpoint))
}

/// The checkpoints of all lanes of all subscriptions, or of one.
pub(super) fn all(connection: &Connection, of: Option<SubscriptionId>) -> NativeResult<Vec<Placed>> {
    let (first, last) = of.map_or((Uuid::nil(), Uuid::max()), |of| (of.0, of.0));
    let sql = format!(
        "SELECT {COLUMNS} FROM busway_checkpoints WHERE subscription BETWEEN ?1 AND ?2 ORDER BY subscription, lane"
    );
    connection.prepare_cached(&sql)?.query_map([first.as_bytes(), last.as_bytes()], placed)?.collect()
}

/// Where each lane of a subscription starts, as a new one has it.
pub(super) fn start(
    connection: &Connection,
    subscription: SubscriptionId,
    start: &[Seq],
    revision: u64,
) -> NativeResult<()> {
    for (lane, position) in (0..).map(LaneId).zip(start) {
        put(connection, subscription, lane, &Checkpoint::starting(*position, revision))?;
    }
    Ok(())
}

fn placed(row: &Row<'_>) -> NativeResult<Placed> {
    let holder: Option<[u8; 16]> = row.get(6)?;
    let handed = match unsigned_if(row, 8)? {
        Some(seq) => Some(Handed { seq, key: wide(row, 9)?, turn: unsigned(row, 10)? }),
        None => None,
    };
    let checkpoint = Checkpoint {
        position: unsigned(row, 2)?,
        version: Version { fence: unsigned(row, 3)?, n: unsigned(row, 4)? },
        written_by: unsigned(row, 5)?,
        holder: holder.map(|id| MemberId(Uuid::from_bytes(id))),
        released: row.get(7)?,
        handed,
        probation: unsigned(row, 11)?,
        segments: json(row, 12)?,
        delivered: unsigned(row, 13)?,
        failed: unsigned(row, 14)?,
    };
    Ok((SubscriptionId(uuid(row, 0)?), LaneId(row.get(1)?), checkpoint))
}
