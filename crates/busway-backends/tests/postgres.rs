//! A PostgreSQL schema keeps every promise of a backend, with one lane and with eight; each handle opens it again, as
//! another process would.

mod fresh_schema;

use busway_testbed::postgres::{Database, Server};
use fresh_schema::FreshSchema;

async fn with_one_lane(database: &Database) -> FreshSchema {
    FreshSchema::new(&database.url, 1, "")
}

async fn with_eight_lanes(database: &Database) -> FreshSchema {
    FreshSchema::new(&database.url, 8, "")
}

mod one_lane {
    busway_core::conformance_tests!(super::Server::shared_database => super::with_one_lane);
}

mod eight_lanes {
    busway_core::conformance_tests!(super::Server::shared_database => super::with_eight_lanes);
}
