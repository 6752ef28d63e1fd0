use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use busway_core::{Error, ErrorKind, Result};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, PoolError, QueueMode, RecyclingMethod, Runtime, TimeoutType,
};
use futures::TryStreamExt;
use tokio_postgres::{
    Error as NativeError, Row, RowStream,
    types::{ToSql, Type},
};

use super::{
    columns::{column, only},
    config::Config,
    connection::Connector,
    direct::said_process,
    error::{Effect, failed, is_lost, is_of_old_plan, no_answer, not_connected, too_late},
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
/// A statement goes out in one message, in a transaction of its own. Those that are run often are prepared once for each
/// connection if that leads to the server itself; all others are unnamed, so a pooler that changes the server's connection
/// after each transaction is never noticed.
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    names: Names,
    place: String,
    deadline: Duration,
    connect_timeout: Duration,
    /// Every connection so far leads to the server itself.
    is_direct: Arc<AtomicBool>,
}

/// How often a statement is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// It is always the same and worth preparing.
    Often,
    Seldom,
}

impl Pool {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let names = Names::new(&config.schema);
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connector = Connector::new(config, &config.native)?;
        let manager = Manager::from_connect(config.native.clone(), connector, settings);
        let connect_timeout = config.connect_timeout();
        let is_direct = Arc::new(AtomicBool::new(true));
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(config.pool)
            .wait_timeout(Some(config.deadline))
            .create_timeout(Some(connect_timeout))
            .runtime(Runtime::Tokio1)
            // Few connections are used again and again, whose plans are made.
            .queue_mode(QueueMode::Lifo)
            .post_create(arrive(&names, connect_timeout, &is_direct))
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, format!("no pool of connections: {error}")))?;
        Ok(Self { connections, names, place: config.place(), deadline: config.deadline, connect_timeout, is_direct })
    }

    /// True unless there is a pooler between some connection and the server, as far as is known.
    pub(super) fn is_direct(&self) -> bool {
        self.is_direct.load(Ordering::Acquire)
    }

    /// Runs a statement that changes nothing; `{schema}` in it stands for the schema. Repeated once if its
    /// connection is lost.
    pub(super) async fn read(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        self.read_by(Usage::Seldom, sql, values).await
    }

    /// As [`read`](Self::read), for a statement that is always the same and worth preparing.
    pub(super) async fn read_often(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        self.read_by(Usage::Often, sql, values).await
    }

    async fn read_by(&self, usage: Usage, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let sql = self.names.fill(sql);
        let ended = match self.run(usage, &sql, values, self.deadline).await {
            Err(Unanswered::Failed(error)) if is_lost(&error) => self.run(usage, &sql, values, self.deadline).await,
            ended => ended,
        };
        ended.map_err(|unanswered| self.told(unanswered, Effect::None, self.deadline))
    }

    /// As [`read`](Self::read), row by row until it is enough; what then comes is not waited for.
    pub(super) async fn read_while(
        &self,
        usage: Usage,
        sql: &str,
        values: Values<'_>,
        mut take: impl FnMut(&Row) -> Result<Flow> + Send,
    ) -> Result<Flow> {
        let sql = self.names.fill(sql);
        let taken = match self.take(usage, &sql, values, &mut take).await {
            Err(Unanswered::Failed(error)) if is_lost(&error) => self.take(usage, &sql, values, &mut take).await,
            taken => taken,
        };
        taken.map_err(|unanswered| self.told(unanswered, Effect::None, self.deadline))?
    }

    /// Runs a statement that changes something; `{schema}` in it stands for the schema. `OutcomeUnknown` if it
    /// was lost after it was sent.
    pub(super) async fn write(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        self.write_within(self.deadline, sql, values).await
    }

    /// As [`write`](Self::write), for a statement that is always the same and worth preparing.
    pub(super) async fn write_often(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        self.write_by(Usage::Often, self.deadline, sql, values).await
    }

    /// As [`write`](Self::write), with a deadline of its own.
    pub(super) async fn write_within(&self, deadline: Duration, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        self.write_by(Usage::Seldom, deadline, sql, values).await
    }

    async fn write_by(&self, usage: Usage, deadline: Duration, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let ended = self.run(usage, &self.names.fill(sql), values, deadline).await;
        ended.map_err(|unanswered| self.told(unanswered, Effect::Change, deadline))
    }

    async fn run(
        &self,
        usage: Usage,
        sql: &str,
        values: Values<'_>,
        deadline: Duration,
    ) -> Result<Vec<Row>, Unanswered> {
        let mut in_use = InUse(None);
        let client = in_use.0.insert(self.connection().await.map_err(Unanswered::Told)?);
        let ended = async { self.send(usage, client, sql, values).await?.try_collect().await };
        let ended = tokio::time::timeout(deadline, ended).await.map_err(|_| Unanswered::Late)?;
        in_use.give_back();
        ended.map_err(Unanswered::Failed)
    }

    /// Sends a statement on a connection, prepared if it is to be.
    async fn send(
        &self,
        usage: Usage,
        client: &Object,
        sql: &str,
        values: Values<'_>,
    ) -> Result<RowStream, NativeError> {
        // Asked once there is a connection, since that may be the first through a pooler.
        if usage == Usage::Often && self.is_direct() {
            let types: Vec<Type> = values.iter().map(|(_, of)| of.clone()).collect();
            let statement = client.prepare_typed_cached(sql, &types).await?;
            match client.query_raw(&statement, values.iter().map(|(value, _)| *value)).await {
                // Refused before it began.
                Err(error) if is_of_old_plan(&error) => client.statement_cache.clear(),
                sent => return sent,
            }
        }
        client.query_typed_raw(sql, values.iter().map(|(value, of)| (*value, of.clone()))).await
    }

    async fn take(
        &self,
        usage: Usage,
        sql: &str,
        values: Values<'_>,
        take: &mut (impl FnMut(&Row) -> Result<Flow> + Send),
    ) -> Result<Result<Flow>, Unanswered> {
        let mut in_use = InUse(None);
        let client = in_use.0.insert(self.connection().await.map_err(Unanswered::Told)?);
        let mut begun = false;
        let taking = async {
            let mut rows = pin!(self.send(usage, client, sql, values).await?);
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

/// What every new connection begins with: it may lead to a server that took the other's place, and a session is its own
/// only if the server's process is the one that was told when it began.
fn arrive(names: &Names, within: Duration, is_direct: &Arc<AtomicBool>) -> Hook {
    let sql = names.fill("SELECT pg_backend_pid(), {schema}.arrive()");
    let is_direct = Arc::clone(is_direct);
    Hook::async_fn(move |client, _| {
        let (sql, is_direct) = (sql.clone(), Arc::clone(&is_direct));
        Box::pin(async move {
            let said = said_process(&client.cancel_token()).await;
            let arrived = tokio::time::timeout(within, client.query_typed(&sql, &[])).await;
            let rows = arrived.map_err(|_| HookError::message("no answer"))?.map_err(HookError::Backend)?;
            let process: Option<i32> = only(rows).and_then(|row| column(&row, 0)).ok();
            if process.is_none() || process != said {
                is_direct.store(false, Ordering::Release);
            }
            Ok(())
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
