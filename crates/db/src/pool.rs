//! The database, on whichever engine.
//!
//! SQLite gets one writer connection, whose transactions start with `BEGIN IMMEDIATE`, and a pool of read-only ones:
//! readers never wait for the writer and "database is locked" never reaches a caller. PostgreSQL gets one pool.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::connections::Connections;
use crate::query::Target;
use crate::{Clock, DbError, DbOptions, Engine, Query, Result, Select, Timestamp, Tx, file, sabotage};

/// How long a write waits for its turn on the SQLite file, in this process and among others, before it gives up.
const SQLITE_BUSY_LIMIT: Duration = Duration::from_secs(30);

/// The server's time is asked for again when the answer took longer.
const SLOW_ANSWER: Duration = Duration::from_millis(50);

/// A cheap handle to the database; clones share its connections.
#[derive(Debug, Clone)]
pub struct Db {
    writers: Connections,
    readers: Connections,
    sqlite_path: Option<PathBuf>,
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
                .extra_float_digits(None);
            let connections = Connections::postgres(connect, options.clone());
            return Ok(Self { writers: connections.clone(), readers: connections, sqlite_path: None });
        }
        let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) else {
            return Err(DbError::Config("a database address starts with sqlite:// or postgres://".to_owned()));
        };
        Self::open_sqlite(Path::new(path), options).await
    }

    async fn open_sqlite(path: &Path, options: &DbOptions) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| DbError::Unavailable(error.into()))?;
        }
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if sabotage::is("commits_not_synced") {
                SqliteSynchronous::Normal
            } else {
                SqliteSynchronous::Full
            })
            .foreign_keys(true)
            .busy_timeout(SQLITE_BUSY_LIMIT)
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "MEMORY");
        let limits =
            |connections_max| DbOptions { connections_max, acquire_timeout: SQLITE_BUSY_LIMIT, ..options.clone() };
        let writers = Connections::sqlite(connect.clone(), limits(1));
        // Opened now, so that a path that can't be opened is told at once.
        let writer = writers.take().await?;
        let readers =
            Connections::sqlite(connect.pragma("query_only", "TRUE"), limits(options.connections_max.clamp(1, 4)));
        let db = Self { writers, readers, sqlite_path: Some(path.to_owned()) };
        file::check(&db.writers, writer, path).await?;
        Ok(db)
    }

    /// Whether the database takes writes: not on a standby, nor where somebody has made it read-only.
    ///
    /// # Errors
    /// When the database can't be reached.
    pub async fn is_writable(&self) -> Result<bool> {
        if self.engine() == Engine::Sqlite {
            return Ok(true);
        }
        let read_only: bool = self.read("SELECT current_setting('transaction_read_only') = 'on'").scalar().await?;
        if read_only {
            // It may be the session alone, from a time that is over.
            self.writers.distrust_all();
        }
        Ok(!read_only)
    }

    /// Another handle on the same database whose connections nobody else can use up, with PostgreSQL settings of its
    /// own (`[("enable_seqscan", "off")]`). SQLite, which has one writer, shares its connections.
    #[must_use]
    pub fn sibling(&self, connections_max: u32, settings: &[(&str, &str)]) -> Self {
        if self.engine() == Engine::Sqlite {
            return self.clone();
        }
        let connections = self.writers.sibling(|limits| DbOptions { connections_max, ..limits.clone() }, settings);
        Self { writers: connections.clone(), readers: connections, sqlite_path: None }
    }

    /// The connection that may change the schema, which takes as long as it needs.
    pub(crate) fn unhurried(&self) -> Connections {
        let limits =
            |limits: &DbOptions| DbOptions { connections_max: 1, statement_limit: Duration::ZERO, ..limits.clone() };
        self.writers.sibling(limits, &[])
    }

    /// The engine underneath.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.writers.engine()
    }

    /// A connection for LISTEN, which only PostgreSQL has.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn listener(&self) -> Result<Option<PgListener>> {
        self.writers.listener().await
    }

    /// Changes whenever connections turn out to lead nowhere or to a server that can't be used: what listens on an older
    /// one should listen anew.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.writers.generation()
    }

    /// The SQLite file, whose write-ahead log other processes write to as well.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.sqlite_path.as_deref()
    }

    /// Starts a transaction that may write. On SQLite it holds the only writer until it ends, so it must be short and
    /// must not wait for anything outside.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection could be had.
    pub async fn begin(&self) -> Result<Tx> {
        self.writers.time_limit().run(self.begin_now()).await
    }

    async fn begin_now(&self) -> Result<Tx> {
        let begin = match self.engine() {
            Engine::Postgres => "BEGIN",
            Engine::Sqlite => "BEGIN IMMEDIATE",
        };
        let mut line = self.writers.take().await?;
        match line.command(begin).await {
            Ok(()) => Ok(Tx::new(line)),
            Err(error) => line.done(Err(error)),
        }
    }

    /// A statement that only reads, outside any transaction.
    pub fn read(&self, sql: &'static str) -> Query<'_> {
        Query::new(Target::Pool(&self.readers), sql)
    }

    /// As [`read`](Self::read), with conditions that depend on which filters are set; `head` is what stands before them.
    pub fn select(&self, head: &'static str) -> Select<'_> {
        Select::new(self.read(""), head)
    }

    /// A single statement that writes and commits by itself.
    pub fn write(&self, sql: &'static str) -> Query<'_> {
        Query::new(Target::Pool(&self.writers), sql)
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

    /// Lets `clock` go by the server's, so that all processes of a database tell the same time, whatever their machines'
    /// clocks show. Nothing is asked on SQLite, whose processes share a machine, and a manual clock stays as it is.
    ///
    /// # Errors
    /// When the database can't be reached; the clock goes on as it was.
    pub async fn agree_on_time(&self, clock: &Clock) -> Result<()> {
        if self.engine() == Engine::Sqlite || !clock.can_agree() {
            return Ok(());
        }
        let ask = async || {
            let asked = Instant::now();
            let server: Timestamp = self.read("SELECT clock_timestamp()").scalar().await?;
            Ok::<_, DbError>((server, asked.elapsed()))
        };
        let mut answer = ask().await?;
        // The first one may have had to make a connection; a slow answer says little about the time.
        if answer.1 > SLOW_ANSWER {
            let again = ask().await?;
            if again.1 < answer.1 {
                answer = again;
            }
        }
        clock.agree(answer.0, answer.1);
        Ok(())
    }

    /// As [`Db::agree_on_time`], unless it was done before.
    ///
    /// # Errors
    /// When the database can't be reached.
    pub async fn agree_on_time_once(&self, clock: &Clock) -> Result<()> {
        if clock.has_agreed() { Ok(()) } else { self.agree_on_time(clock).await }
    }

    /// Closes all connections, those in use when they are given back.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}
