//! The way of an outbound text to its recipient.
//!
//! `queued` -> `sending` -> `sent` -> `delivered`, `undelivered` or `failed`; `unconfirmed` when the provider was asked
//! and its answer is lost. The intent to send is committed as `sending` before the provider is asked, in the
//! transaction that looks at the opt-out, so that whoever finds a text in `sending` knows that it may have left.
//! Provider reports only move a text forward. Every function may be called twice.

use std::time::Duration;

use nightshift_db::{Engine, Timestamp, Tx};
use serde_json::json;

use super::message::MessageStatus;
use super::numbers::{NumberStatus, Provider};
use super::threads::Scope;
use crate::actor::Actor;
use crate::audit::{self, Entry};
use crate::automations::ledger;
use crate::exceptions;
use crate::ids::{AutomationRunId, MessageId, NumberId, OrgId, ThreadId};
use crate::phone::PhoneNumber;
use crate::stream;
use crate::{Error, Result};

/// A number sends one text a second; carriers drop what comes faster.
const SEND_INTERVAL: Duration = Duration::from_secs(1);

/// An outbound text and where it stands.
#[derive(Clone, sqlx::FromRow)]
pub struct Outbound {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub org_id: OrgId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// Where it stands.
    pub status: MessageStatus,
    /// The provider's id of it, once known.
    pub provider_message_sid: Option<String>,
    /// The number it leaves from.
    pub from_number_id: Option<NumberId>,
    /// The ledger row that asked for it, for an automatic text.
    pub automation_run_id: Option<AutomationRunId>,
    /// When its number's rate lets it leave, once asked for.
    pub send_slot_at: Option<Timestamp>,
    /// When the provider was last about to be asked.
    pub send_started_at: Option<Timestamp>,
    /// How often it was sent again after an unclear attempt.
    pub resends: i64,
}

macro_rules! outbound_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, org_id, thread_id, status, provider_message_sid, from_number_id, automation_run_id, send_slot_at,
              send_started_at, resends ",
            $after
        )
    };
}

/// What to hand to the provider.
#[derive(Clone)]
pub struct Envelope {
    /// The text's id.
    pub message_id: MessageId,
    /// Whose it is.
    pub org_id: OrgId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// Who carries it.
    pub provider: Provider,
    /// The masking number.
    pub from: PhoneNumber,
    /// The recipient.
    pub to: PhoneNumber,
    /// What to say.
    pub body: String,
    /// When the provider is about to be asked; a later look-up starts here.
    pub send_started_at: Timestamp,
}

