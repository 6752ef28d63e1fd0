//! The engine keeps every promise on PostgreSQL.

mod fresh_schema;

use busway_testbed::postgres::Server;
use fresh_schema::FreshSchema;

/// Nothing in a scenario stops the server, so nothing has to wait for its disk.
const OPTIONS: &str = "&options=-c%20synchronous_commit%3Doff";

busway_engine::engine_conformance_tests!(Server::shared => |server| async move { FreshSchema::new(server, 8, OPTIONS) });
