use busway_backends::sqlite::{Config, Sqlite, Synchronous};
use busway_core::{Level, Log, Seam};
use rusqlite::Connection;
use tempfile::tempdir;

use crate::events::{damage_a_page, event, one_lane, open};

#[tokio::test]
async fn a_sound_file_is_told_of_without_a_warning() {
    let folder = tempdir().unwrap();
    let store = open(&folder.path().join("busway.db")).await;
    store.append(&[event()]).await.unwrap();
    let findings = store.diagnose().await.unwrap();
    let checks: Vec<_> = findings.iter().map(|finding| (finding.check, finding.level)).collect();
    assert_eq!(checks, ["version", "integrity", "synchronous", "size"].map(|check| (check, Level::Ok)), "{findings:?}");
}

#[tokio::test]
async fn a_damaged_file_fails_with_the_way_to_save_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    damage_a_page(&path).await;
    let findings = open(&path).await.diagnose().await.unwrap();
    let mut integrity = findings.iter().filter(|finding| finding.check == "integrity").peekable();
    assert!(integrity.peek().is_some());
    assert!(integrity.all(|finding| {
        finding.level == Level::Fail
            && finding.remedy.as_ref().is_some_and(|remedy| remedy.contains("busway.db .recover"))
    }));
}

#[tokio::test]
async fn a_file_that_does_not_wait_for_the_disk_is_told_of() {
    let folder = tempdir().unwrap();
    for (synchronous, level) in [(Synchronous::Normal, Level::Warn), (Synchronous::Off, Level::Fail)] {
        let config = Config { synchronous, ..one_lane(&folder.path().join("busway.db")) };
        let store = Sqlite::open(config, Seam::system()).await.unwrap();
        let findings = store.diagnose().await.unwrap();
        assert!(
            findings.iter().any(|finding| (finding.check, finding.level) == ("synchronous", level)),
            "{findings:?}"
        );
    }
}

#[tokio::test]
async fn the_sql_that_is_shown_first_makes_the_file_that_is_opened() {
    let folder = tempdir().unwrap();
    let config = one_lane(&folder.path().join("busway.db"));
    let pending = Sqlite::pending_migrations(&config).await.unwrap();
    assert!(!config.path.exists());
    let outsider = Connection::open(&config.path).unwrap();
    pending.iter().for_each(|step| outsider.execute_batch(&step.sql).unwrap());
    drop(outsider);
    assert_eq!(Sqlite::pending_migrations(&config).await.unwrap(), []);
    let store = Sqlite::open(config, Seam::system()).await.unwrap();
    assert_eq!(store.append(&[event()]).await.unwrap()[0].seq, 1);
}
