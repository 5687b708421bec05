//! What a handler and the hooks are told about a claimed job, apart from its payload.

use nightshift_db::Timestamp;

use crate::job::Mode;

/// The facts of one claimed job.
#[derive(Debug, Clone)]
pub struct JobInfo {
    /// Its id.
    pub id: String,
    /// Its pool.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Its organisation.
    pub org_id: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// Failures after which it is dead.
    pub max_attempts: i64,
    /// Times it has asked to be called again.
    pub polls: i64,
    /// The polling's deadline, once a poll has set it.
    pub poll_deadline: Option<Timestamp>,
    /// When it became due.
    pub run_at: Timestamp,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// Ties it to a request, webhook or booking.
    pub correlation_id: Option<String>,
    /// The job that caused it.
    pub parent_job_id: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Whether its outside effects are real.
    pub mode: Option<Mode>,
}
