//! The audit log: one immutable row for everything that was done.
//!
//! Metadata holds ids and facts. Message bodies, clients' phone numbers and secrets never go in.

mod event;

use nightshift_db::{Db, Json, Order, Timestamp, Tx, lowest_id, new_id};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

pub use event::Event;

use crate::Result;
use crate::actor::Actor;
use crate::ids::{BookingId, ClientId, EventId, InboxId, OrgId, SitterId, ThreadId};
use crate::list::{List, Listed};
use crate::page::{Cursor, Limit, Page};
use crate::viewer::Viewer;

/// An entry to be recorded.
#[derive(Debug, Clone)]
pub struct Entry {
    event: Event,
    status: &'static str,
    actor_type: &'static str,
    actor_id: Option<String>,
    org: Option<OrgId>,
    booking: Option<BookingId>,
    thread: Option<ThreadId>,
    client: Option<ClientId>,
    sitter: Option<SitterId>,
    job: Option<String>,
    inbox: Option<InboxId>,
    correlation: Option<String>,
    metadata: Value,
}

impl Entry {
    /// Creates an entry: `by` caused `event`, with the outcome `status` (`success`, `failed`, `warning` or `info`).
    #[must_use]
    pub fn new(event: Event, status: &'static str, by: &Actor) -> Self {
        let inbox = match by {
            Actor::Webhook { inbox_id } => Some(inbox_id.clone()),
            _ => None,
        };
        Self {
            event,
            status,
            actor_type: by.actor_type(),
            actor_id: by.actor_id().map(str::to_owned),
            org: None,
            booking: None,
            thread: None,
            client: None,
            sitter: None,
            job: None,
            inbox,
            correlation: None,
            metadata: json!({}),
        }
    }

    #[must_use]
    pub fn org(mut self, org: &OrgId) -> Self {
        self.org = Some(org.clone());
        self
    }

    #[must_use]
    pub fn booking(mut self, booking: &BookingId) -> Self {
        self.booking = Some(booking.clone());
        self
    }

    #[must_use]
    pub fn thread(mut self, thread: &ThreadId) -> Self {
        self.thread = Some(thread.clone());
        self
    }

    #[must_use]
    pub fn client(mut self, client: &ClientId) -> Self {
        self.client = Some(client.clone());
        self
    }

    #[must_use]
    pub fn sitter(mut self, sitter: &SitterId) -> Self {
        self.sitter = Some(sitter.clone());
        self
    }

    #[must_use]
    pub fn job(mut self, job: &str) -> Self {
        self.job = Some(job.to_owned());
        self
    }

    /// Sets the webhook delivery that the entry is about.
    #[must_use]
    pub fn inbox(mut self, inbox: &InboxId) -> Self {
        self.inbox = Some(inbox.clone());
        self
    }

    /// Links the entry to a request, a webhook or a booking, by its id.
    #[must_use]
    pub fn correlation(mut self, id: &str) -> Self {
        self.correlation = Some(id.to_owned());
        self
    }

    /// Sets ids and facts. It must hold no message body, phone number or secret.
    #[must_use]
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = metadata;
        self
    }
}

const INSERT: &str = "
INSERT INTO event_log (id, org_id, event_type, status, actor_type, actor_id, booking_id, thread_id, client_id, sitter_id,
                       job_id, inbox_id, correlation_id, metadata, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

/// Records an entry in the transaction of the change that it describes.
pub async fn record(tx: &mut Tx, entry: Entry, now: Timestamp) -> Result<()> {
    tx.query(INSERT)
        .bind(new_id(now))
        .bind(entry.org)
        .bind(entry.event)
        .bind(entry.status)
        .bind(entry.actor_type)
        .bind(entry.actor_id)
        .bind(entry.booking)
        .bind(entry.thread)
        .bind(entry.client)
        .bind(entry.sitter)
        .bind(entry.job)
        .bind(entry.inbox)
        .bind(entry.correlation)
        .bind(Json(entry.metadata))
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

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
    const HEAD: &str = "
        SELECT id, org_id, event_type, status, actor_type, actor_id, booking_id, thread_id, client_id, sitter_id, job_id,
               inbox_id, correlation_id, metadata, created_at
        FROM event_log";
    List::new(db, HEAD, viewer.org_scope("org_id = $1")?)
        .filter("event_type = $1", filter.event_type.as_ref())
        .filter("status = $1", filter.status.as_ref())
        .selective("booking_id = $1", filter.booking.as_ref())
        .selective("correlation_id = $1", filter.correlation.as_ref())
        // An id is never earlier than its entry's time. It may be much later, so it can't restrict by `to`.
        .filter("id >= $1", filter.from.map(lowest_id))
        // `check` keeps the planner from an index on the time, with which it would sort all entries of an organisation.
        .check("created_at >= $1", filter.from)
        .check("created_at < $1", filter.to)
        .page(cursor, limit)
        .await
}
