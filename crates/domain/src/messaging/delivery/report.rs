//! What the provider reports about a text later on, in any order.

use nightshift_db::{Timestamp, Tx};

use super::outbound::{find_by_sid, lock};
use crate::Result;
use crate::actor::Actor;
use crate::messaging::message::MessageStatus;

/// What a provider's report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportOutcome {
    /// No text has this id (yet: a report may come before the answer to the request that caused it).
    Unknown,
    /// The text had come at least as far already.
    Stale,
    /// The text moved on.
    Applied(MessageStatus),
}

/// Applies a provider's report about the text it calls `sid`. Reports only move forward; a late older one is ignored.
/// `undelivered` and `failed` raise an exception for people.
///
/// # Errors
/// When the database refuses.
pub async fn apply_report(
    tx: &mut Tx,
    sid: &str,
    status: MessageStatus,
    error_code: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<ReportOutcome> {
    let Some(found) = find_by_sid(tx, sid).await? else { return Ok(ReportOutcome::Unknown) };
    let text = lock(tx, &found.id).await?;
    if rank(status) <= rank(text.status) {
        return Ok(ReportOutcome::Stale);
    }
    tx.query(
        "UPDATE message_events
         SET status = $2, error_code = COALESCE($3, error_code),
             sent_at = CASE WHEN $2 IN ('sent', 'delivered') THEN COALESCE(sent_at, $4) ELSE sent_at END,
             delivered_at = CASE WHEN $2 = 'delivered' THEN $4 ELSE delivered_at END, updated_at = $4
         WHERE id = $1",
    )
    .bind(&text.id)
    .bind(status)
    .bind(error_code)
    .bind(now)
    .execute()
    .await?;
    if matches!(status, MessageStatus::Undelivered | MessageStatus::Failed) {
        text.report_failure(tx, status, error_code, by, now).await?;
    } else {
        text.announce(tx, status, now).await?;
    }
    Ok(ReportOutcome::Applied(status))
}

/// How far along a status is; a text never goes to a lower or equal rank by a report.
#[must_use]
pub const fn rank(status: MessageStatus) -> u8 {
    match status {
        MessageStatus::Received => 0,
        MessageStatus::Queued => 1,
        MessageStatus::Sending | MessageStatus::Unconfirmed => 2,
        MessageStatus::Sent => 3,
        MessageStatus::Delivered | MessageStatus::Undelivered | MessageStatus::Failed => 4,
    }
}
