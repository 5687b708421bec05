//! Computes a sitter's figures of the last 7 and 28 days, and the tier.
//!
//! Enqueued a minute after an answer or an offer that changes the figures; what changes in that minute joins it. If it
//! never succeeds, the figures are out of date until the nightly computation.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::ids::SitterId;
use nightshift_domain::metrics;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::job_error::OrJobError;
use crate::{App, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSitterWindow {
    pub sitter_id: SitterId,
}

impl Job for MetricsSitterWindow {
    const KIND: &'static str = "metrics.sitter_window";
    const QUEUE: &'static str = "metrics";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        Keys::dedup(format!("metrics:{}", self.sitter_id))
    }

    fn policy() -> Policy {
        Policy::standard(4).timeout(Duration::from_secs(60))
    }

    fn subject(&self) -> Option<Subject> {
        subject::sitter(&self.sitter_id)
    }
}

impl Handler<App> for MetricsSitterWindow {
    type Hooks = NoHooks;

    /// Computes the figures as of now, so a second run stores the same.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let by = Actor::system(ctx.job.id.as_str());
        let computed = metrics::compute(&mut tx, &self.sitter_id, &by, ctx.now()).await.or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"tier": computed.tier, "tierBefore": computed.tier_before})))
    }
}
