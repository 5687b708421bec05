//! How a run ends.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::{Value, json};

use super::{Run, RunStatus, announce, lock, run_columns};
use crate::Result;
use crate::actor::Actor;
use crate::audit;
use crate::automations::EXECUTOR;
use crate::ids::{AutomationRunId, MessageId, ThreadId};

/// Ends a waiting run as not wanted. One that ended before stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn set_skipped(tx: &mut Tx, id: &AutomationRunId, reason: &str, by: &Actor, now: Timestamp) -> Result<()> {
    end(tx, id, RunStatus::Skipped, reason, "info", by, now).await
}

/// Ends a waiting run as given up. One that ended before stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn set_failed(tx: &mut Tx, id: &AutomationRunId, error: &str, by: &Actor, now: Timestamp) -> Result<()> {
    end(tx, id, RunStatus::Failed, error, "failed", by, now).await
}

async fn end(
    tx: &mut Tx,
    id: &AutomationRunId,
    status: RunStatus,
    reason: &str,
    outcome: &'static str,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let ended: Option<Run> = tx
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
    let Some(run) = ended else { return Ok(()) };
    let metadata = json!({"automationRunId": id, "type": run.kind, "status": status, "reason": reason});
    audit::record(tx, run.entry("automation.executed", outcome, by).metadata(metadata), now).await?;
    announce(tx, &run, now).await
}

/// Ends a run as done: the provider took its text. Says in its metadata how the text went out.
///
/// # Errors
/// When the database refuses.
pub async fn set_success(
    tx: &mut Tx,
    id: &AutomationRunId,
    message: &MessageId,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let run = lock(tx, id).await?;
    if matches!(run.status, RunStatus::Success) {
        return Ok(());
    }
    let mut metadata = run.metadata.0.clone();
    if let Value::Object(fields) = &mut metadata {
        fields.insert("executor".to_owned(), json!(EXECUTOR));
        fields.insert("usedThread".to_owned(), json!(run.used_thread));
        fields.insert("endpoint".to_owned(), json!(run.thread_id.as_ref().map(endpoint)));
        fields.insert("correlationId".to_owned(), json!(run.booking_id));
    }
    let done: Run = tx
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
    let entry = done.entry("automation.executed", "success", by).metadata(json!({
        "automationRunId": id,
        "type": done.kind,
        "executor": EXECUTOR,
        "usedThread": done.used_thread,
        "messageId": message,
    }));
    audit::record(tx, entry, now).await?;
    announce(tx, &done, now).await
}

/// Where a person would have posted the same text.
fn endpoint(thread: &ThreadId) -> String {
    format!("/api/messages/threads/{thread}/messages")
}
