//! The carrier's later reports about a text, which may arrive in any order.

use nightshift_db::{Timestamp, Tx};

use super::outbound::{find_by_sid, lock};
use crate::Result;
use crate::actor::Actor;
use crate::messaging::message::MessageStatus;

/// The code of Twilio for a recipient who opted out at Twilio.
const RECIPIENT_OPTED_OUT: &str = "21610";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportOutcome {
    /// No text has this id, or not yet: a report may arrive before the answer to the request that caused it.
    Unknown,
    /// The text already has this status or a later one.
    Stale,
    /// The text has this new status.
    Applied(MessageStatus),
}

/// Applies the carrier's report about the text with the id `sid`. Reports only move a text forward; an older one that
/// arrives late is ignored. `undelivered` and `failed` raise an exception.
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
        if error_code == Some(RECIPIENT_OPTED_OUT) {
            text.recipient_opted_out(tx, by, now).await?;
        }
        text.report_failure(tx, status, error_code, by, now).await?;
    } else {
        text.announce(tx, status, now).await?;
    }
    Ok(ReportOutcome::Applied(status))
}

/// Returns the order of a status in a text's life. A report changes a text only if the rank grows.
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
