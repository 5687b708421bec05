//! Texts that reached nobody, because no organisation had the number, and can be routed now.

use std::collections::HashMap;

use nightshift_db::{Db, Timestamp};
use nightshift_domain::Error as DomainError;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, WebhookSource};
use nightshift_domain::messaging::inbound::unroutable::{self, Unrouted};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_domain::phone::PhoneNumber;
use nightshift_providers::inbound::InboundText;
use nightshift_providers::openphone::{Event, Fact};
use nightshift_providers::twilio::read_inbound;
use nightshift_queue::{EnqueueError, NewJob, Queue};

use super::openphone_process::WebhookOpenphoneProcess;
use super::twilio_inbound::WebhookTwilioInbound;
use crate::enqueuer::Enqueuer;
use crate::error::Error;

/// A text whose webhook is stored, and whose number is one of ours now.
pub(super) struct Routable {
    pub(super) inbox: InboxId,
    pub(super) carrier: SmsCarrier,
    /// Its time is that of the carrier, or when the webhook arrived.
    pub(super) text: InboundText,
}

/// Returns the texts whose webhooks arrived at or after `since` and before `until`, oldest first. `ours` are our numbers
/// in E.164 format with their carriers.
pub(super) async fn routable(
    db: &Db,
    ours: &HashMap<String, SmsCarrier>,
    since: Timestamp,
    until: Option<Timestamp>,
) -> nightshift_domain::Result<Vec<Routable>> {
    let stored = unroutable::unrouted(db, since, until).await?;
    Ok(stored.into_iter().filter_map(|stored| now_ours(stored, ours)).collect())
}

fn now_ours(stored: Unrouted, ours: &HashMap<String, SmsCarrier>) -> Option<Routable> {
    let mut text = text_of(stored.provider, &stored.payload)?;
    let carrier = *ours.get(&PhoneNumber::stored(&text.to).ok()?.e164())?;
    text.sent_at = text.sent_at.or_else(|| Some(stored.received_at.to_datetime()));
    Some(Routable { inbox: stored.id, carrier, text })
}

/// Returns the text that a webhook delivered. `None` for a webhook about something else.
fn text_of(source: WebhookSource, body: &str) -> Option<InboundText> {
    match source {
        WebhookSource::Twilio => read_inbound(body.as_bytes()).ok(),
        WebhookSource::OpenPhone => match Event::parse(body.as_bytes()).ok()?.fact {
            Fact::Received(text) => Some(text),
            Fact::Delivery { .. } | Fact::Other => None,
        },
        WebhookSource::Stripe | WebhookSource::TwilioStatus | WebhookSource::Vapi => None,
    }
}

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
