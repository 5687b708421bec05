//! What became of a range of inbound texts, for measurements. Bodies and numbers are not read.

use std::time::Duration;

use nightshift_db::{Db, Timestamp};

use crate::{Error, Result};

/// Texts of Twilio whose SIDs lie in a range.
#[derive(Debug, Clone)]
pub struct Sids {
    /// The first SID of the range.
    pub from: String,
    /// The first SID after it.
    pub until: String,
}

/// What became of the texts.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Rows in the inbox.
    pub received: u64,
    /// Messages that stand for a row of the inbox.
    pub routed: u64,
    /// Messages whose routing is explained by a trace.
    pub traced: u64,
    /// Messages beyond one for each SID.
    pub duplicated: u64,
    /// Conversations that hold the messages.
    pub threads: u64,
    /// The time from the receipt of each text to its message, in no particular order.
    pub delays: Vec<Duration>,
    /// The time from the first receipt to the last message.
    pub span: Duration,
}

impl Sids {
    /// Returns how many of the texts are stored as messages so far.
    ///
    /// # Errors
    /// A database error.
    pub async fn stored(&self, db: &Db) -> Result<u64> {
        self.count(
            db,
            "SELECT count(*) FROM message_events WHERE provider_message_sid >= $1 AND provider_message_sid < $2",
        )
        .await
    }

    /// Returns what became of the texts.
    ///
    /// # Errors
    /// A database error.
    pub async fn measure(&self, db: &Db) -> Result<Measured> {
        const TIMES: &str = "
            SELECT w.received_at, m.created_at FROM webhook_inbox w JOIN message_events m ON m.id = w.id
            WHERE w.provider = 'twilio' AND w.event_key >= $1 AND w.event_key < $2";
        const RECEIVED: &str = "
            SELECT count(*) FROM webhook_inbox WHERE provider = 'twilio' AND event_key >= $1 AND event_key < $2";
        const TRACED: &str = "
            SELECT count(*) FROM message_events m JOIN routing_traces t ON t.message_event_id = m.id
            WHERE m.provider_message_sid >= $1 AND m.provider_message_sid < $2";
        const DUPLICATED: &str = "
            SELECT count(*) - count(DISTINCT provider_message_sid) FROM message_events
            WHERE provider_message_sid >= $1 AND provider_message_sid < $2";
        const THREADS: &str = "
            SELECT count(DISTINCT thread_id) FROM message_events
            WHERE provider_message_sid >= $1 AND provider_message_sid < $2";
        let times: Vec<(Timestamp, Timestamp)> =
            db.read(TIMES).bind(self.from.as_str()).bind(self.until.as_str()).all().await.map_err(Error::from)?;
        let first = times.iter().map(|(received, _)| *received).min();
        let last = times.iter().map(|(_, stored)| *stored).max();
        Ok(Measured {
            received: self.count(db, RECEIVED).await?,
            routed: u64::try_from(times.len()).unwrap_or(u64::MAX),
            traced: self.count(db, TRACED).await?,
            duplicated: self.count(db, DUPLICATED).await?,
            threads: self.count(db, THREADS).await?,
            delays: times.iter().map(|(received, stored)| stored.since(*received)).collect(),
            span: first.zip(last).map(|(first, last)| last.since(first)).unwrap_or_default(),
        })
    }

    async fn count(&self, db: &Db, sql: &'static str) -> Result<u64> {
        let found: i64 = db.read(sql).bind(self.from.as_str()).bind(self.until.as_str()).scalar().await?;
        Ok(found.unsigned_abs())
    }
}
