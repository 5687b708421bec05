//! The automation runs: one row for every time an automatic text was due.
//!
//! A row is unique by type, recipient and the fact that caused it, so a duplicate of the fact finds the existing row.
//! A run ends as `success`, `failed` or `skipped`. A `blocked` run waits until its thread has a number.

mod ending;
mod view;
mod waiting;

use nightshift_db::{Engine, Json, Timestamp, Tx};
use serde_json::{Value, json};

pub use ending::{EXECUTOR, Reopened, reopen_failed, set_failed, set_skipped, set_success};
pub(crate) use ending::{reopen_given_back, reopen_unsent};
pub use view::{AutomationRunDetail, AutomationRunView, Filter, list, view};
pub(super) use waiting::{WrittenText, set_blocked, set_quiet, set_written};
pub use waiting::{release_blocked, reopen_skipped, skip_unwritten, waiting_for_front_desk};

use super::{AutomationType, Recipient};
use crate::actor::Actor;
use crate::audit::{Entry, Event};
use crate::ids::{AutomationRunId, BookingId, ClientId, MessageId, OrgId, SitterId, ThreadId};
use crate::stream;
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    pub enum AutomationRunStatus {
        /// The run waits or is being executed.
        Pending = "pending",
        /// The carrier accepted the text.
        Success = "success",
        /// The run was given up.
        Failed = "failed",
        /// The text was not needed: the automation is off, the recipient has opted out, or the text was out of date.
        Skipped = "skipped",
        /// The thread has no number, or the organisation has no front desk number.
        Blocked = "blocked",
    }
}

#[derive(Clone, sqlx::FromRow)]
pub struct AutomationRun {
    pub id: AutomationRunId,
    pub org_id: OrgId,
    #[sqlx(rename = "type")]
    pub kind: AutomationType,
    pub recipient: Recipient,
    /// The fact that caused the run, e.g. `booking:{id}:confirmed`.
    pub trigger_ref: String,
    pub booking_id: Option<BookingId>,
    /// `None` until the thread is known.
    pub thread_id: Option<ThreadId>,
    pub client_id: Option<ClientId>,
    pub sitter_id: Option<SitterId>,
    pub status: AutomationRunStatus,
    /// The text, once it is written.
    pub message_event_id: Option<MessageId>,
    /// Whether the text went through the thread that the run belongs to.
    pub used_thread: bool,
    /// Holds, under `variables`, values for the template that no table has.
    pub metadata: Json<Value>,
    /// The run must not be executed earlier.
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
use run_columns;

/// A run to be inserted.
#[derive(Debug, Clone)]
pub struct NewAutomationRun<'a> {
    pub org_id: &'a OrgId,
    /// Also determines the recipient.
    pub kind: AutomationType,
    /// The fact that causes the run, e.g. `booking:{id}:confirmed`.
    pub trigger_ref: String,
    pub booking_id: Option<&'a BookingId>,
    /// `None` if the thread is not known yet.
    pub thread_id: Option<&'a ThreadId>,
    pub client_id: Option<&'a ClientId>,
    pub sitter_id: Option<&'a SitterId>,
    /// The run must not be executed earlier.
    pub scheduled_for: Option<Timestamp>,
    /// Whether the thread has no number yet.
    pub blocked: bool,
    /// Values for the template that no table holds.
    pub variables: Option<Value>,
}

/// A run for which `automation.run` must be enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue `automation.run` for it"]
pub struct RunToStart {
    pub run_id: AutomationRunId,
    /// The earliest time of execution; `None` for immediately.
    pub not_before: Option<Timestamp>,
}

/// Runs for which `automation.run` must be enqueued. Unlike a `Vec`, it can't be dropped without a compiler warning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "enqueue `automation.run` for each of them"]
pub struct RunsToStart(Vec<RunToStart>);

impl FromIterator<RunToStart> for RunsToStart {
    fn from_iter<I: IntoIterator<Item = RunToStart>>(runs: I) -> Self {
        Self(runs.into_iter().collect())
    }
}

impl From<Option<RunToStart>> for RunsToStart {
    fn from(run: Option<RunToStart>) -> Self {
        run.into_iter().collect()
    }
}

impl IntoIterator for RunsToStart {
    type Item = RunToStart;
    type IntoIter = std::vec::IntoIter<RunToStart>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a RunsToStart {
    type Item = &'a RunToStart;
    type IntoIter = std::slice::Iter<'a, RunToStart>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl AutomationRun {
    /// Returns the job that must follow for a pending run, or `None` for a run that has ended or is blocked.
    #[must_use]
    pub fn to_start(&self) -> Option<RunToStart> {
        (self.status == AutomationRunStatus::Pending)
            .then(|| RunToStart { run_id: self.id.clone(), not_before: self.scheduled_for })
    }

    fn entry(&self, event: Event, status: &'static str, by: &Actor) -> Entry {
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

/// Inserts a run, or returns the existing run for the same fact. The flag is true if the run is new.
pub async fn insert(tx: &mut Tx, new: &NewAutomationRun<'_>, now: Timestamp) -> Result<(AutomationRun, bool)> {
    let status = if new.blocked { AutomationRunStatus::Blocked } else { AutomationRunStatus::Pending };
    let made: Option<AutomationRun> = tx
        .query(run_columns!(
            "INSERT INTO automation_runs
                 (id, org_id, type, recipient, trigger_ref, booking_id, thread_id, client_id, sitter_id, status, error,
                  scheduled_for, created_at, updated_at, metadata)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14)
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
        .bind(Json(new.variables.as_ref().map_or_else(|| json!({}), |values| json!({"variables": values}))))
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
const BY_ID_LOCKED: &str = run_columns!("SELECT", "FROM automation_runs WHERE id = $1 FOR NO KEY UPDATE");

/// Returns the run without locking it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run.
pub async fn load(tx: &mut Tx, id: &AutomationRunId) -> Result<AutomationRun> {
    tx.query(BY_ID).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// Returns the run and locks it until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run.
pub async fn lock(tx: &mut Tx, id: &AutomationRunId) -> Result<AutomationRun> {
    let sql = match tx.engine() {
        Engine::Postgres => BY_ID_LOCKED,
        Engine::Sqlite => BY_ID,
    };
    tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// Appends a live update for the pages that show runs.
async fn announce(tx: &mut Tx, run: &AutomationRun, now: Timestamp) -> Result<()> {
    let data = json!({"runId": run.id, "type": run.kind, "status": run.status, "bookingId": run.booking_id});
    stream::append(tx, Some(&run.org_id), "ledger", "automation.run", &data, now).await
}
