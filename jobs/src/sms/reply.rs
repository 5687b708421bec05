//! Replies to inbound texts. A reply to a text that Twilio delivered may leave in the answer to its webhook; if it has
//! not left so after [`FALLBACK_AFTER`], it is sent as a text of its own. Exactly one of the two happens.

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::ids::{InboxId, NumberId, ThreadId};
use nightshift_domain::messaging::delivery::{self, NewReply, ReplyChannel};

use super::reply_fallback::SmsReplyFallback;
use super::send_reply;
use crate::enqueuer::Enqueuer;
use crate::error::Error;

/// How long the answer to the webhook may take the reply.
const FALLBACK_AFTER: Duration = Duration::from_secs(5);

/// A reply to an inbound text.
#[derive(Debug, Clone)]
pub(crate) struct Reply<'a> {
    /// The event in the inbox that it replies to.
    pub inbox: &'a InboxId,
    /// The conversation with the person who wrote.
    pub thread: &'a ThreadId,
    /// The number to which they wrote.
    pub from: &'a NumberId,
    pub body: &'a str,
    /// Whether the answer to the webhook may carry the reply, as Twilio's can.
    pub in_answer: bool,
}

/// Stores a reply, and has it sent. An event has at most one reply.
///
/// # Errors
/// An error of the database or the queue.
pub(crate) async fn reply(enqueuer: &Enqueuer<'_>, tx: &mut Tx, reply: &Reply<'_>) -> Result<(), Error> {
    let channel = (!reply.in_answer).then_some(ReplyChannel::Sms);
    let new = NewReply { inbox: reply.inbox, thread: reply.thread, from: reply.from, body: reply.body, channel };
    let Some(text) = delivery::store_reply(tx, &new, enqueuer.now()).await? else { return Ok(()) };
    if !reply.in_answer {
        return send_reply(enqueuer, tx, &text, reply.thread).await;
    }
    let fallback = enqueuer.new_job(&SmsReplyFallback { inbox_id: reply.inbox.clone() })?;
    enqueuer.enqueue(tx, fallback.run_at(enqueuer.now() + FALLBACK_AFTER)).await?;
    Ok(())
}
