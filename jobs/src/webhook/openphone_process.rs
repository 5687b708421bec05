//! Acts on a webhook of OpenPhone: routes a text, or applies the delivery status of one of ours.

use nightshift_db::failpoint;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_providers::inbound::InboundText;
use nightshift_providers::openphone::{Event, Fact, delivery};
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, OrFail, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::sms::report::{self, LOOK_AGAIN, Report};
use crate::webhook::text::TextWebhook;
use crate::webhook::{ActsOnDelivery, DeliveryHooks, Stored, inbound, stored};
use crate::{App, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookOpenphoneProcess(TextWebhook);

impl WebhookOpenphoneProcess {
    /// Creates the job for the webhook stored under `inbox_id`. `text` is the text that it delivers, if it does.
    #[must_use]
    pub fn new(inbox_id: InboxId, text: Option<&InboundText>) -> Self {
        Self(TextWebhook::new(inbox_id, text.map(|text| (text, SmsCarrier::Openphone))))
    }
}

impl Job for WebhookOpenphoneProcess {
    const KIND: &'static str = "webhook.openphone.process";
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

impl ActsOnDelivery for WebhookOpenphoneProcess {
    fn inbox_id(&self) -> &InboxId {
        &self.0.inbox_id
    }
}

impl Handler<App> for WebhookOpenphoneProcess {
    type Hooks = DeliveryHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let Stored { body, received_at } = stored(&mut tx, &self).await?;
        let (now, by) = (ctx.now(), Actor::Webhook { inbox_id: self.0.inbox_id.clone() });
        // The receiver stores no body that can't be read.
        let event = Event::parse(body.as_bytes()).or_fail()?;
        let (status, org, verdict) = match event.fact {
            Fact::Received(text) => {
                let text = inbound::arrived(text, &self.0.inbox_id, SmsCarrier::Openphone, received_at);
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
        inbox::settle(&mut tx, &self.0.inbox_id, status, org.as_ref(), &ctx.job.id, now).await.or_job_error()?;
        failpoint::hit("inbound.before_commit").await?;
        tx.commit().await?;
        failpoint::hit("inbound.after_commit").await?;
        Ok(Outcome::done_with(json!({"verdict": verdict})))
    }
}
