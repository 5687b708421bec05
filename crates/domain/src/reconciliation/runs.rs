//! Reconciliation runs: one for each organisation and night, and those started by a user.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::{BookingId, OrgId, ReconciliationRunId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::text_enum::text_enum;
use crate::viewer::Viewer;
use crate::{Error, Result};

text_enum! {
    pub enum Trigger as ReconciliationTrigger {
        /// The schedule.
        Scheduled = "scheduled",
        /// A user.
        Manual = "manual",
    }
}

text_enum! {
    pub enum ReconciliationStatus {
        /// The run is active, or will be as soon as a worker is free.
        Running = "running",
        /// All bookings were checked.
        Completed = "completed",
        /// The run was given up.
        Failed = "failed",
    }
}

/// A check of an organisation's prices.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = ReconciliationRun)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationRun {
    /// The id of the run.
    pub id: ReconciliationRunId,
    /// The organisation whose bookings are checked.
    pub org_id: OrgId,
    /// The day of the run in the organisation's time zone, such as `2024-12-31`.
    pub local_date: String,
    /// What started the run.
    pub trigger_kind: Trigger,
    /// 0 for the scheduled run of a day; runs started by a user on that day are counted from 1.
    pub attempt_no: i64,
    /// The state of the run.
    pub status: ReconciliationStatus,
    /// Whether the schedule fired late.
    pub missed: bool,
    /// Bookings that were changed after this time are left to the next run.
    pub cutoff_at: Timestamp,
    /// The last booking that was checked.
    #[serde(skip)]
    pub cursor_booking_id: Option<BookingId>,
    /// The job that carries the run on.
    pub job_id: Option<String>,
    /// The number of bookings that were compared.
    pub checked: i64,
    /// The number of bookings without a price.
    pub skipped_no_snapshot: i64,
    /// The number of bookings whose price cannot be computed.
    pub not_computable: i64,
    /// The number of bookings whose price differs.
    pub drifted: i64,
    /// The number of differences of high severity.
    pub high: i64,
    /// The number of differences of medium severity.
    pub medium: i64,
    /// The number of differences of low severity.
    pub low: i64,
    /// Why the run was given up.
    pub error: Option<String>,
    /// When the run began.
    pub started_at: Timestamp,
    /// When the run ended.
    pub finished_at: Option<Timestamp>,
    #[serde(skip)]
    created_at: Timestamp,
}

macro_rules! run_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, org_id, local_date, trigger_kind, attempt_no, status, missed, cutoff_at, cursor_booking_id, job_id,
              checked, skipped_no_snapshot, not_computable, drifted, high, medium, low, error, started_at, finished_at,
              created_at ",
            $after
        )
    };
}
pub(super) use run_columns;

const BY_ID: &str = run_columns!("SELECT", "FROM reconciliation_runs WHERE id = $1");
const OF_DAY: &str = run_columns!(
    "SELECT",
    "FROM reconciliation_runs WHERE org_id = $1 AND local_date = $2 AND trigger_kind = $3 AND attempt_no = $4"
);
const INSERT: &str = "
INSERT INTO reconciliation_runs
    (id, org_id, local_date, trigger_kind, attempt_no, missed, cutoff_at, started_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, $7) ON CONFLICT DO NOTHING";

/// A run to carry on.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `pricing.reconcile.chunk`"]
pub struct BegunRun {
    pub run: ReconciliationRun,
    /// Whether the run existed before.
    pub resumed: bool,
}

/// Starts a run, or returns the existing one, which is to be carried on unless it is completed.
pub async fn begin(
    tx: &mut Tx,
    org: &OrgId,
    local_date: &str,
    trigger: Trigger,
    attempt_no: i64,
    missed: bool,
    now: Timestamp,
) -> Result<BegunRun> {
    let new = tx
        .query(INSERT)
        .bind(ReconciliationRunId::new(now))
        .bind(org)
        .bind(local_date)
        .bind(trigger)
        .bind(attempt_no)
        .bind(missed)
        .bind(now)
        .execute()
        .await?;
    let run = tx.query(OF_DAY).bind(org).bind(local_date).bind(trigger).bind(attempt_no).one().await?;
    Ok(BegunRun { run, resumed: new == 0 })
}

/// Makes `job` the only job that may carry the run on.
pub async fn hand_over(tx: &mut Tx, run: &ReconciliationRunId, job: &str, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE reconciliation_runs SET job_id = $2, status = 'running', error = NULL, updated_at = $3 WHERE id = $1",
    )
    .bind(run)
    .bind(job)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Returns one run.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run or it belongs to another organisation; [`Error::Forbidden`] for sitters.
pub async fn get(db: &Db, viewer: &Viewer, id: &ReconciliationRunId) -> Result<ReconciliationRun> {
    let org = viewer.org_rows()?;
    let run: Option<ReconciliationRun> = db.read(BY_ID).bind(id).optional().await?;
    run.filter(|run| org.is_none_or(|org| run.org_id == *org)).ok_or(Error::NotFound)
}

