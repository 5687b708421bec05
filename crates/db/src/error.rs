//! The error type of the database, divided by what the caller should do.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::contraction::Contraction;
use crate::trouble::{self, Meaning, Trust};

pub type Result<T, E = DbError> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database can't be reached, is starting or stopping, or is full. It is unknown whether the operation was
    /// executed. It may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Outage),
    /// Too many writes are already waiting for the database. Nothing was stored; the operation may succeed later.
    #[error("too many writes are waiting for the database")]
    Overloaded,
    /// Another transaction was in the way (deadlock, serialisation failure, lock timeout), or the session lost its
    /// prepared statements. The operation may succeed if retried at once.
    #[error("the transaction must be retried: {0}")]
    Contention(#[source] Arc<sqlx::Error>),
    #[error("a unique constraint refused the row ({constraint})")]
    Unique {
        /// PostgreSQL: the name of the index. SQLite: `table.column` for each of its columns.
        constraint: String,
    },
    /// A query for exactly one row returned none.
    #[error("the row does not exist")]
    NotFound,
    /// The address or an option of the database is invalid.
    #[error("bad database setting: {0}")]
    Config(String),
    #[error("migration failed: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A newer version of the program has removed from the database what this one uses.
    #[error(transparent)]
    Contracted(Contraction),
    /// Any other refusal, such as a constraint, a type or a syntax error. A retry fails again.
    #[error("the database refused the statement: {0}")]
    Refused(#[source] sqlx::Error),
    /// A value can't be encoded; nothing was sent to the database. A retry fails again.
    #[error("a value can't be stored: {0}")]
    Value(#[source] Box<dyn Error + Send + Sync>),
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum Outage {
    /// The driver failed, or the server reports that it is unavailable.
    #[error(transparent)]
    Driver(Arc<sqlx::Error>),
    /// No answer came within the time limit. The statement may have been executed.
    #[error("no answer came in time")]
    TimedOut,
    /// All connections remained in use until the timeout.
    #[error("no connection became free in time")]
    NoConnection,
    /// A server that was usable before now has settings that make it unusable.
    #[error("{0}")]
    Unfit(String),
    /// This process has not checked yet whether it works on this database.
    #[error("it is not checked yet")]
    Unchecked,
    /// This process has closed its connections or is exiting.
    #[error("this process has closed its connections")]
    Closed,
    /// The code that writes a batch panicked.
    #[error("writing it panicked")]
    Panicked,
    /// The folder of an SQLite file, or the lock file next to it, can't be used.
    #[error("{0}")]
    File(Arc<io::Error>),
    /// A test has armed a fail point.
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
    pub(crate) fn away(error: sqlx::Error) -> Self {
        Self::Unavailable(Outage::Driver(Arc::new(error)))
    }

    /// Returns the same error for another caller of the same batch. A non-transient error keeps only its text.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Unavailable(outage) => Self::Unavailable(outage.clone()),
            Self::Contention(error) => Self::Contention(error.clone()),
            Self::Overloaded => Self::Overloaded,
            other => Self::Value(other.to_string().into()),
        }
    }

    /// Returns whether the same operation may succeed later without a change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Overloaded | Self::Contention(_))
    }

    /// Returns whether the connection with this error may be used again.
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
            | Self::Contracted(_)
            | Self::Value(_) => Trust::Keep,
        }
    }

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
    /// An error that is transient stays so: only a refused or an invalid migration becomes [`DbError::Migration`].
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
            Outage::Unchecked,
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
