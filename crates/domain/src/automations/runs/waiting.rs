//! Changes of a run before it ends: its text is written, it is blocked or released, postponed, skipped or reopened.

use nightshift_db::{Timestamp, Tx};

use super::{AutomationRun, RunToStart, RunsToStart, announce, run_columns, set_skipped};
use crate::Result;
use crate::actor::Actor;
use crate::automations::AutomationType;
use crate::automations::stated::Stated;
use crate::ids::{AutomationRunId, BookingId, MessageId, OrgId, ThreadId};

/// The text that a run has written.
pub(in crate::automations) struct WrittenText<'a> {
    pub thread: &'a ThreadId,
    pub message: &'a MessageId,
    pub body: &'a str,
    /// Whether `thread` is the thread that the run belongs to.
    pub used_thread: bool,
    /// What the text states about the time of its booking.
    pub stated: Option<Stated>,
}

/// Records the text that a run has written.
pub(in crate::automations) async fn set_written(
    tx: &mut Tx,
    id: &AutomationRunId,
    text: WrittenText<'_>,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE automation_runs
         SET status = 'pending', error = NULL, thread_id = $2, message_event_id = $3, body = $4, used_thread = $5,
             from_number_id = (SELECT from_number_id FROM message_events WHERE id = $3), updated_at = $6,
             states_start_at = $7, states_version = $8
         WHERE id = $1",
    )
    .bind(id)
    .bind(text.thread)
    .bind(text.message)
    .bind(text.body)
    .bind(text.used_thread)
    .bind(now)
    .bind(text.stated.map(|stated| stated.start_at))
    .bind(text.stated.map(|stated| stated.version))
    .execute()
    .await?;
    Ok(())
}

/// Blocks a run until its thread has a number or, if `thread` is `None`, until its organisation has a front desk
/// number.
pub(in crate::automations) async fn set_blocked(
    tx: &mut Tx,
    run: &AutomationRun,
    thread: Option<&ThreadId>,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE automation_runs SET status = 'blocked', error = 'no_number', thread_id = $2, updated_at = $3
         WHERE id = $1 AND status IN ('pending', 'blocked')",
    )
    .bind(&run.id)
    .bind(thread)
    .bind(now)
    .execute()
    .await?;
    announce(tx, run, now).await
}

/// Moves a waiting run to the end of the quiet hours, and says so.
pub(in crate::automations) async fn set_quiet(
    tx: &mut Tx,
    run: &AutomationRun,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE automation_runs SET status = 'pending', error = 'quiet_hours', scheduled_for = $2, updated_at = $3
         WHERE id = $1",
    )
    .bind(&run.id)
    .bind(until)
    .bind(now)
    .execute()
    .await?;
    announce(tx, run, now).await
}

/// Releases the runs that wait for this thread's number, and returns them.
pub async fn release_blocked(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<RunsToStart> {
    let released: Vec<AutomationRun> = tx
        .query(run_columns!(
            "UPDATE automation_runs SET status = 'pending', error = NULL, updated_at = $2
             WHERE thread_id = $1 AND status = 'blocked' RETURNING",
            ""
        ))
        .bind(thread)
        .bind(now)
        .all()
        .await?;
    for run in &released {
        announce(tx, run, now).await?;
    }
    Ok(released.iter().filter_map(AutomationRun::to_start).collect())
}

/// Returns the runs that wait for a front desk number of their organisation, because they have no thread yet.
pub async fn waiting_for_front_desk(tx: &mut Tx, org: &OrgId) -> Result<RunsToStart> {
    let waiting: Vec<(AutomationRunId,)> = tx
        .query(
            "SELECT id FROM automation_runs
             WHERE status = 'blocked' AND thread_id IS NULL AND org_id = $1 ORDER BY id",
        )
        .bind(org)
        .all()
        .await?;
    Ok(waiting.into_iter().map(|(run_id,)| RunToStart { run_id, not_before: None }).collect())
}

/// Skips the runs of this type for a booking whose text is not written yet, except the run caused by `keep`.
pub async fn skip_unwritten(
    tx: &mut Tx,
    booking: &BookingId,
    kind: AutomationType,
    keep: Option<&str>,
    reason: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let waiting: Vec<(AutomationRunId,)> = tx
        .query(
            "SELECT id FROM automation_runs
             WHERE booking_id = $1 AND type = $2 AND status IN ('pending', 'blocked') AND message_event_id IS NULL
               AND ($3 IS NULL OR trigger_ref <> $3)",
        )
        .bind(booking)
        .bind(kind)
        .bind(keep)
        .all()
        .await?;
    for (run,) in waiting {
        set_skipped(tx, &run, reason, by, now).await?;
    }
    Ok(())
}

/// Reopens a run that was skipped before it wrote its text. Returns `None` if the run is not skipped.
pub async fn reopen_skipped(tx: &mut Tx, id: &AutomationRunId, now: Timestamp) -> Result<Option<AutomationRun>> {
    let run = tx
        .query(run_columns!(
            "UPDATE automation_runs SET status = 'pending', error = NULL, executed_at = NULL, updated_at = $2
             WHERE id = $1 AND status = 'skipped' AND message_event_id IS NULL RETURNING",
            ""
        ))
        .bind(id)
        .bind(now)
        .optional()
        .await?;
    Ok(run)
}
