//! Stores the outcomes of attempts, many in one statement.
//!
//! Every write checks the lease under which the job was claimed. A process that was suspended and has lost its lease
//! changes nothing.

use std::sync::Arc;

use nightshift_db::{Db, Engine, Query, Result, RowsStatement, Timestamp, Tx, columns, failpoint};
use serde_json::Value;

use crate::job::ErrorClass;
use crate::store::claim::Claimed;
use crate::store::lifecycle::{AttemptOutcome, Change, State};

/// The error of a job that an operator cancelled.
pub(crate) const CANCELLED: &str = "cancelled by a person";

/// An attempt that has ended, and the resulting change of its job.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub claimed: Arc<Claimed>,
    pub change: Change,
    pub result: Option<Value>,
    pub error: Option<(ErrorClass, String)>,
    pub notes: String,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Written {
    pub id: String,
}

/// Writes a batch that contains no dead or cancelled job.
pub(crate) async fn write_all(db: &Db, batch: &[Ended], now: Timestamp) -> Result<Vec<Written>> {
    failpoint::hit("finish.before_commit").await?;
    let written = write_all_now(db, batch, now).await?;
    failpoint::hit("finish.after_commit").await?;
    Ok(written)
}

async fn write_all_now(db: &Db, batch: &[Ended], now: Timestamp) -> Result<Vec<Written>> {
    if batch.iter().all(|ended| ended.change.attempt.is_none()) {
        // A single statement is its own transaction: one round trip instead of three.
        return finish(|sql| db.write(sql), db.engine(), batch, None, now).all().await;
    }
    let mut tx = db.begin().await?;
    let written = write_rows(&mut tx, batch, None, now).await?;
    write_attempts(&mut tx, batch, &written).await?;
    tx.commit().await?;
    Ok(written)
}

columns! {
    /// The columns that the end of an attempt writes.
    struct EndedColumns(ended: Ended, 'r) {
        id: text = ended.claimed.id.as_str(),
        lease_id: text = ended.claimed.lease_id.as_str(),
        state: text = ended.change.life.state.as_str(),
        attempts: bigint = ended.change.life.attempts,
        crashes: bigint = ended.change.life.crashes,
        polls: bigint = ended.change.life.polls,
        run_at: timestamptz = ended.change.life.run_at,
        waiting: boolean = ended.waits(),
        parked_reason: text = ended.parked_reason(),
        poll_deadline: timestamptz = ended.change.life.poll_deadline,
        error: text = ended.error_text(),
        error_class: text = ended.error_class(),
        result: json = ended.result.as_ref().map(Value::to_string),
        duration_ms: bigint = ended.duration_ms(),
    }
}

/// Probes the primary key once per row. `lease_id` is the fence. If `$2` is given, for the rescue, the lease must also
/// have expired before it, because the owner may have renewed the lease meanwhile. A job with a request to cancel is
/// not written as waiting, since it must be written as cancelled, in a transaction with what follows; and without a
/// request no job is written as cancelled. `jobs.state || ''` keeps the planner from using an index of running jobs,
/// which it would scan once for each row of the batch.
static FINISH: RowsStatement<EndedColumns> = RowsStatement::new(
    2,
    "UPDATE jobs
     SET state = ended.state,
         attempts = ended.attempts, crashes = ended.crashes, polls = ended.polls, run_at = ended.run_at,
         waiting = ended.waiting, parked_reason = ended.parked_reason, poll_deadline = ended.poll_deadline,
         last_error = coalesce(ended.error, jobs.last_error),
         last_error_class = coalesce(ended.error_class, jobs.last_error_class),
         result = ended.result, duration_ms = ended.duration_ms,
         finished_at = CASE WHEN ended.state IN ('succeeded', 'dead', 'cancelled') THEN $1 END,
         lease_id = NULL, leased_until = NULL, updated_at = $1
     FROM {rows} AS ended
     WHERE jobs.id = ended.id AND jobs.lease_id = ended.lease_id AND jobs.state || '' = 'running'
       AND ($2 IS NULL OR jobs.leased_until < $2)
       AND CASE WHEN ended.state IN ('queued', 'retrying') THEN NOT jobs.cancel_requested
                WHEN ended.state = 'cancelled' THEN jobs.cancel_requested ELSE TRUE END
     RETURNING jobs.id",
);

columns! {
    /// The columns that the success of an attempt writes.
    struct SucceededColumns(ended: Ended, 'r) {
        id: text = ended.claimed.id.as_str(),
        lease_id: text = ended.claimed.lease_id.as_str(),
        attempts: bigint = ended.change.life.attempts,
        result: json = ended.result.as_ref().map(Value::to_string),
        duration_ms: bigint = ended.duration_ms(),
    }
}

