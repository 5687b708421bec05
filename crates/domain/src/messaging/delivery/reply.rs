//! The reply to an inbound text, which leaves in the answer to the text's webhook or as a text of its own.
//!
//! Who sets the channel of the inbox row first sends the reply: the request that answers the webhook, in the transaction
//! that marks the reply as sent, or the job that falls back to a text. The other one finds the channel set.

use nightshift_db::{Db, Timestamp, Tx};
use serde_json::json;

use super::outbound::{Outbound, load, lock};
use super::send::addresses;
use super::settle::{Because, record_refused};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::{InboxId, MessageId, NumberId, ThreadId};
use crate::inbox::InboxStatus;
use crate::messaging::message::MessageStatus;
use crate::messaging::opt_outs::{self, Permission};
use crate::messaging::post;
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// How a reply leaves.
    pub enum ReplyChannel {
        /// In the answer to the webhook.
        Twiml = "twiml",
        /// As a text of its own.
        Sms = "sms",
    }
}

/// A reply to store.
#[derive(Debug, Clone)]
pub struct NewReply<'a> {
    /// The event in the inbox that it replies to.
    pub inbox: &'a InboxId,
    /// The conversation with the person who wrote.
    pub thread: &'a ThreadId,
    /// The number to which they wrote.
    pub from: &'a NumberId,
    pub body: &'a str,
    /// How it leaves, if that is decided.
    pub channel: Option<ReplyChannel>,
}

/// Stores a reply as a queued text of its conversation. An event has at most one reply: the result is `None` if it has
/// one already.
///
/// # Errors
/// [`Error::NotFound`] if there is no such conversation.
pub async fn store_reply(tx: &mut Tx, new: &NewReply<'_>, now: Timestamp) -> Result<Option<MessageId>> {
    let id = MessageId::new(now);
    let taken = tx
        .query(
            "UPDATE webhook_inbox SET reply_text = $2, reply_message_id = $3, reply_channel = $4, updated_at = $5
             WHERE id = $1 AND reply_message_id IS NULL",
        )
        .bind(new.inbox)
        .bind(new.body)
        .bind(&id)
        .bind(new.channel)
        .bind(now)
        .execute()
        .await?;
    if taken == 0 {
        return Ok(None);
    }
    let to = MessageId::from(new.inbox.as_str());
    post::store_reply(tx, &id, &to, new.thread, new.from, new.body, now).await?;
    Ok(Some(id))
}

/// What a request that waits for a reply sees of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyState {
    /// The event is not processed yet.
    Open,
    /// There is no reply, or it leaves as a text of its own.
    Nothing,
    /// The reply waits for its channel.
    Ready,
    /// The answer to the webhook carries this reply.
    Answered(String),
}

/// Looks at the reply to an event.
///
/// # Errors
/// [`Error::NotFound`] if there is no such event.
pub async fn reply_state(db: &Db, inbox: &InboxId) -> Result<ReplyState> {
    let row: Option<(InboxStatus, Option<String>, Option<ReplyChannel>)> = db
        .read("SELECT status, reply_text, reply_channel FROM webhook_inbox WHERE id = $1")
        .bind(inbox)
        .optional()
        .await?;
    let (status, text, channel) = row.ok_or(Error::NotFound)?;
    Ok(match (text, channel, status) {
        (Some(text), Some(ReplyChannel::Twiml), _) => ReplyState::Answered(text),
        (Some(_), None, _) => ReplyState::Ready,
        (None, _, InboxStatus::Received) => ReplyState::Open,
        (Some(_), Some(ReplyChannel::Sms), _) | (None, _, _) => ReplyState::Nothing,
    })
}

/// Takes the reply to an event for the answer to its webhook, and marks it as sent. Returns the reply if this answer is
/// to carry it, also if an earlier answer was to do so. A reply to somebody who wants no texts is left to the fallback,
/// which does not send it.
///
/// # Errors
/// An error of the database.
pub async fn answer_with_reply(tx: &mut Tx, inbox: &InboxId, by: &Actor, now: Timestamp) -> Result<Option<String>> {
    let (id, text) = match found(tx, inbox).await? {
        Found::Answered(text) => return Ok(Some(text)),
        Found::Nothing => return Ok(None),
        Found::Undecided(id, text) => (id, text),
    };
    let reply = lock(tx, &id).await?;
    if !may_be_told(tx, &reply, now).await? {
        return Ok(None);
    }
    if !take_reply(tx, inbox, ReplyChannel::Twiml, now).await? {
        // It was taken while this transaction waited for the reply's lock, perhaps for another answer to this event.
        return Ok(match found(tx, inbox).await? {
            Found::Answered(text) => Some(text),
            _ => None,
        });
    }
    if reply.status == MessageStatus::Queued {
        tx.query("UPDATE message_events SET status = 'sent', sent_at = $2, updated_at = $2 WHERE id = $1")
            .bind(&id)
            .bind(now)
            .execute()
            .await?;
        let facts = json!({"messageId": id, "fromNumberId": reply.from_number_id, "channel": ReplyChannel::Twiml});
        audit::record(tx, reply.entry(Event::MessageSent, "success", by).metadata(facts), now).await?;
        reply.announce(tx, MessageStatus::Sent, now).await?;
    }
    Ok(Some(text))
}

