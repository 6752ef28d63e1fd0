use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

/// How often an idle writer looks for what other processes did: a thread that wakes up costs some 30 microseconds,
/// so this is what idling costs.
const CALM: Duration = Duration::from_millis(50);
/// The same while another process has lately appended.
const LIVELY: Duration = Duration::from_millis(10);
const LIVELY_FOR: Duration = Duration::from_secs(10);
/// How often it looks closely, whatever the write-ahead log's times say: file systems may tell them coarsely.
const CLOSELY: Duration = Duration::from_secs(1);

/// Tells an idle writer when it is worth asking SQLite whether another process has committed.
#[derive(Debug)]
pub(super) struct Lookout {
    /// The write-ahead log, which every commit writes to and nobody replaces while a connection is open. It bears
    /// no locks: closing a second handle on a file that does would release SQLite's.
    wal: Option<File>,
    seen: Option<(SystemTime, u64)>,
    closely_at: Instant,
    appended_at: Option<Instant>,
}

impl Lookout {
    /// For the database at `path`, which must have been read in WAL mode.
    pub(super) fn new(path: &Path) -> Self {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        Self { wal: File::open(wal).ok(), seen: None, closely_at: Instant::now(), appended_at: None }
    }

    /// How long to wait before the next look.
    pub(super) fn patience(&self) -> Duration {
        if self.appended_at.is_some_and(|at| at.elapsed() < LIVELY_FOR) { LIVELY } else { CALM }
    }

    /// True if something may have changed since the last look.
    pub(super) fn is_due(&mut self) -> bool {
        let found = self.wal.as_ref().and_then(|wal| wal.metadata().ok());
        let seen = found.and_then(|found| Some((found.modified().ok()?, found.len())));
        let changed = seen.is_none() || seen != self.seen;
        let due = changed || self.closely_at.elapsed() >= CLOSELY;
        if due {
            (self.seen, self.closely_at) = (seen, Instant::now());
        }
        due
    }

    /// To be told when another process has appended.
    pub(super) fn note_append(&mut self) {
        self.appended_at = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_write_makes_a_look_due_once_and_an_append_elsewhere_makes_looks_frequent() {
        let folder = tempfile::tempdir().unwrap();
        let wal = folder.path().join("a.db-wal");
        fs::write(&wal, "one").unwrap();
        let mut lookout = Lookout::new(&folder.path().join("a.db"));
        assert!(lookout.is_due());
        assert!(!lookout.is_due());
        fs::write(&wal, "longer").unwrap();
        assert!(lookout.is_due());
        assert_eq!(lookout.patience(), CALM);
        lookout.note_append();
        assert_eq!(lookout.patience(), LIVELY);
    }

    #[test]
    fn without_a_write_ahead_log_every_look_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let mut lookout = Lookout::new(&folder.path().join("a.db"));
        assert!(lookout.is_due() && lookout.is_due());
    }
}
