//! The database handle.
//!
//! SQLite gets one writer connection, whose transactions start with `BEGIN IMMEDIATE`, and a pool of read-only
//! connections: readers never wait for the writer, and callers never see "database is locked". PostgreSQL gets one
//! pool.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::connections::Connections;
use crate::gate::Gate;
use crate::query::Target;
use crate::step::Step;
use crate::{Clock, DbError, DbOptions, Engine, Query, Reading, Result, Select, Timestamp, Tx, file, sabotage};

/// SQLite's busy timeout: how long a write waits for other writers of the file, in this process or another one.
const SQLITE_BUSY_LIMIT: Duration = Duration::from_secs(30);

/// If the server takes longer to answer, its time is requested a second time.
const SLOW_ANSWER: Duration = Duration::from_millis(50);
/// An answer that took so long is not asked for again, because a renewal of leases may be waiting for it.
const TOO_SLOW_TO_REPEAT: Duration = Duration::from_secs(1);
/// How often the server is asked for the time if its answers are outdated when they arrive. The first may have been
/// delayed by a freeze of this process.
const AGREEMENTS_MAX: usize = 2;

/// A cheap handle to the database; clones share its connections.
#[derive(Debug, Clone)]
pub struct Db {
    writers: Connections,
    readers: Connections,
    sqlite_path: Option<PathBuf>,
}

