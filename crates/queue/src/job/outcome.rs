//! The end of an attempt: an [`Outcome`], or a [`JobError`] that decides what to do about the failure.

use std::fmt;
use std::time::Duration;

use nightshift_db::{DbError, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The return type of a handler.
pub type JobResult = Result<Outcome, JobError>;

/// The member of a stored result that holds the reason of [`Outcome::Skip`].
pub(crate) const SKIPPED: &str = "skipped";

/// The result of an attempt that did not fail.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The job has succeeded. The value, if any, is stored as its result.
    Done(Option<Value>),
    /// The job is not finished and must be called again later. Costs no attempt, and holds no worker slot meanwhile.
    Poll {
        /// The delay until the next call.
        after: Duration,
        /// Deadline of the whole polling. The first poll that gives one sets it; later values are ignored.
        until: Option<Timestamp>,
    },
    /// There is nothing left to do. The job succeeds with this reason as its result.
    Skip(String),
}

impl Outcome {
    /// The job has succeeded and has no result.
    #[must_use]
    pub fn done() -> Self {
        Self::Done(None)
    }

    /// The job has succeeded with `result`.
    #[must_use]
    pub fn done_with(result: Value) -> Self {
        Self::Done(Some(result))
    }

    /// There is nothing left to do, for the reason `why`.
    pub fn skip(why: impl Into<String>) -> Self {
        Self::Skip(why.into())
    }

    /// The job must be called again after `after`, without a deadline.
    #[must_use]
    pub fn poll(after: Duration) -> Self {
        Self::Poll { after, until: None }
    }
}

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// May succeed later: network errors, 5xx, 429, lock timeouts.
    Transient,
    /// Fails again on every retry: validation, 4xx, a missing row.
    Permanent,
    /// The attempt exceeded the policy's timeout, or a poll its deadline.
    Timeout,
    /// The handler panicked.
    Panic,
    /// The lease expired.
    LeaseLost,
    /// An operator cancelled the job.
    Cancelled,
}

impl ErrorClass {
    /// Returns the text that is stored in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::LeaseLost => "lease_lost",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const INTERRUPTED: &str = "stopped at a checkpoint";

/// A failed attempt, with the decision whether to retry. There is no general conversion from errors, so that nothing is
/// retried by accident: each `?` in a handler uses [`OrRetry::or_retry`] or [`OrFail::or_fail`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub(crate) class: ErrorClass,
    pub(crate) after: Option<Duration>,
    message: String,
}

impl JobError {
    /// Creates a failure that may pass. The job is retried according to its kind's policy.
    pub fn retry(error: impl fmt::Display) -> Self {
        Self { class: ErrorClass::Transient, after: None, message: error.to_string() }
    }

    /// Creates a permanent failure. The job is dead at once.
    pub fn fail(error: impl fmt::Display) -> Self {
        Self { class: ErrorClass::Permanent, after: None, message: error.to_string() }
    }

    /// Replaces the policy's backoff by this delay, for example a provider's `Retry-After`.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = Some(after);
        self
    }

    pub(crate) fn timeout(after: Duration) -> Self {
        let message = format!("the attempt took longer than {} s", after.as_secs_f64());
        Self { class: ErrorClass::Timeout, after: None, message }
    }

    pub(crate) fn panic(message: &str) -> Self {
        Self { class: ErrorClass::Panic, after: None, message: format!("the handler panicked: {message}") }
    }

    /// Creates the error of a handler that stopped at a checkpoint, because the job is being cancelled or the process
    /// is shutting down.
    pub(crate) fn interrupted() -> Self {
        Self { class: ErrorClass::Transient, after: None, message: INTERRUPTED.to_owned() }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.message == INTERRUPTED
    }

    /// Returns the class of the failure.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// Returns whether the job may be retried.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.class != ErrorClass::Permanent
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for JobError {}

/// A transient error of the database is retried; any other is permanent.
impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        if error.is_transient() { Self::retry(error) } else { Self::fail(error) }
    }
}

/// Converts an error into one that is retried.
pub trait OrRetry<T> {
    /// Converts the error into a transient [`JobError`].
    ///
    /// # Errors
    /// The error as one to retry.
    fn or_retry(self) -> Result<T, JobError>;
}

/// Converts an error into a permanent failure.
pub trait OrFail<T> {
    /// Converts the error into a permanent [`JobError`].
    ///
    /// # Errors
    /// The error as a permanent failure.
    fn or_fail(self) -> Result<T, JobError>;
}

impl<T, E: fmt::Display> OrRetry<T> for Result<T, E> {
    fn or_retry(self) -> Result<T, JobError> {
        self.map_err(JobError::retry)
    }
}

impl<T, E: fmt::Display> OrFail<T> for Result<T, E> {
    fn or_fail(self) -> Result<T, JobError> {
        self.map_err(JobError::fail)
    }
}
