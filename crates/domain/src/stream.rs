//! Live updates: rows written in the transaction of the change, read by those who watch a page.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::Value;

use crate::Result;
use crate::ids::OrgId;

/// Adds an event to a topic. `data` holds ids and facts, never message bodies or clients' numbers.
///
/// # Errors
/// A database error.
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
