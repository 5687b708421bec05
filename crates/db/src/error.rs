//! What can go wrong between the program and its database, sorted by what the caller should do.

use crate::trouble::{self, Meaning, Trust};

/// The usual result of this crate.
pub type Result<T, E = DbError> = std::result::Result<T, E>;

/// A failed database operation.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database can't be reached, is starting, stopping or full. Nothing is known to be stored; try again later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Another transaction was in the way (deadlock, serialisation, lock time-out), or the session no longer knew what was
    /// prepared on it. Try again at once.
    #[error("the database asks to try again: {0}")]
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

    /// What becomes of the connection on which this happened.
    pub(crate) fn trust(&self) -> Trust {
        match self {
            Self::Unavailable(error) | Self::Contention(error) | Self::Refused(error) => trouble::of(error).1,
            Self::Unique { .. } | Self::NotFound | Self::Config(_) | Self::Migration(_) => Trust::Keep,
        }
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
            E::RowNotFound => return Self::NotFound,
            E::Configuration(why) => return Self::Config(why.to_string()),
            E::Database(refusal) if refusal.is_unique_violation() => {
                let constraint = refusal.constraint().map_or_else(
                    || refusal.message().rsplit(": ").next().unwrap_or_default().to_owned(),
                    str::to_owned,
                );
                return Self::Unique { constraint };
            }
            _ => {}
        }
        match trouble::of(&error).0 {
            Meaning::Unavailable => Self::Unavailable(error),
            Meaning::Contention => Self::Contention(error),
            Meaning::Refused => Self::Refused(error),
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
