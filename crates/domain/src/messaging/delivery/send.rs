//! The last check before a text is sent, and the record that it is about to be sent.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::outbound::{Outbound, lock};
use super::{NO_LONGER_TRUE, OPTED_OUT};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::{self, runs};
use crate::ids::{MessageId, OrgId, ThreadId};
use crate::messaging::message::MessageStatus;
use crate::messaging::numbers::{NumberStatus, SmsCarrier};
use crate::messaging::opt_outs::{self, Confirms, Permission};
use crate::messaging::threads::Scope;
use crate::phone::PhoneNumber;
use crate::{Error, Result};

/// The error code of a text that waited until its booking had begun.
const STARTED: &str = "booking_started";
/// The error code of a text to a person without a phone number.
const NO_RECIPIENT: &str = "no_recipient";

/// What to send to the carrier.
#[derive(Clone)]
pub struct Envelope {
    pub message_id: MessageId,
    pub org_id: OrgId,
    pub thread_id: ThreadId,
    pub provider: SmsCarrier,
    /// The masking number.
    pub from: PhoneNumber,
    pub to: PhoneNumber,
    pub body: String,
    /// When the request to the carrier begins. A later lookup at the carrier starts here.
    pub send_started_at: Timestamp,
}

/// What to do with a text that is due.
pub enum SendDecision {
    /// Send the request to the carrier. The status `sending` is stored.
    Send(Box<Envelope>),
    /// An earlier attempt ended without an answer, so the text may have been sent. Find out before sending anything
    /// again.
    Unclear {
        /// When that attempt began.
        since: Timestamp,
    },
    /// The text was sent, or never will be. Nothing to do.
    Settled(MessageStatus),
    /// Its number is out of service, so the text waits. See [`number_in_service`](super::number_in_service).
    NoNumber,
    /// The text may not be sent. It is now `failed` with this reason.
    Blocked(&'static str),
}

#[derive(sqlx::FromRow)]
pub(super) struct Addresses {
    scope: Scope,
    pub(super) body: String,
    pub(super) from: Option<PhoneNumber>,
    from_status: Option<NumberStatus>,
    pub(super) provider: Option<SmsCarrier>,
    /// A number, or a short code or a name, to which nothing can be sent.
    client_phone: Option<String>,
    sitter_phone: Option<PhoneNumber>,
    /// The STOP that the text confirms.
    confirms_stop: Option<MessageId>,
    stop_said_at: Option<Timestamp>,
}

impl Addresses {
    pub(super) fn recipient(&self) -> Option<PhoneNumber> {
        match self.scope {
            Scope::ClientBooking | Scope::ClientGeneral => {
                self.client_phone.as_ref().and_then(|phone| PhoneNumber::stored(phone).ok())
            }
            Scope::OwnerSitter => self.sitter_phone.clone(),
            Scope::Internal => None,
        }
    }

