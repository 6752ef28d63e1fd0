//! Processes that share one SQLite file and are killed, frozen and woken for real.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../members/mod.rs"]
mod members;

/// A file of its own, gone with its folder. However busy the machine is, nobody gives up waiting for a turn to write.
struct Fresh(tempfile::TempDir);

impl members::Place for Fresh {
    fn url(&self) -> String {
        format!("sqlite:{}?busyTimeoutMs=120000", self.0.path().join("busway.db").display())
    }
}

async fn fresh() -> Option<Fresh> {
    Some(Fresh(tempfile::tempdir().unwrap()))
}

member_tests!(fresh);
