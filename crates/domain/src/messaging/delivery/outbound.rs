//! An outbound text as its delivery sees it, and the audit, exception and stream rows about it.

use nightshift_db::{Engine, Timestamp, Tx};
use serde_json::json;

use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::automations::runs;
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::{AutomationRunId, MessageId, NumberId, OrgId, ThreadId};
use crate::messaging::message::MessageStatus;
use crate::messaging::opt_outs::{self, Change, OptOutSource};
use crate::stream;
use crate::{Error, Result};

#[derive(Clone, sqlx::FromRow)]
pub struct Outbound {
    pub id: MessageId,
    pub org_id: OrgId,
    pub thread_id: ThreadId,
    pub status: MessageStatus,
    /// The carrier's id of the text, once known.
    pub provider_message_sid: Option<String>,
    pub from_number_id: Option<NumberId>,
    /// The automation run that wrote the text, if one did.
    pub automation_run_id: Option<AutomationRunId>,
    /// When the rate of its number lets the text leave. `None` until a slot was taken.
    pub send_slot_at: Option<Timestamp>,
    /// When the last request to the carrier began.
    pub send_started_at: Option<Timestamp>,
    /// How often the text was sent again after an attempt with an unknown outcome.
    pub resends: i64,
    /// How often the carrier accepted the text and gave it back because of the recipient's hours.
    pub given_back: i64,
    /// Why the text failed: the carrier's code or one of ours.
    pub error_code: Option<String>,
}

macro_rules! outbound_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, org_id, thread_id, status, provider_message_sid, from_number_id, automation_run_id, send_slot_at,
              send_started_at, resends, given_back, error_code ",
            $after
        )
    };
}

/// Loads an outbound text.
///
/// # Errors
/// [`Error::NotFound`] if there is no such outbound text.
pub async fn load(tx: &mut Tx, id: &MessageId) -> Result<Outbound> {
    tx.query(outbound_columns!("SELECT", "FROM message_events WHERE id = $1 AND direction = 'outbound'"))
        .bind(id)
        .optional()
        .await?
        .ok_or(Error::NotFound)
}

/// Finds an outbound text by the carrier's id.
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

/// Loads an outbound text and locks its row until the transaction ends.
///
/// # Errors
/// As [`load`].
pub async fn lock(tx: &mut Tx, id: &MessageId) -> Result<Outbound> {
    if tx.engine() == Engine::Postgres {
        tx.query("SELECT 1 FROM message_events WHERE id = $1 FOR NO KEY UPDATE").bind(id).execute().await?;
    }
    load(tx, id).await
}

/// The fingerprint of the exception about a text that will not arrive.
pub(super) fn undelivered(id: &MessageId) -> String {
    format!("sms_undelivered:{id}")
}

/// The fingerprint of the exception about a text for which no job will find out whether it was sent.
pub(super) fn unconfirmed(id: &MessageId) -> String {
    format!("sms_unconfirmed:{id}")
}

/// Returns the key of the effect of sending a text: the text itself, or a key of its own after the carrier has accepted
/// the text and given it back.
#[must_use]
pub fn effect_key(id: &MessageId, given_back: i64) -> String {
    match given_back {
        0 => id.to_string(),
        n => format!("{id}:{n}"),
    }
}

impl Outbound {
    /// Starts an audit entry about this text.
    pub(super) fn entry(&self, event: Event, status: &'static str, by: &Actor) -> Entry {
        crate::audit_entry(event, status, by).org(&self.org_id).thread(&self.thread_id)
    }

    /// Records that the carrier refused the text because its recipient wants none. That was so when the request was
    /// sent, and the recipient may have asked for texts again since.
    pub(super) async fn recipient_opted_out(&self, tx: &mut Tx, by: &Actor, now: Timestamp) -> Result<()> {
        let Some(phone) = opt_outs::of_thread(tx, &self.thread_id).await? else { return Ok(()) };
        let at = self.send_started_at.unwrap_or(now);
        let change = Change { org: &self.org_id, phone: &phone, message: None, at, by };
        opt_outs::stop(tx, &change, OptOutSource::Carrier, now).await?;
        Ok(())
    }

    /// Writes the audit, exception and stream rows of a text that will not arrive. Its run fails unless the text had
    /// been sent.
    pub(super) async fn report_failure(
        &self,
        tx: &mut Tx,
        status: MessageStatus,
        error_code: Option<&str>,
        by: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        let metadata = json!({"messageId": self.id, "status": status, "errorCode": error_code});
        audit::record(tx, self.entry(Event::MessageFailed, "failed", by).metadata(metadata), now).await?;
        exceptions::raise(
            tx,
            &NewException::new(ExceptionKind::SmsUndelivered, Severity::Medium, undelivered(&self.id))
                .title("A text message did not arrive")
                .org(&self.org_id)
                .thread(&self.thread_id)
                .detail(json!({"messageId": self.id, "status": status, "errorCode": error_code})),
            now,
        )
        .await?;
        if let Some(run) = self.automation_run_id.as_ref().filter(|_| self.provider_message_sid.is_none()) {
            runs::set_failed(tx, run, error_code.unwrap_or(status.as_str()), by, now).await?;
        }
        self.announce(tx, status, now).await
    }

    /// Publishes the new status to the stream topics of the thread.
    pub(super) async fn announce(&self, tx: &mut Tx, status: MessageStatus, now: Timestamp) -> Result<()> {
        let data = json!({"messageId": self.id, "threadId": self.thread_id, "status": status});
        for topic in ["threads".to_owned(), format!("thread:{}", self.thread_id)] {
            stream::append(tx, Some(&self.org_id), &topic, "message.status", &data, now).await?;
        }
        Ok(())
    }
}
