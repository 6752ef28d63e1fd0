//! A PostgreSQL schema keeps every promise of a backend, with one lane and with eight; each handle opens it again, as
//! another process would.

mod fresh_schema;

use busway_testbed::postgres::Server;
use fresh_schema::FreshSchema;

mod one_lane {
    busway_core::conformance_tests!(super::Server::shared => |server| async move { super::FreshSchema::new(server, 1, "") });
}

mod eight_lanes {
    busway_core::conformance_tests!(super::Server::shared => |server| async move { super::FreshSchema::new(server, 8, "") });
}
