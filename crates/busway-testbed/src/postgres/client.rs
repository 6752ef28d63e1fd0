//! Talks to a server from any thread, inside a runtime or not.

use std::{panic::resume_unwind, thread};

use tokio_postgres::{Client, Error, NoTls, error::SqlState};

/// Connects to what the URL names, and keeps the connection going on the calling runtime.
pub(super) async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with the client, and what broke it the client's calls tell.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Whether a server answers, be it that it lets nobody in.
pub(super) fn answers(url: &str) -> Result<(), Error> {
    match run(url, "select 1") {
        Err(error) if error.code().is_some_and(|code| *code != SqlState::CANNOT_CONNECT_NOW) => Ok(()),
        outcome => outcome,
    }
}

/// Runs this statement by itself, on a thread and runtime of its own, since the caller may be on one.
pub(crate) fn run(url: &str, statement: &str) -> Result<(), Error> {
    let work = async {
        let client = connect(url).await?;
        client.batch_execute(statement).await
    };
    let in_runtime = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap_or_else(|error| panic!("no runtime to talk to PostgreSQL with: {error}")).block_on(work)
    };
    thread::scope(|scope| scope.spawn(in_runtime).join()).unwrap_or_else(|panic| resume_unwind(panic))
}
