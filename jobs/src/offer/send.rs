//! Tells a sitter of an offer: starts the automatic text about it. If the job dies, an exception says so, and the sitter
//! can still answer on the web.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::ids::OfferId;
use nightshift_domain::offers;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, automation, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferSend {
    pub offer_id: OfferId,
}

impl Job for OfferSend {
    const KIND: &'static str = "offer.send";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::once(format!("offer.send:{}", self.offer_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::offer(&self.offer_id)
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(30))
    }
}

impl Handler<App> for OfferSend {
    type Hooks = NoHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let mut tx = ctx.begin().await?;
        let runs = offers::notify(&mut tx, &self.offer_id, &by, now).await.or_job_error()?;
        let mut started = false;
        for run in &runs {
            automation::start(&Enqueuer::of(&ctx), &mut tx, run).await?;
            started = true;
        }
        tx.commit().await?;
        Ok(if started { Outcome::done() } else { Outcome::skip("the offer can no longer be answered") })
    }
}
