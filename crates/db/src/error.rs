//! What can go wrong between the program and its database, sorted by what the caller should do.

/// The usual result of this crate.
pub type Result<T, E = DbError> = std::result::Result<T, E>;

/// A failed database operation.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database can't be reached, is starting, stopping or full. Nothing is known to be stored; try again later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Another transaction was in the way (deadlock, serialisation, lock time-out). Try again at once.
    #[error("the database could not serialise the transaction: {0}")]
    Contention(#[source] sqlx::Error),
    /// A unique index refused the row.
    #[error("a unique constraint refused the row ({constraint})")]
    Unique {
        /// PostgreSQL: the index's name. SQLite: `table.column` of its columns.
        constraint: String,
    },
    /// No row where exactly one was expected.
    #[error("the row does not exist")]
    NotFound,
    /// The address or an option of the database makes no sense.
    #[error("bad database setting: {0}")]
    Config(String),
    /// The schema is not what this program needs.
    #[error("migration failed: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// Any other refusal: a constraint, a type, a statement. Trying again changes nothing.
    #[error("the database refused the statement: {0}")]
    Refused(#[source] sqlx::Error),
}

impl DbError {
    /// Whether the same operation may succeed later without a change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contention(_))
    }

    /// Whether a unique index refused the row.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Unique { .. })
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::RowNotFound => Self::NotFound,
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
                Self::Unavailable(error)
            }
            E::Configuration(_) => Self::Config(error.to_string()),
            E::Database(refusal) => {
                if refusal.is_unique_violation() {
                    let constraint = refusal.constraint().map_or_else(
                        || refusal.message().rsplit(": ").next().unwrap_or_default().to_owned(),
                        str::to_owned,
                    );
                    return Self::Unique { constraint };
                }
                match refusal.code().as_deref() {
                    // PostgreSQL: serialisation failure, deadlock, lock not available. SQLite: busy, locked (and their
                    // extended codes).
                    Some("40001" | "40P01" | "55P03" | "5" | "6" | "261" | "517" | "262" | "773") => {
                        Self::Contention(error)
                    }
                    // PostgreSQL: connection exceptions, out of resources, operator intervention, read-only (a
                    // standby), statement time-out. SQLite: I/O error, full, cannot open, read-only.
                    Some(code)
                        if code.starts_with("08")
                            || code.starts_with("53")
                            || code.starts_with("57")
                            || code == "25006"
                            || is_sqlite_disk_trouble(code) =>
                    {
                        Self::Unavailable(error)
                    }
                    _ => Self::Refused(error),
                }
            }
            _ => Self::Refused(error),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for DbError {
    /// A database that is away when it should be migrated is away, and no more.
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError as M;
        match error {
            M::Execute(cause) => match Self::from(cause) {
                transient if transient.is_transient() => transient,
                Self::Refused(cause) => Self::Migration(M::Execute(cause)),
                other => other,
            },
            other => Self::Migration(other),
        }
    }
}

/// Primary result codes 8 (read-only), 10 (I/O), 13 (full), 14 (cannot open), also in their extended forms.
/// PostgreSQL's codes have five characters, so they never reach this far.
fn is_sqlite_disk_trouble(code: &str) -> bool {
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 8 | 10 | 13 | 14))
}
