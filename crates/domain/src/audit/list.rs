//! The list of the audit log.
//!
//! It reads two places: the entries that are stored as such, and the receipts of webhooks, which are rows of the inbox
//! (the view `webhook_receipts` shows them as entries). Each place is read by an index of its own, in order. A
//! list of frequent entries reads no more than the page needs; one of a rare type or status reads both places to the end.

use nightshift_db::{Db, Json, Order, Timestamp, lowest_id};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Result;
use crate::ids::{BookingId, ClientId, EventId, InboxId, OrgId, SitterId, ThreadId};
use crate::inbox::WebhookSource;
use crate::list::{List, Listed};
use crate::page::{Cursor, Limit, Page};
use crate::viewer::Viewer;

/// An entry of the audit log. Its type and status are the stored texts, which another version of the program may have
/// written.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = Event)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    id: EventId,
    org_id: Option<OrgId>,
    event_type: String,
    status: String,
    actor_type: Option<String>,
    actor_id: Option<String>,
    booking_id: Option<BookingId>,
    thread_id: Option<ThreadId>,
    client_id: Option<ClientId>,
    sitter_id: Option<SitterId>,
    job_id: Option<String>,
    inbox_id: Option<InboxId>,
    correlation_id: Option<String>,
    #[schema(value_type = Object)]
    #[serde(serialize_with = "as_json")]
    metadata: Json<Value>,
    created_at: Timestamp,
}

/// Entries are ordered by id, last recorded first.
impl Listed for EntryView {
    const ORDER: Order = Order::descending(&["id"]);
    type Key = (String,);

    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.to_string() }
    }

    fn key(cursor: Cursor) -> Result<Self::Key> {
        Ok((cursor.id,))
    }
}

fn as_json<S: serde::Serializer>(value: &Json<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    value.0.serialize(serializer)
}

/// Selects entries. A field that is `None` does not restrict the result.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub event_type: Option<String>,
    pub status: Option<String>,
    pub booking: Option<BookingId>,
    pub correlation: Option<String>,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
}

/// The status of every receipt.
const RECEIPT_STATUS: &str = "success";

/// The columns of an entry, in both places.
macro_rules! entries_of {
    ($place:literal) => {
        concat!(
            "SELECT id, org_id, event_type, status, actor_type, actor_id, booking_id, thread_id, client_id, sitter_id,
                    job_id, inbox_id, correlation_id, metadata, created_at
             FROM ",
            $place
        )
    };
}

impl Filter {
    /// Whether receipts can be among the entries. All of them are successes, and none has an organisation or a booking.
    fn may_match_receipts(&self, viewer: &Viewer) -> bool {
        let is_receipt =
            |name: &String| WebhookSource::ALL.iter().any(|source| source.received_event().as_str() == name);
        viewer.org_id().is_none()
            && self.booking.is_none()
            && self.status.as_ref().is_none_or(|status| status == RECEIPT_STATUS)
            && self.event_type.as_ref().is_none_or(is_receipt)
    }

    fn apply<'c>(&self, list: List<'c>) -> List<'c> {
        list.filter("event_type = $1", self.event_type.as_ref())
            .filter("status = $1", self.status.as_ref())
            .selective("booking_id = $1", self.booking.as_ref())
            .selective("correlation_id = $1", self.correlation.as_ref())
            // An id is never earlier than its entry's time. It may be much later, so it can't restrict by `to`.
            .filter("id >= $1", self.from.map(lowest_id))
            // `check` keeps the planner from an index on the time, with which it would sort all entries of an
            // organisation.
            .check("created_at >= $1", self.from)
            .check("created_at < $1", self.to)
    }
}

/// Returns a page of the entries that the viewer may see, last recorded first, and the cursor of the next page.
///
/// # Errors
/// [`BadCursor`](crate::Error::BadCursor) for an unknown cursor; [`Forbidden`](crate::Error::Forbidden) for sitters.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<EntryView>> {
    let of = |place| -> Result<List<'_>> { Ok(filter.apply(List::new(db, place, viewer.org_scope("org_id = $1")?))) };
    let stored = of(entries_of!("event_log"))?;
    if !filter.may_match_receipts(viewer) {
        return stored.page(cursor, limit).await;
    }
    let mut entries: Vec<EntryView> = of(entries_of!("webhook_receipts"))?.first(cursor, limit).await?;
    // Entries before the last receipt of a full page are not on the page. Without this condition, a page of receipts
    // would read all of an event log that has none.
    let full = i64::try_from(entries.len()).is_ok_and(|found| found >= limit.rows_wanted());
    let last = entries.last().filter(|_| full).map(|entry| entry.id.to_string());
    entries.extend(stored.filter("id >= $1", last).first(cursor, limit).await?);
    entries.sort_unstable_by(|one, other| other.id.cmp(&one.id));
    // Retention may have moved a receipt to the event log between the two reads.
    entries.dedup_by(|one, other| one.id == other.id);
    let (items, next_cursor) = limit.cut(entries, EntryView::cursor);
    Ok(Page { items, next_cursor })
}
