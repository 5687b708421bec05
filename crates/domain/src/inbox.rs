//! Received webhooks: one row per event of a provider, however often it is delivered.
//!
//! [`record`] is the hottest statement of the program: it takes a whole batch of deliveries, which come from different
//! requests, and says of each whether its event was seen for the first time. The receiver enqueues a job for those.

use std::collections::HashMap;

use nightshift_db::{Engine, Timestamp, Tx, new_id};
use serde_json::{Value, json};

use crate::audit::Event;
use crate::ids::{InboxId, OrgId};
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// Where a webhook comes from.
    pub enum Provider {
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

impl Provider {
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
    pub provider: Provider,
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

/// One row per event; an event that stands counts its deliveries. Finds it by the unique (provider, event_key).
/// Rows are sorted by that key, so that two processes never wait for each other crosswise.
const UPSERT_POSTGRES: &str = "
INSERT INTO webhook_inbox (id, provider, event_key, event_type, verified, headers, payload, deliveries,
                           received_at, created_at, updated_at)
SELECT id, provider, event_key, event_type, verified, headers::jsonb, payload, deliveries, $9, $9, $9
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::bigint[])
  AS new (id, provider, event_key, event_type, verified, headers, payload, deliveries)
ON CONFLICT (provider, event_key) DO UPDATE
SET deliveries = webhook_inbox.deliveries + excluded.deliveries, updated_at = $9
RETURNING id, provider, event_key";

const UPSERT_SQLITE: &str = "
INSERT INTO webhook_inbox (id, provider, event_key, event_type, verified, headers, payload, deliveries,
                           received_at, created_at, updated_at)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, $2, $2, $2
FROM json_each($1) WHERE TRUE
ON CONFLICT (provider, event_key) DO UPDATE
SET deliveries = webhook_inbox.deliveries + excluded.deliveries, updated_at = $2
RETURNING id, provider, event_key";

const LOG_POSTGRES: &str = "
INSERT INTO event_log (id, event_type, status, actor_type, inbox_id, correlation_id, metadata, created_at)
SELECT id, event_type, status, 'webhook', inbox_id, correlation_id, metadata::jsonb, $7
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS new (id, event_type, status, inbox_id, correlation_id, metadata)";

const LOG_SQLITE: &str = "
INSERT INTO event_log (id, event_type, status, actor_type, inbox_id, correlation_id, metadata, created_at)
SELECT value->>0, value->>1, value->>2, 'webhook', value->>3, value->>4, value->>5, $2
FROM json_each($1)";

/// Stores a batch of deliveries, with an audit entry for each, in two statements. The answers stand in the batch's order.
///
/// # Errors
/// A database error; then nothing of the batch is stored.
pub async fn record(tx: &mut Tx, batch: &[&Delivery], now: Timestamp) -> Result<Vec<Recorded>> {
    let events = events_of(batch, now);
    let mut standing = upsert(tx, &events, now).await?;
    let mut recorded = Vec::with_capacity(batch.len());
    let mut new: HashMap<(Provider, &str), &str> = events
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
    let mut places: HashMap<(Provider, &str), usize> = HashMap::with_capacity(batch.len());
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

async fn upsert(tx: &mut Tx, events: &[EventRow<'_>], now: Timestamp) -> Result<HashMap<(Provider, String), InboxId>> {
    fn column<'a, T: 'a>(events: &'a [EventRow<'a>], field: impl Fn(&'a EventRow<'a>) -> T) -> Vec<T> {
        events.iter().map(field).collect()
    }
    let rows: Vec<(InboxId, Provider, String)> = if tx.engine() == Engine::Postgres {
        tx.query(UPSERT_POSTGRES)
            .bind_array(column(events, |event| event.id.as_str()))
            .bind_array(column(events, |event| event.delivery.provider.as_str()))
            .bind_array(column(events, |event| event.delivery.event_key.as_str()))
            .bind_array(column(events, |event| event.delivery.event_type.as_deref()))
            .bind_array(column(events, |event| event.delivery.verified))
            .bind_array(column(events, |event| event.delivery.headers.to_string()))
            .bind_array(column(events, |event| event.delivery.payload.as_str()))
            .bind_array(column(events, |event| event.deliveries))
            .bind(now)
            .all()
            .await?
    } else {
        let rows = column(events, |event| {
            let delivery = event.delivery;
            json!([
                event.id,
                delivery.provider,
                delivery.event_key,
                delivery.event_type,
                delivery.verified,
                delivery.headers.to_string(),
                delivery.payload,
                event.deliveries,
            ])
        });
        tx.query(UPSERT_SQLITE).bind(Value::from(rows).to_string()).bind(now).all().await?
    };
    Ok(rows.into_iter().map(|(id, provider, key)| ((provider, key), id)).collect())
}

async fn log(tx: &mut Tx, batch: &[&Delivery], recorded: &[Recorded], now: Timestamp) -> Result<()> {
    let mut entries = Vec::with_capacity(batch.len());
    for (delivery, recorded) in batch.iter().zip(recorded) {
        let metadata = json!({ "eventType": delivery.event_type, "duplicate": !recorded.first }).to_string();
        entries.push((delivery.provider.received_event(), "success", recorded, delivery, metadata));
        if !delivery.verified {
            let metadata = json!({ "provider": delivery.provider }).to_string();
            entries.push((Event::WebhookUnverified, "info", recorded, delivery, metadata));
        }
    }
    let ids: Vec<String> = entries.iter().map(|_| new_id(now)).collect();
    if tx.engine() == Engine::Postgres {
        tx.query(LOG_POSTGRES)
            .bind_array(ids)
            .bind_array(entries.iter().map(|entry| entry.0.as_str()).collect::<Vec<_>>())
            .bind_array(entries.iter().map(|entry| entry.1).collect::<Vec<_>>())
            .bind_array(entries.iter().map(|entry| entry.2.inbox_id.as_str()).collect::<Vec<_>>())
            .bind_array(entries.iter().map(|entry| entry.3.request_id.as_str()).collect::<Vec<_>>())
            .bind_array(entries.iter().map(|entry| entry.4.as_str()).collect::<Vec<_>>())
            .bind(now)
            .execute()
            .await?;
    } else {
        let rows: Vec<Value> = ids
            .iter()
            .zip(&entries)
            .map(|(id, (event, status, recorded, delivery, metadata))| {
                json!([id, event, status, recorded.inbox_id, delivery.request_id, metadata])
            })
            .collect();
        tx.query(LOG_SQLITE).bind(Value::from(rows).to_string()).bind(now).execute().await?;
    }
    Ok(())
}

/// A stored webhook, for the job that acts on it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Received {
    /// Its row.
    pub id: InboxId,
    /// Where from.
    pub provider: Provider,
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
