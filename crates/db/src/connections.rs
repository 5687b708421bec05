//! Connections to either engine.
//!
//! The driver's own pool asks a connection whether it still lives before and after each use, which makes three round
//! trips out of one, and waits for the answer for ever. Here a connection that was in use a moment ago is used as it is,
//! and any other is asked first, within a time limit. One that failed or was left in the middle of something is dropped,
//! and with it all that are as old: a server that went away took them along. A file does not go away, so connections to
//! SQLite are never asked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType,
};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _, Executor, PgConnection, SqliteConnection};

use crate::limit::TimeLimit;
use crate::session::{self, ConnectError};
use crate::trouble::Trust;
use crate::{DbError, DbOptions, Engine, Outage, Result};

/// A connection to a server that was not used for so long is asked whether it still lives.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// Between two tries to reach a server that refuses connections, as one that starts does.
const CONNECT_AGAIN: Duration = Duration::from_millis(100);
/// How much longer than the server is waited for its answer before the connection counts as dead.
const NETWORK: Duration = Duration::from_secs(5);

/// A pool of connections; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pool: Pool<Connector>,
    limits: DbOptions,
}

#[derive(Debug)]
struct Connector {
    to: Endpoint,
    timeout: Duration,
    /// Connections of an earlier generation are not to be trusted.
    generation: Arc<AtomicU64>,
    /// Whether a connection was made before.
    connected: AtomicBool,
}

#[derive(Debug)]
enum Endpoint {
    /// With what each session is set to.
    Postgres(PgConnectOptions, Vec<(String, String)>),
    Sqlite(SqliteConnectOptions),
}

#[derive(Debug)]
pub(crate) enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

#[derive(Debug)]
struct Pooled {
    connection: Connection,
    generation: u64,
    /// Nothing is left over from its last use.
    clean: bool,
}

impl Manager for Connector {
    type Type = Pooled;
    type Error = ConnectError;

    fn create(&self) -> impl Future<Output = Result<Pooled, ConnectError>> + Send {
        // On the heap, or each statement would carry the room that making a connection needs.
        Box::pin(self.connect())
    }

    async fn recycle(&self, pooled: &mut Pooled, metrics: &Metrics) -> RecycleResult<ConnectError> {
        if !pooled.clean || pooled.generation != self.generation.load(Ordering::Acquire) {
            return Err(RecycleError::message("it is not to be used again"));
        }
        match &mut pooled.connection {
            Connection::Postgres(connection) if metrics.last_used() > ASK_AFTER => {
                Ok(connection.ping().await.map_err(ConnectError::from)?)
            }
            _ => Ok(()),
        }
    }
}

impl Connector {
    async fn connect(&self) -> Result<Pooled, ConnectError> {
        let generation = self.generation.load(Ordering::Acquire);
        let connection = match &self.to {
            Endpoint::Postgres(options, settings) => {
                let mut connection = self.connect_postgres(options).await?;
                session::prepare(&mut connection, settings).await?;
                Connection::Postgres(connection)
            }
            Endpoint::Sqlite(options) => Connection::Sqlite(options.connect().await?),
        };
        self.connected.store(true, Ordering::Release);
        Ok(Pooled { connection, generation, clean: true })
    }

    async fn connect_postgres(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let started = Instant::now();
        loop {
            match options.connect().await {
                Err(sqlx::Error::Io(error))
                    if error.kind() == io::ErrorKind::ConnectionRefused && started.elapsed() < self.timeout =>
                {
                    tokio::time::sleep(CONNECT_AGAIN).await;
                }
                connected => return connected,
            }
        }
    }
}

impl Connections {
    /// To a server, which is not contacted yet.
    pub(crate) fn postgres(options: PgConnectOptions, limits: DbOptions) -> Self {
        Self::to_server(options, Vec::new(), limits, Arc::default())
    }

    fn to_server(
        options: PgConnectOptions,
        mut settings: Vec<(String, String)>,
        limits: DbOptions,
        generation: Arc<AtomicU64>,
    ) -> Self {
        settings.push(("statement_timeout".to_owned(), limits.statement_limit.as_millis().to_string()));
        Self::to(Endpoint::Postgres(options, settings), limits, generation)
    }

    /// To a file, which is not opened yet.
    pub(crate) fn sqlite(options: SqliteConnectOptions, limits: DbOptions) -> Self {
        Self::to(Endpoint::Sqlite(options), limits, Arc::default())
    }

    fn to(to: Endpoint, limits: DbOptions, generation: Arc<AtomicU64>) -> Self {
        let connector =
            Connector { to, timeout: limits.acquire_timeout, generation, connected: AtomicBool::new(false) };
        let timeout = Some(limits.acquire_timeout);
        let pool = Pool::builder(connector)
            .runtime(deadpool::Runtime::Tokio1)
            .max_size(usize::try_from(limits.connections_max).unwrap_or(usize::MAX))
            .wait_timeout(timeout)
            .create_timeout(timeout.map(|timeout| timeout + NETWORK))
            .recycle_timeout(timeout)
            .queue_mode(QueueMode::Lifo)
            .build();
        match pool {
            Ok(pool) => Self { pool, limits },
            Err(error) => unreachable!("a runtime for the time limits is named: {error}"),
        }
    }

