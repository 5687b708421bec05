//! Sends a reply as a text of its own if the answer to the webhook has not carried it. If the job dies, the reply was not
//! sent; an exception says so, and a retry sends it.

use std::time::Duration;

use nightshift_domain::ids::InboxId;
use nightshift_domain::messaging::delivery;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, sms, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsReplyFallback {
    /// The event in the inbox that the reply belongs to.
    pub inbox_id: InboxId,
}

impl SmsReplyFallback {
    /// Returns the once key of the job for an event.
    #[must_use]
    pub fn key(inbox: &InboxId) -> String {
        format!("reply:{inbox}")
    }
}

impl Job for SmsReplyFallback {
    const KIND: &'static str = "sms.reply_fallback";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::once(Self::key(&self.inbox_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.inbox_id)
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(30))
    }
}

impl Handler<App> for SmsReplyFallback {
    type Hooks = NoHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let taken = delivery::send_reply(&mut tx, &self.inbox_id, ctx.now()).await.or_job_error()?;
        let Some(text) = taken else { return Ok(Outcome::skip("the answer to the webhook carries the reply")) };
        sms::send_reply(&Enqueuer::of(&ctx), &mut tx, &text.id, &text.thread_id).await?;
        tx.commit().await?;
        Ok(Outcome::done())
    }
}
