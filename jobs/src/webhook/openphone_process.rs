//! Acts on a webhook of OpenPhone: routes a text, or applies the delivery status of one of ours.

use std::time::Duration;

use nightshift_db::failpoint;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_providers::openphone::{Event, Fact, delivery};
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, OrFail, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::sms::report::{self, LOOK_AGAIN, Report};
use crate::webhook::{ActsOnDelivery, DeliveryHooks, Stored, inbound, key, stored};
use crate::{App, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookOpenphoneProcess {
    pub inbox_id: InboxId,
    /// The digits of the sender's number, so that texts of one sender are handled in order. `None` for a text that must
    /// not wait for others.
    pub from: Option<String>,
}

impl WebhookOpenphoneProcess {
    /// Creates the job for the webhook stored under `inbox_id`. `from` are the digits of the sender, if the job must
    /// wait for older ones of the same sender.
    #[must_use]
    pub fn new(inbox_id: InboxId, from: Option<String>) -> Self {
        Self { inbox_id, from }
    }
}

impl Job for WebhookOpenphoneProcess {
    const KIND: &'static str = "webhook.openphone.process";
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

impl ActsOnDelivery for WebhookOpenphoneProcess {
    fn inbox_id(&self) -> &InboxId {
        &self.inbox_id
    }
}

impl Handler<App> for WebhookOpenphoneProcess {
    type Hooks = DeliveryHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let Stored { body, received_at } = stored(&mut tx, &self).await?;
        let (now, by) = (ctx.now(), Actor::Webhook { inbox_id: self.inbox_id.clone() });
        // The receiver stores no body that can't be read.
        let event = Event::parse(body.as_bytes()).or_fail()?;
        let (status, org, verdict) = match event.fact {
            Fact::Received(text) => {
                let text = inbound::arrived(text, &self.inbox_id, SmsCarrier::Openphone, received_at);
                let taken = inbound::take(&ctx, &mut tx, &text, &by).await?;
                (InboxStatus::Processed, taken.org, taken.verdict)
            }
            Fact::Delivery { sid, status } => {
                let delivery = delivery(&status);
                let report = Report { sid: &sid, delivery, error_code: None, refusal: None, received_at };
                match report::apply(&Enqueuer::of(&ctx), &mut tx, &report, &by, now).await? {
                    Some(applied) => (applied.inbox_status(), None, applied.verdict()),
                    None => return Ok(Outcome::poll(LOOK_AGAIN)),
                }
            }
            Fact::Other => (InboxStatus::Ignored, None, "not about a text"),
        };
        inbox::settle(&mut tx, &self.inbox_id, status, org.as_ref(), &ctx.job.id, now).await.or_job_error()?;
        failpoint::hit("inbound.before_commit").await?;
        tx.commit().await?;
        failpoint::hit("inbound.after_commit").await?;
        Ok(Outcome::done_with(json!({"verdict": verdict})))
    }
}
