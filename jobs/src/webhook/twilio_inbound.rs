//! Takes in a text that Twilio received: routes it, stores it, and acts on it, in one transaction.
//!
//! The texts of one sender are taken in one at a time, in the order of their webhooks. If the job never succeeds, the text
//! stays in the inbox of webhooks, and an exception is open.

use nightshift_db::failpoint;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_providers::inbound::InboundText;
use nightshift_providers::twilio::read_inbound;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, OrFail, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::job_error::OrJobError;
use crate::webhook::text::TextWebhook;
use crate::webhook::{ActsOnDelivery, DeliveryHooks, Stored, inbound, stored};
use crate::{App, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookTwilioInbound(TextWebhook);

impl WebhookTwilioInbound {
    /// Creates the job for the webhook stored under `inbox_id`, which delivers `text`.
    #[must_use]
    pub fn new(inbox_id: InboxId, text: &InboundText) -> Self {
        Self(TextWebhook::new(inbox_id, Some((text, SmsCarrier::Twilio))))
    }
}

impl Job for WebhookTwilioInbound {
    const KIND: &'static str = "webhook.twilio.inbound";
    const QUEUE: &'static str = "webhooks";

    fn keys(&self) -> Keys {
        self.0.keys()
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.0.inbox_id)
    }

    fn policy() -> Policy {
        TextWebhook::policy()
    }
}

impl ActsOnDelivery for WebhookTwilioInbound {
    fn inbox_id(&self) -> &InboxId {
        &self.0.inbox_id
    }
}

impl Handler<App> for WebhookTwilioInbound {
    type Hooks = DeliveryHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let Stored { body, received_at } = stored(&mut tx, &self).await?;
        let (now, by) = (ctx.now(), Actor::Webhook { inbox_id: self.0.inbox_id.clone() });
        // The receiver stores no form that can't be read.
        let text = read_inbound(body.as_bytes()).or_fail()?;
        let text = inbound::arrived(text, &self.0.inbox_id, SmsCarrier::Twilio, received_at);
        let taken = inbound::take(&ctx, &mut tx, &text, &by).await?;
        inbox::settle(&mut tx, &self.0.inbox_id, InboxStatus::Processed, taken.org.as_ref(), &ctx.job.id, now)
            .await
            .or_job_error()?;
        failpoint::hit("inbound.before_commit").await?;
        tx.commit().await?;
        failpoint::hit("inbound.after_commit").await?;
        Ok(Outcome::done_with(json!({"verdict": taken.verdict})))
    }
}
