//! How long a statement may take.

use std::time::Duration;

use crate::{DbError, Outage, Result, failpoint};

/// How long a statement may take, its way over the network included. Beyond that the connection counts as dead: one
/// whose other end is gone without a word would be waited for for a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit(Option<Duration>);

impl TimeLimit {
    /// For an engine without a network, which has limits of its own.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn of(limit: Duration) -> Self {
        Self(Some(limit))
    }

    /// Runs one statement; every statement of the program passes here.
    ///
    /// # Errors
    /// The statement's; [`DbError::Unavailable`] when it took too long. It may have been carried out all the same.
    pub(crate) async fn run<T>(self, statement: impl Future<Output = Result<T>>) -> Result<T> {
        let statement = failpoint::statement(statement);
        let Some(limit) = self.0 else { return statement.await };
        let too_late = |_| Err(DbError::Unavailable(Outage::TimedOut));
        tokio::time::timeout(limit, statement).await.unwrap_or_else(too_late)
    }
}