/// As [`FINISH`], for a batch in which every job has succeeded. It sends and writes only what a success changes: a third
/// of the columns.
static SUCCEED: RowsStatement<SucceededColumns> = RowsStatement::new(
    1,
    "UPDATE jobs
     SET state = 'succeeded', attempts = ended.attempts, result = ended.result, duration_ms = ended.duration_ms,
         finished_at = $1, lease_id = NULL, leased_until = NULL, updated_at = $1
     FROM {rows} AS ended
     WHERE jobs.id = ended.id AND jobs.lease_id = ended.lease_id AND jobs.state || '' = 'running'
     RETURNING jobs.id",
);

/// Writes the rows whose lease still holds. The rescue passes `expired_before`, and only leases that expired earlier
/// match.
pub(crate) async fn write_rows(
    tx: &mut Tx,
    batch: &[Ended],
    expired_before: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Written>> {
    let engine = tx.engine();
    finish(|sql| tx.query(sql), engine, batch, expired_before, now).all().await
}

/// Builds the statement with its parameters.
fn finish<'c>(
    query: impl FnOnce(&'static str) -> Query<'c>,
    engine: Engine,
    batch: &[Ended],
    expired_before: Option<Timestamp>,
    now: Timestamp,
) -> Query<'c> {
    let succeeded = |ended: &Ended| ended.change.life.state == State::Succeeded;
    if expired_before.is_none() && batch.iter().all(succeeded) {
        return SUCCEED.bind_rows(query(SUCCEED.sql(engine)).bind(now), batch);
    }
    FINISH.bind_rows(query(FINISH.sql(engine)).bind(now).bind(expired_before), batch)
}

impl Ended {
    /// Turns this into the end of a job that is being cancelled.
    pub(crate) fn cancelled(mut self) -> Self {
        self.change.life.state = State::Cancelled;
        self.change.life.parked = false;
        self.change.attempt.get_or_insert(AttemptOutcome::Cancelled);
        self
    }

    pub(crate) fn waits(&self) -> bool {
        let life = &self.change.life;
        life.state.is_claimable() && (life.parked || life.run_at > self.ended_at)
    }

    fn parked_reason(&self) -> Option<&str> {
        self.error_text().filter(|_| self.change.life.parked)
    }

    /// Replaces the NUL characters in all texts, which PostgreSQL can store neither in text nor in JSON.
    pub(crate) fn storable(mut self) -> Self {
        replace_nul(&mut self.notes);
        if let Some((_, text)) = &mut self.error {
            replace_nul(text);
        }
        if let Some(result) = &mut self.result {
            replace_nul_within(result);
        }
        self
    }

    fn error_text(&self) -> Option<&str> {
        self.error.as_ref().map(|(_, text)| text.as_str())
    }

    fn error_class(&self) -> Option<&'static str> {
        self.error.as_ref().map(|(class, _)| class.as_str())
    }

    fn duration_ms(&self) -> i64 {
        i64::try_from(self.ended_at.since(self.started_at).as_millis()).unwrap_or(i64::MAX)
    }
}

fn replace_nul(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

fn replace_nul_within(value: &mut Value) {
    match value {
        Value::String(text) => replace_nul(text),
        Value::Array(items) => items.iter_mut().for_each(replace_nul_within),
        Value::Object(fields) => {
            if fields.keys().any(|name| name.contains('\0')) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(mut name, value)| {
                        replace_nul(&mut name);
                        (name, value)
                    })
                    .collect();
            }
            fields.values_mut().for_each(replace_nul_within);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Records in the history the attempts that did not succeed, of the rows that were written.
pub(crate) async fn write_attempts(tx: &mut Tx, batch: &[Ended], written: &[Written]) -> Result<()> {
    for ended in batch {
        let Some(outcome) = ended.change.attempt else { continue };
        if !written.iter().any(|row| row.id == ended.claimed.id) {
            continue;
        }
        let outcome = match outcome {
            AttemptOutcome::Failed(class) => class.as_str(),
            AttemptOutcome::Cancelled => "cancelled",
        };
        tx.query(
            "INSERT INTO job_attempts (job_id, attempt, worker_id, started_at, ended_at, outcome, error, log)
             SELECT $1, $2, worker_id, $3, $4, $5, $6, $7 FROM jobs WHERE id = $1
             ON CONFLICT DO NOTHING",
        )
        .bind(&ended.claimed.id)
        .bind(ended.claimed.attempts + 1)
        .bind(ended.started_at)
        .bind(ended.ended_at)
        .bind(outcome)
        .bind(ended.error_text())
        .bind((!ended.notes.is_empty()).then_some(&ended.notes))
        .execute()
        .await?;
    }
    Ok(())
}
