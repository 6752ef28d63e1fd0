use std::sync::Arc;

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, Entry, Error, ErrorKind, Event, Filter, Finding, Heads, LaneId, Log, ReadPage, ReadRequest,
    Result, Seq, Tail, TenantId, Timestamp, Wake,
};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{
    Postgres,
    columns::{column, only},
    event_row::{COLUMNS, Decoder},
    read::bound,
    time::SqlTime,
};

/// Rows that one statement of a prune looks at.
const PRUNED_AT_ONCE: i32 = 10_000;

impl Postgres {
    fn check_lane(&self, lane: LaneId) -> Result<()> {
        if lane.0 < self.shared.lanes {
            return Ok(());
        }
        let detail = format!("the log has {} lanes, counted from 0", self.shared.lanes);
        Err(Error::new(ErrorKind::NotFound, detail).with_context("lane", lane))
    }

    async fn entries(&self, sql: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Arc<Entry>>> {
        let rows = self.pool.read(sql, values).await?;
        let mut decoder = Decoder::new(Filter::default());
        let entries = rows.iter().map(|row| decoder.entry(row));
        entries.filter_map(Result::transpose).collect()
    }
}

#[async_trait]
impl Log for Postgres {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn lanes(&self) -> u16 {
        self.shared.lanes
    }

    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        if batch.is_empty() { Ok(Vec::new()) } else { self.shared.append(batch).await }
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadPage> {
        self.check_lane(request.lane)?;
        if request.max == 0 {
            return Ok(ReadPage { entries: Vec::new(), looked: request.after });
        }
        self.page(request).await
    }

    async fn fetch(&self, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        self.check_lane(lane)?;
        let seqs: Vec<i64> = seqs.iter().filter_map(|seq| i64::try_from(*seq).ok()).collect();
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM {{schema}}.domain_events AS e WHERE e.lane = $1 AND e.seq = ANY ($2)
                 AND e.seq > (SELECT pruned FROM {{schema}}.lanes WHERE lane = $1)"
        );
        self.entries(&sql, &[(&lane.0.cast_signed(), Type::INT2), (&seqs, Type::INT8_ARRAY)]).await
    }

    async fn tail(&self, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        self.read_on(places, max).await
    }

    async fn heads(&self) -> Result<Heads> {
        self.shared.hear_heads().await
    }

    async fn count(&self, lane: LaneId, after: Seq, upto: Seq) -> Result<u64> {
        self.check_lane(lane)?;
        self.count_between(lane, after, upto).await
    }

    async fn find(&self, tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Result<Vec<Arc<Entry>>> {
        let (tenant, max) = (tenant.map(|tenant| tenant.as_str()), bound(max as Seq));
        let of_tenant = if tenant.is_some() { " AND e.tenant = $4" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM {{schema}}.domain_events AS e WHERE e.id BETWEEN $1 AND $2{of_tenant}
                 AND e.seq > (SELECT pruned FROM {{schema}}.lanes AS l WHERE l.lane = e.lane)
             ORDER BY e.id, e.tenant LIMIT $3"
        );
        let mut values: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&from, Type::UUID), (&to, Type::UUID), (&max, Type::INT8)];
        if tenant.is_some() {
            values.push((&tenant, Type::TEXT));
        }
        let mut entries = self.entries(&sql, &values).await?;
        entries.retain(|entry| entry.event().is_some());
        Ok(entries)
    }

    fn wake(&self) -> Wake {
        self.shared.wake.subscribe()
    }

    async fn prune(&self, lane: LaneId, upto: Seq, before: Timestamp) -> Result<u64> {
        self.check_lane(lane)?;
        let (of, upto, before) = (lane.0.cast_signed(), bound(upto), SqlTime(before));
        let mut removed = 0;
        loop {
            let values: [(&(dyn ToSql + Sync), Type); 4] =
                [(&of, Type::INT2), (&upto, Type::INT8), (&before, Type::TIMESTAMPTZ), (&PRUNED_AT_ONCE, Type::INT4)];
            let rows = self.pool.write("SELECT {schema}.prune($1, $2, $3, $4)", &values).await?;
            let some: i64 = column(&only(rows)?, 0)?;
            removed += some.cast_unsigned();
            if some < i64::from(PRUNED_AT_ONCE) {
                break;
            }
        }
        if removed > 0 {
            self.shared.pruned.notify_one();
        }
        Ok(removed)
    }

    async fn diagnose(&self) -> Result<Vec<Finding>> {
        self.look_after().await
    }
}
