//! Ends an offer that nobody answered in time. An offer whose time is over can't be answered even if this job is late or
//! dies: whoever answers compares the times.

use std::time::Duration;

use nightshift_db::Timestamp;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::OfferId;
use nightshift_domain::offers::{self, Expiry};
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, metrics, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferExpire {
    pub offer_id: OfferId,
    /// The expiry that the offer got after it was made, if it did: its booking was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<Timestamp>,
}

impl OfferExpire {
    /// Creates the job for an offer that was just made.
    #[must_use]
    pub fn first(offer_id: OfferId) -> Self {
        Self { offer_id, moved_to: None }
    }

    /// Creates the job for an offer that expires earlier than before. The first one then finds nothing to do.
    #[must_use]
    pub fn earlier(offer_id: OfferId, expires_at: Timestamp) -> Self {
        Self { offer_id, moved_to: Some(expires_at) }
    }
}

impl Job for OfferExpire {
    const KIND: &'static str = "offer.expire";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::once(match self.moved_to {
            None => format!("offer.expire:{}", self.offer_id),
            Some(at) => format!("offer.expire:{}:{}", self.offer_id, at.unix_ms()),
        })
    }

    fn subject(&self) -> Option<Subject> {
        subject::offer(&self.offer_id)
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(15))
    }
}

impl Handler<App> for OfferExpire {
    type Hooks = NoHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let mut tx = ctx.begin().await?;
        let outcome = match offers::expire(&mut tx, &self.offer_id, &by, now).await.or_job_error()? {
            Expiry::Expired(sitter) => {
                metrics::sitter_changed(&Enqueuer::of(&ctx), &mut tx, &sitter).await?;
                Outcome::done()
            }
            Expiry::Later(at) => Outcome::poll(at.since(now)),
            Expiry::Ended => Outcome::skip("the offer has ended"),
        };
        tx.commit().await?;
        Ok(outcome)
    }
}
