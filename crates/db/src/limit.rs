//! The time limit of a statement.

use std::pin::pin;
use std::time::Duration;

use crate::step::Step;
use crate::{DbError, Outage, Result, failpoint};

/// The time limit of a statement, including the network. When it is exceeded, the connection counts as dead. Without
/// it, a statement on a connection whose peer has vanished would wait until TCP gives up, about 15 minutes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit(Option<Duration>);

impl TimeLimit {
    /// No limit, for SQLite: there is no network, and its busy timeout limits the wait.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn of(limit: Duration) -> Self {
        Self(Some(limit))
    }

    /// Runs one statement. Every statement of the program passes through here.
    ///
    /// # Errors
    /// The statement's error; [`DbError::Unavailable`] if the limit is exceeded. The statement may have been executed
    /// nevertheless.
    pub(crate) async fn run<T>(self, step: Step, statement: impl Future<Output = Result<T>>) -> Result<T> {
        // Each function that takes a future by value holds it twice, and so does whoever calls it. These take its address.
        let statement = pin!(statement);
        let statement = failpoint::statement(step.run(statement));
        let Some(limit) = self.0 else { return statement.await };
        let too_late = |_| Err(DbError::Unavailable(Outage::TimedOut));
        tokio::time::timeout(limit, statement).await.unwrap_or_else(too_late)
    }
}
