use std::{future::poll_fn, time::Duration};

use busway_core::{Error, ErrorKind, Result};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    task::JoinHandle,
};
use tokio_postgres::{AsyncMessage, types::Type};

use super::{
    config::Config,
    connection::Connector,
    error::{Effect, failed, no_answer, not_connected},
    names::Names,
    pool::Pool,
};

/// How long a notification may take that this process sends itself.
const TEST: Duration = Duration::from_secs(5);

/// A connection on which notifications arrive.
#[derive(Debug)]
pub(super) struct Listener {
    notes: UnboundedReceiver<String>,
    task: JoinHandle<()>,
    /// Kept, since the connection ends with it.
    _client: tokio_postgres::Client,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Connects and listens; `None` if nobody is to listen.
    pub(super) async fn open(config: &Config) -> Result<Option<Self>> {
        let Some(native) = config.listening() else { return Ok(None) };
        let (place, within) = (config.place(), config.connect_timeout());
        let connector = Connector::new(config, &native)?;
        let connected = tokio::time::timeout(within, connector.connect()).await;
        let connected = connected.map_err(|_| no_answer(&place, within))?;
        let (client, mut connection) = connected.map_err(|error| not_connected(error, &place))?;
        let (sender, notes) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message {
                    // An error means that nobody listens any more; the task is about to be ended.
                    let _ = sender.send(notification.payload().into());
                }
            }
        });
        let listener = Self { notes, task, _client: client };
        let listen = Names::new(&config.schema).fill("LISTEN {channel}");
        let listening = tokio::time::timeout(within, listener._client.batch_execute(&listen)).await;
        listening.map_err(|_| no_answer(&place, within))?.map_err(|error| failed(error, Effect::None, &place))?;
        Ok(Some(listener))
    }

    /// Sends a notification to itself through the pool; an error if it does not arrive, as behind a pooler that
    /// gives each transaction another connection, or where the two addresses lead to different databases.
    pub(super) async fn test(&mut self, pool: &Pool, note: &str) -> Result<()> {
        let note = format!("test {note}");
        pool.write("SELECT pg_notify('{channel}', $1)", &[(&note, Type::TEXT)]).await?;
        let arrival = async { while self.next().await.is_some_and(|arrived| arrived != note) {} };
        tokio::time::timeout(TEST, arrival).await.map_err(|_| {
            Error::new(ErrorKind::Unsupported, format!("a notification did not come back within {TEST:?}"))
        })
    }

    /// The next notification; `None` if the connection is gone.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.notes.recv().await
    }
}
