//! Processes a report from VAPI: the end of a call ends it here, without waiting for the next poll.
//!
//! A report may arrive before the answer to the request that placed its call. If the call is unknown, the job retries
//! for two minutes. After that the report is about a call of somebody else, and is ignored.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::calls;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_providers::vapi::{Progress, Report};
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, OrFail, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::booking_call::ending::ending_of;
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::webhook::{ActsOnDelivery, DeliveryHooks, Stored, key, stored};
use crate::{App, booking_call, subject};

const KNOWN_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookVapiProcess {
    pub inbox_id: InboxId,
    /// VAPI's id of the call. Empty if the report names no call.
    pub vapi_call_id: String,
}

impl WebhookVapiProcess {
    /// Creates the job for the report stored under `inbox_id`. `vapi_call_id` is empty if the report names no call.
    #[must_use]
    pub fn new(inbox_id: InboxId, vapi_call_id: String) -> Self {
        Self { inbox_id, vapi_call_id }
    }
}

impl Job for WebhookVapiProcess {
    const KIND: &'static str = "webhook.vapi.process";
    const QUEUE: &'static str = "webhooks";

    fn keys(&self) -> Keys {
        Keys::once(key(&self.inbox_id)).group(format!("call:{}", self.vapi_call_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.inbox_id)
    }

    fn policy() -> Policy {
        Policy::standard(8).timeout(Duration::from_secs(30))
    }
}

impl ActsOnDelivery for WebhookVapiProcess {
    fn inbox_id(&self) -> &InboxId {
        &self.inbox_id
    }
}

impl Handler<App> for WebhookVapiProcess {
    type Hooks = DeliveryHooks;

    /// Ends the call, or has it polled now.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let Stored { body, received_at } = stored(&mut tx, &self).await?;
        let report = Report::parse(body.as_bytes()).or_fail()?;
        let (now, by) = (ctx.now(), Actor::Webhook { inbox_id: self.inbox_id.clone() });
        let enqueuer = Enqueuer::of(&ctx);
        let mut settled = InboxStatus::Ignored;
        let mut verdict = "tells nothing that matters";
        let progress = report.progress();
        // Intermediate reports are not needed, because each poll reads the call's current state.
        if let Some(reported) = report.call.as_ref().filter(|_| progress != Progress::Underway) {
            let Some(id) =
                calls::by_report(&mut tx, &reported.id, reported.booking_call_id(), now).await.or_job_error()?
            else {
                if now < received_at + KNOWN_WITHIN {
                    return Ok(Outcome::poll(LOOK_AGAIN));
                }
                inbox::settle(&mut tx, &self.inbox_id, settled, None, &ctx.job.id, now).await.or_job_error()?;
                tx.commit().await?;
                return Ok(Outcome::done_with(json!({"verdict": "about no call of ours"})));
            };
            settled = InboxStatus::Processed;
            let call = calls::load(&mut tx, &id).await.or_job_error()?;
            match ending_of(progress, &call) {
                Some(ending) => {
                    let ended = booking_call::finish(&enqueuer, &mut tx, &id, &ending, None, &by).await?;
                    verdict = if ended { "ended the call" } else { "the call was over" };
                }
                // The call has ended but VAPI may still be computing the outcome, so polling continues.
                None => verdict = "had the call looked at",
            }
            booking_call::poll_now(&enqueuer, &mut tx, &id).await?;
        }
        inbox::settle(&mut tx, &self.inbox_id, settled, None, &ctx.job.id, now).await.or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"verdict": verdict})))
    }
}
