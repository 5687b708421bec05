//! The job as its author defines it: a payload with a kind, keys and a policy.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::job::{Keys, Policy};

/// A typed job, whose fields are the payload. It is stored as JSON of at most 64 KiB.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stored name of the kind. It must not change while jobs of the kind exist.
    const KIND: &'static str;
    /// The queue, whose worker pool runs the job.
    const QUEUE: &'static str;
    /// The version of the payload. Increment it when the fields change.
    const VERSION: i64 = 1;
    /// The priority, from 0 (first) to 9 (last).
    const PRIORITY: i64 = 5;

    /// Returns the keys that prevent duplicates and order the jobs of a group. None by default.
    fn keys(&self) -> Keys {
        Keys::default()
    }

    /// Returns the thing that the job is about, which is reported when the job ends without success. Dead jobs of one
    /// kind with the same subject are reported as one problem.
    fn subject(&self) -> Option<Subject> {
        None
    }

    /// Returns the attempts, the backoff and the timeout of an attempt.
    fn policy() -> Policy;

    /// Converts the payload of an older version.
    ///
    /// # Errors
    /// [`PayloadError`] if the version is not supported. The job is then parked.
    fn upcast(version: i64, payload: Value) -> Result<Value, PayloadError> {
        let _ = payload;
        Err(PayloadError(format!("version {version} is not known, this program reads {}", Self::VERSION)))
    }
}

/// The thing that a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The type of the thing, for example `booking`.
    pub thing: &'static str,
    /// The id of the thing.
    pub id: String,
}

/// A payload that can't be read. The text must name the place of the error but no values, which may be personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(pub String);
