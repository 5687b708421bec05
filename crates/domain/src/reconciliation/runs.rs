//! Runs: one per organisation and night, and those that somebody asks for.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::exceptions::{self, ExceptionKind, Problem, Severity};
use crate::ids::{BookingId, OrgId, RunId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::text_enum::text_enum;
use crate::viewer::Viewer;
use crate::{Error, Result};

text_enum! {
    /// What started a run.
    pub enum Trigger as ReconciliationTrigger {
        /// The clock.
        Scheduled = "scheduled",
        /// Somebody.
        Manual = "manual",
    }
}

text_enum! {
    /// Where a run stands.
    pub enum RunStatus as ReconciliationStatus {
        /// It goes on, or will as soon as a worker is there.
        Running = "running",
        /// It went over every booking.
        Completed = "completed",
        /// It was given up.
        Failed = "failed",
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = ReconciliationRun)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Whose bookings.
    pub org_id: OrgId,
    /// For which of the organisation's days.
    pub local_date: String,
    /// What started it.
    pub trigger_kind: Trigger,
    /// 0 for the clock's, counted up for those that somebody asked for.
    pub attempt_no: i64,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether the clock fired it late.
    pub missed: bool,
    /// Bookings changed later are left to the next run.
    pub cutoff_at: Timestamp,
    /// The last booking that is done.
    #[serde(skip)]
    pub cursor_booking_id: Option<BookingId>,
    /// The job that carries it on.
    pub job_id: Option<String>,
    /// Bookings compared.
    pub checked: i64,
    /// Bookings without a price.
    pub skipped_no_snapshot: i64,
    /// Bookings whose price can't be worked out.
    pub not_computable: i64,
    /// Bookings that differ.
    pub drifted: i64,
    /// Of them with severity high.
    pub high: i64,
    /// Of them with severity medium.
    pub medium: i64,
    /// Of them with severity low.
    pub low: i64,
    /// Why it was given up.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
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

/// A run that is to be carried on.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `pricing.reconcile.chunk`"]
pub struct Begun {
    /// It.
    pub run: Run,
    /// Whether it was begun before.
    pub resumed: bool,
}

/// Begins a run, or finds the one that stands: it is to be carried on unless it is completed.
///
/// # Errors
/// A database error.
pub async fn begin(
    tx: &mut Tx,
    org: &OrgId,
    local_date: &str,
    trigger: Trigger,
    attempt_no: i64,
    missed: bool,
    now: Timestamp,
) -> Result<Begun> {
    let new = tx
        .query(INSERT)
        .bind(RunId::new(now))
        .bind(org)
        .bind(local_date)
        .bind(trigger)
        .bind(attempt_no)
        .bind(missed)
        .bind(now)
        .execute()
        .await?;
    let run = tx.query(OF_DAY).bind(org).bind(local_date).bind(trigger).bind(attempt_no).one().await?;
    Ok(Begun { run, resumed: new == 0 })
}

/// From now on `job` carries the run on, and no other.
///
/// # Errors
/// A database error.
pub async fn hand_over(tx: &mut Tx, run: &RunId, job: &str, now: Timestamp) -> Result<()> {
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

/// One run.
///
/// # Errors
/// [`Error::NotFound`], also for another organisation's; [`Error::Forbidden`] for sitters.
pub async fn get(db: &Db, viewer: &Viewer, id: &RunId) -> Result<Run> {
    let org = viewer.org_rows()?;
    let run: Option<Run> = db.read(BY_ID).bind(id).optional().await?;
    run.filter(|run| org.is_none_or(|org| run.org_id == *org)).ok_or(Error::NotFound)
}

/// The run of an organisation that has not ended, if there is one.
///
/// # Errors
/// A database error.
pub async fn current(tx: &mut Tx, org: &OrgId) -> Result<Option<RunId>> {
    let running: Option<(RunId,)> = tx
        .query("SELECT id FROM reconciliation_runs WHERE org_id = $1 AND status = 'running' LIMIT 1")
        .bind(org)
        .optional()
        .await?;
    Ok(running.map(|(id,)| id))
}

/// The number of the next run that somebody asks for on a day.
///
/// # Errors
/// A database error.
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

/// How many bookings a run still has before it. Counts them, so it is for a person who watches, not for each chunk.
///
/// # Errors
/// A database error.
pub async fn remaining(db: &Db, run: &Run, lookback: Duration) -> Result<i64> {
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

/// Closes the books of a run that went over every booking.
pub(super) async fn complete(tx: &mut Tx, run: &Run, by: &Actor, job: &str, now: Timestamp) -> Result<()> {
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

/// A run was given up. People are told; a retry of its job goes on where it was.
///
/// # Errors
/// A database error.
pub async fn fail(
    tx: &mut Tx,
    org: &OrgId,
    run: Option<&RunId>,
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
    let problem = Problem::new(ExceptionKind::ReconciliationFailed, Severity::Medium, failure_of(org))
        .title("The nightly price check failed")
        .detail(facts)
        .org(org)
        .job(job);
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// The run of a day, if it has begun.
///
/// # Errors
/// A database error.
pub async fn of_day(
    tx: &mut Tx,
    org: &OrgId,
    local_date: &str,
    trigger: Trigger,
    attempt_no: i64,
) -> Result<Option<Run>> {
    Ok(tx.query(OF_DAY).bind(org).bind(local_date).bind(trigger).bind(attempt_no).optional().await?)
}

/// Whether this job is the one that carries an unfinished run on.
///
/// # Errors
/// A database error.
pub async fn is_carried_by(tx: &mut Tx, run: &RunId, job: &str) -> Result<bool> {
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

newest_first!(Run: "created_at" = created_at, "id" = id);

/// One page of the runs that a viewer may see, newest first.
///
/// # Errors
/// [`Error::BadCursor`]; [`Error::Forbidden`] for sitters.
pub async fn list(db: &Db, viewer: &Viewer, cursor: Option<&str>, limit: Limit) -> Result<Page<Run>> {
    const HEAD: &str = run_columns!("SELECT", "FROM reconciliation_runs");
    List::new(db, HEAD, viewer.org_scope("org_id = $1")?).page(cursor, limit).await
}
