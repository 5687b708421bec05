//! Received webhooks: one row for each event of a source, however often the event is delivered.
//!
//! The row of an event is also the receipt of its first delivery, which the [audit log](crate::audit) shows as an entry.
//! What a receipt says never changes; the database refuses it. When the row is deleted, the database moves its receipt
//! to the audit log.

mod delivery;
mod gaps;
mod record;

use nightshift_db::{Timestamp, Tx};

pub use delivery::{Delivery, Recorded, WebhookSource};
pub use gaps::{bodies_since, known};
pub use record::NewDeliveries;

use crate::ids::{InboxId, OrgId};
use crate::text_enum::text_enum;
use crate::{Error, Result};

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
