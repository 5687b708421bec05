//! Writing how attempts ended, in batches.
//!
//! A handler's slot is free as soon as it ends; its result gathers with others while the previous batch is being
//! written. Every write holds the lease the job was claimed under: a process that was frozen, lost its lease and woke
//! up changes nothing. While the database is away the results wait here, and their leases are still renewed.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use nightshift_db::{Clock, Db, Engine, Query, Result, RowsStatement, Timestamp, Tx, columns, failpoint};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::claim::Claimed;
use crate::lifecycle::{AttemptOutcome, Change, State};
use crate::registry::{End, Registry};
use crate::run::Ending;
use crate::wake::{Wake, Woken};
use crate::{ErrorClass, JobError};

const BATCH_MAX: usize = 512;
const RETRY_EVERY: Duration = Duration::from_millis(500);
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

/// Writes what attempts came to, until no run is left.
pub(crate) struct Writer<S> {
    pub db: Db,
    pub clock: Clock,
    pub registry: Arc<Registry<S>>,
    pub wake: Arc<Wake>,
}

impl<S: Send + Sync + 'static> Writer<S> {
    /// Whatever panics in here, the next results are written: without a writer all leases would be renewed for nothing.
    pub(crate) async fn run(&self, endings: &mut mpsc::Receiver<Ending>) {
        while AssertUnwindSafe(self.write_all_that_come(endings)).catch_unwind().await.is_err() {}
    }

    async fn write_all_that_come(&self, endings: &mut mpsc::Receiver<Ending>) {
        loop {
            let mut batch = Vec::new();
            if endings.recv_many(&mut batch, BATCH_MAX).await == 0 {
                return;
            }
            let (mut ending, others): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|(ended, _)| ended.change.ended_in_vain());
            if !others.is_empty() {
                ending.extend(self.write_batch(others).await);
            }
            for (ended, hold) in ending {
                let written = self.guarded(std::slice::from_ref(&ended), self.write_dying(&ended)).await;
                drop(hold);
                match written.as_deref() {
                    Some([]) => refused(&ended),
                    Some(_) => self.written(&ended),
                    None => {}
                }
            }
        }
    }

    /// Writes what ends no job without success. Returns what a person has cancelled meanwhile: its end is to be written
    /// instead.
    async fn write_batch(&self, batch: Vec<Ending>) -> Vec<Ending> {
        let (batch, holds): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let Some(written) = self.guarded(&batch, self.write_surviving(&batch)).await else { return Vec::new() };
        let Some(written) = written else {
            // One result that the database will never take must not cost the others theirs.
            let mut to_cancel = Vec::new();
            if batch.len() > 1 {
                for ending in batch.into_iter().zip(holds) {
                    to_cancel.extend(Box::pin(self.write_batch(vec![ending])).await);
                }
            }
            return to_cancel;
        };
        let written: HashSet<&str> = written.iter().map(|row| row.id.as_str()).collect();
        let mut to_cancel = Vec::new();
        for (ended, hold) in batch.into_iter().zip(holds) {
            if written.contains(ended.claimed.id.as_str()) {
                drop(hold);
                self.written(&ended);
            } else if ended.change.life.state.is_claimable() {
                // It was to wait again. Should its lease be lost, writing its end shows.
                to_cancel.push((ended.cancelled(), hold));
            } else {
                drop(hold);
                refused(&ended);
            }
        }
        to_cancel
    }

    /// What was written; nothing after a panic. That costs these results only: they are held no longer, so the leases run
    /// out and the jobs run again.
    async fn guarded<T>(&self, batch: &[Ended], writing: impl Future<Output = T>) -> Option<T> {
        let written = AssertUnwindSafe(writing).catch_unwind().await.ok();
        if written.is_none() {
            tracing::error!(jobs = batch.len(), "writing results panicked; their leases will run out");
        }
        written
    }

    /// Tries until the database has taken it. Only a refusal that can't pass ends in giving up, with nothing: the leases
    /// then run out.
    async fn write_surviving(&self, batch: &[Ended]) -> Option<Vec<Written>> {
        loop {
            match write_all(&self.db, batch, self.clock.now()).await {
                Ok(written) => return Some(written),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "results could not be written; trying again");
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(error) => {
                    tracing::error!(jobs = batch.len(), %error, "the database refused results");
                    return None;
                }
            }
        }
    }

    /// The same for a job that ends without success.
    async fn write_dying(&self, ended: &Ended) -> Vec<Written> {
        loop {
            match write_dead(&self.db, ended, None, self.clock.now(), &self.registry).await {
                Ok(written) => return written,
                Err(error) if error.may_retry() => {
                    tracing::warn!(%error, "a dead job could not be written; trying again");
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(error) => {
                    tracing::error!(job.id = %ended.claimed.id, job.kind = %ended.claimed.kind, %error,
                        "a dead job was refused; its lease will run out");
                    return Vec::new();
                }
            }
        }
    }

    fn written(&self, ended: &Ended) {
        let life = &ended.change.life;
        let comes_back = life.state.is_claimable() && !life.parked;
        // A row that was written as waiting must be made ready first, even if its time has come meanwhile.
        let waits = ended.waits();
        self.wake.tell_here(Woken {
            ready: ended.claimed.group_key.is_some() || (comes_back && !waits),
            due: (comes_back && waits).then_some(life.run_at),
            cancel: false,
        });
    }
}