/// What to do with a text whose turn has come.
pub enum Turn {
    /// Ask the provider; that it is about to be asked is on record.
    Send(Box<Envelope>),
    /// It may have left already: an earlier attempt ended without an answer. Find out before anything is sent again.
    Unclear {
        /// When that attempt began.
        since: Timestamp,
    },
    /// It went out, or never will; nothing to do.
    Settled(MessageStatus),
    /// It may not be sent; it now is `failed` with this reason.
    Blocked(&'static str),
}

/// The text with this id.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text.
pub async fn load(tx: &mut Tx, id: &MessageId) -> Result<Outbound> {
    tx.query(outbound_columns!("SELECT", "FROM message_events WHERE id = $1 AND direction = 'outbound'"))
        .bind(id)
        .optional()
        .await?
        .ok_or(Error::NotFound)
}

/// The text that the provider knows by this id.
///
/// # Errors
/// When the database can't be read.
pub async fn find_by_sid(tx: &mut Tx, sid: &str) -> Result<Option<Outbound>> {
    let found = tx
        .query(outbound_columns!(
            "SELECT",
            "FROM message_events WHERE provider_message_sid = $1 AND direction = 'outbound'"
        ))
        .bind(sid)
        .optional()
        .await?;
    Ok(found)
}

async fn lock(tx: &mut Tx, id: &MessageId) -> Result<Outbound> {
    if tx.engine() == Engine::Postgres {
        tx.query("SELECT 1 FROM message_events WHERE id = $1 FOR UPDATE").bind(id).execute().await?;
    }
    load(tx, id).await
}

/// The moment a text may leave its number. Each number gives out one slot a second, in the order they are asked for;
/// a text keeps the slot it has.
///
/// # Errors
/// [`Error::NotFound`] when there is no such text or number.
pub async fn take_send_slot(tx: &mut Tx, number: &NumberId, message: &MessageId, now: Timestamp) -> Result<Timestamp> {
    let text = lock(tx, message).await?;
    if let Some(slot) = text.send_slot_at {
        return Ok(slot);
    }
    let next: Option<(Option<Timestamp>,)> = tx
        .query(match tx.engine() {
            Engine::Postgres => "SELECT next_send_at FROM message_numbers WHERE id = $1 FOR UPDATE",
            Engine::Sqlite => "SELECT next_send_at FROM message_numbers WHERE id = $1",
        })
        .bind(number)
        .optional()
        .await?;
    let (next,) = next.ok_or(Error::NotFound)?;
    let slot = next.map_or(now, |next| next.max(now));
    tx.query("UPDATE message_numbers SET next_send_at = $2, updated_at = $3 WHERE id = $1")
        .bind(number)
        .bind(slot + SEND_INTERVAL)
        .bind(now)
        .execute()
        .await?;
    tx.query("UPDATE message_events SET send_slot_at = $2, updated_at = $3 WHERE id = $1")
        .bind(message)
        .bind(slot)
        .bind(now)
        .execute()
        .await?;
    Ok(slot)
}

#[derive(sqlx::FromRow)]
struct Addresses {
    scope: Scope,
    body: String,
    from: Option<PhoneNumber>,
    from_status: Option<NumberStatus>,
    provider: Option<Provider>,
    client_phone: Option<PhoneNumber>,
    opted_out_at: Option<Timestamp>,
    sitter_phone: Option<PhoneNumber>,
}

/// Takes a queued text to `sending`, unless its recipient opted out or its number is out of service by now. The
/// recipient's row is held meanwhile, so that a STOP is either seen here or comes after this text.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text.
pub async fn begin_send(tx: &mut Tx, id: &MessageId, by: &Actor, now: Timestamp) -> Result<Turn> {
    let text = lock(tx, id).await?;
    match text.status {
        MessageStatus::Queued if text.provider_message_sid.is_none() => {}
        MessageStatus::Sending | MessageStatus::Unconfirmed if text.provider_message_sid.is_none() => {
            return Ok(Turn::Unclear { since: text.send_started_at.unwrap_or(now) });
        }
        status => return Ok(Turn::Settled(status)),
    }
    let addresses = addresses(tx, &text).await?;
    let to = match addresses.scope {
        Scope::ClientBooking | Scope::ClientGeneral => addresses.client_phone,
        Scope::OwnerSitter => addresses.sitter_phone,
        Scope::Internal => None,
    };
    let blocked = if addresses.opted_out_at.is_some() && addresses.scope != Scope::OwnerSitter {
        Some("opted_out")
    } else if addresses.from_status != Some(NumberStatus::Active) {
        Some("number_not_in_service")
    } else if to.is_none() {
        Some("no_recipient")
    } else {
        None
    };
    if let Some(reason) = blocked {
        block(tx, &text, reason, by, now).await?;
        return Ok(Turn::Blocked(reason));
    }
    let (Some(to), Some(from), Some(provider)) = (to, addresses.from, addresses.provider) else {
        return Err(Error::NotFound);
    };
    tx.query("UPDATE message_events SET status = 'sending', send_started_at = $2, updated_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(Turn::Send(Box::new(Envelope {
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

async fn addresses(tx: &mut Tx, text: &Outbound) -> Result<Addresses> {
    if tx.engine() == Engine::Postgres {
        tx.query(
            "SELECT 1 FROM clients
             WHERE id = (SELECT client_id FROM message_threads WHERE id = $1) FOR SHARE",
        )
        .bind(&text.thread_id)
        .execute()
        .await?;
    }
    let addresses = tx
        .query(
            "SELECT t.scope, m.body, n.e164 AS \"from\", n.status AS from_status, n.provider,
                    c.phone_number AS client_phone, c.opted_out_at,
                    s.phone_number AS sitter_phone
             FROM message_events m
             JOIN message_threads t ON t.id = m.thread_id
             LEFT JOIN message_numbers n ON n.id = m.from_number_id
             LEFT JOIN clients c ON c.id = t.client_id
             LEFT JOIN sitters s ON s.id = t.assigned_sitter_id
             WHERE m.id = $1",
        )
        .bind(&text.id)
        .one()
        .await?;
    Ok(addresses)
}

/// Gives up a text that may not be sent.
async fn block(tx: &mut Tx, text: &Outbound, reason: &'static str, by: &Actor, now: Timestamp) -> Result<()> {
    tx.query("UPDATE message_events SET status = 'failed', error_code = $2, updated_at = $3 WHERE id = $1")
        .bind(&text.id)
        .bind(reason)
        .bind(now)
        .execute()
        .await?;
    audit::record(tx, text.entry("message.blocked", "warning", by).metadata(json!({"reason": reason})), now).await?;
    if let Some(run) = &text.automation_run_id {
        if reason == "opted_out" {
            ledger::set_skipped(tx, run, reason, by, now).await?;
        } else {
            ledger::set_failed(tx, run, reason, by, now).await?;
        }
    }
    text.announce(tx, MessageStatus::Failed, now).await
}

/// Records that the provider took the text and calls it `sid`. Also settles an unclear attempt that was found again.
/// A report that came before the answer stays.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text.
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
    audit::record(tx, text.entry("message.sent", "success", by).metadata(metadata), now).await?;
    if let Some(run) = &text.automation_run_id {
        ledger::set_success(tx, run, &text.id, by, now).await?;
    }
    text.announce(tx, status, now).await
}

/// Takes over the provider's id of a text whose sending was unclear; the same as [`record_sent`].
///
/// # Errors
/// As [`record_sent`].
pub async fn adopt_sid(tx: &mut Tx, id: &MessageId, sid: &str, by: &Actor, now: Timestamp) -> Result<()> {
    record_sent(tx, id, sid, by, now).await
}

/// Records that the text will never leave: the provider refused it, or every try failed. A text that already went out
/// stays as it is. `opted_out` when the provider says the recipient wants no texts, which then holds for all numbers.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text.
pub async fn record_refused(
    tx: &mut Tx,
    id: &MessageId,
    error_code: &str,
    opted_out: bool,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let text = lock(tx, id).await?;
    if opted_out {
        tx.query(
            "UPDATE clients SET opted_out_at = COALESCE(opted_out_at, $2), updated_at = $2
             WHERE id = (SELECT client_id FROM message_threads WHERE id = $1)",
        )
        .bind(&text.thread_id)
        .bind(now)
        .execute()
        .await?;
    }
    if text.provider_message_sid.is_some() || rank(text.status) >= rank(MessageStatus::Sent) {
        return Ok(());
    }
    tx.query("UPDATE message_events SET status = 'failed', error_code = $2, updated_at = $3 WHERE id = $1")
        .bind(id)
        .bind(error_code)
        .bind(now)
        .execute()
        .await?;
    text.report_failure(tx, MessageStatus::Failed, Some(error_code), by, now).await
}

/// Puts a text back for a later try, when it is certain that the provider did not take it. It asks for a new slot then.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text.
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
    Ok(())
}

/// Marks a text whose attempt ended without an answer. True when it is unconfirmed now, so that somebody must find out.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text.
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

/// Puts a text that the provider does not know back into the queue, once in its life. None when it is not unconfirmed
/// any more or was sent again before; else how many times it has now been sent again.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text.
pub async fn resend_once(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<Option<i64>> {
    let text = lock(tx, id).await?;
    if text.status != MessageStatus::Unconfirmed || text.provider_message_sid.is_some() || text.resends > 0 {
        return Ok(None);
    }
    tx.query(
        "UPDATE message_events SET status = 'queued', send_slot_at = NULL, resends = resends + 1, updated_at = $2
         WHERE id = $1",
    )
    .bind(id)
    .bind(now)
    .execute()
    .await?;
    text.announce(tx, MessageStatus::Queued, now).await?;
    Ok(Some(text.resends + 1))
}

/// What a provider's report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
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
) -> Result<Report> {
    let Some(found) = find_by_sid(tx, sid).await? else { return Ok(Report::Unknown) };
    let text = lock(tx, &found.id).await?;
    if rank(status) <= rank(text.status) {
        return Ok(Report::Stale);
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
    Ok(Report::Applied(status))
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

impl Outbound {
    fn entry(&self, event: &'static str, status: &'static str, by: &Actor) -> Entry {
        crate::audit_entry(event, status, by).org(&self.org_id).thread(&self.thread_id)
    }

    async fn report_failure(
        &self,
        tx: &mut Tx,
        status: MessageStatus,
        error_code: Option<&str>,
        by: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        let metadata = json!({"messageId": self.id, "status": status, "errorCode": error_code});
        audit::record(tx, self.entry("message.failed", "failed", by).metadata(metadata), now).await?;
        exceptions::raise(
            tx,
            &exceptions::Problem::new(
                "sms_undelivered",
                exceptions::Severity::Medium,
                format!("sms_undelivered:{}", self.id),
            )
            .title("A text message did not arrive")
            .org(&self.org_id)
            .thread(&self.thread_id)
            .detail(json!({"messageId": self.id, "status": status, "errorCode": error_code})),
            now,
        )
        .await?;
        if let Some(run) = self.automation_run_id.as_ref().filter(|_| self.provider_message_sid.is_none()) {
            ledger::set_failed(tx, run, error_code.unwrap_or(status.as_str()), by, now).await?;
        }
        self.announce(tx, status, now).await
    }

    async fn announce(&self, tx: &mut Tx, status: MessageStatus, now: Timestamp) -> Result<()> {
        let data = json!({"messageId": self.id, "threadId": self.thread_id, "status": status});
        for topic in ["threads".to_owned(), format!("thread:{}", self.thread_id)] {
            stream::append(tx, Some(&self.org_id), &topic, "message.status", &data, now).await?;
        }
        Ok(())
    }
}