/// What is stored of the reply to an event.
enum Found {
    Nothing,
    Undecided(MessageId, String),
    /// An answer to the webhook carries it.
    Answered(String),
}

async fn found(tx: &mut Tx, inbox: &InboxId) -> Result<Found> {
    let row: Option<(Option<MessageId>, Option<String>, Option<ReplyChannel>)> = tx
        .query("SELECT reply_message_id, reply_text, reply_channel FROM webhook_inbox WHERE id = $1")
        .bind(inbox)
        .optional()
        .await?;
    Ok(match row {
        Some((_, Some(text), Some(ReplyChannel::Twiml))) => Found::Answered(text),
        Some((Some(id), Some(text), None)) => Found::Undecided(id, text),
        _ => Found::Nothing,
    })
}

/// Whether the person may be sent a reply. Until the transaction ends, nobody changes the answer.
async fn may_be_told(tx: &mut Tx, reply: &Outbound, now: Timestamp) -> Result<bool> {
    let Some(to) = addresses(tx, reply).await?.recipient() else { return Ok(false) };
    Ok(opt_outs::permission(tx, &reply.org_id, &to, None, now).await? == Permission::Send)
}

/// Takes the reply to an event to send it as a text of its own. Returns the text, for which `sms.send` must follow, or
/// `None` if the answer to the webhook carries it.
///
/// # Errors
/// An error of the database.
pub async fn send_reply(tx: &mut Tx, inbox: &InboxId, now: Timestamp) -> Result<Option<Outbound>> {
    if !take_reply(tx, inbox, ReplyChannel::Sms, now).await? {
        return Ok(None);
    }
    let id = tx.query("SELECT reply_message_id FROM webhook_inbox WHERE id = $1").bind(inbox).scalar().await?;
    load(tx, &id).await.map(Some)
}

/// Gives up a reply to an event whose job to send it as a text has ended: the text fails with `error_code`, and an
/// exception is raised. A reply that the answer to the webhook carries is left unchanged.
///
/// # Errors
/// An error of the database.
pub async fn give_up_reply(tx: &mut Tx, inbox: &InboxId, error_code: &str, by: &Actor, now: Timestamp) -> Result<()> {
    let Found::Undecided(id, _) = found(tx, inbox).await? else { return Ok(()) };
    lock(tx, &id).await?;
    if take_reply(tx, inbox, ReplyChannel::Sms, now).await? {
        record_refused(tx, &id, error_code, Because::Other, by, now).await?;
    }
    Ok(())
}

/// Returns the text of the reply to an event, if there is one.
///
/// # Errors
/// An error of the database.
pub async fn reply_to(tx: &mut Tx, inbox: &InboxId) -> Result<Option<MessageId>> {
    let row: Option<(Option<MessageId>,)> =
        tx.query("SELECT reply_message_id FROM webhook_inbox WHERE id = $1").bind(inbox).optional().await?;
    Ok(row.and_then(|(id,)| id))
}

/// Makes the channel of a reply undecided again, which [`give_up_reply`] gave up. The caller has put its text back into
/// the queue.
///
/// # Errors
/// An error of the database.
pub async fn reopen_reply(tx: &mut Tx, inbox: &InboxId, now: Timestamp) -> Result<()> {
    tx.query("UPDATE webhook_inbox SET reply_channel = NULL, updated_at = $2 WHERE id = $1 AND reply_channel = 'sms'")
        .bind(inbox)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Sets the channel of a reply if it has none. Returns whether this call set it. The caller that marks the reply as sent
/// locks the reply first.
async fn take_reply(tx: &mut Tx, inbox: &InboxId, channel: ReplyChannel, now: Timestamp) -> Result<bool> {
    let won = tx
        .query(
            "UPDATE webhook_inbox SET reply_channel = $2, updated_at = $3
             WHERE id = $1 AND reply_channel IS NULL AND reply_message_id IS NOT NULL",
        )
        .bind(inbox)
        .bind(channel)
        .bind(now)
        .execute()
        .await?;
    Ok(won == 1)
}
