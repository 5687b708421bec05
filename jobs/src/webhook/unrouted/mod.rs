//! Texts that reached nobody, because no organisation had the number, and can be routed now.

mod found;

use nightshift_domain::Error as DomainError;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, WebhookSource};
use nightshift_domain::messaging::inbound::unroutable;
use nightshift_providers::inbound::InboundText;
use nightshift_queue::{EnqueueError, NewJob, Queue};

pub(super) use found::{Routable, routable};

use self::found::text_of;
use super::openphone_process::WebhookOpenphoneProcess;
use super::twilio_inbound::WebhookTwilioInbound;
use crate::enqueuer::Enqueuer;
use crate::error::Error;

/// Enqueues the job of a webhook whose text reached nobody once more, in the group of its sender. Returns false if
/// somebody else has done so, or if its body is no longer stored.
///
/// # Errors
/// An error of the database or of the queue.
pub async fn route_again(queue: &Queue, inbox: &InboxId) -> Result<bool, Error> {
    let enqueuer = Enqueuer::of_request(queue);
    let mut tx = queue.db().begin().await.map_err(DomainError::from)?;
    if !unroutable::reopen(&mut tx, inbox, enqueuer.now()).await? {
        return Ok(false);
    }
    let stored = inbox::load(&mut tx, inbox).await?;
    let text = stored.payload.and_then(|body| text_of(stored.provider, &body));
    let Some(text) = text else { return Ok(false) };
    // The job that found nobody has the webhook's once key, so this one follows it.
    enqueuer.enqueue_to_see(&mut tx, job(&enqueuer, stored.provider, inbox, &text)?).await?;
    tx.commit().await.map_err(DomainError::from)?;
    Ok(true)
}

fn job(
    enqueuer: &Enqueuer<'_>,
    source: WebhookSource,
    inbox: &InboxId,
    text: &InboundText,
) -> Result<NewJob, EnqueueError> {
    match source {
        WebhookSource::OpenPhone => enqueuer.new_job(&WebhookOpenphoneProcess::new(inbox.clone(), Some(text))),
        _ => enqueuer.new_job(&WebhookTwilioInbound::new(inbox.clone(), text)),
    }
}
