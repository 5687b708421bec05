//! A job as its author writes it: a payload with a kind, keys and a policy.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::job::{Keys, Policy};

/// A typed job. The payload is stored as JSON of at most 64 KiB.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stored name; never change it once jobs of the kind exist.
    const KIND: &'static str;
    /// The pool that runs it.
    const QUEUE: &'static str;
    /// Version of the payload's shape.
    const VERSION: i64 = 1;
    /// 0 is run first, 9 last.
    const PRIORITY: i64 = 5;

    /// Keys that keep duplicates out and jobs in order.
    fn keys(&self) -> Keys {
        Keys::default()
    }

    /// What the job is about, told to whoever hears of its end. Two dead jobs of a kind with the same subject are one
    /// matter.
    fn subject(&self) -> Option<Subject> {
        None
    }

    /// How it is retried and how long an attempt may take.
    fn policy() -> Policy;

    /// Turns the payload of an older version into this one's.
    ///
    /// # Errors
    /// When that version can't be read any more; the job is parked.
    fn upcast(version: i64, payload: Value) -> Result<Value, PayloadError> {
        let _ = payload;
        Err(PayloadError(format!("version {version} is not known, this program reads {}", Self::VERSION)))
    }
}

/// The thing a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is, in the program's own words: `booking`.
    pub thing: &'static str,
    /// Which one.
    pub id: String,
}

/// A payload that can't be read. The text says where, never what (a payload may hold personal data).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(pub String);
