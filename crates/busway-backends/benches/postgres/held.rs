//! Whether anything slows down while somebody holds a transaction open.

use std::time::{Duration, Instant};

use busway_core::Start;
use tokio_postgres::Client;

use crate::{
    bus::Bus,
    database::Fresh,
    publish::Load,
    size::Size,
    table::{Figures, row},
};

const PUBLISHERS: usize = 256;
const NAME: &str = "one";
const WARM_UP: Duration = Duration::from_secs(2);
/// At most how long the first and the last stretch are that are compared.
const STRETCH: Duration = Duration::from_secs(30);

const HOLD: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id(), count(*) FROM busway.lanes";
const COMMITS: &str = "SELECT xact_commit::float8 FROM pg_stat_database WHERE datname = current_database()";
const TABLES: &str = "SELECT c.relname::text, pg_total_relation_size(c.oid)::float8 / 1048576,
        coalesce(s.n_dead_tup, 0)::float8
    FROM pg_class AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
    WHERE c.relnamespace = 'busway'::regnamespace AND c.relkind = 'r'
        AND (s.n_dead_tup > 1000 OR pg_total_relation_size(c.oid) > 1048576)
    ORDER BY c.relname";

/// Published, delivered and committed.
type Counts = [f64; 3];

/// What became of a load in the meantime.
struct Course {
    first: Counts,
    last: Counts,
    /// Each table with its size in MiB and its dead rows, at the end.
    tables: Vec<(String, f64, f64)>,
}

/// First without such a transaction, since a log that grows for so long slows down a disk by itself.
pub(crate) async fn measure(size: &Size) {
    let seconds = size.held.as_secs();
    eprintln!("nothing is held open for {seconds} s");
    let free = Course::run(size, None).await;
    eprintln!("a transaction is held open for {seconds} s");
    let held = Course::run(size, Some(HOLD)).await;
    for (n, what) in ["published", "delivered", "commits"].into_iter().enumerate() {
        let ends = |course: &Course| (single("/s", course.first[n]), single("/s", course.last[n]));
        let (first, last) = ends(&held);
        let what_held = format!("Postgres, {what} at the end of a transaction held open for {seconds} s");
        row(&what_held, &last, Some(("at its beginning", &first)), 0.8..);
        let (first, free_last) = ends(&free);
        row("the same without one", &free_last, Some(("at the beginning", &first)), ..);
        row(&what_held, &last, Some(("without one", &free_last)), ..);
    }
    for (name, megabytes, dead) in held.tables {
        row(&format!("the same, table {name}"), &single(" MiB", megabytes), None, ..);
        row(&format!("the same, dead rows of {name}"), &single("", dead), None, ..);
    }
}

impl Course {
    async fn run(size: &Size, hold: Option<&str>) -> Self {
        let fresh = Fresh::new();
        let bus = fresh.bus().await;
        bus.subscribe(NAME, Start::Latest).await;
        let load = Load::start(&bus.engine, PUBLISHERS, 1);
        tokio::time::sleep(WARM_UP).await;
        let (holder, watcher) = (fresh.client().await, fresh.client().await);
        if let Some(hold) = hold {
            holder.batch_execute(hold).await.unwrap();
        }
        let (begun, stretch) = (Instant::now(), STRETCH.min(size.held / 4));
        let first = rates(stretch, &load, &bus, &watcher).await;
        tokio::time::sleep(size.held.saturating_sub(begun.elapsed() + stretch)).await;
        let last = rates(stretch, &load, &bus, &watcher).await;
        let tables = watcher.query(TABLES, &[]).await.unwrap();
        let tables = tables.iter().map(|table| (table.get(0), table.get(1), table.get(2))).collect();
        // Ends what is held.
        drop(holder);
        load.stop().await;
        bus.close().await;
        fresh.remove().await;
        Self { first, last, tables }
    }
}

/// Each a second, over this stretch of time.
async fn rates(stretch: Duration, load: &Load, bus: &Bus, watcher: &Client) -> Counts {
    let (begun, before) = (Instant::now(), counts(load, bus, watcher).await);
    tokio::time::sleep(stretch).await;
    let (took, after) = (begun.elapsed().as_secs_f64(), counts(load, bus, watcher).await);
    std::array::from_fn(|n| (after[n] - before[n]) / took)
}

async fn counts(load: &Load, bus: &Bus, watcher: &Client) -> Counts {
    let commits: f64 = watcher.query_one(COMMITS, &[]).await.unwrap().get(0);
    [load.published() as f64, bus.delivered(NAME).await as f64, commits]
}

fn single(unit: &'static str, figure: f64) -> Figures {
    let mut figures = Figures::new(unit);
    figures.add(figure);
    figures
}
