//! Applies Twilio's report about a text.
//!
//! A report may arrive before the answer to the request that sent the text. If the text is unknown, the job retries for
//! two minutes. After that the report is about a text of somebody else, and is ignored.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_domain::messaging::delivery::{ReportOutcome, apply_report};
use nightshift_providers::twilio::StatusCallback;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::job_error::OrJobError;
use crate::sms::report::our_status;
use crate::webhook::{ActsOnDelivery, DeliveryHooks, Stored, key, stored};
use crate::{App, subject};

const KNOWN_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_secs(5);

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
        let mut settled = InboxStatus::Ignored;
        let report = StatusCallback::parse(body.as_bytes());
        let mut verdict = if report.is_ok() { "tells nothing new" } else { "names no text or no status" };
        if let Ok(report) = report
            && let Some(status) = our_status(report.status)
        {
            let code = report.error_code.map(|code| code.to_string());
            match apply_report(&mut tx, &report.message_sid, status, code.as_deref(), &by, now).await.or_job_error()? {
                ReportOutcome::Applied(_) => (settled, verdict) = (InboxStatus::Processed, "applied"),
                ReportOutcome::Stale => settled = InboxStatus::Processed,
                ReportOutcome::Unknown if now < received_at + KNOWN_WITHIN => return Ok(Outcome::poll(LOOK_AGAIN)),
                ReportOutcome::Unknown => verdict = "about no text of ours",
            }
        }
        inbox::settle(&mut tx, &self.inbox_id, settled, None, &ctx.job.id, now).await.or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"verdict": verdict})))
    }
}
