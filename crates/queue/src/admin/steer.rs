//! Retries and cancels jobs on an operator's request, and makes waiting jobs due now.
//!
//! A cancel or a retry runs the hooks of the job's kind in the same transaction, which update the subject of the job.
//! `retry` and `cancel` are therefore methods of the registry. `run_now` runs no hooks and is a method of the queue.

use nightshift_db::{DbError, Engine, Timestamp, Tx};
use sqlx::FromRow;

use super::Filter;
use crate::handlers::handler::Revival;
use crate::handlers::registry::{End, Registry};
use crate::job::{ErrorClass, JobError};
use crate::store::claim::Claimed;
use crate::store::finish::CANCELLED;
use crate::store::lifecycle::{Event, Life, Refusal, State, apply};
use crate::store::queue::Queue;
use crate::store::wake::Woken;

/// The result of a request to change a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    /// The job was changed as requested.
    Done,
    /// The job is running, and will be cancelled at its next checkpoint.
    Requested,
}

/// The reason why a job could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// There is no such job.
    #[error("there is no such job")]
    NotFound,
    /// The job's state does not allow the change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another unfinished job has the same deduplication key.
    #[error("another unfinished job has the same dedup key")]
    Duplicate,
    /// A retry would find nothing to do, for the given reason.
    #[error("a retry would do nothing: {0}")]
    Pointless(String),
    /// This program has no handler for the job's kind.
    #[error("this program has no job kind {0}")]
    UnknownKind(String),
    /// A hook failed, so the subject of the job could not be updated.
    #[error("the subject of the job could not be changed: {0}")]
    Subject(JobError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The result of a bulk action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BulkOutcome {
    /// Number of jobs that were changed.
    pub changed: u64,
    /// Number of jobs that matched but could not be changed.
    pub skipped: u64,
    /// Ids of some of the skipped jobs, each with the reason.
    pub reasons: Vec<(String, String)>,
}

/// Maximum number of entries in [`BulkOutcome::reasons`].
const REASONS_MAX: usize = 20;

impl BulkOutcome {
    fn skip(&mut self, id: &str, why: &SteerError) {
        self.skipped += 1;
        if self.reasons.len() < REASONS_MAX {
            self.reasons.push((id.to_owned(), why.to_string()));
        }
    }
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    job: Claimed,
    #[sqlx(try_from = "String")]
    state: State,
    parked_reason: Option<String>,
}

impl Row {
    fn life(&self) -> Life {
        Life { state: self.state, parked: self.parked_reason.is_some(), ..self.job.life() }
    }
}

macro_rules! one_job {
    ($lock:literal) => {
        concat!(
            "SELECT id, queue, kind, org_id, CAST(payload AS TEXT) AS payload, payload_version, priority, run_at,
                    group_key, attempts, max_attempts, crashes, polls, poll_deadline, cancel_requested, mode,
                    correlation_id, parent_job_id, traceparent, created_at, started_at,
                    coalesce(lease_id, '') AS lease_id, state, parked_reason
             FROM jobs WHERE id = $1",
            $lock
        )
    };
}

impl<S: Send + Sync + 'static> Registry<S> {
    /// Retries a dead, cancelled or waiting job with its full number of attempts, and runs the hooks that restore its
    /// subject. Its history is kept. The job becomes due at `run_at`, or now if that is `None`.
    ///
    /// # Errors
    /// [`SteerError::Refused`] for a running or succeeded job, [`SteerError::Pointless`] if another run would find
    /// nothing to do, [`SteerError::Duplicate`] if another unfinished job has its deduplication key,
    /// [`SteerError::NotFound`], [`SteerError::UnknownKind`], or [`SteerError::Subject`] if the hook failed.
    pub async fn retry(
        &self,
        queue: &Queue,
        tx: &mut Tx,
        id: &str,
        run_at: Option<Timestamp>,
    ) -> Result<Steered, SteerError> {
        let now = queue.clock().now();
        let row = load(tx, id).await?;
        let event = Event::Retry { run_at: run_at.unwrap_or(now) };
        let after = apply(&row.life(), &event, now)?.life;
        let Some(kind) = self.get(&row.job.kind) else { return Err(SteerError::UnknownKind(row.job.kind)) };
        if row.state.ended_without_success() {
            match self.revive(tx, kind, &row.job, now).await.map_err(SteerError::Subject)? {
                Revival::Ready => {}
                Revival::Pointless(why) => return Err(SteerError::Pointless(why)),
            }
        }
        queue.write(tx, id, &after, now).await
    }

    /// Cancels a waiting job and runs the kind's hook, or requests that a running job stops at its next checkpoint.
    ///
    /// # Errors
    /// [`SteerError::Refused`] for a job that has ended, [`SteerError::NotFound`], or [`SteerError::Subject`] if the
    /// hook failed.
    pub async fn cancel(&self, queue: &Queue, tx: &mut Tx, id: &str) -> Result<Steered, SteerError> {
        let now = queue.clock().now();
        let row = load(tx, id).await?;
        let after = apply(&row.life(), &Event::Cancel, now)?.life;
        let steered = queue.write(tx, id, &after, now).await?;
        if after.state == State::Cancelled {
            let (attempts, error) = (row.job.attempts, CANCELLED.to_owned());
            let end = End { claimed: &row.job, attempts, class: ErrorClass::Cancelled, error, at: now };
            // As for a job that dies, a hook that fails must not prevent the end of the job.
            self.follow_cancel(tx, end).await.map_err(SteerError::Subject)?;
        }
        Ok(steered)
    }

    /// Retries all jobs that match, at most `max`, each in its own transaction. Their due times are spread evenly over
    /// `spread`.
    ///
    /// # Errors
    /// A database error. Jobs that were changed before it stay changed.
    pub async fn retry_all(
        &self,
        queue: &Queue,
        filter: &Filter,
        max: i64,
        spread: std::time::Duration,
    ) -> Result<BulkOutcome, DbError> {
        let jobs = queue.list(filter, None, max).await?.jobs;
        let count = u32::try_from(jobs.len()).unwrap_or(u32::MAX).max(1);
        let now = queue.clock().now();
        let mut outcome = BulkOutcome::default();
        for (index, job) in (0_u32..).zip(&jobs) {
            let mut tx = queue.db().begin().await?;
            match self.retry(queue, &mut tx, &job.id, Some(now + spread * index / count)).await {
                Ok(_) => {
                    tx.commit().await?;
                    outcome.changed += 1;
                }
                Err(SteerError::Db(error)) => return Err(error),
                Err(error) => outcome.skip(&job.id, &error),
            }
        }
        Ok(outcome)
    }
}

