use std::time::{Duration, Instant};

use crate::{
    fresh,
    members::{
        Place,
        diary::{Diary, Line},
        process::{PUBLISHER, Process},
    },
};

const PROCESSES: u64 = 8;
/// Against hanging.
const LONG: Duration = Duration::from_secs(240);
/// Between looks at the diary.
const LOOK: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_start_at_once_on_an_empty_database_publish_into_one_log() {
    let Some(place) = fresh().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let diary = Diary::open(&folder.path().join("diary"));
    let start = |index| Process::start(PUBLISHER, &place.url(), diary.path(), index);
    let mut processes: Vec<Process> = (1..=PROCESSES).map(start).collect();
    let began = Instant::now();
    let has_published = |lines: &[Line], index: u64| {
        lines.iter().any(|line| matches!(line, Line::Acknowledged { process, .. } if *process == index))
    };
    while !(1..=PROCESSES).all(|index| has_published(&diary.lines(), index)) {
        for process in &mut processes {
            assert_eq!(process.ended(), None, "process {} has ended", process.index);
        }
        assert!(began.elapsed() < LONG, "not everybody has published within {LONG:?}");
        tokio::time::sleep(LOOK).await;
    }
    processes.into_iter().for_each(Process::leave);
    let client = place.0.client().await;
    let counts = "SELECT (SELECT count(*) FROM pg_class WHERE relname = 'meta'),
                         (SELECT count(*) FROM busway.meta WHERE key = 'epoch'),
                         (SELECT count(*) FROM busway.domain_events), (SELECT count(*) FROM busway.lanes)";
    let row = client.query_one(counts, &[]).await.unwrap();
    let (schemas, epochs, events, lanes): (i64, i64, i64, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
    let acknowledged = diary.lines().iter().filter(|line| matches!(line, Line::Acknowledged { .. })).count();
    assert_eq!((schemas, epochs, lanes), (1, 1, 8));
    assert_eq!(events as usize, acknowledged, "events in the log");
    println!("{PROCESSES} processes published {acknowledged} events into one log");
}
