//! Processes that share one PostgreSQL database and are killed, frozen and woken for real.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../members/mod.rs"]
mod members;
mod publishers;
mod starting;

use busway_testbed::postgres::{Database, Server};

/// A database of its own. However busy the machine is, nobody gives up waiting for an answer.
struct Fresh(Database);

impl members::Place for Fresh {
    fn url(&self) -> String {
        let mark = if self.0.url.contains('?') { '&' } else { '?' };
        format!("{}{mark}pool=4&deadlineMs=120000", self.0.url)
    }
}

async fn fresh() -> Option<Fresh> {
    Server::shared().map(|server| Fresh(server.database()))
}

member_tests!(fresh);
