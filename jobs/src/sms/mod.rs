//! Texts on their way out: sent once, and asked after when it is not known whether they left.

pub mod confirm_delivery;
mod effect;
pub(crate) mod report;
pub mod send;

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::{MessageId, OrgId, ThreadId};
use nightshift_domain::messaging::masking::WaitingText;
use nightshift_domain::messaging::post::{self, Author, Post, Posted};

use crate::enqueuer::Enqueuer;
use crate::error::Error;

use confirm_delivery::SmsConfirmDelivery;
use send::SmsSend;

/// A provider is asked so long after the attempt: what it took is in its list by then.
const ASK_AFTER: Duration = Duration::from_secs(120);

/// A person's text.
pub struct PostedText {
    /// What became of it.
    pub posted: Posted,
    /// The job that sends it; none when it was refused.
    pub job: Option<String>,
}

/// Stores a person's text, with the job that sends it. A repeated one has had its job. One that was refused is on record:
/// commit that too.
///
/// # Errors
/// As [`post::post`]; the queue's.
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
    let Posted::Queued { message_id, thread_id, not_before, repeated: _ } = &posted else {
        return Ok(PostedText { posted, job: None });
    };
    let job = SmsSend::first(message_id.clone(), thread_id.clone());
    let mut new = enqueuer.new_job(&job)?.org(org.as_str()).priority(2);
    if let Some(at) = not_before {
        new = new.run_at(*at);
    }
    let job = Some(enqueuer.enqueue(tx, new).await?.id().to_owned());
    Ok(PostedText { posted, job })
}

/// Sends a stored text, for the first time or for the `resend`-th time again.
pub(crate) async fn send(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    text: &MessageId,
    thread: &ThreadId,
    resend: i64,
) -> Result<(), Error> {
    let job = SmsSend { message_event_id: text.clone(), thread_id: thread.clone(), resend };
    enqueuer.enqueue(tx, enqueuer.new_job(&job)?).await?;
    Ok(())
}

/// Sends a text now that waited for its conversation's number.
pub(crate) async fn send_now(enqueuer: &Enqueuer<'_>, tx: &mut Tx, text: &WaitingText) -> Result<(), Error> {
    Ok(enqueuer.hasten_by_once_key(tx, &SmsSend::key(&text.id, text.resends)).await?)
}

/// Asks the provider, a while from now, what became of a text.
pub(crate) async fn ask_after(enqueuer: &Enqueuer<'_>, tx: &mut Tx, text: &MessageId) -> Result<(), Error> {
    let new = enqueuer.new_job(&SmsConfirmDelivery { message_event_id: text.clone() })?;
    enqueuer.enqueue(tx, new.run_at(enqueuer.now() + ASK_AFTER)).await?;
    Ok(())
}
