//! Received webhooks: one row for each event of a source, however often the event is delivered.
//!
//! [`record`] runs for every delivery and is the program's most frequent write. It stores a batch of deliveries from
//! different requests, and tells for each whether it is the first delivery of its event. The receiver enqueues a job
//! for those.

use std::collections::HashMap;

use nightshift_db::{RowsStatement, Timestamp, Tx, columns, new_id};
use serde_json::{Value, json};

use crate::audit::Event;
use crate::ids::{InboxId, OrgId};
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    pub enum WebhookSource {
        /// Payments.
        Stripe = "stripe",
        /// Texts sent to OpenPhone numbers.
        OpenPhone = "openphone",
        /// Texts sent to Twilio numbers.
        Twilio = "twilio",
        /// Twilio's delivery reports about texts.
        TwilioStatus = "twilio_status",
        /// AI phone calls.
        Vapi = "vapi",
    }
}

impl WebhookSource {
    /// Returns the audit event that records a delivery from this source.
    #[must_use]
    pub fn received_event(self) -> Event {
        match self {
            Self::Stripe => Event::WebhookStripeReceived,
            Self::OpenPhone => Event::WebhookSmsReceived,
            Self::Twilio | Self::TwilioStatus => Event::WebhookTwilioReceived,
            Self::Vapi => Event::WebhookVapiReceived,
        }
    }
}

/// One delivery of a webhook, after its signature was checked.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub provider: WebhookSource,
    /// Identifies the event: every delivery of one event has the same key.
    pub event_key: String,
    /// The type of the event in the source's own words.
    pub event_type: Option<String>,
    /// Whether the signature was present and valid.
    pub verified: bool,
    /// Headers to store, without secrets.
    pub headers: Value,
    /// The body, byte for byte as received.
    pub payload: String,
    /// The id of the HTTP request.
    pub request_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: the job of a delivery that is the first of its event"]
pub struct Recorded {
    /// The row of the event.
    pub inbox_id: InboxId,
    /// Whether this is the first delivery of the event.
    pub first: bool,
}

columns! {
    /// The stored columns of an event.
    struct EventColumns(event: EventRow<'r>, 'r) {
        id: text = event.id.as_str(),
        provider: text = event.delivery.provider.as_str(),
        event_key: text = event.delivery.event_key.as_str(),
        event_type: text = event.delivery.event_type.as_deref(),
        verified: boolean = event.delivery.verified,
        headers: json = event.delivery.headers.to_string(),
        payload: text = event.delivery.payload.as_str(),
        deliveries: bigint = event.deliveries,
        request_id: text = event.delivery.request_id.as_str(),
    }
}

/// Inserts one row for each event, or adds to the count of deliveries of an existing one, found by the unique
/// (provider, event_key). The rows are sorted by that key, so that two processes can't deadlock.
static UPSERT: RowsStatement<EventColumns> = RowsStatement::new(
    1,
    "INSERT INTO webhook_inbox ({columns}, received_at, created_at, updated_at)
     SELECT {columns}, $1, $1, $1 FROM {rows} AS new WHERE TRUE
     ON CONFLICT (provider, event_key) DO UPDATE
     SET deliveries = webhook_inbox.deliveries + excluded.deliveries, updated_at = $1
     RETURNING id, provider, event_key",
);

/// An audit entry about a delivery.
struct LogRow<'a> {
    id: String,
    event: Event,
    status: &'static str,
    recorded: &'a Recorded,
    delivery: &'a Delivery,
    metadata: String,
}

columns! {
    /// The stored columns of an audit entry about a delivery.
    struct LogColumns(entry: LogRow<'r>, 'r) {
        id: text = entry.id.as_str(),
        event_type: text = entry.event.as_str(),
        status: text = entry.status,
        inbox_id: text = entry.recorded.inbox_id.as_str(),
        correlation_id: text = entry.delivery.request_id.as_str(),
        metadata: json = entry.metadata.as_str(),
    }
}

static LOG: RowsStatement<LogColumns> = RowsStatement::new(
    1,
    "INSERT INTO event_log ({columns}, actor_type, created_at) SELECT {columns}, 'webhook', $1 FROM {rows} AS new",
);

/// Stores a batch of deliveries in one statement and an audit entry for each in another. The results are in the order
/// of the batch.
///
/// # Errors
/// After an error nothing of the batch is stored.
pub async fn record(tx: &mut Tx, batch: &[&Delivery], now: Timestamp) -> Result<Vec<Recorded>> {
    let events = events_of(batch, now);
    let mut standing = upsert(tx, &events, now).await?;
    let mut recorded = Vec::with_capacity(batch.len());
    let mut new: HashMap<(WebhookSource, &str), &str> = events
        .iter()
        .map(|event| ((event.delivery.provider, event.delivery.event_key.as_str()), event.id.as_str()))
        .collect();
    for delivery in batch {
        let key = (delivery.provider, delivery.event_key.as_str());
        let inbox_id = standing
            .get_mut(&(delivery.provider, delivery.event_key.clone()))
            .cloned()
            .ok_or(nightshift_db::DbError::NotFound)?;
        // If the row has the id that was made for it here, the event is new, and its first delivery in the batch made
        // it.
        let first = new.remove(&key).is_some_and(|made| made == inbox_id.as_str());
        recorded.push(Recorded { inbox_id, first });
    }
    log(tx, batch, &recorded, now).await?;
    Ok(recorded)
}

