//! Connections to PostgreSQL.
//!
//! The driver's own pool asks a connection whether it still lives before and after each use, which makes three round
//! trips out of one, and waits for the answer for ever. Here a connection that was in use a moment ago is used as it is,
//! and any other is asked first, within a time limit. One that failed or was left in the middle of something is dropped,
//! and with it all that are as old: a server that went away took them along.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType,
};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};

use crate::limit::TimeLimit;
use crate::{DbError, DbOptions, Result};

/// A connection that was not used for so long is asked whether it still lives.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// Between two tries to reach a server that refuses connections, as one that starts does.
const CONNECT_AGAIN: Duration = Duration::from_millis(100);
/// How much longer than the server is waited for its answer before the connection counts as dead.
const NETWORK: Duration = Duration::from_secs(5);

/// A pool of connections to a server; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Postgres {
    pool: Pool<Connector>,
    limits: DbOptions,
}

#[derive(Debug)]
struct Connector {
    options: PgConnectOptions,
    patience: Duration,
    /// Connections of an earlier generation are not to be trusted.
    generation: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Pooled {
    connection: PgConnection,
    generation: u64,
    /// Nothing is left over from its last use.
    clean: bool,
}

impl Manager for Connector {
    type Type = Pooled;
    type Error = sqlx::Error;

    fn create(&self) -> impl Future<Output = Result<Pooled, sqlx::Error>> + Send {
        // On the heap, or each statement would carry the room that making a connection needs.
        Box::pin(self.connect())
    }

    async fn recycle(&self, pooled: &mut Pooled, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if !pooled.clean || pooled.generation != self.generation.load(Ordering::Acquire) {
            return Err(RecycleError::message("it is not to be used again"));
        }
        if metrics.last_used() > ASK_AFTER {
            pooled.connection.ping().await?;
        }
        Ok(())
    }
}

impl Connector {
    async fn connect(&self) -> Result<Pooled, sqlx::Error> {
        let generation = self.generation.load(Ordering::Acquire);
        let started = Instant::now();
        loop {
            match self.options.connect().await {
                Ok(connection) => return Ok(Pooled { connection, generation, clean: true }),
                Err(sqlx::Error::Io(error))
                    if error.kind() == io::ErrorKind::ConnectionRefused && started.elapsed() < self.patience =>
                {
                    tokio::time::sleep(CONNECT_AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Postgres {
    pub(crate) fn new(options: PgConnectOptions, limits: DbOptions) -> Self {
        let statement_ms = limits.statement_limit.as_millis().to_string();
        let options = options.options([("statement_timeout", statement_ms.as_str())]);
        let connector = Connector { options, patience: limits.acquire_timeout, generation: Arc::default() };
        let patience = Some(limits.acquire_timeout);
        let pool = Pool::builder(connector)
            .runtime(deadpool::Runtime::Tokio1)
            .max_size(usize::try_from(limits.connections_max).unwrap_or(usize::MAX))
            .wait_timeout(patience)
            .create_timeout(patience.map(|patience| patience + NETWORK))
            .recycle_timeout(patience)
            .queue_mode(QueueMode::Lifo)
            .build();
        match pool {
            Ok(pool) => Self { pool, limits },
            Err(error) => unreachable!("a runtime for the time limits is named: {error}"),
        }
    }

    /// Another pool on the same server.
    pub(crate) fn sibling(&self, limits: DbOptions, settings: &[(&str, &str)]) -> Self {
        Self::new(self.pool.manager().options.clone().options(settings.iter().copied()), limits)
    }

    pub(crate) fn limits(&self) -> &DbOptions {
        &self.limits
    }

    /// What a statement may take on these connections.
    pub(crate) fn time_limit(&self) -> TimeLimit {
        TimeLimit::of(self.limits.statement_limit + NETWORK)
    }

    /// A connection that nobody else uses meanwhile.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the server can't be reached or all connections stay in use.
    pub(crate) async fn take(&self) -> Result<Line> {
        let mut pooled = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Create) => sqlx::Error::Io(io::ErrorKind::TimedOut.into()),
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            _ => sqlx::Error::PoolClosed,
        })?;
        pooled.clean = false;
        Ok(Line { pooled, generation: self.pool.manager().generation.clone(), time_limit: self.time_limit() })
    }

    /// A connection for LISTEN.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub(crate) async fn listener(&self) -> Result<PgListener> {
        Ok(PgListener::connect_with(&self.drivers_pool(&[])).await?)
    }

    /// One connection in the driver's own pool, for those of its parts that want one.
    pub(crate) fn drivers_pool(&self, settings: &[(&str, &str)]) -> PgPool {
        let options = self.pool.manager().options.clone().options(settings.iter().copied());
        PgPoolOptions::new().max_connections(1).acquire_timeout(self.limits.acquire_timeout).connect_lazy_with(options)
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// A connection in use. Unless it is given back with [`Line::done`] it is closed when dropped.
#[derive(Debug)]
pub(crate) struct Line {
    pooled: Object<Connector>,
    generation: Arc<AtomicU64>,
    time_limit: TimeLimit,
}

impl Deref for Line {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.pooled.connection
    }
}

impl DerefMut for Line {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.pooled.connection
    }
}

impl Line {
    pub(crate) fn time_limit(&self) -> TimeLimit {
        self.time_limit
    }

    /// Gives the connection back after its last statement, unless that shows it to be dead.
    ///
    /// # Errors
    /// The statement's.
    pub(crate) fn done<T>(mut self, result: Result<T>) -> Result<T> {
        match &result {
            Err(error) if error.is_lost_connection() => {
                self.generation.fetch_max(self.pooled.generation + 1, Ordering::AcqRel);
            }
            _ => self.pooled.clean = true,
        }
        result
    }

    /// A statement without parameters and rows.
    pub(crate) async fn command(&mut self, sql: &'static str) -> Result<()> {
        self.execute(sql).await?;
        Ok(())
    }
}

impl DbError {
    /// Whether the connection on which this happened can't be used any more.
    fn is_lost_connection(&self) -> bool {
        let Self::Unavailable(error) = self else { return false };
        match error {
            // Operator intervention: the server ends, or has ended this connection. Not: it ended the statement.
            sqlx::Error::Database(refusal) => {
                refusal.code().is_some_and(|code| (code.starts_with("57") && code != "57014") || code.starts_with("08"))
            }
            _ => true,
        }
    }
}
