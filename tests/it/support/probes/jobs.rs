//! Jobs, their failed attempts, and the processes that run them.

use nightshift_db::{Json, Timestamp};
use serde_json::Value;
use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct Job {
    pub id: String,
    pub kind: String,
    pub payload: Json<Value>,
    pub state: String,
    pub attempts: i64,
    pub crashes: i64,
    pub run_at: Timestamp,
    pub last_error: Option<String>,
    pub last_error_class: Option<String>,
    pub mode: Option<String>,
}

/// An attempt that did not end in success.
#[derive(Debug, FromRow)]
pub struct FailedAttempt {
    pub outcome: String,
    pub ended_at: Timestamp,
}

impl Probes {
    pub fn all_jobs(&self) -> Rows<'_, Job> {
        self.ask(table!("jobs"))
    }

    pub fn jobs(&self, kind: &str) -> Rows<'_, Job> {
        self.all_jobs().with("kind = $1", kind)
    }

    /// Jobs that handle stored webhooks of any source.
    pub fn webhook_jobs(&self) -> Rows<'_, Job> {
        self.all_jobs().only("kind LIKE 'webhook.%'")
    }

    pub fn failed_attempts(&self) -> Rows<'_, FailedAttempt> {
        self.ask(table!("job_attempts", "job_id, attempt"))
    }

    pub fn workers(&self) -> Rows<'_, ()> {
        self.ask(table!("workers"))
    }
}

impl Rows<'_, Job> {
    pub fn in_state(self, state: &str) -> Self {
        self.with("state = $1", state)
    }

    pub fn queued(self) -> Self {
        self.in_state("queued")
    }

    pub fn running(self) -> Self {
        self.in_state("running")
    }

    pub fn retrying(self) -> Self {
        self.in_state("retrying")
    }

    pub fn succeeded(self) -> Self {
        self.in_state("succeeded")
    }

    pub fn dead(self) -> Self {
        self.in_state("dead")
    }

    /// Jobs that wait to be claimed, for the first attempt or a retry.
    pub fn unclaimed(self) -> Self {
        self.only("state IN ('queued', 'retrying')")
    }

    /// Jobs with an attempt that ended, and none that runs.
    pub fn tried(self) -> Self {
        self.only("attempts > 0 AND state <> 'running'")
    }

    pub fn unfinished(self) -> Self {
        self.only("finished_at IS NULL")
    }

    /// Jobs of an organisation.
    pub fn of(self, organization: &str) -> Self {
        self.with("org_id = $1", organization)
    }

    pub fn due_since(self, time: &str) -> Self {
        self.with("run_at >= $1", time.parse::<Timestamp>().expect("a time"))
    }

    pub fn in_queue(self, queue: &str) -> Self {
        self.with("queue = $1", queue)
    }

    /// Jobs that were due when they were last written.
    pub fn due(self) -> Self {
        self.only("NOT waiting")
    }

    /// Jobs that lost a lease at least once.
    pub fn that_lost_a_lease(self) -> Self {
        self.only("crashes > 0")
    }

    /// Jobs with an attempt that did not end in success.
    pub fn with_a_failed_attempt(self) -> Self {
        self.only("id IN (SELECT job_id FROM job_attempts)")
    }
}

impl Rows<'_, FailedAttempt> {
    pub fn of_kind(self, kind: &str) -> Self {
        self.with("job_id IN (SELECT id FROM jobs WHERE kind = $1)", kind)
    }

    pub fn panicked(self) -> Self {
        self.only("outcome = 'panic'")
    }
}
