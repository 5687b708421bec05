//! The pool of connections to whichever engine.
//!
//! SQLite gets one writer connection, whose transactions start with `BEGIN IMMEDIATE`, and a pool of read-only ones:
//! readers never wait for the writer and "database is locked" never reaches a caller. PostgreSQL gets one pool.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use futures_util::future::Either;
use sqlx::SqlitePool;
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::limit::TimeLimit;
use crate::postgres::Postgres;
use crate::query::Target;
use crate::{DbError, Query, Result, Timestamp, Tx};

/// How long a write waits for another process to let go of the SQLite file before it gives up.
const SQLITE_BUSY_LIMIT: Duration = Duration::from_secs(30);

/// Which engine a database runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one machine.
    Sqlite,
    /// A server, many machines.
    Postgres,
}

/// Limits of a connection pool.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// PostgreSQL connections, or SQLite readers (its writer comes on top).
    pub connections_max: u32,
    /// How long a caller waits for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may work on one statement.
    pub statement_limit: Duration,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self { connections_max: 16, acquire_timeout: Duration::from_secs(3), statement_limit: Duration::from_secs(20) }
    }
}

/// A cheap handle to the database; clones share the pool.
#[derive(Debug, Clone)]
pub struct Db(Pools);

#[derive(Debug, Clone)]
enum Pools {
    Postgres(Postgres),
    Sqlite { writer: SqlitePool, readers: SqlitePool, path: PathBuf },
}

impl Db {
    /// Opens `sqlite://path/to/file.db` (made when missing, with its folder) or `postgres://...`.
    ///
    /// PostgreSQL is not contacted yet, so a process can start before its database does.
    ///
    /// # Errors
    /// [`DbError::Config`] for an address of another kind; [`DbError::Unavailable`] when the file can't be opened.
    pub async fn connect(url: &str, options: &DbOptions) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let connect = PgConnectOptions::from_str(url)
                .map_err(|error| DbError::Config(error.to_string()))?
                .application_name("nightshift")
                .options([("idle_in_transaction_session_timeout", "20s")]);
            return Ok(Self(Pools::Postgres(Postgres::new(connect, options.clone()))));
        }
        let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) else {
            return Err(DbError::Config("a database address starts with sqlite:// or postgres://".to_owned()));
        };
        Self::open_sqlite(Path::new(path), options).await
    }

    async fn open_sqlite(path: &Path, options: &DbOptions) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| DbError::Unavailable(sqlx::Error::Io(error)))?;
        }
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "MEMORY");
        // A file does not go away: its connections are kept for ever and not asked whether they live.
        let never_retired =
            || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).test_before_acquire(false);
        let writer =
            never_retired().max_connections(1).acquire_timeout(SQLITE_BUSY_LIMIT).connect_with(connect.clone()).await?;
        let readers = never_retired()
            .max_connections(options.connections_max.clamp(1, 4))
            .acquire_timeout(SQLITE_BUSY_LIMIT)
            .connect_lazy_with(connect.pragma("query_only", "TRUE"));
        Ok(Self(Pools::Sqlite { writer, readers, path: path.to_owned() }))
    }

    /// Another handle on the same database whose connections nobody else can use up, with PostgreSQL settings of its
    /// own (`[("enable_seqscan", "off")]`). SQLite, which has one writer, shares its connections.
    #[must_use]
    pub fn sibling(&self, connections_max: u32, settings: &[(&str, &str)]) -> Self {
        match &self.0 {
            Pools::Postgres(server) => {
                let limits = DbOptions { connections_max, ..server.limits().clone() };
                Self(Pools::Postgres(server.sibling(limits, settings)))
            }
            Pools::Sqlite { .. } => self.clone(),
        }
    }

    /// The engine underneath.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.0 {
            Pools::Postgres(_) => Engine::Postgres,
            Pools::Sqlite { .. } => Engine::Sqlite,
        }
    }

    /// A connection for LISTEN, which only PostgreSQL has.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn listener(&self) -> Result<Option<PgListener>> {
        match &self.0 {
            Pools::Postgres(server) => Ok(Some(server.listener().await?)),
            Pools::Sqlite { .. } => Ok(None),
        }
    }

    pub(crate) fn as_postgres(&self) -> Option<&Postgres> {
        match &self.0 {
            Pools::Postgres(server) => Some(server),
            Pools::Sqlite { .. } => None,
        }
    }

    /// The SQLite file, whose write-ahead log other processes write to as well.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Pools::Postgres(_) => None,
            Pools::Sqlite { path, .. } => Some(path),
        }
    }

    pub(crate) fn sqlite_writer(&self) -> Option<&SqlitePool> {
        match &self.0 {
            Pools::Postgres(_) => None,
            Pools::Sqlite { writer, .. } => Some(writer),
        }
    }

    /// Starts a transaction that may write. On SQLite it holds the only writer until it ends, so it must be short and
    /// must not wait for anything outside.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection could be had.
    pub async fn begin(&self) -> Result<Tx> {
        self.time_limit().run(self.begin_now()).await
    }

    fn time_limit(&self) -> TimeLimit {
        self.as_postgres().map_or(TimeLimit::NONE, Postgres::time_limit)
    }

    async fn begin_now(&self) -> Result<Tx> {
        match &self.0 {
            Pools::Postgres(server) => {
                let mut line = server.take().await?;
                match line.command("BEGIN").await {
                    Ok(()) => Ok(Tx::postgres(line)),
                    failed => line.done(failed).map(|()| unreachable!("it failed")),
                }
            }
            Pools::Sqlite { writer, .. } => {
                let started = Instant::now();
                loop {
                    match writer.begin_with("BEGIN IMMEDIATE").await.map_err(DbError::from) {
                        Ok(tx) => return Ok(Tx::sqlite(tx)),
                        // Another process holds the file; SQLite has already waited its own busy time-out.
                        Err(DbError::Contention(_)) if started.elapsed() < SQLITE_BUSY_LIMIT => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// A statement that only reads, outside any transaction.
    pub fn read(&self, sql: &'static str) -> Query<'_> {
        let target = match &self.0 {
            Pools::Postgres(server) => Target::Server(server),
            Pools::Sqlite { readers, .. } => Target::Sqlite(Either::Left(readers)),
        };
        Query::new(target, sql)
    }

    /// A single statement that writes and commits by itself.
    pub fn write(&self, sql: &'static str) -> Query<'_> {
        let target = match &self.0 {
            Pools::Postgres(server) => Target::Server(server),
            Pools::Sqlite { writer, .. } => Target::Sqlite(Either::Left(writer)),
        };
        Query::new(target, sql)
    }

    /// The time on the machine that runs the database: this one's, for SQLite.
    ///
    /// # Errors
    /// When the database can't be reached.
    pub async fn server_time(&self) -> Result<Timestamp> {
        self.read(match self.engine() {
            Engine::Postgres => "SELECT now()",
            Engine::Sqlite => "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        })
        .scalar()
        .await
    }

    /// Closes all connections, those in use when they are given back.
    pub async fn close(&self) {
        match &self.0 {
            Pools::Postgres(server) => server.close(),
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}
