//! What can go wrong between the program and its database, sorted by what the caller should do.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::trouble::{self, Meaning, Trust};

/// The usual result of this crate.
pub type Result<T, E = DbError> = std::result::Result<T, E>;

/// A failed database operation.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database can't be reached, is starting, stopping or full. Nothing is known to be stored; try again later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Outage),
    /// Too many writes wait for the database already. Nothing of this one is stored; try again later.
    #[error("too many writes are waiting for the database")]
    Overloaded,
    /// Another transaction was in the way (deadlock, serialisation, lock time-out), or the session no longer knew what was
    /// prepared on it. Try again at once.
    #[error("the transaction must be retried: {0}")]
    Contention(#[source] Arc<sqlx::Error>),
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
    /// A value can't be written, so the database was not asked. Trying again changes nothing.
    #[error("a value can't be stored: {0}")]
    Value(#[source] Box<dyn Error + Send + Sync>),
}

/// Why the database is not available.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Outage {
    /// The driver failed, or the server says that it is away.
    #[error(transparent)]
    Driver(Arc<sqlx::Error>),
    /// No answer came in time; the statement may have been carried out.
    #[error("no answer came in time")]
    TimedOut,
    /// All connections stayed in use.
    #[error("no connection became free in time")]
    NoConnection,
    /// A server that was in use before can't be used as it is set up now.
    #[error("{0}")]
    Unfit(String),
    /// This process has closed its connections or is ending.
    #[error("this process has closed its connections")]
    Closed,
    /// The code that writes a batch panicked.
    #[error("writing it panicked")]
    Panicked,
    /// The folder of an SQLite file or the lock beside it can't be used.
    #[error("{0}")]
    File(Arc<io::Error>),
    /// A test has made the place fail.
    #[cfg(feature = "failpoints")]
    #[error("armed to fail")]
    Armed,
}

impl From<io::Error> for Outage {
    fn from(error: io::Error) -> Self {
        Self::File(Arc::new(error))
    }
}

impl DbError {
    /// The driver's error, of a database that is away.
    pub(crate) fn away(error: sqlx::Error) -> Self {
        Self::Unavailable(Outage::Driver(Arc::new(error)))
    }

    /// The same error for another caller of the same batch. Of one that is not transient the text remains.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Unavailable(outage) => Self::Unavailable(outage.clone()),
            Self::Contention(error) => Self::Contention(error.clone()),
            Self::Overloaded => Self::Overloaded,
            other => Self::Value(other.to_string().into()),
        }
    }

    /// Whether the same operation may succeed later without a change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Overloaded | Self::Contention(_))
    }

    /// What becomes of the connection on which this happened.
    pub(crate) fn trust(&self) -> Trust {
        match self {
            Self::Unavailable(Outage::Driver(error)) | Self::Contention(error) => trouble::of(error).1,
            Self::Unavailable(_) => Trust::DropAll,
            Self::Refused(error) => trouble::of(error).1,
            Self::Overloaded
            | Self::Unique { .. }
            | Self::NotFound
            | Self::Config(_)
            | Self::Migration(_)
            | Self::Value(_) => Trust::Keep,
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
            Meaning::Unavailable => Self::away(error),
            Meaning::Contention => Self::Contention(Arc::new(error)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn driver() -> sqlx::Error {
        sqlx::Error::Protocol("x".to_owned())
    }

    fn transient() -> Vec<DbError> {
        let outages = [
            Outage::Driver(Arc::new(driver())),
            Outage::TimedOut,
            Outage::NoConnection,
            Outage::Unfit("x".to_owned()),
            Outage::Closed,
            Outage::Panicked,
            io::Error::other("x").into(),
        ];
        let outages = outages.map(DbError::Unavailable);
        outages.into_iter().chain([DbError::Overloaded, DbError::Contention(Arc::new(driver()))]).collect()
    }

    #[test]
    fn what_may_succeed_later_is_transient_and_nothing_else_is() {
        for error in transient() {
            assert!(error.is_transient(), "{error}");
        }
        for error in [
            DbError::Unique { constraint: "x".to_owned() },
            DbError::NotFound,
            DbError::Config("x".to_owned()),
            DbError::Refused(driver()),
            DbError::Value("x".into()),
        ] {
            assert!(!error.is_transient(), "{error}");
        }
    }

    #[test]
    fn after_an_outage_no_connection_that_is_as_old_is_used_again() {
        for error in transient() {
            let expected = if matches!(error, DbError::Overloaded) { Trust::Keep } else { Trust::DropAll };
            assert_eq!(error.trust(), expected, "{error}");
        }
        assert_eq!(DbError::Value("x".into()).trust(), Trust::Keep);
    }

    #[test]
    fn each_caller_of_a_batch_gets_the_same_error() {
        for error in transient() {
            assert_eq!(format!("{:?}", error.for_another()), format!("{error:?}"));
        }
    }
}
