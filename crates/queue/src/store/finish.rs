//! The statements that write how attempts ended, many in one.
//!
//! Every write holds the lease the job was claimed under: a process that was frozen, lost its lease and woke up changes
//! nothing.

use std::sync::Arc;

use nightshift_db::{Db, Engine, Query, Result, Timestamp, Tx, failpoint};
use serde_json::{Value, json};

use crate::job::ErrorClass;
use crate::store::claim::Claimed;
use crate::store::lifecycle::{AttemptOutcome, Change, State};

/// The error of a job that a person ended.
pub(crate) const CANCELLED: &str = "cancelled by a person";

/// An attempt that has ended, and what it does to its job.
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

/// Writes a batch of which no job ends without success.
pub(crate) async fn write_all(db: &Db, batch: &[Ended], now: Timestamp) -> Result<Vec<Written>> {
    failpoint::hit("finish.before_commit").await?;
    let written = write_all_now(db, batch, now).await?;
    failpoint::hit("finish.after_commit").await?;
    Ok(written)
}

async fn write_all_now(db: &Db, batch: &[Ended], now: Timestamp) -> Result<Vec<Written>> {
    if batch.iter().all(|ended| ended.change.attempt.is_none()) {
        // One statement is its own transaction: one way to the database instead of three.
        return finish(|sql| db.write(sql), db.engine(), batch, None, now).all().await;
    }
    let mut tx = db.begin().await?;
    let written = write_rows(&mut tx, batch, None, now).await?;
    write_attempts(&mut tx, batch, &written).await?;
    tx.commit().await?;
    Ok(written)
}

/// One probe of the primary key per row. `lease_id` is the fence. With `$17`, the row must also have outlived its lease
/// (rescue: the owner may have renewed it a moment ago). A job that a person wants cancelled is not written as waiting
/// again: its end is written by itself, with what follows it; and no other is written as cancelled. The state is written so that no index of running jobs fits: they would be walked once for each row of the batch.
const FINISH_POSTGRES: &str = "
UPDATE jobs
SET state = ended.state,
    attempts = ended.attempts, crashes = ended.crashes, polls = ended.polls, run_at = ended.run_at,
    waiting = ended.waiting, parked_reason = ended.parked_reason, poll_deadline = ended.poll_deadline,
    last_error = coalesce(ended.error, jobs.last_error),
    last_error_class = coalesce(ended.error_class, jobs.last_error_class),
    result = ended.result::jsonb, duration_ms = ended.duration_ms,
    finished_at = CASE WHEN ended.state IN ('succeeded', 'dead', 'cancelled') THEN $16 END,
    lease_id = NULL, leased_until = NULL, updated_at = $16
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[],
            $8::boolean[], $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::bigint[],
            $15::timestamptz[])
  AS ended (id, lease_id, state, attempts, crashes, polls, run_at, waiting, parked_reason, poll_deadline, error,
            error_class, result, duration_ms, ended_at)
WHERE jobs.id = ended.id AND jobs.lease_id = ended.lease_id AND jobs.state || '' = 'running'
  AND ($17::timestamptz IS NULL OR jobs.leased_until < $17)
  AND CASE WHEN ended.state IN ('queued', 'retrying') THEN NOT jobs.cancel_requested
           WHEN ended.state = 'cancelled' THEN jobs.cancel_requested ELSE TRUE END
RETURNING jobs.id";

/// The plus keeps SQLite from the index of running jobs.
const FINISH_SQLITE: &str = "
UPDATE jobs
SET state = ended.state,
    attempts = ended.attempts, crashes = ended.crashes, polls = ended.polls, run_at = ended.run_at,
    waiting = ended.waiting, parked_reason = ended.parked_reason, poll_deadline = ended.poll_deadline,
    last_error = coalesce(ended.error, jobs.last_error),
    last_error_class = coalesce(ended.error_class, jobs.last_error_class),
    result = ended.result, duration_ms = ended.duration_ms,
    finished_at = CASE WHEN ended.state IN ('succeeded', 'dead', 'cancelled') THEN $2 END,
    lease_id = NULL, leased_until = NULL, updated_at = $2
