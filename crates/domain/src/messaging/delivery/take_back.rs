//! Taking back texts that must not be sent any more.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::outbound::{Outbound, lock};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::{self, runs};
use crate::ids::MessageId;
use crate::messaging::message::MessageStatus;

/// Takes back a text that waits to be sent: the text fails with `reason`, its automation run is skipped, and no
/// exception is raised. A text that was sent, or may have been, is left unchanged.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub(crate) async fn take_back(
    tx: &mut Tx,
    id: &MessageId,
    reason: &'static str,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let text = lock(tx, id).await?;
    end(tx, &text, reason, by, now).await
}

/// Takes back a text that has just been put back into the queue if its content is outdated, together with every text
/// that would then repeat the one before it. The caller holds the lock of the text; texts of one booking are locked in
/// the order in which they were written.
pub(super) async fn unless_outdated(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<()> {
    let text = lock(tx, id).await?;
    let Some(run) = &text.automation_run_id else { return Ok(()) };
    let Some(reason) = automations::outdated(tx, run, now).await? else { return Ok(()) };
    let by = Actor::system("delivery");
    end(tx, &text, reason, &by, now).await?;
    for repeated in automations::repeated(tx, run).await? {
        take_back(tx, &repeated, "already_told", &by, now).await?;
    }
    Ok(())
}

async fn end(tx: &mut Tx, text: &Outbound, reason: &'static str, by: &Actor, now: Timestamp) -> Result<()> {
    if text.status != MessageStatus::Queued || text.provider_message_sid.is_some() {
        return Ok(());
    }
    tx.query(
        "UPDATE message_events SET status = 'failed', error_code = $2, send_slot_at = NULL, updated_at = $3
         WHERE id = $1",
    )
    .bind(&text.id)
    .bind(reason)
    .bind(now)
    .execute()
    .await?;
    let metadata = json!({"messageId": text.id, "reason": reason});
    audit::record(tx, text.entry(Event::MessageTakenBack, "info", by).metadata(metadata), now).await?;
    if let Some(run) = &text.automation_run_id {
        runs::set_skipped(tx, run, reason, by, now).await?;
    }
    text.announce(tx, MessageStatus::Failed, now).await
}
