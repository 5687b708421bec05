//! A job that is to be enqueued, and what became of it.

use nightshift_db::{DbError, Timestamp, sabotage};

use crate::job::{Job, JobError, JobInfo, Keys, Mode};

/// Largest payload, in bytes of JSON.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// A job to be enqueued, with everything its kind says already filled in.
#[derive(Debug, Clone)]
pub struct NewJob {
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
    /// A job as its kind says.
    ///
    /// # Errors
    /// [`EnqueueError::Payload`] when it can't be written as JSON or is too large.
    pub fn of<J: Job>(job: &J) -> Result<Self, EnqueueError> {
        let bad = |why: String| EnqueueError::Payload { kind: J::KIND, why };
        let payload = serde_json::to_string(job).map_err(|error| bad(error.to_string()))?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(bad(format!("has {} bytes, at most {PAYLOAD_BYTES_MAX} are allowed", payload.len())));
        }
        Ok(Self {
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

    /// Whether another job may keep it out.
    pub(crate) fn may_have_duplicate(&self) -> bool {
        self.keys.dedup.is_some() || self.keys.once.is_some()
    }

    /// Not before `at`.
    #[must_use]
    pub fn run_at(mut self, at: Timestamp) -> Self {
        self.run_at = Some(at);
        self
    }

    /// 0 first, 9 last.
    #[must_use]
    pub fn priority(mut self, priority: i64) -> Self {
        self.priority = priority.clamp(0, 9);
        self
    }

    /// Keys for this job instead of those its kind gives it.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Runs it in another pool than its kind's.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// The organisation it belongs to.
    #[must_use]
    pub fn org(mut self, org_id: impl Into<String>) -> Self {
        self.org_id = Some(org_id.into());
        self
    }

    /// Ties it to a request, webhook or booking.
    #[must_use]
    pub fn correlation(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// W3C trace context of what caused it.
    #[must_use]
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Whether its outside effects are real.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Its effects are of a kind of their own: whether those of its cause are real says nothing about them.
    #[must_use]
    pub fn without_mode(mut self) -> Self {
        self.mode = None;
        self
    }

    /// Caused by `job`, whose organisation, correlation, trace and mode it takes over where it has none of its own.
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

/// What became of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// A new job.
    Created {
        /// Its id.
        id: String,
    },
    /// One with the same key stands already.
    Existing {
        /// Its id.
        id: String,
    },
}

impl Enqueued {
    /// The job that stands for the request now.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Created { id } | Self::Existing { id } => id,
        }
    }

    /// Whether this call made it.
    #[must_use]
    pub fn is_created(&self) -> bool {
        matches!(self, Self::Created { .. })
    }
}

/// A job could not be enqueued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The database refused or could not be reached.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The payload is no JSON or too large.
    #[error("the payload of a {kind} job {why}")]
    Payload {
        /// The job's kind.
        kind: &'static str,
        /// What is wrong with it.
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
