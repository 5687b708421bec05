//! Routing traces: why each inbound text went where it went. A trace is stored with its text and never changes.

use nightshift_db::{Db, Json, Order, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::decide::Decision;
use super::steps::Step;
use crate::ids::{InboxId, MessageId, OrgId, ThreadId, TraceId};
use crate::list::List;
use crate::page::Limit;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// A trace to store.
pub(in crate::messaging) struct NewTrace<'a> {
    /// `None` if the text reached no organisation.
    pub org: Option<&'a OrgId>,
    pub inbox: &'a InboxId,
    pub message: Option<&'a MessageId>,
    pub thread: Option<&'a ThreadId>,
    pub decision: &'a Decision,
}

/// Stores a trace. Each webhook has at most one of an outcome, so that a text that reached nobody can be routed later.
pub(in crate::messaging) async fn record(tx: &mut Tx, new: &NewTrace<'_>, now: Timestamp) -> Result<()> {
    tx.query(
        "INSERT INTO routing_traces
             (id, org_id, inbox_id, message_event_id, thread_id, direction, outcome, summary, steps, created_at)
         VALUES ($1, $2, $3, $4, $5, 'inbound', $6, $7, $8, $9)",
    )
    .bind(TraceId::new(now))
    .bind(new.org)
    .bind(new.inbox)
    .bind(new.message)
    .bind(new.thread)
    .bind(new.decision.outcome)
    .bind(&new.decision.summary)
    .bind(Json(&new.decision.steps))
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Why a text was routed where it was.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RoutingTrace)]
#[serde(rename_all = "camelCase")]
pub struct TraceView {
    /// The text.
    pub event_id: Option<MessageId>,
    /// The reason in one sentence.
    pub summary: String,
    /// The rule that decided. Newer versions may have others.
    pub outcome: String,
    /// What was checked, in this order.
    pub steps: Vec<Step>,
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    event_id: Option<MessageId>,
    summary: String,
    outcome: String,
    steps: Json<Vec<Step>>,
    created_at: Timestamp,
}

impl From<Row> for TraceView {
    fn from(row: Row) -> Self {
        let Row { event_id, summary, outcome, steps, created_at } = row;
        Self { event_id, summary, outcome, steps: steps.0, created_at }
    }
}

const HEAD: &str = "SELECT r.message_event_id AS event_id, r.summary, r.outcome, r.steps, r.created_at
                    FROM routing_traces r";

/// Lists the traces of a thread, newest first, or that of one of its texts. Index: `routing_traces_thread`.
///
/// # Errors
/// [`Error::NotFound`] if the viewer sees no such thread; [`Error::Forbidden`] for sitters, holders of a link and unknown
/// viewers.
pub async fn of_thread(
    db: &Db,
    viewer: &Viewer,
    thread: &ThreadId,
    event: Option<&MessageId>,
    limit: Limit,
) -> Result<Vec<TraceView>> {
    let known: Option<(OrgId,)> =
        db.read("SELECT org_id FROM message_threads WHERE id = $1").bind(thread).optional().await?;
    viewer.org_rows()?;
    if !known.is_some_and(|(org,)| viewer.sees_org(Some(&org))) {
        return Err(Error::NotFound);
    }
    let rows: Vec<Row> = List::new(db, HEAD, viewer.org_scope("r.org_id = $1")?)
        .only("r.thread_id = $1", (thread,))
        .filter("r.message_event_id = $1", event)
        .rows(Order::descending(&["r.thread_id", "r.id"]), limit)
        .all()
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Returns the trace of a text.
///
/// # Errors
/// [`Error::NotFound`] if the viewer sees no such text, or it has no trace; [`Error::Forbidden`] for sitters, holders of
/// a link and unknown viewers.
pub async fn of_message(db: &Db, viewer: &Viewer, message: &MessageId) -> Result<TraceView> {
    let row: Option<Row> = List::new(db, HEAD, viewer.org_scope("r.org_id = $1")?)
        .only("r.message_event_id = $1", (message,))
        .end("")
        .optional()
        .await?;
    row.map(Into::into).ok_or(Error::NotFound)
}
