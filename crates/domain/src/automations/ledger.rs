//! The ledger: one row for every time an automatic text was due.
//!
//! A row is unique by kind, recipient and the fact that caused it, so a fact that comes twice finds its row standing.
//! It ends as `success`, `failed` or `skipped`; `blocked` waits for the thread to get a number.

use nightshift_db::{Engine, Json, Timestamp, Tx};
use serde_json::{Value, json};

use super::{AutomationType, EXECUTOR, Recipient};
use crate::actor::Actor;
use crate::audit::{self, Entry};
use crate::ids::{AutomationRunId, BookingId, ClientId, MessageId, OrgId, SitterId, ThreadId};
use crate::stream;
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// How far a run has come.
    pub enum RunStatus {
        /// It waits or is under way.
        Pending = "pending",
        /// The provider took its text.
        Success = "success",
        /// It was given up.
        Failed = "failed",
        /// It was not wanted: switched off, opted out, overtaken.
        Skipped = "skipped",
        /// Its thread has no number.
        Blocked = "blocked",
    }
}

/// A ledger row.
#[derive(Clone, sqlx::FromRow)]
pub struct Run {
    /// Its id.
    pub id: AutomationRunId,
    /// Whose it is.
    pub org_id: OrgId,
    /// What it is about.
    #[sqlx(rename = "type")]
    pub kind: AutomationType,
    /// Who gets it.
    pub recipient: Recipient,
    /// The fact that caused it.
    pub trigger_ref: String,
    /// The booking it is about.
    pub booking_id: Option<BookingId>,
    /// The thread it goes through, once known.
    pub thread_id: Option<ThreadId>,
    /// The client it goes to.
    pub client_id: Option<ClientId>,
    /// The sitter it goes to.
    pub sitter_id: Option<SitterId>,
    /// How far it has come.
    pub status: RunStatus,
    /// Its text, once written.
    pub message_event_id: Option<MessageId>,
    /// Whether it went through the thread it belongs to.
    pub used_thread: bool,
    /// Values for its template that no table holds.
    pub metadata: Json<Value>,
    /// Not before.
    pub scheduled_for: Option<Timestamp>,
}

macro_rules! run_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, org_id, type, recipient, trigger_ref, booking_id, thread_id, client_id, sitter_id, status,
              message_event_id, used_thread, metadata, scheduled_for ",
            $after
        )
    };
}

/// A run to enter.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// Whose it is.
    pub org_id: &'a OrgId,
    /// What it is about; fixes who gets it.
    pub kind: AutomationType,
    /// The fact that causes it, e.g. `booking:{id}:confirmed`.
    pub trigger_ref: String,
    /// The booking it is about.
    pub booking_id: Option<&'a BookingId>,
    /// The thread it goes through, if it is known already.
    pub thread_id: Option<&'a ThreadId>,
    /// The client it goes to.
    pub client_id: Option<&'a ClientId>,
    /// The sitter it goes to.
    pub sitter_id: Option<&'a SitterId>,
    /// Not before.
    pub scheduled_for: Option<Timestamp>,
    /// Whether its thread has no number yet.
    pub blocked: bool,
}

/// A run for which `automation.run` must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunToStart {
    /// The run.
    pub run_id: AutomationRunId,
    /// When, if not at once.
    pub not_before: Option<Timestamp>,
}

impl Run {
    /// What must follow for a run that waits; nothing for one that ended or is blocked.
    #[must_use]
    pub fn to_start(&self) -> Option<RunToStart> {
        (self.status == RunStatus::Pending)
            .then(|| RunToStart { run_id: self.id.clone(), not_before: self.scheduled_for })
    }

    fn entry(&self, event: &'static str, status: &'static str, by: &Actor) -> Entry {
        let mut entry = crate::audit_entry(event, status, by).org(&self.org_id);
        if let Some(booking) = &self.booking_id {
            entry = entry.booking(booking).correlation(booking.as_ref());
        }
        if let Some(thread) = &self.thread_id {
            entry = entry.thread(thread);
        }
        entry
    }
}

