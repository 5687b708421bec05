//! Pools of connections to either engine.
//!
//! The driver's own pool pings a connection before and after each use, which triples the round trips, and waits for the
//! answer without a timeout. This pool pings a connection only if it was idle for a second, and with a timeout. A
//! connection that failed, or was dropped in the middle of a statement, is closed; if the cause may affect others too
//! (the server restarted), all connections of the same generation are closed. SQLite connections are never pinged,
//! because a file can't go away.

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

use crate::gate::Gate;
use crate::limit::TimeLimit;
use crate::session::{self, ConnectError};
use crate::step::Step;
use crate::trouble::Trust;
use crate::{DbError, DbOptions, Engine, Outage, Result};

/// A PostgreSQL connection that was idle for longer is pinged before its next use.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// The pause between two attempts to connect while the server refuses connections, as it does while it starts.
const CONNECT_AGAIN: Duration = Duration::from_millis(100);
/// How much longer than the server's own limit this side waits for an answer, before the connection counts as dead.
const NETWORK: Duration = Duration::from_secs(5);

/// A pool of connections; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pool: Pool<Connector>,
    limits: DbOptions,
    gate: Option<Gate>,
}

#[derive(Debug)]
struct Connector {
    to: Endpoint,
    timeout: Duration,
    /// Connections of an earlier generation are closed instead of reused.
    generation: Arc<AtomicU64>,
    /// Whether a connection has succeeded before.
    connected: AtomicBool,
}

#[derive(Debug)]
enum Endpoint {
    /// The connect options and the settings of each session.
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
    /// Whether the last use ended properly, so that no transaction or unread answer is left.
    clean: bool,
}

impl Manager for Connector {
    type Type = Pooled;
    type Error = ConnectError;

    fn create(&self) -> impl Future<Output = Result<Pooled, ConnectError>> + Send {
        // Boxed, because otherwise the future of each statement would contain the large future of connecting.
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
    /// Creates a pool for a PostgreSQL server, which is not contacted yet.
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

    /// Creates a pool for an SQLite file, which is not opened yet.
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
            Ok(pool) => Self { pool, limits, gate: None },
            Err(error) => unreachable!("a runtime for the time limits is named: {error}"),
        }
    }

    /// Returns a separate pool for the same server, with its own limits and additional settings. On SQLite, which has a
    /// single writer, the pool is shared.
    pub(crate) fn sibling(&self, limits: impl FnOnce(&DbOptions) -> DbOptions, settings: &[(&str, &str)]) -> Self {
        match &self.pool.manager().to {
            Endpoint::Postgres(options, own) => {
                let more = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
                let settings = own.iter().cloned().chain(more).collect();
                // The generation is shared: a failure that one pool detects invalidates the connections of the other.
                let generation = self.pool.manager().generation.clone();
                let sibling = Self::to_server(options.clone(), settings, limits(&self.limits), generation);
                Self { gate: self.gate.clone(), ..sibling }
            }
            Endpoint::Sqlite(_) => self.clone(),
        }
    }

    /// Returns the same pool behind `gate`.
    pub(crate) fn behind(&self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self.clone() }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.pool.manager().to {
            Endpoint::Postgres(..) => Engine::Postgres,
            Endpoint::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Returns the time limit of a statement on these connections.
    pub(crate) fn time_limit(&self) -> TimeLimit {
        match self.engine() {
            Engine::Postgres => TimeLimit::of(self.limits.statement_limit + NETWORK),
            Engine::Sqlite => TimeLimit::NONE,
        }
    }

    /// Takes a connection for exclusive use.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database can't be reached, no connection becomes free in time, or the gate is
    /// shut.
    pub(crate) async fn take(&self) -> Result<PooledConnection> {
        self.gate.as_ref().map_or(Ok(()), Gate::pass)?;
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

    /// Returns the error for a failed attempt to connect. If an earlier attempt had succeeded, the error is transient
    /// even if the server refuses this program (its password is being changed, a new server is not set up yet), so that
    /// callers keep their data and retry.
    fn unreached(&self, error: ConnectError) -> DbError {
        let known = self.pool.manager().connected.load(Ordering::Acquire);
        match error {
            ConnectError::Driver(error) if known => DbError::away(error),
            ConnectError::Driver(error) => error.into(),
            ConnectError::Unfit(why) if known => DbError::Unavailable(Outage::Unfit(why.to_string())),
            ConnectError::Unfit(why) => DbError::Config(why.to_string()),
        }
    }

    /// Returns the number of times that connections were found to be unusable. Connections for LISTEN depend on it too.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.manager().generation.load(Ordering::Acquire)
    }

    /// Makes sure that none of the current connections is used again.
    pub(crate) fn distrust_all(&self) {
        self.pool.manager().generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Opens a connection for LISTEN. Returns `None` on SQLite.
    pub(crate) async fn listener(&self) -> Result<Option<PgListener>> {
        let Endpoint::Postgres(options, _) = &self.pool.manager().to else { return Ok(None) };
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.limits.acquire_timeout)
            .connect_lazy_with(options.clone());
        Ok(Some(PgListener::connect_with(&pool).await?))
    }

    /// Closes all connections. Those in use are closed when they are returned.
    pub(crate) async fn close(&self) {
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        for pooled in idle {
            // An error doesn't matter: the connection is closed either way.
            let _ = match pooled.connection {
                Connection::Postgres(connection) => connection.close().await,
                Connection::Sqlite(connection) => connection.close().await,
            };
        }
    }
}

/// A connection in use. If it is dropped without [`PooledConnection::done`], it is closed instead of reused.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    pooled: Object<Connector>,
    generation: Arc<AtomicU64>,
    time_limit: TimeLimit,
    /// False once a statement has failed in a way that makes the connection unusable.
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

    /// Returns the connection to the pool after its last statement, or closes it if `result` shows that it is unusable.
    /// Passes `result` on.
    pub(crate) fn done<T>(mut self, result: Result<T>) -> Result<T> {
        let result = self.heed(result);
        self.pooled.clean = self.trusted;
        result
    }

    /// Ends a transaction with `command`. If that fails, the transaction may still be open, so the connection is
    /// closed.
    pub(crate) async fn end(mut self, command: &'static str) -> Result<()> {
        let ended = self.time_limit.run(Step::of(command), self.command(command)).await;
        let ended = self.heed(ended);
        self.pooled.clean = self.trusted && ended.is_ok();
        ended
    }

    /// Updates the state of this connection, and of its generation, according to `result`. Passes `result` on.
    pub(crate) fn heed<T>(&mut self, result: Result<T>) -> Result<T> {
        let trust = result.as_ref().map_or_else(DbError::trust, |_| Trust::Keep);
        if trust == Trust::DropAll {
            self.generation.fetch_max(self.pooled.generation + 1, Ordering::AcqRel);
        }
        self.trusted &= trust == Trust::Keep;
        result
    }

    /// Runs a statement that has no parameters and returns no rows.
    pub(crate) async fn command(&mut self, sql: &'static str) -> Result<()> {
        match &mut self.pooled.connection {
            Connection::Postgres(connection) => connection.execute(sql).await.map(drop)?,
            Connection::Sqlite(connection) => connection.execute(sql).await.map(drop)?,
        }
        Ok(())
    }
}
