//! A job to be enqueued, and the result of enqueueing it.

use nightshift_db::{DbError, Timestamp, sabotage};

use crate::job::{Job, JobError, JobInfo, Keys, Mode};

/// Maximum size of a payload in bytes of JSON.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// A job to be enqueued. The attributes that its kind determines are already set.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub(crate) id: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) queue: String,
    pub(crate) payload: String,
    pub(crate) payload_version: i64,
    pub(crate) priority: i64,
    pub(crate) max_attempts: i64,
    pub(crate) keys: Keys,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) org_id: Option<String>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) parent_job_id: Option<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) mode: Option<Mode>,
}

impl NewJob {
    /// Creates a job with the queue, priority, attempts and keys of its kind.
    ///
    /// # Errors
    /// [`EnqueueError::Payload`] if the payload can't be serialised as JSON or is larger than 64 KiB.
    pub fn of<J: Job>(job: &J) -> Result<Self, EnqueueError> {
        let bad = |why: String| EnqueueError::Payload { kind: J::KIND, why };
        let payload = serde_json::to_string(job).map_err(|error| bad(error.to_string()))?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(bad(format!("has {} bytes, at most {PAYLOAD_BYTES_MAX} are allowed", payload.len())));
        }
        Ok(Self {
            id: None,
            kind: J::KIND,
            queue: J::QUEUE.to_owned(),
            payload,
            payload_version: J::VERSION,
            priority: J::PRIORITY,
            max_attempts: J::policy().max_attempts,
            keys: match job.keys() {
                keys if sabotage::is("dedup_skipped") => Keys { dedup: None, ..keys },
                keys if sabotage::is("once_skipped") => Keys { once: None, ..keys },
                keys if sabotage::is("groups_forgotten") => Keys { group: None, ..keys },
                keys => keys,
            },
            run_at: None,
            org_id: None,
            correlation_id: None,
            parent_job_id: None,
            traceparent: None,
            mode: None,
        })
    }

    /// Returns whether it has a key, so that another job may be its duplicate.
    pub(crate) fn may_have_duplicate(&self) -> bool {
        self.keys.dedup.is_some() || self.keys.once.is_some()
    }

    /// Sets its id, a UUIDv7 that no other job has. The jobs of a group run in the order of their ids, so an id says where
    /// the job stands among them. Without it the job gets a new id, and stands behind the older jobs of this process.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the time before which the job is not claimed. Without it the job is due at once.
    #[must_use]
    pub fn run_at(mut self, at: Timestamp) -> Self {
        self.run_at = Some(at);
        self
    }

    /// Sets the priority, from 0 (first) to 9 (last). Other values are limited to that range.
    #[must_use]
    pub fn priority(mut self, priority: i64) -> Self {
        self.priority = priority.clamp(0, 9);
        self
    }

    /// Replaces the keys of its kind.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Makes it the successor of the job `id`, of which it is a duplicate: its dedup key and its once key name that job.
    #[must_use]
    pub fn after(mut self, id: &str) -> Self {
        self.keys = self.keys.after(id);
        self
    }

    /// Replaces the queue of its kind.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets the organisation to which the job belongs.
    #[must_use]
    pub fn org(mut self, org_id: impl Into<String>) -> Self {
        self.org_id = Some(org_id.into());
        self
    }

    /// Sets the id that connects the job with a request, webhook or booking.
    #[must_use]
    pub fn correlation(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Sets the W3C trace context of the job's cause.
    #[must_use]
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Sets whether its external effects are real.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Removes the mode, for a job whose effects don't depend on the mode of its cause.
    #[must_use]
    pub fn without_mode(mut self) -> Self {
        self.mode = None;
        self
    }

    /// Sets `job` as the parent. Organisation, correlation id, trace context and mode are copied from it where they are
    /// not set yet.
    #[must_use]
    pub fn caused_by(mut self, job: &JobInfo) -> Self {
        self.parent_job_id = Some(job.id.clone());
        self.org_id = self.org_id.or_else(|| job.org_id.clone());
        self.correlation_id = self.correlation_id.or_else(|| job.correlation_id.clone());
        self.traceparent = self.traceparent.or_else(|| job.traceparent.clone());
        self.mode = self.mode.or(job.mode);
        self
    }
}

/// The result of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// A new job was created.
    Created {
        /// The new job's id.
        id: String,
    },
    /// The job is a duplicate: a job with the same key exists already.
    Existing {
        /// The existing job's id.
        id: String,
    },
}

impl Enqueued {
    /// Returns the id of the new or the existing job.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Created { id } | Self::Existing { id } => id,
        }
    }

    /// Returns whether a new job was created.
    #[must_use]
    pub fn is_created(&self) -> bool {
        matches!(self, Self::Created { .. })
    }
}

/// The error of enqueueing a job.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The database refused the row or is unavailable.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The payload can't be serialised as JSON or is too large.
    #[error("the payload of a {kind} job {why}")]
    Payload {
        /// The kind of the job.
        kind: &'static str,
        /// The problem, as the rest of a sentence: "has 70000 bytes, ...".
        why: String,
    },
}

impl From<EnqueueError> for JobError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Db(error) => error.into(),
            EnqueueError::Payload { .. } => JobError::fail(error),
        }
    }
}
