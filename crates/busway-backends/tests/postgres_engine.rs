//! The engine keeps every promise on PostgreSQL.

mod fresh_schema;

use busway_testbed::postgres::Server;
use fresh_schema::FreshSchema;

busway_engine::engine_conformance_tests!(Server::shared => |server| async move { FreshSchema::new(server, 8) });
