use busway_core::{CommitOutcome, LaneCommit, LaneId, LaneRecord, Result, SubscriptionId, Version};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    checkpoint_row::{COLUMN_COUNT, COLUMNS, Parameters, placed},
    columns::{column, only, unsigned_if},
    dead_letters::{self, Letters},
    hold_changes::HoldChanges,
    holds::{CHANGES, Held, check_chunks},
    pool::Pool,
    requests,
};

const COMMIT: &str = "{schema}.commit_lane($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
                      $18, $19, $20, $21) AS c";

/// The one row of the lane that the first two parameters name.
const NEWEST: &str = "(SELECT * FROM {schema}.checkpoints AS c WHERE c.subscription = $1 AND c.lane = $2
                       ORDER BY c.fence DESC, c.n DESC LIMIT 1) AS c";

/// A commit, with its changes of holds as they are stored.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) commit: LaneCommit,
    pub(super) held: Option<Vec<u8>>,
}

impl Change {
    pub(super) fn of(mut commit: LaneCommit) -> Result<Self> {
        check_chunks(&commit)?;
        let changes = HoldChanges::of(&mut commit);
        let held = (!changes.is_empty()).then(|| changes.pack());
        Ok(Self { commit, held })
    }

    /// True if nothing but the checkpoint and holds change.
    pub(super) fn is_plain(&self) -> bool {
        let LaneCommit { subscription, lane, expected, ref checkpoint, .. } = self.commit;
        self.commit == LaneCommit::new(subscription, lane, expected, checkpoint.clone())
    }
}

/// Applies a commit whole, or refuses it before anything is written, in one statement.
pub(super) async fn commit(pool: &Pool, Change { commit, held }: &Change) -> Result<CommitOutcome> {
    let lane = i32::from(commit.lane.0);
    let (fence, n) = (commit.expected.fence.cast_signed(), commit.expected.n.cast_signed());
    let checkpoint = Parameters::of(&commit.checkpoint)?;
    let signed = |numbers: &[u64]| numbers.iter().map(|number| number.cast_signed()).collect::<Vec<i64>>();
    let (buried, carried_out) = (signed(&commit.buried), signed(&commit.requests));
    let letters = Letters::of(&commit.dead)?;
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = Vec::with_capacity(41);
    values.push((&commit.subscription.0, Type::UUID));
    values.push((&lane, Type::INT4));
    values.push((&fence, Type::INT8));
    values.push((&n, Type::INT8));
    values.extend(checkpoint.values());
    values.push((&commit.clear, Type::BOOL));
    values.push((held, Type::BYTEA));
    values.push((&buried, Type::INT8_ARRAY));
    values.push((&carried_out, Type::INT8_ARRAY));
    let rows = if commit.dead.is_empty() {
        pool.write_often(&format!("SELECT c.* FROM {COMMIT}"), &values).await
    } else {
        values.extend(letters.values());
        let sql = format!("SELECT c.*, CASE WHEN c.applied THEN {} END FROM {COMMIT}", dead_letters::ADD);
        pool.write(&sql, &values).await
    };
    let row = only(rows?)?;
    if !column::<bool>(&row, 0)? {
        return refused(&row, commit);
    }
    if column(&row, 1)? {
        make_room(pool, commit.subscription, commit.lane).await;
    }
    Ok(CommitOutcome::Done)
}

/// Puts the changes of a lane's holds together, which have outgrown what holds.
pub(super) async fn make_room(pool: &Pool, subscription: SubscriptionId, lane: LaneId) {
    if let Err(error) = put_together(pool, subscription, lane).await {
        tracing::warn!(%error, %lane, "changes of holds could not be put together, the next commit of holds tries again");
    }
}

fn refused(row: &Row, commit: &LaneCommit) -> Result<CommitOutcome> {
    let (Some(fence), Some(n), Some(written_by)) = (unsigned_if(row, 2)?, unsigned_if(row, 3)?, unsigned_if(row, 4)?)
    else {
        return Ok(CommitOutcome::Fenced(None));
    };
    let stored = Version { fence, n };
    let is_this = (stored, written_by) == (commit.checkpoint.version, commit.checkpoint.written_by);
    Ok(if is_this { CommitOutcome::Done } else { CommitOutcome::Fenced(Some(stored)) })
}

/// A lane, whole, as one snapshot.
pub(super) async fn load(pool: &Pool, subscription: SubscriptionId, lane: LaneId) -> Result<Option<LaneRecord>> {
    let sql = format!(
        "SELECT {COLUMNS}, {CHANGES},
             ARRAY(SELECT d.seq FROM {{schema}}.dead_letters AS d
                   WHERE d.subscription = c.subscription AND d.lane = c.lane ORDER BY d.seq),
             ARRAY(SELECT r.id FROM {{schema}}.requests AS r
                   WHERE r.subscription = c.subscription AND r.lane = c.lane ORDER BY r.id),
             ARRAY(SELECT r.request FROM {{schema}}.requests AS r
                   WHERE r.subscription = c.subscription AND r.lane = c.lane ORDER BY r.id)
         FROM {{schema}}.subscriptions AS s, {NEWEST} WHERE s.id = $1"
    );
    let rows = pool.read_often(&sql, &[(&subscription.0, Type::UUID), (&i32::from(lane.0), Type::INT4)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (_, _, checkpoint) = placed(row)?;
    let (holds, turns) = Held::of(&column::<Vec<&[u8]>>(row, COLUMN_COUNT)?)?.into_records();
    let dead = column::<Vec<i64>>(row, COLUMN_COUNT + 1)?.into_iter().map(i64::cast_unsigned).collect();
    let asked = column::<Vec<i64>>(row, COLUMN_COUNT + 2)?.into_iter().zip(column::<Vec<&str>>(row, COLUMN_COUNT + 3)?);
    let requests = asked.map(|(id, kind)| requests::request(id, subscription, lane, kind)).collect::<Result<_>>()?;
    Ok(Some(LaneRecord { checkpoint, holds, turns, dead, requests }))
}

/// Replaces the changes of a lane's holds by what they add up to, so that they stay in proportion to what holds.
async fn put_together(pool: &Pool, subscription: SubscriptionId, lane: LaneId) -> Result<()> {
    let lane = i32::from(lane.0);
    let sql = format!(
        "SELECT c.base_fence, c.base_n, last.fence, last.n, {CHANGES}
         FROM {NEWEST},
             LATERAL (SELECT h.fence, h.n FROM {{schema}}.hold_changes AS h
                      WHERE h.subscription = c.subscription AND h.lane = c.lane
                          AND (h.fence, h.n) >= (c.base_fence, c.base_n)
                      ORDER BY h.fence DESC, h.n DESC LIMIT 1) AS last"
    );
    let rows = pool.read(&sql, &[(&subscription.0, Type::UUID), (&lane, Type::INT4)]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let whole = Held::of(&column::<Vec<&[u8]>>(row, 4)?)?.whole().pack();
    let (base_fence, base_n): (i64, i64) = (column(row, 0)?, column(row, 1)?);
    let (last_fence, last_n): (i64, i64) = (column(row, 2)?, column(row, 3)?);
    let sql = "SELECT {schema}.put_holds_together($1, $2, $3, $4, $5, $6, $7)";
    pool.write(
        sql,
        &[
            (&subscription.0, Type::UUID),
            (&lane, Type::INT4),
            (&base_fence, Type::INT8),
            (&base_n, Type::INT8),
            (&last_fence, Type::INT8),
            (&last_n, Type::INT8),
            (&whole, Type::BYTEA),
        ],
    )
    .await
    .map(drop)
}
