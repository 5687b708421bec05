//! How a handler ends: an [`Outcome`], or a [`JobError`] that carries the decision what to do about it.

use std::fmt;
use std::time::Duration;

use nightshift_db::{DbError, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a handler returns.
pub type JobResult = Result<Outcome, JobError>;

/// The member of a stored result that says why there was nothing to do.
pub(crate) const SKIPPED: &str = "skipped";

/// A handler's answer when nothing went wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Finished; the value, if any, is stored with the job.
    Done(Option<Value>),
    /// Not finished: call again after a while. Spends no attempt and holds no worker slot.
    Poll {
        /// Wait before the next call.
        after: Duration,
        /// The polling as a whole must be done by then; counted from the first poll that names it.
        until: Option<Timestamp>,
    },
    /// Nothing to do any more; ends the job as succeeded with the reason.
    Skip(String),
}

impl Outcome {
    /// Finished, nothing to store.
    #[must_use]
    pub fn done() -> Self {
        Self::Done(None)
    }

    /// Finished; `result` is stored with the job.
    #[must_use]
    pub fn done_with(result: Value) -> Self {
        Self::Done(Some(result))
    }

    /// Nothing to do any more.
    pub fn skip(why: impl Into<String>) -> Self {
        Self::Skip(why.into())
    }

    /// Call again after `after`.
    #[must_use]
    pub fn poll(after: Duration) -> Self {
        Self::Poll { after, until: None }
    }
}

/// What kind of failure ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// May pass: network, 5xx, 429, lock time-out.
    Transient,
    /// Will not pass: validation, 4xx, missing row.
    Permanent,
    /// The attempt, or the polling as a whole, took too long.
    Timeout,
    /// The handler panicked.
    Panic,
    /// The lease ran out.
    LeaseLost,
    /// A person ended it.
    Cancelled,
}

impl ErrorClass {
    /// The text stored in the database.
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

/// A failed attempt and what should follow. There is no conversion from errors in general: each `?` in a handler says
/// [`OrRetry::or_retry`] or [`OrFail::or_fail`], so nothing is retried by accident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub(crate) class: ErrorClass,
    pub(crate) after: Option<Duration>,
    message: String,
}

impl JobError {
    /// A failure that may pass; tried again by the kind's policy.
    pub fn retry(error: impl fmt::Display) -> Self {
        Self { class: ErrorClass::Transient, after: None, message: error.to_string() }
    }

    /// A failure that will not pass: the job is dead at once.
    pub fn fail(error: impl fmt::Display) -> Self {
        Self { class: ErrorClass::Permanent, after: None, message: error.to_string() }
    }

    /// Try again after `after` instead of what the policy says (a provider's `Retry-After`).
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

    /// The handler stopped at a checkpoint because the job is to be cancelled or the process ends.
    pub(crate) fn interrupted() -> Self {
        Self { class: ErrorClass::Transient, after: None, message: INTERRUPTED.to_owned() }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.message == INTERRUPTED
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// Whether the job may be tried again.
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

/// The database itself says whether it is worth trying again.
impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        if error.is_transient() { Self::retry(error) } else { Self::fail(error) }
    }
}

/// Turns an error into a retry.
pub trait OrRetry<T> {
    /// The failure may pass.
    ///
    /// # Errors
    /// The error, as one to retry.
    fn or_retry(self) -> Result<T, JobError>;
}

/// Turns an error into a permanent failure.
pub trait OrFail<T> {
    /// The failure will not pass.
    ///
    /// # Errors
    /// The error, as a permanent one.
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
