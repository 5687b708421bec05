//! The audit log: one immutable row for everything that was done. A webhook's first delivery has no row here: its row in
//! the [inbox](crate::inbox) is shown as the entry.
//!
//! Metadata holds ids and facts. Message bodies, clients' phone numbers and secrets never go in.

mod event;
mod list;

use nightshift_db::{Json, Timestamp, Tx, new_id};
use serde_json::{Value, json};

pub use event::Event;
pub use list::{EntryView, Filter, list};

use crate::Result;
use crate::actor::Actor;
use crate::ids::{BookingId, ClientId, InboxId, OrgId, SitterId, ThreadId};

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
