use std::sync::Arc;

use busway_backends::sqlite::Sqlite;
use busway_core::{LaneId, Log, ManualClock, Seam, SystemRandom, Timestamp};
use tempfile::tempdir;

use crate::events::{entries, event, one_lane};

#[tokio::test]
async fn stored_at_never_falls_when_the_clock_jumps_back_the_store_is_reopened_or_pruned_empty() {
    let folder = tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
    let seam = Seam::new(clock.clone(), Arc::new(SystemRandom::default()));
    let config = one_lane(&folder.path().join("busway.db"));
    let store = Sqlite::open(config.clone(), seam.clone()).await.unwrap();
    let first = store.append(&[event()]).await.unwrap()[0];
    assert_eq!(first.stored_at, seam.now());
    clock.jump(-3_600_000);
    let second = store.append(&[event()]).await.unwrap()[0];
    assert_eq!(second.stored_at, first.stored_at);
    drop(store);

    let store = Sqlite::open(config.clone(), seam.clone()).await.unwrap();
    assert_eq!(store.append(&[event()]).await.unwrap()[0].stored_at, first.stored_at);
    assert_eq!(store.prune(LaneId(0), 3, Timestamp::MAX).await.unwrap(), 3);
    assert!(entries(&store).await.is_empty());
    drop(store);

    let store = Sqlite::open(config, seam.clone()).await.unwrap();
    let after = store.append(&[event()]).await.unwrap()[0];
    assert_eq!((after.seq, after.stored_at), (4, first.stored_at));
    clock.jump(7_200_000);
    assert_eq!(store.append(&[event()]).await.unwrap()[0].stored_at, seam.now());
}
