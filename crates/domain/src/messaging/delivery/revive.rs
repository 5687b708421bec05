//! Bringing back a failed text because an operator retries it.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::outbound::{Outbound, lock, undelivered};
use super::send::{addresses, has_passed};
use super::{OPTED_OUT, POSSIBLY_SENT};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations;
use crate::automations::runs::{self, AutomationRunStatus};
use crate::bookings;
use crate::exceptions;
use crate::ids::{BookingId, MessageId};
use crate::messaging::message::MessageStatus;
use crate::messaging::opt_outs::{self, Permission};

/// Why a text is not brought back that its recipient does not want.
const UNWANTED: &str = "the recipient asked to get no more messages";

/// Moves a failed text back to `to`: `queued` if it is certain that it was not sent, `unconfirmed` if that has to be
/// found out. The automation run that wrote it waits again too. A text that still waits for its sending or its outcome
/// is left unchanged. The inner error is the reason why the text can't be brought back.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn revive(
    tx: &mut Tx,
    id: &MessageId,
    to: MessageStatus,
    by: &Actor,
    now: Timestamp,
) -> Result<std::result::Result<(), String>> {
    // A change of the booking's time takes back its unsent texts, so it must not happen between the check and the
    // update.
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
        Some(OPTED_OUT) => return Ok(Err(UNWANTED.to_owned())),
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
        let taken_back = runs::lock(tx, run).await?.status == AutomationRunStatus::Skipped;
        if taken_back || automations::outdated(tx, run, now).await?.is_some() {
            return Ok(Err("its booking or its offer has changed, and the text is no longer true".to_owned()));
        }
    }
    // A text that may have been sent is looked up, whatever its recipient wants.
    if to == MessageStatus::Queued
        && let Some(why) = unwanted(tx, &text, now).await?
    {
        return Ok(Err(why.to_owned()));
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
        runs::reopen_unsent(tx, run, now).await?;
    }
    exceptions::resolve(tx, &undelivered(id), "a person retried it", now).await?;
    let metadata = json!({"messageId": id, "status": to, "errorCode": text.error_code});
    audit::record(tx, text.entry(Event::MessageRetried, "success", by).metadata(metadata), now).await?;
    text.announce(tx, to, now).await?;
    Ok(Ok(()))
}

/// Returns why the recipient of a text does not want it now, if so. Until the transaction ends, nobody changes the answer.
async fn unwanted(tx: &mut Tx, text: &Outbound, now: Timestamp) -> Result<Option<&'static str>> {
    let addresses = addresses(tx, text).await?;
    let Some(to) = addresses.recipient() else { return Ok(None) };
    Ok(match opt_outs::permission(tx, &text.org_id, &to, addresses.confirms().as_ref(), now).await? {
        Permission::Send => None,
        Permission::OptedOut => Some(UNWANTED),
        Permission::Outdated => Some("it confirms a STOP, and the recipient has asked for texts again since"),
    })
}
