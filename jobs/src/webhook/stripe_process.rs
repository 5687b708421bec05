//! Processes a Stripe event: a payment confirms its booking, a refund is recorded, other events are stored and ignored.
//!
//! Stripe delivers events late, more than once and in any order, and the rules of payments handle that. A payment may
//! be reported by the payment itself, by its checkout, or by both, of which only one may name the booking. Money that
//! belongs to no booking raises an exception, until a later event explains it.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::bookings::payments::PaymentReport;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox;
use nightshift_providers::stripe::Event;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, OrFail, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::webhook::{ActsOnDelivery, DeliveryHooks, Stored, key, stored};
use crate::{App, booking, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookStripeProcess {
    pub inbox_id: InboxId,
}

impl WebhookStripeProcess {
    /// Creates the job for the event stored under `inbox_id`.
    #[must_use]
    pub fn new(inbox_id: InboxId) -> Self {
        Self { inbox_id }
    }
}

impl Job for WebhookStripeProcess {
    const KIND: &'static str = "webhook.stripe.process";
    const QUEUE: &'static str = "webhooks";

    fn keys(&self) -> Keys {
        Keys::once(key(&self.inbox_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.inbox_id)
    }

    fn policy() -> Policy {
        Policy::standard(8).timeout(Duration::from_secs(30))
    }
}

impl ActsOnDelivery for WebhookStripeProcess {
    fn inbox_id(&self) -> &InboxId {
        &self.inbox_id
    }
}

impl Handler<App> for WebhookStripeProcess {
    type Hooks = DeliveryHooks;

    /// Processes the event and records its outcome in one transaction.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let Stored { body, .. } = stored(&mut tx, &self).await?;
        let event = Event::parse(body.as_bytes()).or_fail()?;
        let by = Actor::Webhook { inbox_id: self.inbox_id.clone() };
        let report = PaymentReport {
            inbox_id: &self.inbox_id,
            by: &by,
            event_type: event.kind.as_deref().unwrap_or_default(),
            event_id: event.id.as_deref(),
            livemode: event.livemode,
        };
        let handled = booking::receive_payment(&Enqueuer::of(&ctx), &mut tx, &report, event.fact()).await?;
        inbox::settle(&mut tx, &self.inbox_id, handled.status, handled.org.as_ref(), &ctx.job.id, ctx.now())
            .await
            .or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"verdict": handled.word})))
    }
}
