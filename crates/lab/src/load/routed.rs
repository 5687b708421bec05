//! Reads from the database what became of the texts of one run.

use std::time::Duration;

use nightshift_db::{Db, Timestamp};

/// The texts of one run, which share the beginning of their SIDs.
pub(super) struct Run<'a> {
    pub(super) db: &'a Db,
    /// The first SID that a text of the run may have.
    pub(super) from: String,
    /// The first SID after those of the run.
    pub(super) until: String,
}

/// What became of the texts.
pub(super) struct Outcome {
    /// Rows in the inbox.
    pub(super) received: u64,
    /// Messages that stand for a row of the inbox.
    pub(super) routed: u64,
    /// Those of them whose routing is explained by a trace.
    pub(super) traced: u64,
    /// Messages beyond one for each SID.
    pub(super) duplicated: u64,
    /// Conversations that hold the messages.
    pub(super) threads: u64,
    /// The time from the receipt of each text to its message, in no particular order.
    pub(super) delays: Vec<Duration>,
    /// The time from the first receipt to the last message.
    pub(super) span: Duration,
}

impl Run<'_> {
    /// Counts the messages that are stored so far.
    pub(super) async fn stored(&self) -> anyhow::Result<u64> {
        let sql = "SELECT count(*) FROM message_events WHERE provider_message_sid >= $1 AND provider_message_sid < $2";
        self.count(sql).await
    }

    pub(super) async fn outcome(&self) -> anyhow::Result<Outcome> {
        const TIMES: &str = "
            SELECT w.received_at, m.created_at FROM webhook_inbox w JOIN message_events m ON m.id = w.id
            WHERE w.provider = 'twilio' AND w.event_key >= $1 AND w.event_key < $2";
        let times: Vec<(Timestamp, Timestamp)> =
            self.db.read(TIMES).bind(self.from.as_str()).bind(self.until.as_str()).all().await?;
        let first = times.iter().map(|(received, _)| *received).min();
        let last = times.iter().map(|(_, stored)| *stored).max();
        Ok(Outcome {
            received: self
                .count("SELECT count(*) FROM webhook_inbox WHERE provider = 'twilio' AND event_key >= $1 AND event_key < $2")
                .await?,
            routed: u64::try_from(times.len())?,
            traced: self
                .count(
                    "SELECT count(*) FROM message_events m JOIN routing_traces t ON t.message_event_id = m.id
                     WHERE m.provider_message_sid >= $1 AND m.provider_message_sid < $2",
                )
                .await?,
            duplicated: self
                .count(
                    "SELECT count(*) - count(DISTINCT provider_message_sid) FROM message_events
                     WHERE provider_message_sid >= $1 AND provider_message_sid < $2",
                )
                .await?,
            threads: self
                .count(
                    "SELECT count(DISTINCT thread_id) FROM message_events
                     WHERE provider_message_sid >= $1 AND provider_message_sid < $2",
                )
                .await?,
            delays: times.iter().map(|(received, stored)| stored.since(*received)).collect(),
            span: first.zip(last).map(|(first, last)| last.since(first)).unwrap_or_default(),
        })
    }

    async fn count(&self, sql: &'static str) -> anyhow::Result<u64> {
        let found: i64 = self.db.read(sql).bind(self.from.as_str()).bind(self.until.as_str()).scalar().await?;
        Ok(u64::try_from(found)?)
    }
}
