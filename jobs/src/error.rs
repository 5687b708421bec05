//! The error of an operation.

use nightshift_domain::Error as DomainError;
use nightshift_queue::{EnqueueError, JobError};

/// An operation failed. The caller must roll its transaction back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule refused, or the database failed.
    #[error(transparent)]
    Domain(#[from] DomainError),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        match error {
            Error::Domain(error) if error.is_transient() => Self::retry(error),
            Error::Domain(error) => Self::fail(error),
            Error::Enqueue(error) => error.into(),
        }
    }
}
