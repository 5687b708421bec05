//! Received webhooks: one row per event of a provider, however often it is delivered.
//!
//! [`record`] is the hottest statement of the program: it takes a whole batch of deliveries, which come from different
//! requests, and says of each whether its event was seen for the first time. The receiver enqueues a job for those.

use std::collections::HashMap;

use nightshift_db::{RowsStatement, Timestamp, Tx, columns, new_id};
use serde_json::{Value, json};

use crate::audit::Event;
use crate::ids::{InboxId, OrgId};
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// Where a webhook comes from.
    pub enum WebhookSource {
        /// Payments.
        Stripe = "stripe",
        /// Texts, by OpenPhone.
        OpenPhone = "openphone",
        /// Texts, by Twilio.
        Twilio = "twilio",
        /// What became of texts, by Twilio.
        TwilioStatus = "twilio_status",
        /// AI phone calls.
        Vapi = "vapi",
    }
}

impl WebhookSource {
    /// The event that records a delivery from here.
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

/// One webhook, as it came in and after its signature was looked at.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where from.
    pub provider: WebhookSource,
    /// What the provider calls the event; the same event has the same key.
    pub event_key: String,
    /// Its type in the provider's words.
    pub event_type: Option<String>,
    /// Whether its signature was there and right.
    pub verified: bool,
    /// Headers worth keeping, without secrets.
    pub headers: Value,
    /// The body, exactly as received.
    pub payload: String,
    /// The request that brought it.
    pub request_id: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: the job of a delivery that is the first of its event"]
pub struct Recorded {
    /// The row of its event.
    pub inbox_id: InboxId,
    /// Whether it is the first delivery of the event.
    pub first: bool,
}

columns! {
    /// What is stored of an event.
    struct EventColumns(event: EventRow<'r>, 'r) {
        id: text = event.id.as_str(),
        provider: text = event.delivery.provider.as_str(),
        event_key: text = event.delivery.event_key.as_str(),
        event_type: text = event.delivery.event_type.as_deref(),
        verified: boolean = event.delivery.verified,
        headers: json = event.delivery.headers.to_string(),
        payload: text = event.delivery.payload.as_str(),
        deliveries: bigint = event.deliveries,
    }
}

/// One row per event; an event that stands counts its deliveries. Finds it by the unique (provider, event_key).
/// Rows are sorted by that key, so that two processes never wait for each other crosswise.
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
    /// What is logged of a delivery.
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

/// Stores a batch of deliveries, with an audit entry for each, in two statements. The answers stand in the batch's order.
///
/// # Errors
/// A database error; then nothing of the batch is stored.
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
        // The row's id is the one made for it only when it did not stand; then the batch's first delivery made it.
        let first = new.remove(&key).is_some_and(|made| made == inbox_id.as_str());
        recorded.push(Recorded { inbox_id, first });
    }
    log(tx, batch, &recorded, now).await?;
    Ok(recorded)
}

/// An event that occurs in a batch, and how often.
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
        let metadata = json!({ "eventType": delivery.event_type, "duplicate": !recorded.first });
        add(delivery.provider.received_event(), "success", recorded, delivery, metadata);
        if !delivery.verified {
            add(Event::WebhookUnverified, "info", recorded, delivery, json!({ "provider": delivery.provider }));
        }
    }
    LOG.bind_rows(tx.query(LOG.sql(tx.engine())).bind(now), &entries).execute().await?;
    Ok(())
}

/// A stored webhook, for the job that acts on it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Received {
    /// Its row.
    pub id: InboxId,
    /// Where from.
    pub provider: WebhookSource,
    /// What the provider calls the event.
    pub event_key: String,
    /// The body; none once it is too old to be kept.
    pub payload: Option<String>,
    /// When it first came.
    pub received_at: Timestamp,
    /// Whether it is done with: `received`, `processed`, `ignored` or `failed`.
    pub status: InboxStatus,
}

text_enum! {
    /// What became of a received webhook.
    pub enum InboxStatus {
        /// Stored, not acted on yet.
        Received = "received",
        /// Acted on.
        Processed = "processed",
        /// Of no interest here.
        Ignored = "ignored",
        /// Given up.
        Failed = "failed",
    }
}

/// Reads a stored webhook.
///
/// # Errors
/// [`NotFound`](Error::NotFound), or a database error.
pub async fn load(tx: &mut Tx, id: &InboxId) -> Result<Received> {
    tx.query("SELECT id, provider, event_key, payload, received_at, status FROM webhook_inbox WHERE id = $1")
        .bind(id)
        .optional()
        .await?
        .ok_or(Error::NotFound)
}

/// Notes what became of a stored webhook by which job, and whose it was when that is known.
///
/// # Errors
/// A database error.
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

/// Takes a webhook that was given up back into the state in which it waits to be acted on. False when it is settled
/// otherwise, or its body is no longer kept.
///
/// # Errors
/// A database error.
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