    /// Connections of its own to the same server, with settings of their own. SQLite has one writer, so its connections
    /// are shared.
    pub(crate) fn sibling(&self, limits: impl FnOnce(&DbOptions) -> DbOptions, settings: &[(&str, &str)]) -> Self {
        match &self.pool.manager().to {
            Endpoint::Postgres(options, own) => {
                let more = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
                let settings = own.iter().cloned().chain(more).collect();
                // What one of them learns about the server, all learn.
                let generation = self.pool.manager().generation.clone();
                Self::to_server(options.clone(), settings, limits(&self.limits), generation)
            }
            Endpoint::Sqlite(_) => self.clone(),
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.pool.manager().to {
            Endpoint::Postgres(..) => Engine::Postgres,
            Endpoint::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// What a statement may take on these connections.
    pub(crate) fn time_limit(&self) -> TimeLimit {
        match self.engine() {
            Engine::Postgres => TimeLimit::of(self.limits.statement_limit + NETWORK),
            Engine::Sqlite => TimeLimit::NONE,
        }
    }

    /// A connection that nobody else uses meanwhile.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the database can't be reached or all connections stay in use.
    pub(crate) async fn take(&self) -> Result<PooledConnection> {
        let mut pooled = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => self.unreached(error),
            PoolError::Timeout(TimeoutType::Create) => DbError::Unavailable(Outage::TimedOut),
            PoolError::Timeout(_) => DbError::Unavailable(Outage::NoConnection),
            _ => DbError::Unavailable(Outage::Closed),
        })?;
        pooled.clean = false;
        let generation = self.pool.manager().generation.clone();
        Ok(PooledConnection { pooled, generation, time_limit: self.time_limit(), trusted: true })
    }

    /// Why there is no connection. A server that has let this program in once and does not now (a password that is being
    /// changed, a new server that is not set up yet) is away: whoever has something to store keeps it until it is back.
    fn unreached(&self, error: ConnectError) -> DbError {
        let known = self.pool.manager().connected.load(Ordering::Acquire);
        match error {
            ConnectError::Driver(error) if known => DbError::away(error),
            ConnectError::Driver(error) => error.into(),
            ConnectError::Unfit(why) if known => DbError::Unavailable(Outage::Unfit(why.to_string())),
            ConnectError::Unfit(why) => DbError::Config(why.to_string()),
        }
    }

    /// Grows with each finding that connections are not to be trusted any more, those for LISTEN included.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.manager().generation.load(Ordering::Acquire)
    }

    /// None of the connections that there are is used again.
    pub(crate) fn distrust_all(&self) {
        self.pool.manager().generation.fetch_add(1, Ordering::AcqRel);
    }

    /// A connection for LISTEN, which only PostgreSQL has.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub(crate) async fn listener(&self) -> Result<Option<PgListener>> {
        let Endpoint::Postgres(options, _) = &self.pool.manager().to else { return Ok(None) };
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.limits.acquire_timeout)
            .connect_lazy_with(options.clone());
        Ok(Some(PgListener::connect_with(&pool).await?))
    }

    /// Those in use are closed when they are given back.
    pub(crate) async fn close(&self) {
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        for pooled in idle {
            // It is gone either way.
            let _ = match pooled.connection {
                Connection::Postgres(connection) => connection.close().await,
                Connection::Sqlite(connection) => connection.close().await,
            };
        }
    }
}

/// A connection in use. Unless it is given back with [`PooledConnection::done`] it is closed when dropped.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    pooled: Object<Connector>,
    generation: Arc<AtomicU64>,
    time_limit: TimeLimit,
    /// No statement has shown that the connection is not to be used again.
    trusted: bool,
}

impl PooledConnection {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.pooled.connection
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.pooled.connection {
            Connection::Postgres(_) => Engine::Postgres,
            Connection::Sqlite(_) => Engine::Sqlite,
        }
    }

    pub(crate) fn time_limit(&self) -> TimeLimit {
        self.time_limit
    }

    /// Gives the connection back after its last statement, unless that shows it to be dead.
    ///
    /// # Errors
    /// The statement's.
    pub(crate) fn done<T>(mut self, result: Result<T>) -> Result<T> {
        let result = self.heed(result);
        self.pooled.clean = self.trusted;
        result
    }

    /// Ends a transaction. One that could not be ended may still be open: its connection is closed, which ends it.
    ///
    /// # Errors
    /// The statement's.
    pub(crate) async fn end(mut self, command: &'static str) -> Result<()> {
        let ended = self.time_limit.run(self.command(command)).await;
        let ended = self.heed(ended);
        self.pooled.clean = self.trusted && ended.is_ok();
        ended
    }

    /// Takes note of what `result` tells about this connection and those that are as old.
    pub(crate) fn heed<T>(&mut self, result: Result<T>) -> Result<T> {
        let trust = result.as_ref().map_or_else(DbError::trust, |_| Trust::Keep);
        if trust == Trust::DropAll {
            self.generation.fetch_max(self.pooled.generation + 1, Ordering::AcqRel);
        }
        self.trusted &= trust == Trust::Keep;
        result
    }

    /// A statement without parameters and rows.
    ///
    /// # Errors
    /// The statement's.
    pub(crate) async fn command(&mut self, sql: &'static str) -> Result<()> {
        match &mut self.pooled.connection {
            Connection::Postgres(connection) => connection.execute(sql).await.map(drop)?,
            Connection::Sqlite(connection) => connection.execute(sql).await.map(drop)?,
        }
        Ok(())
    }
}
