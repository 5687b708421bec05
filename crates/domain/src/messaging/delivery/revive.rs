//! Bringing back a text that was given up, because a person wants it sent after all.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::outbound::{lock, undelivered};
use super::send::has_passed;
use super::{OPTED_OUT, POSSIBLY_SENT};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations;
use crate::automations::ledger::{self, RunStatus};
use crate::bookings;
use crate::exceptions;
use crate::ids::{BookingId, MessageId};
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
    // A change of the booking's time takes back its unsent texts: it must not happen between the look and the change.
    let booking: Option<(BookingId,)> = tx
        .query(
            "SELECT r.booking_id FROM message_events AS m JOIN automation_runs AS r ON r.id = m.automation_run_id
             WHERE m.id = $1 AND r.booking_id IS NOT NULL",
        )
        .bind(id)
        .optional()
        .await?;
    if let Some((booking,)) = &booking {
        bookings::lock(tx, booking).await?;
    }
    let text = lock(tx, id).await?;
    match text.status {
        MessageStatus::Queued | MessageStatus::Sending | MessageStatus::Unconfirmed
            if text.provider_message_sid.is_none() =>
        {
            return Ok(Ok(()));
        }
        MessageStatus::Failed if text.provider_message_sid.is_none() => {}
        status => return Ok(Err(format!("the text was sent and is {status}"))),
    }
    match text.error_code.as_deref() {
        Some(OPTED_OUT) => return Ok(Err("the recipient asked to get no more messages".to_owned())),
        Some(POSSIBLY_SENT) => {
            return Ok(
                Err("it may have been sent: check the provider's log; if it was not, write it again".to_owned()),
            );
        }
        _ => {}
    }
    if has_passed(tx, id, now).await? {
        return Ok(Err("its booking has already begun".to_owned()));
    }
    if let Some(run) = &text.automation_run_id {
        let taken_back = ledger::lock(tx, run).await?.status == RunStatus::Skipped;
        if taken_back || automations::outdated(tx, run).await?.is_some() {
            return Ok(Err("its booking has changed, and the text is no longer true".to_owned()));
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
    exceptions::resolve(tx, &undelivered(id), "a person retried it", now).await?;
    let metadata = json!({"messageId": id, "status": to, "errorCode": text.error_code});
    audit::record(tx, text.entry(Event::MessageRetried, "success", by).metadata(metadata), now).await?;
    text.announce(tx, to, now).await?;
    Ok(Ok(()))
}
