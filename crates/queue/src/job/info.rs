//! What handlers and hooks learn about a claimed job, apart from its payload.

use nightshift_db::Timestamp;

use crate::job::Mode;

/// The attributes of a claimed job.
#[derive(Debug, Clone)]
pub struct JobInfo {
    /// The job's id, a UUIDv7.
    pub id: String,
    /// The queue from which it was claimed.
    pub queue: String,
    /// Its [`Job::KIND`](crate::Job::KIND).
    pub kind: String,
    /// The organisation it belongs to. `None` if it belongs to none.
    pub org_id: Option<String>,
    /// Number of this attempt, counted from 1.
    pub attempt: i64,
    /// Number of failed attempts after which the job is dead.
    pub max_attempts: i64,
    /// Number of times it has returned [`Outcome::Poll`](crate::Outcome::Poll).
    pub polls: i64,
    /// Deadline of the polling. `None` until a poll sets it.
    pub poll_deadline: Option<Timestamp>,
    /// Time from which it could be claimed.
    pub run_at: Timestamp,
    /// Time of the enqueue.
    pub created_at: Timestamp,
    /// Connects it with the request, webhook or booking that caused it.
    pub correlation_id: Option<String>,
    /// The job that enqueued it. `None` if something else did.
    pub parent_job_id: Option<String>,
    /// W3C trace context of its cause.
    pub traceparent: Option<String>,
    /// Whether its external effects are real. `None` if it has no mode.
    pub mode: Option<Mode>,
}