    pub(super) fn confirms(&self) -> Option<Confirms> {
        Some(Confirms { stop: self.confirms_stop.clone()?, said_at: self.stop_said_at? })
    }
}

/// Moves a queued text to `sending`, unless its recipient opted out or its number is out of service; in the latter case
/// the text waits. Holds the recipient's wish until the transaction ends, so that a STOP is either seen here or comes
/// after this text.
///
/// # Errors
/// [`Error::NotFound`] if there is no such outbound text.
pub async fn begin_send(tx: &mut Tx, id: &MessageId, by: &Actor, now: Timestamp) -> Result<SendDecision> {
    let text = lock(tx, id).await?;
    match text.status {
        MessageStatus::Queued if text.provider_message_sid.is_none() => {}
        MessageStatus::Sending | MessageStatus::Unconfirmed if text.provider_message_sid.is_none() => {
            return Ok(SendDecision::Unclear { since: text.send_started_at.unwrap_or(now) });
        }
        status => return Ok(SendDecision::Settled(status)),
    }
    let addresses = addresses(tx, &text).await?;
    let to = addresses.recipient();
    let permission = match &to {
        Some(to) => opt_outs::permission(tx, &text.org_id, to, addresses.confirms().as_ref(), now).await?,
        None => Permission::Send,
    };
    let untrue = match &text.automation_run_id {
        Some(run) => automations::untrue(tx, run, now).await?,
        None => None,
    };
    let blocked = match permission {
        Permission::OptedOut => Some(OPTED_OUT),
        Permission::Outdated => Some(NO_LONGER_TRUE),
        // An offer has ended when its booking begins, which is no failure.
        Permission::Send if untrue.is_some() => untrue,
        Permission::Send if has_passed(tx, id, now).await? => Some(STARTED),
        Permission::Send if to.is_none() => Some(NO_RECIPIENT),
        Permission::Send => None,
    };
    if let Some(reason) = blocked {
        block(tx, &text, reason, by, now).await?;
        return Ok(SendDecision::Blocked(reason));
    }
    if addresses.from_status != Some(NumberStatus::Active) {
        return Ok(SendDecision::NoNumber);
    }
    let (Some(to), Some(from), Some(provider)) = (to, addresses.from, addresses.provider) else {
        return Err(Error::NotFound);
    };
    tx.query("UPDATE message_events SET status = 'sending', send_started_at = $2, updated_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(SendDecision::Send(Box::new(Envelope {
        message_id: text.id,
        org_id: text.org_id,
        thread_id: text.thread_id,
        provider,
        from,
        to,
        body: addresses.body,
        send_started_at: now,
    })))
}

/// Whether a text names a booking's start that has passed since the text was written, because the text waited too long.
/// A text that was written after the start is sent: it is about a past booking on purpose.
pub(super) async fn has_passed(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<bool> {
    Ok(tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM message_events AS m JOIN automation_runs AS r ON r.id = m.automation_run_id
                            WHERE m.id = $1 AND m.created_at < r.states_start_at AND r.states_start_at <= $2)",
        )
        .bind(id)
        .bind(now)
        .scalar()
        .await?)
}

pub(super) async fn addresses(tx: &mut Tx, text: &Outbound) -> Result<Addresses> {
    let addresses = tx
        .query(
            "SELECT t.scope, m.body, n.e164 AS \"from\", n.status AS from_status, n.provider,
                    c.phone_number AS client_phone, s.phone_number AS sitter_phone, m.confirms_stop,
                    COALESCE(stop.provider_at, stop.created_at) AS stop_said_at
             FROM message_events m
             JOIN message_threads t ON t.id = m.thread_id
             LEFT JOIN message_numbers n ON n.id = m.from_number_id
             LEFT JOIN clients c ON c.id = t.client_id
             LEFT JOIN sitters s ON s.id = t.assigned_sitter_id
             LEFT JOIN message_events stop ON stop.id = m.confirms_stop
             WHERE m.id = $1",
        )
        .bind(&text.id)
        .one()
        .await?;
    Ok(addresses)
}

/// Fails a text that may not be sent. Raises an exception if it was meant to be: if nobody wants it, or what it says is
/// no longer true, nobody has anything to do.
async fn block(tx: &mut Tx, text: &Outbound, reason: &'static str, by: &Actor, now: Timestamp) -> Result<()> {
    tx.query("UPDATE message_events SET status = 'failed', error_code = $2, updated_at = $3 WHERE id = $1")
        .bind(&text.id)
        .bind(reason)
        .bind(now)
        .execute()
        .await?;
    if matches!(reason, STARTED | NO_RECIPIENT) {
        return text.report_failure(tx, MessageStatus::Failed, Some(reason), by, now).await;
    }
    let metadata = json!({"messageId": text.id, "reason": reason});
    audit::record(tx, text.entry(Event::MessageBlocked, "warning", by).metadata(metadata), now).await?;
    if let Some(run) = &text.automation_run_id {
        runs::set_skipped(tx, run, reason, by, now).await?;
    }
    text.announce(tx, MessageStatus::Failed, now).await
}
