//! Applies Twilio's report about a text.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_providers::twilio::{StatusCallback, undelivered};
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::sms::report::{self, LOOK_AGAIN, Report};
use crate::webhook::{ActsOnDelivery, DeliveryHooks, Stored, key, stored};
use crate::{App, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTwilioStatus {
    pub inbox_id: InboxId,
    /// Twilio's id of the text. Empty if the report names no text.
    pub sid: String,
}

impl WebhookTwilioStatus {
    /// Creates the job for the report stored under `inbox_id`. `sid` is empty if the report names no text.
    #[must_use]
    pub fn new(inbox_id: InboxId, sid: String) -> Self {
        Self { inbox_id, sid }
    }
}

impl Job for WebhookTwilioStatus {
    const KIND: &'static str = "webhook.twilio.status";
    const QUEUE: &'static str = "webhooks";

    fn keys(&self) -> Keys {
        Keys::once(key(&self.inbox_id)).group(format!("sid:{}", self.sid))
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.inbox_id)
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(15))
    }
}

impl ActsOnDelivery for WebhookTwilioStatus {
    fn inbox_id(&self) -> &InboxId {
        &self.inbox_id
    }
}

impl Handler<App> for WebhookTwilioStatus {
    type Hooks = DeliveryHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let Stored { body, received_at } = stored(&mut tx, &self).await?;
        let (now, by) = (ctx.now(), Actor::Webhook { inbox_id: self.inbox_id.clone() });
        let (settled, verdict) = match StatusCallback::parse(body.as_bytes()) {
            Err(_) => (InboxStatus::Ignored, "names no text or no status"),
            Ok(callback) => {
                let code = callback.error_code.map(|code| code.to_string());
                let (sid, delivery) = (callback.message_sid.as_str(), callback.status.delivery());
                let refusal = callback.error_code.and_then(undelivered);
                let report = Report { sid, delivery, error_code: code.as_deref(), refusal, received_at };
                match report::apply(&Enqueuer::of(&ctx), &mut tx, &report, &by, now).await? {
                    Some(applied) => (applied.inbox_status(), applied.verdict()),
                    None => return Ok(Outcome::poll(LOOK_AGAIN)),
                }
            }
        };
        inbox::settle(&mut tx, &self.inbox_id, settled, None, &ctx.job.id, now).await.or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"verdict": verdict})))
    }
}