fn refused(ended: &Ended) {
    metrics::counter!("nightshift_finishes_refused_total").increment(1);
    tracing::warn!(job.id = %ended.claimed.id, job.kind = %ended.claimed.kind,
        "the result was refused: the job's lease belongs to somebody else by now");
}

/// Ends a job without success: the row, the attempt, and what its kind and the program want to follow, all or nothing.
/// What follows must not keep the job alive: if it is refused for good or panics, the job ends without it.
///
/// With `expired_before` only a lease that ran out by then is ended.
pub(crate) async fn write_dead<S: Send + Sync + 'static>(
    db: &Db,
    ended: &Ended,
    expired_before: Option<Timestamp>,
    now: Timestamp,
    registry: &Registry<S>,
) -> Result<Vec<Written>, JobError> {
    match write_dead_and(Some(registry), db, ended, expired_before, now).await {
        Err(error) if !error.may_retry() => {
            tracing::error!(job.id = %ended.claimed.id, job.kind = %ended.claimed.kind, %error,
                "what follows a job that ended without success was refused");
            write_dead_and(None::<&Registry<S>>, db, ended, expired_before, now).await
        }
        written => written,
    }
}

/// With the hooks of `registry`, if there is one.
async fn write_dead_and<S: Send + Sync + 'static>(
    registry: Option<&Registry<S>>,
    db: &Db,
    ended: &Ended,
    expired_before: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Written>, JobError> {
    let batch = std::slice::from_ref(ended);
    let mut tx = db.begin().await?;
    let written = write_rows(&mut tx, batch, expired_before, now).await?;
    if written.is_empty() {
        return Ok(written);
    }
    write_attempts(&mut tx, batch, &written).await?;
    if let Some(registry) = registry {
        let (class, error) = match ended.change.life.state {
            State::Cancelled => (ErrorClass::Cancelled, CANCELLED.to_owned()),
            _ => ended.error.clone().unwrap_or((ErrorClass::Permanent, String::new())),
        };
        let end = End { claimed: &ended.claimed, attempts: ended.change.life.attempts, class, error, at: now };
        registry.follow_end(&mut tx, end).await?;
    }
    tx.commit().await?;
    if ended.change.died() {
        metrics::counter!("nightshift_jobs_dead_total", "kind" => ended.claimed.kind.clone()).increment(1);
    }
    Ok(written)
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

columns! {
    /// What an attempt that has ended writes.
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

/// One probe of the primary key per row. `lease_id` is the fence. With `$2`, the row must also have outlived its lease
/// (rescue: the owner may have renewed it a moment ago). A job that a person wants cancelled is not written as waiting
/// again: its end is written by itself, with what follows it; and no other is written as cancelled. The state is written
/// so that no index of running jobs fits: they would be walked once for each row of the batch.
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

/// The statement with its parameters.
fn finish<'c>(
    query: impl FnOnce(&'static str) -> Query<'c>,
    engine: Engine,
    batch: &[Ended],
    expired_before: Option<Timestamp>,
    now: Timestamp,
) -> Query<'c> {
    FINISH.bind_rows(query(FINISH.sql(engine)).bind(now).bind(expired_before), batch)
}

impl Ended {
    /// The same attempt, as the end of a job that a person wants cancelled.
    fn cancelled(mut self) -> Self {
        self.change.life.state = State::Cancelled;
        self.change.life.parked = false;
        self.change.attempt.get_or_insert(AttemptOutcome::Cancelled);
        self
    }

    fn waits(&self) -> bool {
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
