//! Recording the outcome of a request to the carrier.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::outbound::{Outbound, find_by_sid, lock, unconfirmed};
use super::report::rank;
use super::take_back::unless_outdated;
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::runs;
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::MessageId;
use crate::messaging::message::MessageStatus;

/// Records that the carrier accepted the text and gave it the id `sid`. Also settles an attempt whose outcome was
/// unknown. A status report that arrived before the answer is kept.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn record_sent(tx: &mut Tx, id: &MessageId, sid: &str, by: &Actor, now: Timestamp) -> Result<()> {
    let text = lock(tx, id).await?;
    if text.provider_message_sid.is_some() {
        return Ok(());
    }
    let status = if rank(text.status) < rank(MessageStatus::Sent) { MessageStatus::Sent } else { text.status };
    tx.query(
        "UPDATE message_events
         SET status = $2, provider_message_sid = $3, sent_at = COALESCE(sent_at, $4), updated_at = $4
         WHERE id = $1",
    )
    .bind(id)
    .bind(status)
    .bind(sid)
    .bind(now)
    .execute()
    .await?;
    let metadata = json!({"providerMessageSid": sid, "fromNumberId": text.from_number_id});
    audit::record(tx, text.entry(Event::MessageSent, "success", by).metadata(metadata), now).await?;
    if let Some(run) = &text.automation_run_id {
        runs::set_success(tx, run, &text.id, by, now).await?;
    }
    if text.status == MessageStatus::Unconfirmed {
        known(tx, id, now).await?;
    }
    text.announce(tx, status, now).await
}

/// Records the carrier's id of a text whose outcome was unknown.
///
/// # Errors
/// As [`record_sent`].
pub async fn adopt_sid(tx: &mut Tx, id: &MessageId, sid: &str, by: &Actor, now: Timestamp) -> Result<()> {
    record_sent(tx, id, sid, by, now).await
}

/// What a refusal says about the recipient of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// They have opted out, which then holds for all numbers of the organisation.
    OptedOut,
    /// The carrier knows them as one who sues senders of texts.
    Litigator,
    /// Nothing.
    Other,
}

/// Records what the carrier says about the recipient of a text: an opt-out, or an exception for a person to look at.
async fn note_recipient(tx: &mut Tx, text: &Outbound, because: Because, by: &Actor, now: Timestamp) -> Result<()> {
    match because {
        Because::OptedOut => text.recipient_opted_out(tx, by, now).await,
        Because::Litigator => {
            let fingerprint = format!("recipient_litigator:{}", text.thread_id);
            let problem = NewException::new(ExceptionKind::RecipientLitigator, Severity::High, fingerprint)
                .title("The carrier knows the recipient of a text as one who sues senders")
                .org(&text.org_id)
                .thread(&text.thread_id)
                .detail(json!({"messageId": text.id}));
            exceptions::raise(tx, &problem, now).await?;
            Ok(())
        }
        Because::Other => Ok(()),
    }
}

/// As what [`record_refused`] records about the recipient, for a text that the carrier had accepted as `sid`.
///
/// # Errors
/// An error of the database.
pub async fn record_reported(tx: &mut Tx, sid: &str, because: Because, by: &Actor, now: Timestamp) -> Result<()> {
    match find_by_sid(tx, sid).await? {
        Some(text) => {
            // The recipient's wish is locked last.
            let text = lock(tx, &text.id).await?;
            note_recipient(tx, &text, because, by, now).await
        }
        None => Ok(()),
    }
}

/// Records that the text will never be sent: the carrier refused it, or every attempt failed. A text that was already
/// sent is left unchanged. `because` is what the carrier says about the recipient.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn record_refused(
    tx: &mut Tx,
    id: &MessageId,
    error_code: &str,
    because: Because,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let text = lock(tx, id).await?;
    note_recipient(tx, &text, because, by, now).await?;
    if text.provider_message_sid.is_some() || rank(text.status) >= rank(MessageStatus::Sent) {
        return Ok(());
    }
    if text.status == MessageStatus::Unconfirmed {
        known(tx, id, now).await?;
    }
    tx.query("UPDATE message_events SET status = 'failed', error_code = $2, updated_at = $3 WHERE id = $1")
        .bind(id)
        .bind(error_code)
        .bind(now)
        .execute()
        .await?;
    text.report_failure(tx, MessageStatus::Failed, Some(error_code), by, now).await
}

/// Puts a text back into the queue when it is certain that the carrier did not accept it. The text takes a new slot. If
/// its booking has moved in the meantime, the text is taken back instead.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn back_to_queue(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<()> {
    lock(tx, id).await?;
    tx.query(
        "UPDATE message_events SET status = 'queued', send_slot_at = NULL, updated_at = $2
         WHERE id = $1 AND status = 'sending' AND provider_message_sid IS NULL",
    )
    .bind(id)
    .bind(now)
    .execute()
    .await?;
    unless_outdated(tx, id, now).await
}

/// Marks a text whose attempt ended without an answer. Returns true if the text is now unconfirmed, so that
/// `sms.confirm_delivery` must find out what happened.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn mark_unconfirmed(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<bool> {
    let text = lock(tx, id).await?;
    if text.status == MessageStatus::Unconfirmed {
        return Ok(true);
    }
    if text.status != MessageStatus::Sending || text.provider_message_sid.is_some() {
        return Ok(false);
    }
    tx.query("UPDATE message_events SET status = 'unconfirmed', updated_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    text.announce(tx, MessageStatus::Unconfirmed, now).await?;
    Ok(true)
}

/// Raises an exception because it is unknown whether a text was sent and the job that would find out has ended.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn raise_unconfirmed(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<()> {
    let text = lock(tx, id).await?;
    let problem = NewException::new(ExceptionKind::SmsUnconfirmed, Severity::Medium, unconfirmed(id))
        .title("It is unknown whether a text message was sent")
        .org(&text.org_id)
        .thread(&text.thread_id)
        .detail(json!({"messageId": id}));
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Resolves the exception about a text whose outcome was unknown.
async fn known(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<()> {
    exceptions::resolve(tx, &unconfirmed(id), "the outcome of the text is now known", now).await
}

/// Puts a text that the carrier does not know back into the queue, at most once, or takes it back if its booking has
/// moved in the meantime. Returns false if it is no longer unconfirmed or was sent again before.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such outbound text.
pub async fn resend_once(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<bool> {
    let text = lock(tx, id).await?;
    if text.status != MessageStatus::Unconfirmed
        || text.provider_message_sid.is_some()
        || text.resends > text.given_back
    {
        return Ok(false);
    }
    tx.query(
        "UPDATE message_events SET status = 'queued', send_slot_at = NULL, resends = resends + 1, updated_at = $2
         WHERE id = $1",
    )
    .bind(id)
    .bind(now)
    .execute()
    .await?;
    known(tx, id, now).await?;
    text.announce(tx, MessageStatus::Queued, now).await?;
    unless_outdated(tx, id, now).await?;
    Ok(true)
}
