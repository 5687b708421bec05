//! Live updates: rows written in the transaction of the change and read by those who watch a page.

mod topic;

use nightshift_db::{Db, Json, Timestamp, Tx};
use serde_json::Value;

pub use topic::Topic;

use crate::Result;
use crate::ids::OrgId;
use crate::viewer::{Reach, Viewer};

/// The number of events that [`after`] reads at most.
const BATCH: i64 = 500;

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StreamEvent {
    /// Position in the order of all events.
    pub seq: i64,
    /// `None` for the platform's events.
    pub org_id: Option<OrgId>,
    pub topic: String,
    pub event: String,
    /// Ids and facts, never message bodies or clients' numbers.
    pub data: Json<Value>,
}

impl StreamEvent {
    /// Whether a viewer who watches the event's topic may receive the event.
    #[must_use]
    pub fn is_for(&self, viewer: &Viewer) -> bool {
        match viewer.reach() {
            Reach::All => true,
            Reach::Org(org) | Reach::Sitter { org, .. } => self.org_id.as_ref() == Some(org),
            Reach::Request(id) => self.topic.strip_prefix("request:") == Some(id.as_str()),
            Reach::Nothing => false,
        }
    }
}

/// Adds an event to a topic. `data` holds ids and facts, never message bodies or clients' numbers.
pub async fn append(
    tx: &mut Tx,
    org: Option<&OrgId>,
    topic: &str,
    event: &str,
    data: &Value,
    now: Timestamp,
) -> Result<()> {
    tx.query("INSERT INTO stream_events (org_id, topic, event, data, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(org)
        .bind(topic)
        .bind(event)
        .bind(Json(data))
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Returns the `seq` of the newest event, or 0 if there is none.
pub async fn latest(db: &Db) -> Result<i64> {
    Ok(db.read("SELECT COALESCE(MAX(seq), 0) FROM stream_events").scalar().await?)
}

/// Returns the events after `seq` in their order, as many as one batch holds. They are the events of all organisations:
/// the one reader of a process hands each to the viewers it [is for](StreamEvent::is_for).
pub async fn after(db: &Db, seq: i64) -> Result<Vec<StreamEvent>> {
    Ok(db
        .read("SELECT seq, org_id, topic, event, data FROM stream_events WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(seq)
        .bind(BATCH)
        .all()
        .await?)
}