impl Queue {
    /// Makes a waiting job due now, for example because the event that it waits for has happened.
    ///
    /// # Errors
    /// [`SteerError::Refused`] for a job that is running or has ended, [`SteerError::NotFound`].
    pub async fn run_now(&self, tx: &mut Tx, id: &str) -> Result<Steered, SteerError> {
        let now = self.clock().now();
        let after = apply(&load(tx, id).await?.life(), &Event::RunNow, now)?.life;
        self.write(tx, id, &after, now).await
    }

    async fn write(&self, tx: &mut Tx, id: &str, after: &Life, now: Timestamp) -> Result<Steered, SteerError> {
        let ended = after.state.is_final().then_some(now);
        let written = tx
            .query(
                "UPDATE jobs SET state = $2, attempts = $3, crashes = $4, run_at = $5, waiting = $6, poll_deadline = $7,
                        cancel_requested = $8, finished_at = $9, updated_at = $10,
                        parked_reason = CASE WHEN $11 THEN parked_reason END
                 WHERE id = $1",
            )
            .bind(id)
            .bind(after.state.as_str())
            .bind(after.attempts)
            .bind(after.crashes)
            .bind(after.run_at)
            .bind(after.parked || after.run_at > now)
            .bind(after.poll_deadline)
            .bind(after.cancel_requested)
            .bind(ended)
            .bind(now)
            .bind(after.parked)
            .execute()
            .await;
        match written {
            Err(error) if error.is_unique_violation() => return Err(SteerError::Duplicate),
            written => written?,
        };
        let wake = self.wake().clone();
        let (running, run_at) = (after.state == State::Running, after.run_at);
        tx.after_commit(move || {
            if running {
                wake.cancel_everywhere();
            } else {
                wake.enqueued(run_at, now);
                wake.tell_here(Woken { ready: true, due: None, cancel: false });
            }
        });
        Ok(if running { Steered::Requested } else { Steered::Done })
    }
}

/// Reads the job and locks it until the transaction ends.
async fn load(tx: &mut Tx, id: &str) -> Result<Row, SteerError> {
    let sql = if tx.engine() == Engine::Postgres { one_job!(" FOR UPDATE") } else { one_job!("") };
    tx.query(sql).bind(id).optional().await?.ok_or(SteerError::NotFound)
}
