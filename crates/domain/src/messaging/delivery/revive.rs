//! Bringing back a text that was given up, because a person wants it sent after all.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::OPTED_OUT;
use super::outbound::{lock, undelivered};
use crate::Result;
use crate::actor::Actor;
use crate::audit;
use crate::automations;
use crate::automations::ledger::{self, RunStatus};
use crate::exceptions;
use crate::ids::MessageId;
use crate::messaging::message::MessageStatus;

/// Takes a failed text back to `to`: `queued` when it is certain that nothing left, `unconfirmed` when that is to be
/// found out. The ledger's row that asked for it waits again too. A text that has not ended stays as it is. Otherwise
/// the reason why it can't be brought back.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) when there is no such outbound text.
pub async fn revive(
    tx: &mut Tx,
    id: &MessageId,
    to: MessageStatus,
    by: &Actor,
    now: Timestamp,
) -> Result<std::result::Result<(), String>> {
    let text = lock(tx, id).await?;
    match text.status {
        MessageStatus::Queued | MessageStatus::Sending | MessageStatus::Unconfirmed
            if text.provider_message_sid.is_none() =>
        {
            return Ok(Ok(()));
        }
        MessageStatus::Failed if text.provider_message_sid.is_none() => {}
        status => return Ok(Err(format!("the text has left and is {status}"))),
    }
    if text.error_code.as_deref() == Some(OPTED_OUT) {
        return Ok(Err("the recipient asked to get no more messages".to_owned()));
    }
    if let Some(run) = &text.automation_run_id {
        let taken_back = ledger::lock(tx, run).await?.status == RunStatus::Skipped;
        if taken_back || automations::outdated(tx, run).await?.is_some() {
            return Ok(Err("its booking has changed since, and what it says no longer holds".to_owned()));
        }
    }
    tx.query(
        "UPDATE message_events SET status = $2, error_code = NULL, send_slot_at = NULL, updated_at = $3 WHERE id = $1",
    )
    .bind(id)
    .bind(to)
    .bind(now)
    .execute()
    .await?;
    if let Some(run) = &text.automation_run_id {
        ledger::reopen_unsent(tx, run, now).await?;
    }
    exceptions::resolve(tx, &undelivered(id), "a person has it sent again", now).await?;
    let metadata = json!({"messageId": id, "status": to, "errorCode": text.error_code});
    audit::record(tx, text.entry("message.retried", "success", by).metadata(metadata), now).await?;
    text.announce(tx, to, now).await?;
    Ok(Ok(()))
}