FROM (SELECT value->>0 AS id, value->>1 AS lease_id, value->>2 AS state, value->>3 AS attempts, value->>4 AS crashes,
             value->>5 AS polls, value->>6 AS run_at, value->>7 AS waiting, value->>8 AS parked_reason,
             value->>9 AS poll_deadline, value->>10 AS error, value->>11 AS error_class, value->>12 AS result,
             value->>13 AS duration_ms
      FROM json_each($1)) AS ended
WHERE jobs.id = ended.id AND jobs.lease_id = ended.lease_id AND +jobs.state = 'running'
  AND ($3 IS NULL OR jobs.leased_until < $3)
  AND CASE WHEN ended.state IN ('queued', 'retrying') THEN NOT jobs.cancel_requested
           WHEN ended.state = 'cancelled' THEN jobs.cancel_requested ELSE TRUE END
RETURNING jobs.id";

/// Writes the rows whose lease still holds; `expired_before` is for rescue.
pub(crate) async fn write_rows(
    tx: &mut Tx,
    batch: &[Ended],
    expired_before: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Written>> {
    let engine = tx.engine();
    finish(|sql| tx.query(sql), engine, batch, expired_before, now).all().await
}

/// The engine's statement with its parameters: an array per column on PostgreSQL, one JSON text on SQLite.
fn finish<'c>(
    query: impl FnOnce(&'static str) -> Query<'c>,
    engine: Engine,
    batch: &[Ended],
    expired_before: Option<Timestamp>,
    now: Timestamp,
) -> Query<'c> {
    fn column<'a, T: 'a>(batch: &'a [Ended], field: impl Fn(&'a Ended) -> T) -> Vec<T> {
        batch.iter().map(field).collect()
    }
    let query = match engine {
        Engine::Sqlite => {
            let rows: Vec<Value> = batch.iter().map(as_json).collect();
            query(FINISH_SQLITE).bind(Value::from(rows).to_string())
        }
        Engine::Postgres => query(FINISH_POSTGRES)
            .bind_array(column(batch, |ended| ended.claimed.id.as_str()))
            .bind_array(column(batch, |ended| ended.claimed.lease_id.as_str()))
            .bind_array(column(batch, |ended| ended.change.life.state.as_str()))
            .bind_array(column(batch, |ended| ended.change.life.attempts))
            .bind_array(column(batch, |ended| ended.change.life.crashes))
            .bind_array(column(batch, |ended| ended.change.life.polls))
            .bind_array(column(batch, |ended| ended.change.life.run_at))
            .bind_array(column(batch, Ended::waits))
            .bind_array(column(batch, Ended::parked_reason))
            .bind_array(column(batch, |ended| ended.change.life.poll_deadline))
            .bind_array(column(batch, Ended::error_text))
            .bind_array(column(batch, Ended::error_class))
            .bind_array(column(batch, |ended| ended.result.as_ref().map(Value::to_string)))
            .bind_array(column(batch, Ended::duration_ms))
            .bind_array(column(batch, |ended| ended.ended_at)),
    };
    query.bind(now).bind(expired_before)
}

/// In the order in which [`FINISH_SQLITE`] names them.
fn as_json(ended: &Ended) -> Value {
    let life = &ended.change.life;
    json!([
        ended.claimed.id,
        ended.claimed.lease_id,
        life.state.as_str(),
        life.attempts,
        life.crashes,
        life.polls,
        life.run_at,
        ended.waits(),
        ended.parked_reason(),
        life.poll_deadline,
        ended.error_text(),
        ended.error_class(),
        ended.result.as_ref().map(Value::to_string),
        ended.duration_ms(),
    ])
}

impl Ended {
    /// The same attempt, as the end of a job that a person wants cancelled.
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

    /// The same with what no engine can store replaced: PostgreSQL refuses a NUL in text and in JSON.
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

/// The history of attempts that did not end in success, for the rows that were written.
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
