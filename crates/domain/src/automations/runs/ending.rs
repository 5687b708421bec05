//! How a run ends, and how a failed run is reopened.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::{Value, json};

use super::{AutomationRun, AutomationRunStatus, announce, lock, run_columns};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::{AutomationRunId, MessageId, ThreadId};

/// The name of the operation in logs and in a run's metadata.
pub const EXECUTOR: &str = "sendAutomationMessageViaThread";

/// Ends a waiting run as skipped. A run that has ended stays unchanged.
pub async fn set_skipped(tx: &mut Tx, id: &AutomationRunId, reason: &str, by: &Actor, now: Timestamp) -> Result<()> {
    end(tx, id, AutomationRunStatus::Skipped, reason, "info", by, now).await?;
    Ok(())
}

/// Ends a waiting run as failed. A run that has ended stays unchanged. If its text was never written, an exception is
/// raised; the failure of a written text is reported by its delivery.
pub async fn set_failed(tx: &mut Tx, id: &AutomationRunId, error: &str, by: &Actor, now: Timestamp) -> Result<()> {
    let Some(run) = end(tx, id, AutomationRunStatus::Failed, error, "failed", by, now).await? else { return Ok(()) };
    if run.message_event_id.is_some() {
        return Ok(());
    }
    let mut problem = NewException::new(ExceptionKind::AutomationFailed, Severity::Medium, failure_of(id))
        .title("An automatic text was not written")
        .org(&run.org_id)
        .detail(json!({"automationRunId": id, "type": run.kind, "error": error}));
    if let Some(booking) = &run.booking_id {
        problem = problem.booking(booking);
    }
    if let Some(thread) = &run.thread_id {
        problem = problem.thread(thread);
    }
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Returns the fingerprint of the exception about a run that failed without a text. [`promises`](crate::promises) reads
/// it.
fn failure_of(id: &AutomationRunId) -> String {
    format!("automation_failed:{id}")
}

/// The result of reopening a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopened {
    /// The run waits to be executed.
    Waits,
    /// The text is written already. Retry the job of the text instead.
    Written,
    /// The run has ended with another status and stays so.
    Ended(AutomationRunStatus),
}

/// Returns a failed run without a text to `pending`, because a user asked for a retry.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) if there is no such run.
pub async fn reopen_failed(tx: &mut Tx, id: &AutomationRunId, by: &Actor, now: Timestamp) -> Result<Reopened> {
    let run = lock(tx, id).await?;
    match run.status {
        _ if run.message_event_id.is_some() => return Ok(Reopened::Written),
        AutomationRunStatus::Pending | AutomationRunStatus::Blocked => return Ok(Reopened::Waits),
        AutomationRunStatus::Failed => {}
        ended => return Ok(Reopened::Ended(ended)),
    }
    let run = back_to_pending(tx, id, now).await?;
    exceptions::resolve(tx, &failure_of(id), "a person retried it", now).await?;
    let metadata = json!({"automationRunId": id, "type": run.kind});
    audit::record(tx, run.entry(Event::AutomationRetried, "success", by).metadata(metadata), now).await?;
    Ok(Reopened::Waits)
}

/// Returns a failed run to `pending`, because its text is to be sent again.
pub(crate) async fn reopen_unsent(tx: &mut Tx, id: &AutomationRunId, now: Timestamp) -> Result<()> {
    if lock(tx, id).await?.status == AutomationRunStatus::Failed {
        back_to_pending(tx, id, now).await?;
    }
    Ok(())
}

/// Returns a successful run to `pending`, because the carrier has given its text back, and says what it waits for.
pub(crate) async fn reopen_given_back(
    tx: &mut Tx,
    id: &AutomationRunId,
    waits_for: &str,
    now: Timestamp,
) -> Result<()> {
    if lock(tx, id).await?.status != AutomationRunStatus::Success {
        return Ok(());
    }
    let run = tx
        .query(run_columns!(
            "UPDATE automation_runs SET status = 'pending', error = $2, executed_at = NULL, updated_at = $3
             WHERE id = $1 RETURNING",
            ""
        ))
        .bind(id)
        .bind(waits_for)
        .bind(now)
        .one()
        .await?;
    announce(tx, &run, now).await
}

async fn back_to_pending(tx: &mut Tx, id: &AutomationRunId, now: Timestamp) -> Result<AutomationRun> {
    let run = tx
        .query(run_columns!(
            "UPDATE automation_runs SET status = 'pending', error = NULL, executed_at = NULL, updated_at = $2
             WHERE id = $1 RETURNING",
            ""
        ))
        .bind(id)
        .bind(now)
        .one()
        .await?;
    announce(tx, &run, now).await?;
    Ok(run)
}

async fn end(
    tx: &mut Tx,
    id: &AutomationRunId,
    status: AutomationRunStatus,
    reason: &str,
    outcome: &'static str,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<AutomationRun>> {
    let ended: Option<AutomationRun> = tx
        .query(run_columns!(
            "UPDATE automation_runs SET status = $2, error = $3, executed_at = $4, updated_at = $4
             WHERE id = $1 AND status IN ('pending', 'blocked') RETURNING",
            ""
        ))
        .bind(id)
        .bind(status)
        .bind(reason)
        .bind(now)
        .optional()
        .await?;
    let Some(run) = ended else { return Ok(None) };
    let metadata = json!({"automationRunId": id, "type": run.kind, "status": status, "reason": reason});
    audit::record(tx, run.entry(Event::AutomationExecuted, outcome, by).metadata(metadata), now).await?;
    announce(tx, &run, now).await?;
    Ok(Some(run))
}

/// Ends a run as successful: the carrier accepted its text. The run's metadata then says how the text was sent.
pub async fn set_success(
    tx: &mut Tx,
    id: &AutomationRunId,
    message: &MessageId,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let run = lock(tx, id).await?;
    if matches!(run.status, AutomationRunStatus::Success) {
        return Ok(());
    }
    let mut metadata = run.metadata.0.clone();
    if let Value::Object(fields) = &mut metadata {
        fields.insert("executor".to_owned(), json!(EXECUTOR));
        fields.insert("usedThread".to_owned(), json!(run.used_thread));
        fields.insert("endpoint".to_owned(), json!(run.thread_id.as_ref().map(endpoint)));
        fields.insert("correlationId".to_owned(), json!(run.booking_id));
    }
    let done: AutomationRun = tx
        .query(run_columns!(
            "UPDATE automation_runs
             SET status = 'success', error = NULL, message_event_id = $2, metadata = $3, executed_at = $4,
                 updated_at = $4
             WHERE id = $1 RETURNING",
            ""
        ))
        .bind(id)
        .bind(message)
        .bind(Json(&metadata))
        .bind(now)
        .one()
        .await?;
    let entry = done.entry(Event::AutomationExecuted, "success", by).metadata(json!({
        "automationRunId": id,
        "type": done.kind,
        "executor": EXECUTOR,
        "usedThread": done.used_thread,
        "messageId": message,
    }));
    audit::record(tx, entry, now).await?;
    announce(tx, &done, now).await
}

/// Returns the path at which a user would have posted the same text.
fn endpoint(thread: &ThreadId) -> String {
    format!("/api/messages/threads/{thread}/messages")
}
