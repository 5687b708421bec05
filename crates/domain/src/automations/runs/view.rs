//! Automation runs as the API shows them, newest first.

use nightshift_db::{Db, Json, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::AutomationRunStatus;
use crate::automations::{AutomationType, Recipient};
use crate::ids::{AutomationRunId, BookingId, MessageId, NumberId, ThreadId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::phone::PhoneNumber;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// Selects runs. A field that is `None` does not restrict the result.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub kind: Option<AutomationType>,
    pub status: Option<AutomationRunStatus>,
    pub recipient: Option<Recipient>,
    pub booking_id: Option<BookingId>,
    /// Earliest creation time, inclusive.
    pub from: Option<Timestamp>,
    /// Latest creation time, exclusive.
    pub to: Option<Timestamp>,
}

/// An automation run. `fromNumber` is the number's id and equals the `messageNumberId` of the thread.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AutomationRun)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRunView {
    pub id: AutomationRunId,
    #[serde(rename = "type")]
    pub kind: AutomationType,
    pub recipient: Recipient,
    pub status: AutomationRunStatus,
    pub from_number: Option<NumberId>,
    #[serde(rename = "fromNumberE164")]
    pub from_number_e164: Option<String>,
    pub thread_id: Option<ThreadId>,
    pub booking_id: Option<BookingId>,
    pub message_event_id: Option<MessageId>,
    pub used_thread: bool,
    pub error: Option<String>,
    pub scheduled_for: Option<Timestamp>,
    pub created_at: Timestamp,
    pub executed_at: Option<Timestamp>,
}

/// An automation run with details of its execution.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AutomationRunDetail)]
pub struct AutomationRunDetail {
    #[serde(flatten)]
    pub run: AutomationRunView,
    /// The executor, whether the thread was used, and the endpoint.
    #[schema(value_type = Object)]
    pub metadata: Value,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: AutomationRunId,
    #[sqlx(rename = "type")]
    kind: AutomationType,
    recipient: Recipient,
    status: AutomationRunStatus,
    from_number_id: Option<NumberId>,
    from_number_e164: Option<PhoneNumber>,
    thread_id: Option<ThreadId>,
    booking_id: Option<BookingId>,
    message_event_id: Option<MessageId>,
    used_thread: bool,
    error: Option<String>,
    metadata: Json<Value>,
    scheduled_for: Option<Timestamp>,
    created_at: Timestamp,
    executed_at: Option<Timestamp>,
}

macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.type, r.recipient, r.status, r.from_number_id, n.e164 AS from_number_e164, r.thread_id,
                    r.booking_id, r.message_event_id, r.used_thread, r.error, r.metadata, r.scheduled_for,
                    r.created_at, r.executed_at
             FROM automation_runs r LEFT JOIN message_numbers n ON n.id = r.from_number_id ",
            $rest
        )
    };
}

newest_first!(Row: "r.created_at" = created_at, "r.id" = id);

impl From<Row> for AutomationRunDetail {
    fn from(row: Row) -> Self {
        Self {
            run: AutomationRunView {
                id: row.id,
                kind: row.kind,
                recipient: row.recipient,
                status: row.status,
                from_number: row.from_number_id,
                from_number_e164: row.from_number_e164.map(|number| number.e164()),
                thread_id: row.thread_id,
                booking_id: row.booking_id,
                message_event_id: row.message_event_id,
                used_thread: row.used_thread,
                error: row.error,
                scheduled_for: row.scheduled_for,
                created_at: row.created_at,
                executed_at: row.executed_at,
            },
            metadata: row.metadata.0,
        }
    }
}

/// Returns one run for the API.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run or it belongs to another organisation; [`Error::Forbidden`] for sitters.
pub async fn view(db: &Db, viewer: &Viewer, id: &AutomationRunId) -> Result<AutomationRunDetail> {
    let row: Option<Row> = db
        .read(select_rows!("WHERE r.id = $1 AND (CAST($2 AS TEXT) IS NULL OR r.org_id = $2)"))
        .bind(id)
        .bind(viewer.org_rows()?)
        .optional()
        .await?;
    row.map(AutomationRunDetail::from).ok_or(Error::NotFound)
}

/// Returns a page of the runs that a viewer may see. Index: `automation_runs_newest`.
///
/// # Errors
/// [`Error::BadCursor`] for a cursor that no page of this list returned; [`Error::Forbidden`] for sitters.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<AutomationRunView>> {
    let page: Page<Row> = List::new(db, select_rows!(""), viewer.org_scope("r.org_id = $1")?)
        // `check` keeps the planner from the unique index that begins with the type. With that index it would sort all
        // runs of a type for one page.
        .check("r.type = $1", filter.kind)
        .filter("r.status = $1", filter.status)
        .filter("r.recipient = $1", filter.recipient)
        .selective("r.booking_id = $1", filter.booking_id.as_ref())
        .filter("r.created_at >= $1", filter.from)
        .filter("r.created_at < $1", filter.to)
        .page(cursor, limit)
        .await?;
    Ok(page.map(|row| AutomationRunDetail::from(row).run))
}
