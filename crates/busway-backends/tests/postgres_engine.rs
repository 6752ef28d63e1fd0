//! The engine keeps every promise on PostgreSQL.

mod fresh_schema;

use busway_testbed::postgres::{Database, Server};
use fresh_schema::FreshSchema;

/// Nothing in a scenario stops the server, so nothing has to wait for its disk.
async fn fresh(database: &Database) -> FreshSchema {
    FreshSchema::new(&database.url, 8, "&options=-c%20synchronous_commit%3Doff")
}

busway_engine::engine_conformance_tests!(Server::shared_database => fresh);