/// Enters a run, or finds the one that stands for the same fact; true when it is new.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, new: &NewRun<'_>, now: Timestamp) -> Result<(Run, bool)> {
    let status = if new.blocked { RunStatus::Blocked } else { RunStatus::Pending };
    let made: Option<Run> = tx
        .query(run_columns!(
            "INSERT INTO automation_runs
                 (id, org_id, type, recipient, trigger_ref, booking_id, thread_id, client_id, sitter_id, status, error,
                  scheduled_for, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
             ON CONFLICT (type, recipient, trigger_ref) DO NOTHING
             RETURNING",
            ""
        ))
        .bind(AutomationRunId::new(now))
        .bind(new.org_id)
        .bind(new.kind)
        .bind(new.kind.recipient())
        .bind(&new.trigger_ref)
        .bind(new.booking_id)
        .bind(new.thread_id)
        .bind(new.client_id)
        .bind(new.sitter_id)
        .bind(status)
        .bind(new.blocked.then_some("no_number"))
        .bind(new.scheduled_for)
        .bind(now)
        .optional()
        .await?;
    if let Some(run) = made {
        announce(tx, &run, now).await?;
        return Ok((run, true));
    }
    let standing = tx
        .query(run_columns!("SELECT", "FROM automation_runs WHERE type = $1 AND recipient = $2 AND trigger_ref = $3"))
        .bind(new.kind)
        .bind(new.kind.recipient())
        .bind(&new.trigger_ref)
        .one()
        .await?;
    Ok((standing, false))
}

const BY_ID: &str = run_columns!("SELECT", "FROM automation_runs WHERE id = $1");
const BY_ID_LOCKED: &str = run_columns!("SELECT", "FROM automation_runs WHERE id = $1 FOR UPDATE");

/// The run, held until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn lock(tx: &mut Tx, id: &AutomationRunId) -> Result<Run> {
    let sql = match tx.engine() {
        Engine::Postgres => BY_ID_LOCKED,
        Engine::Sqlite => BY_ID,
    };
    tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)
}

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

/// Notes the text a run has written.
pub(super) async fn set_written(
    tx: &mut Tx,
    id: &AutomationRunId,
    thread: &ThreadId,
    message: &MessageId,
    body: &str,
    used_thread: bool,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE automation_runs
         SET status = 'pending', error = NULL, thread_id = $2, message_event_id = $3, body = $4, used_thread = $5,
             from_number_id = (SELECT from_number_id FROM message_events WHERE id = $3), updated_at = $6
         WHERE id = $1",
    )
    .bind(id)
    .bind(thread)
    .bind(message)
    .bind(body)
    .bind(used_thread)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Lets a run wait for its thread's number.
pub(super) async fn set_blocked(tx: &mut Tx, run: &Run, thread: &ThreadId, now: Timestamp) -> Result<()> {
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

/// Moves a waiting run to a later time.
pub(super) async fn set_scheduled(tx: &mut Tx, id: &AutomationRunId, at: Timestamp, now: Timestamp) -> Result<()> {
    tx.query("UPDATE automation_runs SET scheduled_for = $2, updated_at = $3 WHERE id = $1")
        .bind(id)
        .bind(at)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Sets the runs free that wait for this thread's number.
///
/// # Errors
/// When the database refuses.
pub async fn release_blocked(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<Vec<RunToStart>> {
    let released: Vec<Run> = tx
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
    Ok(released.iter().filter_map(Run::to_start).collect())
}

/// Ends the runs of a kind for a booking that have not written their text yet, but for the one caused by `keep`.
///
/// # Errors
/// When the database refuses.
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

/// Brings back a run that was skipped before it wrote its text; none when it is not skipped.
///
/// # Errors
/// When the database refuses.
pub async fn reopen_skipped(tx: &mut Tx, id: &AutomationRunId, now: Timestamp) -> Result<Option<Run>> {
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

async fn announce(tx: &mut Tx, run: &Run, now: Timestamp) -> Result<()> {
    let data = json!({"runId": run.id, "type": run.kind, "status": run.status, "bookingId": run.booking_id});
    stream::append(tx, Some(&run.org_id), "ledger", "automation.run", &data, now).await
}
