//! Storing deliveries. This is the program's most frequent write.
//!
//! [`NewDeliveries`] are deliveries of different requests that are stored together. Each event gets a row, which is also
//! the receipt of its first delivery; a repeated delivery gets an entry in the audit log, and so does an unverified one. The
//! receiver enqueues a job for each new event.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use nightshift_db::{Clock, Db, DbError, Part, RowsStatement, Timestamp, Tx, columns, new_id};
use serde_json::{Value, json};

use super::delivery::{Delivery, Recorded, WebhookSource};
use crate::Result;
use crate::audit::Event;
use crate::ids::InboxId;

/// An event of the deliveries.
struct NewEvent<'a> {
    /// The id that its row gets if the event is new.
    id: InboxId,
    /// The place of its first delivery.
    place: usize,
    delivery: &'a Delivery,
    deliveries: i64,
    /// When its first delivery arrived.
    received_at: Timestamp,
}

columns! {
    /// The stored columns of an event.
    struct EventColumns(event: NewEvent<'r>, 'r) {
        id: text = event.id.as_str(),
        provider: text = event.delivery.provider.as_str(),
        event_key: text = event.delivery.event_key.as_str(),
        event_type: text = event.delivery.event_type.as_deref(),
        verified: boolean = event.delivery.verified,
        headers: json = event.delivery.headers.to_string(),
        payload: text = event.delivery.payload.as_str(),
        deliveries: bigint = event.deliveries,
        request_id: text = event.delivery.request_id.as_str(),
        received_at: timestamptz = event.received_at,
    }
}

/// Inserts one row for each event, or adds to the count of deliveries of an existing one, found by the unique
/// (provider, event_key). The rows are sorted by that key, so that two processes can't deadlock.
macro_rules! upsert {
    ($rows:literal) => {
        concat!(
            "INSERT INTO webhook_inbox ({columns}, created_at, updated_at)
             SELECT {columns}, $1, $1 FROM ",
            $rows,
            " WHERE TRUE
             ON CONFLICT (provider, event_key) DO UPDATE
             SET deliveries = webhook_inbox.deliveries + excluded.deliveries, updated_at = $1
             RETURNING id, provider, event_key"
        )
    };
}

static UPSERT: RowsStatement<EventColumns> = RowsStatement::new(1, upsert!("{rows} AS new"));

/// Does everything that follows from the upsert: inserts the entries of repeated deliveries, under the ids that were made
/// for rows, and what the caller adds.
static UPSERT_AND_FOLLOW: RowsStatement<EventColumns> = RowsStatement::new(
    1,
    concat!(
        "WITH new AS (SELECT * FROM {rows} AS sent), stored AS (",
        upsert!("new"),
        "), repeated AS (
             INSERT INTO event_log (id, event_type, status, actor_type, inbox_id, correlation_id, metadata, created_at)
             SELECT new.id, webhook_received_type(provider), 'success', 'webhook', stored.id, request_id,
                    jsonb_build_object('eventType', event_type, 'duplicate', true), $1
             FROM new JOIN stored USING (provider, event_key) WHERE stored.id <> new.id),
         {part}
         SELECT id, provider, event_key FROM stored"
    ),
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

/// Deliveries that are stored together.
pub struct NewDeliveries<'a> {
    deliveries: Vec<&'a Delivery>,
    /// One for each event, sorted by key.
    events: Vec<NewEvent<'a>>,
    now: Timestamp,
}

impl<'a> NewDeliveries<'a> {
    /// Collects deliveries that arrived by `clock`, whose present time is that of their rows.
    #[must_use]
    pub fn of(deliveries: Vec<&'a Delivery>, clock: &Clock) -> Self {
        let now = clock.now();
        let mut places: HashMap<(WebhookSource, &str), usize> = HashMap::with_capacity(deliveries.len());
        let mut events: Vec<NewEvent<'a>> = Vec::with_capacity(deliveries.len());
        for (place, &delivery) in deliveries.iter().enumerate() {
            match places.entry((delivery.provider, delivery.event_key.as_str())) {
                Entry::Occupied(event) => events[*event.get()].deliveries += 1,
                Entry::Vacant(event) => {
                    event.insert(events.len());
                    // The order of the rows is that of their ids, not of their times.
                    let (id, received_at) = (new_id(now).into(), clock.date_of(delivery.arrived).min(now));
                    events.push(NewEvent { id, place, delivery, deliveries: 1, received_at });
                }
            }
        }
        events.sort_unstable_by_key(|event| (event.delivery.provider, event.delivery.event_key.as_str()));
        Self { deliveries, events, now }
    }

