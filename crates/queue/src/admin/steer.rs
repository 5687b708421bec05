//! Retrying, cancelling and hastening jobs by hand.

use nightshift_db::{DbError, Engine, Timestamp, Tx};
use sqlx::FromRow;

use super::Filter;
use crate::Queue;
use crate::lifecycle::{Event, Life, Refusal, State, apply};
use crate::wake::Woken;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    /// It is done: the job stands as asked.
    Done,
    /// The job runs; it will end at its next checkpoint.
    Requested,
}

/// Why a job could not be steered.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// There is no such job.
    #[error("there is no such job")]
    NotFound,
    /// Its state does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another unfinished job holds its dedup key.
    #[error("another unfinished job has the same dedup key")]
    Twin,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a bulk action did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BulkOutcome {
    /// Jobs changed.
    pub changed: u64,
    /// Jobs that matched but could not be changed.
    pub skipped: u64,
}

#[derive(FromRow)]
struct LifeRow {
    #[sqlx(try_from = "String")]
    state: State,
    attempts: i64,
    max_attempts: i64,
    crashes: i64,
    polls: i64,
    run_at: Timestamp,
    poll_deadline: Option<Timestamp>,
    cancel_requested: bool,
    parked_reason: Option<String>,
}

const LIFE: &str =
    "SELECT state, attempts, max_attempts, crashes, polls, run_at, poll_deadline, cancel_requested, parked_reason
FROM jobs WHERE id = $1";
const LIFE_LOCKED: &str =
    "SELECT state, attempts, max_attempts, crashes, polls, run_at, poll_deadline, cancel_requested, parked_reason
FROM jobs WHERE id = $1 FOR UPDATE";

impl Queue {
    /// Starts a dead, cancelled or waiting job anew with a fresh budget of attempts; its history is kept.
    ///
    /// # Errors
    /// [`SteerError`]: running and succeeded jobs are refused, and one whose dedup key another job holds by now.
    pub async fn retry(&self, tx: &mut Tx, id: &str, run_at: Option<Timestamp>) -> Result<Steered, SteerError> {
        let run_at = run_at.unwrap_or_else(|| self.clock().now());
        self.steer(tx, id, &Event::Retry { run_at }).await
    }

    /// Ends a waiting job, or asks a running one to end at its next checkpoint.
    ///
    /// # Errors
    /// [`SteerError`]: ended jobs are refused.
    pub async fn cancel(&self, tx: &mut Tx, id: &str) -> Result<Steered, SteerError> {
        self.steer(tx, id, &Event::Cancel).await
    }

    /// Runs a waiting job now: what it waits for has happened.
    ///
    /// # Errors
    /// [`SteerError`]: running and ended jobs are refused.
    pub async fn hasten(&self, tx: &mut Tx, id: &str) -> Result<Steered, SteerError> {
        self.steer(tx, id, &Event::Hasten).await
    }

    /// Retries all jobs that match, at most `max`, spread evenly over `spread`. Each in a transaction of its own.
    ///
    /// # Errors
    /// A database error; what was changed until then stays changed.
    pub async fn retry_all(
        &self,
        filter: &Filter,
        max: i64,
        spread: std::time::Duration,
    ) -> Result<BulkOutcome, DbError> {
        let jobs = self.list(filter, None, max).await?.jobs;
        let count = u32::try_from(jobs.len()).unwrap_or(u32::MAX).max(1);
        let now = self.clock().now();
        let mut outcome = BulkOutcome::default();
        for (index, job) in (0_u32..).zip(&jobs) {
            let mut tx = self.db().begin().await?;
            match self.retry(&mut tx, &job.id, Some(now + spread * index / count)).await {
                Ok(_) => {
                    tx.commit().await?;
                    outcome.changed += 1;
                }
                Err(SteerError::Db(error)) => return Err(error),
                Err(_) => outcome.skipped += 1,
            }
        }
        Ok(outcome)
    }

    async fn steer(&self, tx: &mut Tx, id: &str, event: &Event) -> Result<Steered, SteerError> {
        let now = self.clock().now();
        let sql = if tx.engine() == Engine::Postgres { LIFE_LOCKED } else { LIFE };
        let row: LifeRow = tx.query(sql).bind(id).optional().await?.ok_or(SteerError::NotFound)?;
        let before = Life {
            state: row.state,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            crashes: row.crashes,
            polls: row.polls,
            run_at: row.run_at,
            poll_deadline: row.poll_deadline,
            cancel_requested: row.cancel_requested,
            parked: row.parked_reason.is_some(),
        };
        let after = apply(&before, event, now)?.life;
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
            Err(error) if error.is_unique_violation() => return Err(SteerError::Twin),
            written => written?,
        };
        let wake = self.wake().clone();
        let running = after.state == State::Running;
        tx.after_commit(move || {
            if running {
                wake.cancel_everywhere();
            } else {
                wake.enqueued(after.run_at, now);
                wake.tell_here(Woken { ready: true, due: None, cancel: false });
            }
        });
        Ok(if running { Steered::Requested } else { Steered::Done })
    }
}
