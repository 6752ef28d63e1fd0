use std::{pin::pin, time::Duration};

use busway_core::{Error, ErrorKind, Result};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, PoolError, QueueMode, RecyclingMethod, Runtime, TimeoutType,
};
use futures::TryStreamExt;
use tokio_postgres::{
    Error as NativeError, Row,
    types::{ToSql, Type},
};

use super::{
    config::Config,
    connection::Connector,
    error::{Effect, failed, is_lost, no_answer, not_connected, too_late},
    names::Names,
};

/// Values of a statement's parameters with their types, so that the server need not be asked for them.
pub(super) type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// Bytes of rows that nobody wants any more which are read all the same, since a new connection costs more.
const MOST_LEFT_OVER: usize = 1 << 20;

/// Gives a log that was restored or failed over a new epoch.
pub(super) const ARRIVE: &str = "SELECT {schema}.arrive()";

/// The connections of one process, and the one way to run a statement on them.
///
/// A statement goes out in one message as an unnamed one, in a transaction of its own: so a pooler that changes
/// the server's connection after each transaction is never noticed.
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    names: Names,
    place: String,
    deadline: Duration,
    connect_timeout: Duration,
}

impl Pool {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let names = Names::new(&config.schema);
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connector = Connector::new(config, &config.native)?;
        let manager = Manager::from_connect(config.native.clone(), connector, settings);
        let connect_timeout = config.connect_timeout();
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(config.pool)
            .wait_timeout(Some(config.deadline))
            .create_timeout(Some(connect_timeout))
            .runtime(Runtime::Tokio1)
            // Few connections are used again and again, whose plans are made.
            .queue_mode(QueueMode::Lifo)
            .post_create(arrive(&names, connect_timeout))
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, format!("no pool of connections: {error}")))?;
        Ok(Self { connections, names, place: config.place(), deadline: config.deadline, connect_timeout })
    }

    /// Runs a statement that changes nothing; `{schema}` in it stands for the schema. Repeated once if its
    /// connection is lost.
    pub(super) async fn read(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let sql = self.names.fill(sql);
        let ended = match self.run(&sql, values, self.deadline).await {
            Err(Unanswered::Failed(error)) if is_lost(&error) => self.run(&sql, values, self.deadline).await,
            ended => ended,
        };
        ended.map_err(|unanswered| self.told(unanswered, Effect::None, self.deadline))
    }

    /// As [`read`](Self::read), row by row until it is enough; what then comes is not waited for.
    pub(super) async fn read_while(
        &self,
        sql: &str,
        values: Values<'_>,
        mut take: impl FnMut(&Row) -> Result<Flow> + Send,
    ) -> Result<Flow> {
        let sql = self.names.fill(sql);
        let taken = match self.take(&sql, values, &mut take).await {
            Err(Unanswered::Failed(error)) if is_lost(&error) => self.take(&sql, values, &mut take).await,
            taken => taken,
        };
        taken.map_err(|unanswered| self.told(unanswered, Effect::None, self.deadline))?
    }

    /// Runs a statement that changes something; `{schema}` in it stands for the schema. `OutcomeUnknown` if it
    /// was lost after it was sent.
    pub(super) async fn write(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        self.write_within(self.deadline, sql, values).await
    }

    /// As [`write`](Self::write), with a deadline of its own.
    pub(super) async fn write_within(&self, deadline: Duration, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let ended = self.run(&self.names.fill(sql), values, deadline).await;
        ended.map_err(|unanswered| self.told(unanswered, Effect::Change, deadline))
    }

    async fn run(&self, sql: &str, values: Values<'_>, deadline: Duration) -> Result<Vec<Row>, Unanswered> {
        let mut in_use = InUse(None);
        let client = in_use.0.insert(self.connection().await.map_err(Unanswered::Told)?);
        let ended = tokio::time::timeout(deadline, client.query_typed(sql, values)).await;
        let ended = ended.map_err(|_| Unanswered::Late)?;
        in_use.give_back();
        ended.map_err(Unanswered::Failed)
    }

    async fn take(
        &self,
        sql: &str,
        values: Values<'_>,
        take: &mut (impl FnMut(&Row) -> Result<Flow> + Send),
    ) -> Result<Result<Flow>, Unanswered> {
        let mut in_use = InUse(None);
        let client = in_use.0.insert(self.connection().await.map_err(Unanswered::Told)?);
        let mut begun = false;
        let taking = async {
            let sent = client.query_typed_raw(sql, values.iter().map(|(value, of)| (*value, of.clone())));
            let mut rows = pin!(sent.await?);
            let mut left_over = 0;
            let mut flow = Flow::More;
            while let Some(row) = rows.try_next().await? {
                begun = true;
                if flow == Flow::More {
                    flow = match take(&row) {
                        Ok(flow) => flow,
                        Err(error) => return Ok((Err(error), false)),
                    };
                } else {
                    left_over += row.raw_size_bytes();
                    if left_over > MOST_LEFT_OVER {
                        return Ok((Ok(flow), false));
                    }
                }
            }
            Ok((Ok(flow), true))
        };
        let taken: Result<(Result<Flow>, bool), NativeError> =
            tokio::time::timeout(self.deadline, taking).await.map_err(|_| Unanswered::Late)?;
        let (flow, is_over) = taken.map_err(|error| match begun {
            false => Unanswered::Failed(error),
            true => Unanswered::Told(failed(error, Effect::None, &self.place)),
        })?;
        if is_over {
            in_use.give_back();
        }
        Ok(flow)
    }

    fn told(&self, unanswered: Unanswered, effect: Effect, deadline: Duration) -> Error {
        match unanswered {
            Unanswered::Told(error) => error,
            Unanswered::Failed(error) => failed(error, effect, &self.place),
            Unanswered::Late => too_late(effect, &self.place, deadline),
        }
    }

    async fn connection(&self) -> Result<Object> {
        self.connections.get().await.map_err(|error| match error {
            PoolError::Backend(error) => not_connected(error, &self.place),
            PoolError::Timeout(TimeoutType::Wait) => {
                let detail = format!("every connection to PostgreSQL at {} was busy; raise `pool`", self.place);
                Error::new(ErrorKind::Overloaded, detail)
            }
            PoolError::PostCreateHook(HookError::Backend(error)) => failed(error, Effect::None, &self.place),
            PoolError::Timeout(_) | PoolError::PostCreateHook(HookError::Message(_)) => {
                no_answer(&self.place, self.connect_timeout)
            }
            PoolError::Closed => {
                Error::new(ErrorKind::Closed, format!("the PostgreSQL store at {} is closed", self.place))
            }
            other => Error::new(ErrorKind::Internal, format!("no connection to PostgreSQL: {other}")),
        })
    }

    /// Closes every connection that is idle, the others when they are given back; hands out no more.
    pub(super) fn close(&self) {
        self.connections.close();
    }
}

/// What every new connection begins with: it may lead to a server that took the other's place.
fn arrive(names: &Names, within: Duration) -> Hook {
    let sql = names.fill(ARRIVE);
    Hook::async_fn(move |client, _| {
        let sql = sql.clone();
        Box::pin(async move {
            match tokio::time::timeout(within, client.query_typed(&sql, &[])).await {
                Ok(arrived) => arrived.map(drop).map_err(HookError::Backend),
                Err(_) => Err(HookError::message("no answer")),
            }
        })
    })
}

/// Whether more rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// They are.
    More,
    /// They are not.
    Enough,
}

/// Why a statement gave no rows.
enum Unanswered {
    /// There was no connection to send it on, or it was lost among the rows.
    Told(Error),
    /// The server refused it, or the connection was lost before there were rows.
    Failed(NativeError),
    /// It did not end before its deadline.
    Late,
}

/// A connection on which a statement is under way. If that is given up, the connection is closed: nobody else is
/// to wait behind it.
struct InUse(Option<Object>);

impl InUse {
    fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("place", &self.place).field("names", &self.names).finish_non_exhaustive()
    }
}