impl Db {
    /// Opens `sqlite://path/to/file.db` or `postgres://...`. A missing SQLite file is created, with its folder.
    ///
    /// PostgreSQL is not contacted yet, so a process can start before its database does.
    ///
    /// # Errors
    /// [`DbError::Config`] for another kind of address; [`DbError::Unavailable`] if the SQLite file can't be opened.
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
        // Opened now, so that a bad path is reported at once.
        let writer = writers.take().await?;
        let readers =
            Connections::sqlite(connect.pragma("query_only", "TRUE"), limits(options.connections_max.clamp(1, 4)));
        let db = Self { writers, readers, sqlite_path: Some(path.to_owned()) };
        file::check(&db.writers, writer, path).await?;
        Ok(db)
    }

    /// Returns whether the database accepts writes. A standby server and a database that is set to read-only don't.
    pub async fn is_writable(&self) -> Result<bool> {
        if self.engine() == Engine::Sqlite {
            return Ok(true);
        }
        let read_only: bool = self.read("SELECT current_setting('transaction_read_only') = 'on'").scalar().await?;
        if read_only {
            // Only this session may be read-only, from a time when the server was a standby.
            self.writers.distrust_all();
        }
        Ok(!read_only)
    }

    /// Returns another handle to the same database with connections of its own, so that other users can't exhaust them,
    /// and with its own PostgreSQL settings, such as `[("enable_seqscan", "off")]`. On SQLite the connections are
    /// shared, because there is only one writer.
    #[must_use]
    pub fn sibling(&self, connections_max: u32, settings: &[(&str, &str)]) -> Self {
        if self.engine() == Engine::Sqlite {
            return self.clone();
        }
        let connections = self.writers.sibling(|limits| DbOptions { connections_max, ..limits.clone() }, settings);
        Self { writers: connections.clone(), readers: connections, sqlite_path: None }
    }

    /// Returns another handle with the same connections, whose statements fail with [`DbError::Unavailable`] until the
    /// gate is opened. So do those of its siblings.
    #[must_use]
    pub fn behind_gate(&self) -> (Self, Gate) {
        let gate = Gate::shut();
        let (writers, readers) = (self.writers.behind(&gate), self.readers.behind(&gate));
        (Self { writers, readers, sqlite_path: self.sqlite_path.clone() }, gate)
    }

    /// Returns a single connection without a statement timeout, for migrations.
    pub(crate) fn unhurried(&self) -> Connections {
        let limits =
            |limits: &DbOptions| DbOptions { connections_max: 1, statement_limit: Duration::ZERO, ..limits.clone() };
        self.writers.sibling(limits, &[])
    }

    #[must_use]
    pub fn engine(&self) -> Engine {
        self.writers.engine()
    }

    /// Opens a connection for LISTEN. Returns `None` on SQLite.
    pub async fn listener(&self) -> Result<Option<PgListener>> {
        self.writers.listener().await
    }

    /// Returns a number that increases whenever open connections turn out to be dead or to lead to an unusable server.
    /// Listeners that were opened at a lower number must be opened again.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.writers.generation()
    }

    /// Returns the path of the SQLite file, `None` on PostgreSQL.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.sqlite_path.as_deref()
    }

    /// Starts a transaction that may write. On SQLite it holds the only writer until it ends, so it must be short and
    /// must not wait for anything but the database.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if no connection is available.
    pub async fn begin(&self) -> Result<Tx> {
        self.writers.time_limit().run(Step::of("BEGIN"), self.begin_now()).await
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

    /// Builds a statement that only reads, outside any transaction.
    pub fn read(&self, sql: &'static str) -> Query<'_> {
        Query::new(Target::Pool(&self.readers), sql)
    }

    /// Builds a `SELECT` whose conditions depend on which filters are set. `head` is the text before the conditions.
    pub fn select(&self, head: &'static str) -> Select<'_> {
        Select::new(self.read(""), head)
    }

    /// Builds a statement that writes and commits by itself.
    pub fn write(&self, sql: &'static str) -> Query<'_> {
        Query::new(Target::Pool(&self.writers), sql)
    }

    /// Returns the time of the machine that runs the database. For SQLite this is the local machine.
    pub async fn server_time(&self) -> Result<Timestamp> {
        self.read(match self.engine() {
            Engine::Postgres => "SELECT now()",
            Engine::Sqlite => "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        })
        .scalar()
        .await
    }

    /// Returns whether `clock` follows the clock of this database's server. On SQLite no clock does, because all
    /// processes share one machine; and a manual clock never does.
    #[must_use]
    pub fn is_followed_by(&self, clock: &Clock) -> bool {
        self.engine() == Engine::Postgres && clock.before_asking().is_some()
    }

    /// Synchronises `clock` with the server's clock, so that all processes of a database have the same time, whatever
    /// the clocks of their machines show. Does nothing for a clock that does not follow a server's.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database can't be reached. The clock then continues unchanged.
    pub async fn agree_on_time(&self, clock: &Clock) -> Result<()> {
        if !self.is_followed_by(clock) {
            return Ok(());
        }
        let ask = async || {
            let (asked, began) = (clock.before_asking(), Instant::now());
            let server: Timestamp = self.read("SELECT clock_timestamp()").scalar().await?;
            Ok::<_, DbError>((asked, began.elapsed(), server))
        };
        let mut answer = ask().await?;
        // The first answer may include the time for connecting, and a slow answer is an imprecise one.
        if answer.1 > SLOW_ANSWER && answer.1 < TOO_SLOW_TO_REPEAT {
            let again = ask().await?;
            if again.1 < answer.1 {
                answer = again;
            }
        }
        if let (Some(asked), took, server) = answer {
            clock.agree(asked, took, server);
        }
        Ok(())
    }

    /// Returns a time by which leases may be given, renewed and judged: the server was asked for it within
    /// [`Clock::OUTDATED_AFTER`], and neither was the machine's clock set nor the machine asleep since. Asks the server
    /// only if it was not. The machine's own time is returned if `clock` follows no server's.
    ///
    /// A process that was frozen, or whose machine was asleep, would otherwise go on by the time that it knew before,
    /// while the server's clock or the leases of the others have moved on.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the server must be asked and can't be reached.
    pub async fn agreed_time(&self, clock: &Clock) -> Result<Reading> {
        if self.engine() == Engine::Sqlite {
            return Ok(clock.read());
        }
        for _ in 0..AGREEMENTS_MAX {
            if let Some(reading) = clock.read_agreed() {
                return Ok(reading);
            }
            self.agree_on_time(clock).await?;
        }
        // Each answer took so long that it was outdated when it came. Leases must be renewed all the same.
        Ok(clock.read())
    }

    /// Asks the server for the time, and returns whether `clock` goes on as it did at `reading`: neither the server's
    /// clock nor the machine's was set meanwhile, and the machine was not asleep.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the server can't be reached.
    pub async fn confirms(&self, clock: &Clock, reading: Reading) -> Result<bool> {
        self.agree_on_time(clock).await?;
        Ok(clock.read().steps == reading.steps)
    }

    /// Closes all connections. Those in use are closed when they are returned.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}
