//! Routes a text that Twilio received.

use std::time::Duration;

use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::job_error::OrJobError;
use crate::webhook::{ActsOnDelivery, DeliveryHooks, key};
use crate::{App, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTwilioInbound {
    pub inbox_id: InboxId,
    /// The digits of the sender's number, so that texts of one sender are handled in order. `None` for a text that must
    /// not wait for others.
    pub from: Option<String>,
}

impl WebhookTwilioInbound {
    /// Creates the job for the webhook stored under `inbox_id`. `from` are the digits of the sender, if the job must
    /// wait for older ones of the same sender.
    #[must_use]
    pub fn new(inbox_id: InboxId, from: Option<String>) -> Self {
        Self { inbox_id, from }
    }
}

impl Job for WebhookTwilioInbound {
    const KIND: &'static str = "webhook.twilio.inbound";
    const QUEUE: &'static str = "webhooks";

    fn keys(&self) -> Keys {
        let keys = Keys::once(key(&self.inbox_id));
        match &self.from {
            Some(digits) => keys.strict_group(format!("from:{digits}")),
            None => keys,
        }
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.inbox_id)
    }

    fn policy() -> Policy {
        Policy::standard(8).timeout(Duration::from_secs(30))
    }
}

impl ActsOnDelivery for WebhookTwilioInbound {
    fn inbox_id(&self) -> &InboxId {
        &self.inbox_id
    }
}

impl Handler<App> for WebhookTwilioInbound {
    type Hooks = DeliveryHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        inbox::settle(&mut tx, &self.inbox_id, InboxStatus::Ignored, None, &ctx.job.id, ctx.now())
            .await
            .or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::skip("not routed yet"))
    }
}