/// An event of a batch, with the number of its deliveries in the batch.
struct EventRow<'a> {
    id: String,
    delivery: &'a Delivery,
    deliveries: i64,
}

fn events_of<'a>(batch: &[&'a Delivery], now: Timestamp) -> Vec<EventRow<'a>> {
    let mut places: HashMap<(WebhookSource, &str), usize> = HashMap::with_capacity(batch.len());
    let mut events: Vec<EventRow<'a>> = Vec::with_capacity(batch.len());
    for delivery in batch {
        match places.entry((delivery.provider, delivery.event_key.as_str())) {
            std::collections::hash_map::Entry::Occupied(place) => events[*place.get()].deliveries += 1,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(events.len());
                events.push(EventRow { id: new_id(now), delivery, deliveries: 1 });
            }
        }
    }
    events.sort_unstable_by_key(|event| (event.delivery.provider, event.delivery.event_key.as_str()));
    events
}

async fn upsert(
    tx: &mut Tx,
    events: &[EventRow<'_>],
    now: Timestamp,
) -> Result<HashMap<(WebhookSource, String), InboxId>> {
    let sql = UPSERT.sql(tx.engine());
    let rows: Vec<(InboxId, WebhookSource, String)> = UPSERT.bind_rows(tx.query(sql).bind(now), events).all().await?;
    Ok(rows.into_iter().map(|(id, provider, key)| ((provider, key), id)).collect())
}

async fn log(tx: &mut Tx, batch: &[&Delivery], recorded: &[Recorded], now: Timestamp) -> Result<()> {
    let mut entries = Vec::with_capacity(batch.len());
    let mut add = |event, status, recorded, delivery, metadata: Value| {
        let (id, metadata) = (new_id(now), metadata.to_string());
        entries.push(LogRow { id, event, status, recorded, delivery, metadata });
    };
    for (&delivery, recorded) in batch.iter().zip(recorded) {
        if !recorded.first {
            let metadata = json!({ "eventType": delivery.event_type, "duplicate": true });
            add(delivery.provider.received_event(), "success", recorded, delivery, metadata);
        }
        if !delivery.verified {
            add(Event::WebhookUnverified, "info", recorded, delivery, json!({ "provider": delivery.provider }));
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    LOG.bind_rows(tx.query(LOG.sql(tx.engine())).bind(now), &entries).execute().await?;
    Ok(())
}

/// A stored webhook event, for the job that processes it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Received {
    pub id: InboxId,
    pub provider: WebhookSource,
    /// Identifies the event at its source.
    pub event_key: String,
    /// The body; `None` after retention has deleted it.
    pub payload: Option<String>,
    /// When the first delivery arrived.
    pub received_at: Timestamp,
    pub status: InboxStatus,
}

text_enum! {
    /// What became of a received webhook event.
    pub enum InboxStatus {
        /// Stored but not processed.
        Received = "received",
        Processed = "processed",
        /// Not relevant here.
        Ignored = "ignored",
        /// The job that processes it has failed for good.
        Failed = "failed",
    }
}

/// Loads a stored webhook event.
///
/// # Errors
/// [`NotFound`](Error::NotFound) if there is no such event.
pub async fn load(tx: &mut Tx, id: &InboxId) -> Result<Received> {
    tx.query("SELECT id, provider, event_key, payload, received_at, status FROM webhook_inbox WHERE id = $1")
        .bind(id)
        .optional()
        .await?
        .ok_or(Error::NotFound)
}

/// Records the outcome of a stored webhook event, the job that processed it, and the organisation if it is known.
pub async fn settle(
    tx: &mut Tx,
    id: &InboxId,
    status: InboxStatus,
    org: Option<&OrgId>,
    job: &str,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE webhook_inbox
         SET status = $2, org_id = coalesce($3, org_id), job_id = $4, processed_at = $5, updated_at = $5
         WHERE id = $1",
    )
    .bind(id)
    .bind(status)
    .bind(org)
    .bind(job)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Sets a failed webhook event back to `received`, so that it can be processed. Returns false if it has another outcome
/// or its body is no longer stored.
pub async fn reopen(tx: &mut Tx, id: &InboxId, now: Timestamp) -> Result<bool> {
    let waiting = tx
        .query(
            "UPDATE webhook_inbox SET status = 'received', processed_at = NULL, updated_at = $2
             WHERE id = $1 AND status IN ('received', 'failed') AND payload IS NOT NULL",
        )
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(waiting == 1)
}
