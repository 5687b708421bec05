//! What is stored of the texts that a carrier has received.

use std::collections::HashSet;

use nightshift_db::{Db, RowsStatement, Timestamp, columns, lowest_id};

use super::delivery::WebhookSource;
use crate::Result;

columns! {
    /// A carrier's id of a text.
    struct SidColumns(sid: &'r str, 'r) {
        sid: text = *sid,
    }
}

/// The id of a text is the key of its event, or, if events have ids of their own, that of the stored message.
static KNOWN: RowsStatement<SidColumns> = RowsStatement::new(
    1,
    "SELECT sid FROM {rows} AS listed
     WHERE EXISTS (SELECT 1 FROM webhook_inbox WHERE provider = $1 AND event_key = listed.sid)
        OR EXISTS (SELECT 1 FROM message_events WHERE provider_message_sid = listed.sid)",
);

/// Returns those of a carrier's ids of texts that are stored as events of `source` or as messages.
pub async fn known(db: &Db, source: WebhookSource, sids: &[&str]) -> Result<HashSet<String>> {
    let query = db.read(KNOWN.sql(db.engine())).bind(source);
    let known: Vec<(String,)> = KNOWN.bind_rows(query, sids).all().await?;
    Ok(known.into_iter().map(|(sid,)| sid).collect())
}

/// The id of an event is never earlier than its time. Written so that SQLite does not read all events of the source by
/// the index of keys.
const BODIES_SINCE: &str = "
SELECT payload FROM webhook_inbox
WHERE id >= $1 AND COALESCE(provider, '') = $2 AND received_at >= $3 AND payload IS NOT NULL";

/// Returns the bodies of the events of `source` that were received at or after `since`, processed or not. Index: the
/// primary key.
pub async fn bodies_since(db: &Db, source: WebhookSource, since: Timestamp) -> Result<Vec<String>> {
    let bodies: Vec<(String,)> = db.read(BODIES_SINCE).bind(lowest_id(since)).bind(source).bind(since).all().await?;
    Ok(bodies.into_iter().map(|(body,)| body).collect())
}
