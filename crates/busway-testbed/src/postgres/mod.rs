//! PostgreSQL 14 or newer, from the binaries that are installed, in a temporary directory.

mod binaries;
mod builder;
pub(crate) mod client;
mod database;
mod given;
mod server;

pub use builder::Builder;
pub use database::Database;
pub use server::Server;

/// Names a server that [`Server::shared`] uses in place of a private one: `postgres://user:password@host:port/database`.
/// The user must be allowed to create databases.
pub const VARIABLE: &str = "BUSWAY_TEST_POSTGRES_URL";

/// Who owns all of a private server and may come in without a password.
pub(crate) const USER: &str = "busway";
