//! Outbound texts: sent once, with a check at the carrier when it is unknown whether they were sent.

pub mod confirm_delivery;
mod effect;
pub mod reply_fallback;
pub(crate) mod report;
pub mod send;

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::{InboxId, MessageId, NumberId, OrgId, ThreadId};
use nightshift_domain::messaging::delivery::Outbound;
use nightshift_domain::messaging::delivery::{self, NewReply, ReplyChannel};
use nightshift_domain::messaging::masking::WaitingText;
use nightshift_domain::messaging::post::{self, Author, Post, Posted};

use crate::enqueuer::Enqueuer;
use crate::error::Error;
use crate::metrics;

use confirm_delivery::SmsConfirmDelivery;
use reply_fallback::SmsReplyFallback;
use send::SmsSend;

/// The time between an attempt and the first request for its outcome, by when the carrier lists what it accepted.
const ASK_AFTER: Duration = Duration::from_secs(120);

/// The priority of a text that somebody waits for.
const REPLY: i64 = 2;

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

/// A text that a person posted.
pub struct PostedText {
    pub posted: Posted,
    /// The id of the job that sends it; `None` if the text was refused.
    pub job: Option<String>,
}

/// Stores a person's text with the job that sends it, and the one that computes the figures of a sitter whose client it
/// answers. A repeated text has its job already, which is due at once if the text may
/// leave now. A refused text is in the
/// audit log, so commit the transaction in this case too.
///
/// # Errors
/// As [`post::post`], or an error of the queue.
pub async fn post(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    thread: &ThreadId,
    author: &Author,
    post: &Post,
    by: &Actor,
) -> Result<PostedText, Error> {
    let posted = post::post(tx, org, thread, author, post, by, enqueuer.now()).await?;
    let Posted::Queued { message_id, thread_id, not_before, repeated: _, answered_for, freed } = &posted else {
        return Ok(PostedText { posted, job: None });
    };
    let job = SmsSend::first(message_id.clone(), thread_id.clone());
    let mut new = enqueuer.new_job(&job)?.org(org.as_str()).priority(REPLY);
    if let Some(at) = not_before {
        new = new.run_at(*at);
    }
    let job = Some(enqueuer.enqueue(tx, new).await?.id().to_owned());
    if let Some(text) = freed {
        send_now(enqueuer, tx, text).await?;
    }
    if let Some(sitter) = answered_for {
        metrics::sitter_changed(enqueuer, tx, sitter).await?;
    }
    Ok(PostedText { posted, job })
}

/// Enqueues the first sending of a stored text.
pub(crate) async fn send(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    text: &MessageId,
    thread: &ThreadId,
) -> Result<(), Error> {
    enqueuer.enqueue(tx, enqueuer.new_job(&SmsSend::first(text.clone(), thread.clone()))?).await?;
    Ok(())
}

/// Enqueues another sending of a text that was put back into the queue, not before `not_before`.
pub(crate) async fn send_again(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    text: &Outbound,
    not_before: Option<Timestamp>,
) -> Result<(), Error> {
    let new = enqueuer.new_job(&SmsSend::again(text))?;
    enqueuer.enqueue(tx, not_before.map_or(new.clone(), |at| new.run_at(at))).await?;
    Ok(())
}

/// Stores a reply, and has it sent. An event has at most one reply. A reply that may leave in the answer to the webhook
/// and has not done so after [`FALLBACK_AFTER`] is sent as a text of its own: exactly one of the two happens.
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

/// Enqueues the sending of a stored reply, before texts that nobody waits for.
pub(crate) async fn send_reply(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    text: &MessageId,
    thread: &ThreadId,
) -> Result<(), Error> {
    let job = SmsSend::first(text.clone(), thread.clone());
    enqueuer.enqueue(tx, enqueuer.new_job(&job)?.priority(REPLY)).await?;
    Ok(())
}

/// Makes the sending of a text due now that waited for its thread's number, or for the end of quiet hours.
pub(crate) async fn send_now(enqueuer: &Enqueuer<'_>, tx: &mut Tx, text: &WaitingText) -> Result<(), Error> {
    Ok(enqueuer.run_now_by_once_key(tx, &SmsSend::key(&text.id, text.resends)).await?)
}

/// Enqueues the job that finds out the outcome of a text, due after [`ASK_AFTER`]. The job that had the text sent again
/// may not have ended yet.
pub(crate) async fn ask_after(enqueuer: &Enqueuer<'_>, tx: &mut Tx, text: &MessageId) -> Result<(), Error> {
    let new = enqueuer.new_job(&SmsConfirmDelivery { message_event_id: text.clone() })?;
    enqueuer.enqueue_to_see(tx, new.run_at(enqueuer.now() + ASK_AFTER)).await?;
    Ok(())
}
