//! Real servers for tests and benchmarks, private to the process that starts them.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use busway_testbed::postgres::Server;
//!
//! let Some(server) = Server::shared() else { return };
//! let database = server.database();
//! database.client().await.batch_execute("create table shifts (id int)").await.unwrap();
//! # }
//! ```
//!
//! Whatever is started here ends with its process, however that ends: a shell waits for it at the end of a pipe. Where a
//! server is not installed a test has to say so; `shared` and `start` do it, by [`missing::report`], and give `None`.
//!
//! What goes wrong in here is a broken test, not something to handle: functions panic and say why.

mod account;
mod port;
mod process;
mod url;
mod watcher;

pub mod certificates;
pub mod missing;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
