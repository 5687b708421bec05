//! Texts as the pages and the API show them.

use nightshift_db::{Db, Json, Order, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::delivery::HoldReason;
use super::message::{ActorType, Direction, MessageStatus, RoutedTo};
use super::{inbox, threads};
use crate::automations::AutomationType;
use crate::ids::{MessageId, NumberId, ThreadId};
use crate::list::List;
use crate::page::Limit;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// A text message.
#[derive(Clone, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = Message)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    pub id: MessageId,
    pub direction: Direction,
    pub actor_type: ActorType,
    pub actor_name: Option<String>,
    pub body: String,
    pub status: MessageStatus,
    pub from_number_id: Option<NumberId>,
    pub automation_type: Option<AutomationType>,
    /// When the carrier received the text; for others, when it was written.
    pub created_at: Timestamp,
    pub routed_to: Option<RoutedTo>,
    /// Until when a text of ours waits because of the hour.
    pub held_until: Option<Timestamp>,
    /// Why it waits.
    pub hold_reason: Option<HoldReason>,
    /// The URLs of pictures and other media.
    #[schema(value_type = Vec<String>)]
    pub media: Json<Vec<String>>,
    /// Whether something of what was received is missing: the end of the body, a character or media.
    pub truncated: bool,
    /// Whether the text seems to ask for no more texts, and nobody has decided about it.
    pub opt_out_suggested: bool,
}

/// The texts of a thread, oldest first, and the arrival up to which their reader has seen every inbound text.
pub struct Texts {
    pub messages: Vec<MessageView>,
    /// What to mark as read for a reader who has seen these texts, and those that they marked before.
    pub read_up_to: i64,
}

macro_rules! select_views {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.direction, m.actor_type,
                    CASE m.actor_type
                        WHEN 'client'
                            THEN NULLIF(TRIM(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')), '')
                        WHEN 'sitter' THEN s.name
                        WHEN 'owner' THEN u.name
                    END AS actor_name,
                    m.body, m.status, m.from_number_id, r.type AS automation_type,
                    COALESCE(m.provider_at, m.created_at) AS created_at, m.routed_to,
                    CASE WHEN m.status = 'queued' THEN m.held_until END AS held_until,
                    CASE WHEN m.status = 'queued' THEN m.hold_reason END AS hold_reason, m.media, m.truncated,
                    m.opt_out_wish IS NOT NULL AND m.opt_out_wish = 'suggested' AS opt_out_suggested
             FROM message_events m
             JOIN message_threads t ON t.id = m.thread_id
             LEFT JOIN clients c ON c.id = t.client_id
             LEFT JOIN sitters s ON m.actor_type = 'sitter' AND s.id = m.actor_id
             LEFT JOIN users u ON m.actor_type = 'owner' AND u.id = m.actor_id
             LEFT JOIN automation_runs r ON r.id = m.automation_run_id ",
            $rest
        )
    };
}

/// The first arrival above a reader's mark that is not between two texts of the thread.
macro_rules! first_unseen {
    ($mark:literal) => {
        concat!(
            "SELECT MIN(m.arrival) FROM message_events m JOIN message_threads t ON t.id = m.thread_id
             WHERE m.thread_id = $1 AND m.routed_to IN ('owner', 'sitter', 'none')
               AND ((COALESCE(m.provider_at, m.created_at), m.id) < ($2, $3)
                    OR (COALESCE(m.provider_at, m.created_at), m.id) > ($4, $5))
               AND m.arrival > ",
            $mark
        )
    };
}

/// Lists the latest texts of a thread before the text `before`, oldest first. A text that was taken in late stands at
/// the carrier's time of it, and texts of the same time are in the order of their ids. Index: `message_events_shown`.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such thread, or if the viewer is a sitter to whom the thread
/// is not open at `now`; [`Error::Forbidden`] for viewers without an organisation.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    thread: &ThreadId,
    before: Option<&MessageId>,
    limit: Limit,
    now: Timestamp,
) -> Result<Texts> {
    // Read before the texts, so that what arrives between the two statements stays unread.
    let arrivals = threads::get(db, viewer.organization()?, thread).await?.arrivals;
    if !inbox::is_open_to(db, viewer, thread, now).await? {
        return Err(Error::NotFound);
    }
    // If `before` is not a text of this thread, the list is empty.
    let mut list = List::new(db, select_views!(""), viewer.organization_scope("t.org_id = $1")?)
        .only("m.thread_id = $1", (thread,));
    if let Some(before) = before {
        list = list.only(
            "(COALESCE(m.provider_at, m.created_at), m.id) <
             (SELECT COALESCE(b.provider_at, b.created_at), b.id FROM message_events b WHERE b.id = $1 AND b.thread_id = $2)",
            (before, thread),
        );
    }
    let order = Order::descending(&["COALESCE(m.provider_at, m.created_at)", "m.id"]);
    let mut messages: Vec<MessageView> = list.rows(order, limit).all().await?;
    messages.reverse();
    let read_up_to = read_up_to(db, viewer, thread, &messages, arrivals).await?;
    Ok(Texts { messages, read_up_to })
}

/// Returns the arrival up to which a reader has seen everything who had read up to their mark and now sees `shown`. Texts
/// that they have not seen may be on other pages: more unread texts than fit on one, or one that was taken in late and
/// stands where the carrier received it. Index: `message_events_arrived`.
async fn read_up_to(db: &Db, viewer: &Viewer, thread: &ThreadId, shown: &[MessageView], arrivals: i64) -> Result<i64> {
    let place = |text: Option<&MessageView>| text.map(|text| (text.created_at, text.id.clone()));
    // Every text stands after this place.
    let nowhere = || (Timestamp::from_unix_ms(0), MessageId::from(""));
    let (oldest, newest) = (place(shown.first()).unwrap_or_else(nowhere), place(shown.last()).unwrap_or_else(nowhere));
    let is_sitter = viewer.sitter_id().is_some();
    let sql = if is_sitter { first_unseen!("t.sitter_read") } else { first_unseen!("t.owner_read") };
    let query = db.read(sql).bind(thread).bind(oldest.0).bind(oldest.1).bind(newest.0).bind(newest.1);
    let first_unseen: Option<i64> = query.scalar().await?;
    Ok(first_unseen.map_or(arrivals, |arrival| arrivals.min(arrival - 1)))
}

/// Returns one text for the API, in the transaction that stored it.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such text; [`Error::Forbidden`] for viewers without an
/// organisation.
pub async fn view(tx: &mut Tx, viewer: &Viewer, id: &MessageId) -> Result<MessageView> {
    tx.query(select_views!("WHERE m.id = $1 AND t.org_id = $2"))
        .bind(id)
        .bind(viewer.organization()?)
        .optional()
        .await?
        .ok_or(Error::NotFound)
}