/// Returns the running run of an organisation, if there is one.
pub async fn current(tx: &mut Tx, org: &OrgId) -> Result<Option<ReconciliationRunId>> {
    let running: Option<(ReconciliationRunId,)> = tx
        .query("SELECT id FROM reconciliation_runs WHERE org_id = $1 AND status = 'running' LIMIT 1")
        .bind(org)
        .optional()
        .await?;
    Ok(running.map(|(id,)| id))
}

/// Returns the `attempt_no` of the next run that a user starts on a day.
pub async fn next_attempt(tx: &mut Tx, org: &OrgId, local_date: &str) -> Result<i64> {
    Ok(tx
        .query(
            "SELECT COALESCE(max(attempt_no), 0) + 1 FROM reconciliation_runs
             WHERE org_id = $1 AND local_date = $2 AND trigger_kind = 'manual'",
        )
        .bind(org)
        .bind(local_date)
        .scalar()
        .await?)
}

/// Counts the bookings that a run has still to check. The count is expensive: it is for a person who watches, not for
/// each chunk.
pub async fn remaining(db: &Db, run: &ReconciliationRun, lookback: Duration) -> Result<i64> {
    Ok(db
        .read(
            "SELECT count(*) FROM bookings
             WHERE org_id = $1 AND id > $2 AND status <> 'cancelled' AND end_at >= $3
               AND created_at <= $4 AND updated_at <= $4",
        )
        .bind(&run.org_id)
        .bind(run.cursor_booking_id.as_ref().map_or("", BookingId::as_str))
        .bind(run.cutoff_at - lookback)
        .bind(run.cutoff_at)
        .scalar()
        .await?)
}

/// Completes a run that has checked every booking.
pub(super) async fn complete(
    tx: &mut Tx,
    run: &ReconciliationRun,
    by: &Actor,
    job: &str,
    now: Timestamp,
) -> Result<()> {
    tx.query("UPDATE reconciliation_runs SET status = 'completed', finished_at = $2, updated_at = $2 WHERE id = $1")
        .bind(&run.id)
        .bind(now)
        .execute()
        .await?;
    let facts = json!({
        "runId": run.id, "localDate": run.local_date, "triggerKind": run.trigger_kind, "missed": run.missed,
        "checked": run.checked, "skippedNoSnapshot": run.skipped_no_snapshot, "notComputable": run.not_computable,
        "drifted": run.drifted, "high": run.high, "medium": run.medium, "low": run.low,
        "durationMs": now.unix_ms() - run.started_at.unix_ms(),
    });
    let entry =
        Entry::new(Event::PricingReconciliationCompleted, "success", by).org(&run.org_id).job(job).metadata(facts);
    audit::record(tx, entry, now).await?;
    exceptions::resolve(tx, &failure_of(&run.org_id), "a later run completed", now).await
}

/// Marks a run as failed and raises an exception. A retry of the run's job continues from the cursor.
pub async fn fail(
    tx: &mut Tx,
    org: &OrgId,
    run: Option<&ReconciliationRunId>,
    error: &str,
    by: &Actor,
    job: &str,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE reconciliation_runs SET status = 'failed', error = $2, finished_at = $3, updated_at = $3
         WHERE id = $1 AND status = 'running'",
    )
    .bind(run)
    .bind(error)
    .bind(now)
    .execute()
    .await?;
    let facts = json!({"runId": run, "error": error});
    let entry = Entry::new(Event::PricingReconciliationFailed, "failed", by).org(org).job(job).metadata(facts.clone());
    audit::record(tx, entry, now).await?;
    let problem = NewException::new(ExceptionKind::ReconciliationFailed, Severity::Medium, failure_of(org))
        .title("The nightly price check was given up")
        .detail(facts)
        .org(org)
        .job(job);
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Returns the run of a day, if it was started.
pub async fn of_day(
    tx: &mut Tx,
    org: &OrgId,
    local_date: &str,
    trigger: Trigger,
    attempt_no: i64,
) -> Result<Option<ReconciliationRun>> {
    Ok(tx.query(OF_DAY).bind(org).bind(local_date).bind(trigger).bind(attempt_no).optional().await?)
}

/// Whether `job` is the job that carries on the run, and the run is not completed.
pub async fn is_carried_by(tx: &mut Tx, run: &ReconciliationRunId, job: &str) -> Result<bool> {
    Ok(tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM reconciliation_runs WHERE id = $1 AND job_id = $2 AND status <> 'completed')",
        )
        .bind(run)
        .bind(job)
        .scalar()
        .await?)
}

fn failure_of(org: &OrgId) -> String {
    format!("reconciliation_failed:{org}")
}

newest_first!(ReconciliationRun: "created_at" = created_at, "id" = id);

/// Returns a page of the runs that the viewer may see, newest first.
///
/// # Errors
/// [`Error::BadCursor`] if the cursor is not from such a page; [`Error::Forbidden`] for sitters.
pub async fn list(db: &Db, viewer: &Viewer, cursor: Option<&str>, limit: Limit) -> Result<Page<ReconciliationRun>> {
    const HEAD: &str = run_columns!("SELECT", "FROM reconciliation_runs");
    List::new(db, HEAD, viewer.org_scope("org_id = $1")?).page(cursor, limit).await
}
