//! Finds the stored webhooks of texts that reached nobody and whose number is one of ours now.

use std::collections::HashMap;

use nightshift_db::{Db, Timestamp};
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::WebhookSource;
use nightshift_domain::messaging::inbound::unroutable::{self, Unrouted};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_domain::phone::PhoneNumber;
use nightshift_providers::inbound::InboundText;
use nightshift_providers::openphone::{Event, Fact};
use nightshift_providers::twilio::read_inbound;

/// A text whose webhook is stored, and whose number is one of ours now.
pub(in crate::webhook) struct Routable {
    pub(in crate::webhook) inbox: InboxId,
    pub(in crate::webhook) carrier: SmsCarrier,
    /// Its time is that of the carrier, or when the webhook arrived.
    pub(in crate::webhook) text: InboundText,
}

/// Returns the texts whose webhooks arrived at or after `since` and before `until`, oldest first. `ours` are our numbers
/// in E.164 format with their carriers.
pub(in crate::webhook) async fn routable(
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
pub(super) fn text_of(source: WebhookSource, body: &str) -> Option<InboundText> {
    match source {
        WebhookSource::Twilio => read_inbound(body.as_bytes()).ok(),
        WebhookSource::OpenPhone => match Event::parse(body.as_bytes()).ok()?.fact {
            Fact::Received(text) => Some(text),
            Fact::Delivery { .. } | Fact::Other => None,
        },
        WebhookSource::Stripe | WebhookSource::TwilioStatus | WebhookSource::Vapi => None,
    }
}