    /// Returns the place of the first delivery of each event, and the id that the event's row gets if it is new.
    pub fn events(&self) -> impl Iterator<Item = (usize, &InboxId)> {
        self.events.iter().map(|event| (event.place, &event.id))
    }

    /// Whether [`store_with`](Self::store_with) can store them: each is the only one of its event and was verified.
    #[must_use]
    pub fn are_plain(&self) -> bool {
        self.events.len() == self.deliveries.len() && self.deliveries.iter().all(|delivery| delivery.verified)
    }

    /// Stores plain deliveries in one statement, together with `following`, whose causes are new rows of the inbox.
    /// Returns what became of each delivery, in their order. PostgreSQL only.
    ///
    /// # Errors
    /// After an error the statement may have been committed, if its answer was lost.
    pub async fn store_with(&self, db: &Db, following: &impl Part) -> Result<Vec<Recorded>> {
        let rows = UPSERT_AND_FOLLOW.with_part(db, self.now, &self.events, following).all().await?;
        self.recorded(rows)
    }

    /// Stores the deliveries in a transaction. Returns what became of each, in their order.
    ///
    /// # Errors
    /// After an error the transaction must be rolled back.
    pub async fn store(&self, tx: &mut Tx) -> Result<Vec<Recorded>> {
        let sql = UPSERT.sql(tx.engine());
        let rows = UPSERT.bind_rows(tx.query(sql).bind(self.now), &self.events).all().await?;
        let recorded = self.recorded(rows)?;
        self.log(tx, &recorded).await?;
        Ok(recorded)
    }

    /// Returns what became of each delivery, given the rows of their events.
    fn recorded(&self, rows: Vec<(InboxId, WebhookSource, String)>) -> Result<Vec<Recorded>> {
        let standing: HashMap<(WebhookSource, &str), &InboxId> =
            rows.iter().map(|(id, source, key)| ((*source, key.as_str()), id)).collect();
        // If a row has the id that was made for it here, its event is new, and its first delivery made it.
        let mut firsts = vec![false; self.deliveries.len()];
        for event in &self.events {
            let key = (event.delivery.provider, event.delivery.event_key.as_str());
            firsts[event.place] = standing.get(&key).is_some_and(|id| **id == event.id);
        }
        let recorded = self.deliveries.iter().zip(firsts).map(|(delivery, first)| {
            let id = standing.get(&(delivery.provider, delivery.event_key.as_str())).ok_or(DbError::NotFound)?;
            Ok(Recorded { inbox_id: InboxId::clone(id), first })
        });
        recorded.collect()
    }

    /// Writes the entries of repeated and of unverified deliveries.
    async fn log(&self, tx: &mut Tx, recorded: &[Recorded]) -> Result<()> {
        let mut entries = Vec::new();
        let mut add = |event, status, recorded, delivery, metadata: Value| {
            let (id, metadata) = (new_id(self.now), metadata.to_string());
            entries.push(LogRow { id, event, status, recorded, delivery, metadata });
        };
        for (&delivery, recorded) in self.deliveries.iter().zip(recorded) {
            if !recorded.first {
                let metadata = json!({ "eventType": delivery.event_type, "duplicate": true });
                add(delivery.provider.received_event(), "success", recorded, delivery, metadata);
            }
            if !delivery.verified {
                add(Event::WebhookUnverified, "info", recorded, delivery, json!({ "provider": delivery.provider }));
            }
        }
        if !entries.is_empty() {
            LOG.bind_rows(tx.query(LOG.sql(tx.engine())).bind(self.now), &entries).execute().await?;
        }
        Ok(())
    }
}
