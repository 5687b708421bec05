//! Texts that are not to leave after all.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::outbound::{Outbound, lock};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::{self, runs};
use crate::ids::MessageId;
use crate::messaging::message::MessageStatus;

/// Takes back a text that waits to leave: it ends as failed with this reason, its run as skipped, and people need not
/// look at it. One that has left, or may have, stays as it is.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) when there is no such outbound text.
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

/// Takes back a text that has just come back unsent when what it says is outdated by now, and whichever would repeat the
/// one before it then. The caller holds the text; those of a booking are held in the order in which they were written.
pub(super) async fn unless_outdated(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<()> {
    let text = lock(tx, id).await?;
    let Some(run) = &text.automation_run_id else { return Ok(()) };
    let Some(reason) = automations::outdated(tx, run).await? else { return Ok(()) };
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
